"""`postscale-relay check`: each line in its good and in its bad case, and the status."""

import contextlib
import os
import pathlib
import pty
import re
import socket
import sqlite3
import subprocess
import threading
import time
import unittest

import harness


def check(*arguments, environment=None):
    """(status, {subject: [(grade, text and advice)]})."""
    run = subprocess.run(
        [harness.BINARY, "check", *arguments], capture_output=True, text=True, timeout=60,
        env={**os.environ, **(environment or {})})
    found = {}
    for line in run.stdout.splitlines():
        words = line.split(maxsplit=2)
        if words[:1] == ["->"]:
            last[-1] = (last[-1][0], f"{last[-1][1]} {line.strip()}")
        elif words and words[0] in ("ok", "warn", "bad"):
            last = found.setdefault(words[1], [])
            last.append((words[0], words[2]))
    return run.returncode, found, run.stdout + run.stderr


class Answers:
    """A server that answers every request with the same bytes."""

    def __init__(self, answer):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.answer = answer
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.asked = client.recv(65536)
            client.sendall(self.answer)
            client.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def response(status, date=None, kind="application/json"):
    date = date if date is not None else time.time()
    words = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(date))
    return f"HTTP/1.1 {status} X\r\nDate: {words}\r\nContent-Type: {kind}\r\nContent-Length: 0\r\n\r\n".encode()


class Check(harness.RelayTestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(harness.temporary_folder("check"))
        self.certificate = str(self.folder / "certificate.pem")
        self.key = harness.make_certificate(str(self.folder), self.certificate)
        os.chmod(self.key, 0o600)

    def flags(self, *more, api=None, port=None):
        return (
            "--hostname", "localhost", "--tls-cert", self.certificate, "--tls-key", self.key,
            "--api-url", f"http://127.0.0.1:{api or self.relay.sandbox_port}",
            "--listen", f"127.0.0.1:{port or harness.free_port()}", *more)

    def one(self, subject, *flags, environment=None, **where):
        status, found, shown = check(*self.flags(*flags, **where), environment=environment)
        self.assertIn(subject, found, shown)
        self.assertEqual(status, 1 if "bad" in [g for lines in found.values() for g, _ in lines] else 0, shown)
        return found[subject]

    def key_file(self, key):
        path = self.folder / "key"
        path.write_text(key + "\n")
        return str(path)

    def test_a_good_machine(self):
        key = self.key_file(harness.new_key())
        ledger = str(self.folder / "ledger")
        status, found, shown = check(*self.flags(
            "--ledger", ledger, "--key-file", key, "--temporary-folder", str(self.folder)))
        self.assertEqual(status, 0, shown)
        for subject in ("settings", "port", "dns", "api", "http", "login", "clock", "temporary", "ledger"):
            self.assertEqual([grade for grade, _ in found[subject]], ["ok"], shown)
        self.assertIn("accepts the key", found["login"][0][1])
        # The certificate of the tests is good for two days.
        self.assertEqual([grade for grade, _ in found["certificate"]], ["warn", "ok"], shown)
        self.assertIn("certbot renew", found["certificate"][0][1])
        for subject in ("descriptors", "io_uring"):
            self.assertIn(found[subject][0][0], ("ok", "warn"))
        self.assertNotIn("ps_test", shown)

    def test_ports(self):
        grade, text = self.one("port", port=self.relay.ports[0])[0]
        self.assertEqual((grade, "in use by a relay" in text), ("ok", True))
        with socket.create_server(("127.0.0.1", 0)) as other:
            threading.Thread(target=lambda: other.accept()[0].close(), daemon=True).start()
            grade, text = self.one("port", port=other.getsockname()[1])[0]
            self.assertEqual((grade, "ss -ltnp" in text), ("bad", True))
            lines = self.one("port", "--admin", f"127.0.0.1:{other.getsockname()[1]}")
            self.assertEqual([grade for grade, _ in lines], ["ok", "bad"])
            self.assertIn("another --admin", lines[1][1])
        lines = self.one("port", "--listen", "192.0.2.1:2525")
        self.assertEqual([grade for grade, _ in lines], ["ok", "bad"])
        lines = self.one(
            "port", "--listen-tls", f"127.0.0.1:{self.relay.tls_port}", port=self.relay.ports[1])
        self.assertEqual([grade for grade, _ in lines], ["ok", "ok"])

    def test_certificates(self):
        grade, text = self.one("certificate", "--hostname", "smtp.example.com")[1]
        self.assertEqual((grade, "not for smtp.example.com" in text), ("warn", True))
        os.chmod(self.key, 0o644)
        self.assertIn("chmod o-r", self.one("certificate")[2][1])
        os.chmod(self.key, 0o600)
        other = self.folder / "other"
        other.mkdir()
        second = harness.make_certificate(str(other), str(other / "certificate.pem"))
        grade, text = self.one("certificate", "--tls-cert", self.certificate, "--tls-key", second)[0]
        self.assertEqual(grade, "bad", text)

    def test_dates_and_chains(self):
        alone, chain, key = harness.signed_certificate(-1, 90)
        os.chmod(key, 0o600)
        flags = ("--hostname", "localhost", "--listen", f"127.0.0.1:{harness.free_port()}")
        for certificate, grades in ((chain, ["ok", "ok"]), (alone, ["ok", "ok", "warn"])):
            _, found, shown = check(*flags, "--tls-cert", certificate, "--tls-key", key)
            self.assertEqual([grade for grade, _ in found["certificate"]], grades, shown)
        self.assertIn("fullchain.pem", found["certificate"][2][1])
        _, later, later_key = harness.signed_certificate(1, 90)
        _, found, shown = check(*flags, "--tls-cert", later, "--tls-key", later_key)
        self.assertEqual((found["certificate"][0][0], "clock" in found["certificate"][0][1]), ("bad", True), shown)
        # Of several, the line says which has ended.
        _, ended, ended_key = harness.signed_certificate(-90, -1, name="old.example.com")
        _, found, shown = check(
            *flags, "--tls-cert", chain, "--tls-key", key, "--tls-cert", ended, "--tls-key", ended_key)
        self.assertEqual([grade for grade, _ in found["certificate"][:2]], ["ok", "bad"], shown)
        self.assertIn("old.example.com: ended at", found["certificate"][1][1])

    def test_a_key_with_a_passphrase_is_refused_without_a_question(self):
        locked = str(self.folder / "locked.pem")
        subprocess.run(
            ["openssl", "pkey", "-in", self.key, "-aes128", "-passout", "pass:secret", "-out", locked], check=True)
        child, terminal = pty.fork()
        if child == 0:
            os.execv(harness.BINARY, [
                "relay", "check", "--tls-cert", self.certificate, "--tls-key", locked,
                "--api-url", f"http://127.0.0.1:{self.relay.sandbox_port}",
                "--listen", f"127.0.0.1:{harness.free_port()}"])  # fmt: skip
        shown = b""
        while True:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # Linux says EIO when the child has ended.
                break
            shown += piece
            self.assertNotIn(b"pass phrase:", shown)
            if not piece:
                break
        os.waitpid(child, 0)
        self.assertIn(b"it has a passphrase", shown)
        os.close(terminal)

    def test_the_api(self):
        for answer, key, grade, words in (
            (response(401), "", "ok", "wants a key"),
            (response(401), "ps_live_x", "bad", "refuses the key"),
            (response(403), "ps_live_x", "ok", "send only"),
            (response(429), "ps_live_x", "ok", "limits it now"),
            (response(503), "ps_live_x", "bad", "503"),
            (response(404), "", "bad", "--api-url"),
            (response(403, kind="text/html"), "", "bad", "in front of the API"),
        ):  # fmt: skip
            with self.subTest(words):
                server = Answers(answer)
                got = self.one(
                    "login", api=server.port,
                    environment={"POSTSCALE_API_KEY": harness.secret_key(key)} if key else None)
                server.close()
                self.assertEqual(got[0][0], grade, got)
                self.assertIn(words, got[0][1])

    def test_an_api_out_of_reach(self):
        grade, text = self.one("api", api=harness.free_port())[0]
        self.assertEqual((grade, "nothing listens there" in text), ("bad", True))
        grade, text = self.one("dns", "--api-url", "https://no.such.name.invalid")[0]
        self.assertEqual((grade, "resolv.conf" in text), ("bad", True))
        server = Answers(b"not HTTP at all\r\n\r\n")
        grade, text = self.one("api", api=server.port)[0]
        self.assertEqual((grade, "it took the connection" in text), ("bad", True))
        server.close()

    def test_the_clock(self):
        for skew, grade, words in ((60, "warn", "before"), (-4_000, "bad", "after")):
            server = Answers(response(401, time.time() + skew))
            got = self.one("clock", api=server.port)[0]
            server.close()
            self.assertEqual(got[0], grade)
            self.assertIn(words, got[1])

    def test_ledgers(self):
        grade, text = self.one("ledger")[0]
        self.assertEqual((grade, "restart" in text), ("warn", True))
        grade, text = self.one("ledger", "--ledger", "/no/such/folder/ledger")[0]
        self.assertEqual(grade, "bad", text)
        broken = self.folder / "broken"
        broken.write_bytes(b"this is no database" * 1000)
        self.assertEqual(self.one("ledger", "--ledger", str(broken))[0][0], "bad")
        grade, text = self.one("ledger", "--ledger", f"valkey://127.0.0.1:{harness.free_port()}")[0]
        self.assertEqual(grade, "bad", text)
        other = self.folder / "of-another-program"
        with contextlib.closing(sqlite3.connect(other)) as database, database:
            database.execute("CREATE TABLE letters (subject TEXT)")
        grade, text = self.one("ledger", "--ledger", str(other))[0]
        self.assertEqual((grade, "name another file" in text), ("bad", True), text)
        grade, text = self.one("ledger", "--ledger", str(self.folder))[0]
        self.assertEqual((grade, "is a folder" in text), ("bad", True))

    def test_servers_of_ledgers(self):
        credentials = self.folder / "credentials"
        credentials.write_text("user=relay\npassword=x\n")
        for answer, grade, words in (
            (b"+OK\r\n:0\r\n$-1\r\n", "ok", "answers"),
            (b"-WRONGPASS invalid username-password pair\r\n-NOAUTH x\r\n-NOAUTH x\r\n", "bad", "WRONGPASS"),
            (b"+OK\r\n-NOPERM this user has no permissions\r\n$-1\r\n", "bad", "docs/fleet.md"),
            (b"+OK\r\n:1\r\n-READONLY You can't write against a read only replica.\r\n", "bad", "the primary"),
            (b"+OK\r\n:1\r\n-OOM command not allowed\r\n", "bad", "maxmemory"),
        ):  # fmt: skip
            with self.subTest(words):
                server = Answers(answer)
                got = self.one(
                    "ledger", "--ledger", f"valkey://127.0.0.1:{server.port}",
                    "--ledger-credentials", str(credentials))[0]
                self.assertEqual(got[0], grade, got)
                self.assertIn(words, got[1])
                asked = server.asked
                server.close()
                # Only commands that the user of docs/fleet.md may use.
                self.assertEqual(re.findall(rb"\*\d+\r\n\$\d+\r\n(\w+)", asked), [b"AUTH", b"EXISTS", b"SET"])
        gone = str(self.folder / "no-such-file")
        grade, text = self.one("ledger", "--ledger", "valkey://127.0.0.1:1", "--ledger-credentials", gone)[0]
        self.assertEqual((grade, "correct the file of --ledger-credentials" in text), ("bad", True))

    def test_wrong_settings(self):
        status, found, shown = check("--api-url", "ftp://x")
        self.assertEqual((status, found["settings"][0][0]), (1, "bad"), shown)
        config = self.folder / "relay.conf"
        config.write_text("--loops 0\n")
        status, found, shown = check(*self.flags("--config", str(config)))
        self.assertEqual((status, "--loops" in found["settings"][0][1]), (1, True), shown)

    def test_a_settings_file_with_a_bad_line(self):
        config = self.folder / "relay.conf"
        for line, words in (
            ("--max-recipient 5", "Unknown option '--max-recipient'"),
            ("--idle-timeout 60", "The value '60' is invalid for '--idle-timeout <time>'"),
            ("--help", "--help cannot stand in such a file"),
        ):
            config.write_text(f"# Settings\n{line}\n")
            status, found, shown = check(*self.flags("--config", str(config)))
            self.assertEqual((status, found["settings"][0][0]), (1, "bad"), shown)
            self.assertIn(f"{config}:2: {words}", found["settings"][0][1])

    def test_descriptors(self):
        run = subprocess.run(
            ["sh", "-c", 'ulimit -n 300; exec "$0" check "$@"', harness.BINARY, *self.flags()],
            capture_output=True, text=True, timeout=60)
        self.assertRegex(run.stdout, r"warn  descriptors  300")
        self.assertIn("LimitNOFILE=", run.stdout)

    def test_help_shows_what_matters_first(self):
        shown = [
            subprocess.run([harness.BINARY, *words], capture_output=True, text=True, check=True).stdout
            for words in (["--help"], ["run", "--help"], ["help"])]
        self.assertEqual(len(set(shown)), 1)
        self.assertLess(shown[0].index("--log-level"), shown[0].index("CLIENTS:"))
        self.assertLess(shown[0].index("CLIENTS:"), shown[0].index("--max-recipients"))


if __name__ == "__main__":
    unittest.main()
