"""Following one message through the log, transcripts of chosen sessions, and journald's socket."""

import base64
import hashlib
import os
import socket
import subprocess
import threading
import unittest

import harness

MESSAGE = b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: s\r\n\r\nvery-private-content\r\n"


def fingerprint(key):
    return hashlib.sha256(key.encode()).hexdigest()


class OneMessage(harness.RelayTestCase):
    def test_session_and_message_name_it_in_every_line(self):
        with self.relay.login(harness.new_key()) as client:
            for _ in range(2):
                client.sendmail("a@yourdomain.com", "b@example.com", b"Received: x\r\n" + MESSAGE)
        names = {"message", "api-answer", "mapping-losses"}
        lines = harness.wait_until(lambda: self.lines(names, 6), what="the lines")
        self.assertEqual(len({event["session"] for event in lines}), 1)
        for number in ("1", "2"):
            found = {event["event"]: event for event in lines if event["message"] == number}
            self.assertEqual(set(found), names)
            # The relay's own id of the message, and the API's two.
            self.assertRegex(found["message"]["request_id"], "^req_")
            self.assertEqual(found["message"]["request_id"], found["api-answer"]["request_id"])
            self.assertIn(
                found["message"]["message_id"],
                [message["message_id"] for message in self.sandbox.list()])

    def lines(self, names, count):
        found = [event for event in self.relay.events() if event["event"] in names]
        return found if len(found) >= count else None


class Tracing(unittest.TestCase):
    def relay(self, *arguments):
        relay = harness.Relay(*arguments, "--log-level", "notice")
        self.addCleanup(relay.stop)
        return relay

    @staticmethod
    def transcript(relay):
        return [(event["side"], event["text"]) for event in relay.events() if event["event"] == "trace"]

    def check(self, relay, *secrets):
        for secret in (*secrets, b"very-private-content"):
            self.assertNotIn(secret, relay.log)

    def test_a_key_is_named_by_its_hash(self):
        key, other = harness.new_key(), harness.new_key()
        relay = self.relay("--trace-key", fingerprint(key)[:16])
        for each in (other, key):
            with relay.login(each) as client:
                client.sendmail("traced-" + each[-3:] + "@yourdomain.com", "b@example.com", MESSAGE)
        lines = harness.wait_until(
            lambda: (found := self.transcript(relay)) and ("-", "closed") in found and found)
        text = "\n".join(f"{side} {line}" for side, line in lines)
        self.assertIn("traced-" + key[-3:], text)
        self.assertNotIn("traced-" + other[-3:], text)
        for wanted in ("- the key matches", "S 235 Authentication successful", "C data",
                       "S 354 End data", f"- content, {len(MESSAGE)} bytes", "S 250 Ok: queued as ",
                       "C quit", "S 221 Bye"):
            self.assertIn(wanted.lower(), text.lower())
        self.check(relay)

    def test_an_address_is_traced_from_the_start_and_credentials_are_not_written(self):
        key = harness.new_key()
        relay = self.relay("--trace-address", "127.0.0.0/8")
        plain = base64.b64encode(b"\0postscale\0" + key.encode())
        with relay.raw() as client:
            client.ask(b"EHLO client.test")
            client.ask(b"AUTH PLAIN")
            client.ask(plain)
            client.ask(plain)  # A client out of step: it sends its password as a command.
            client.ask(b"AUTH PLAIN " + plain)
            client.ask(b"MAIL FROM:a@yourdomain.com>")
            client.ask(b"QUIT")
        # Connections without a command are the harness's checks that the ports are open.
        lines = harness.wait_until(
            lambda: (found := self.transcript(relay)) and ("S", "221 Bye") in found and found)
        self.assertIn(("C", "EHLO client.test"), lines)
        self.assertIn(("C", "AUTH PLAIN"), lines)
        self.assertIn(("C", f"(response hidden, {len(plain)} bytes)"), lines)
        self.assertIn(("C", f"(not understood, {len(plain)} bytes)"), lines)
        self.assertIn(("C", "AUTH PLAIN (response hidden)"), lines)
        self.assertIn(("C", "MAIL FROM:a@yourdomain.com>"), lines)
        self.check(relay, key.encode(), plain)

    def test_others_are_not_traced(self):
        relay = self.relay("--trace-address", "192.0.2.0/24", "--trace-key", "0" * 16)
        with relay.login(harness.new_key()) as client:
            client.sendmail("a@yourdomain.com", "b@example.com", MESSAGE)
        self.assertEqual(self.transcript(relay), [])

    def test_a_flood_is_cut_and_told_of(self):
        relay = self.relay("--trace-address", "127.0.0.1")
        for _ in range(30):
            with relay.raw() as client:
                client.send(b"NOOP\r\n" * 100)
                client.replies(100)
        lines = len(self.transcript(relay))
        self.assertLess(lines, 3_000)

        def told():
            # The first line of another second tells how many.
            with relay.raw() as client:
                client.ask(b"QUIT")
            suppressed = sum(int(event["lines"]) for event in relay.events()
                             if event["event"] == "trace-suppressed")
            return suppressed + len(self.transcript(relay))

        harness.wait_until(lambda: told() >= 6_000)

    def test_flags_that_mean_nothing_are_refused_without_repeating_a_key(self):
        key = harness.secret_key("ps_live_given_by_mistake")
        for arguments, word in (
                (["--trace-key", key], "--trace-key"), (["--trace-key", "12"], "--trace-key"),
                (["--trace-address", "nowhere"], "--trace-address nowhere"),
                (["--trace-address", "192.0.2.1/24"], "--trace-address 192.0.2.1/24")):
            result = subprocess.run(
                [harness.BINARY, "--sandbox", "--check-config", *arguments],
                capture_output=True, text=True, timeout=30)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(word, result.stderr)
            self.assertNotIn(key, result.stderr)


class Journal:
    """A socket like journald's."""

    def __init__(self):
        self.path = os.path.join(harness.temporary_folder("journal"), "socket")
        self.entries = []
        self.open()

    def open(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.socket.settimeout(0.1)
        self.isOpen = True
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        while self.isOpen:
            try:
                datagram = self.socket.recv(65_536)
            except TimeoutError:
                continue
            fields = [line.split("=", 1) for line in datagram.decode().rstrip("\n").split("\n")]
            self.entries.append(dict(fields))

    def close(self):
        self.isOpen = False
        self.thread.join()
        self.socket.close()
        os.unlink(self.path)

    def named(self, name):
        return [entry for entry in list(self.entries) if entry.get("POSTSCALE_EVENT") == name]


class Journald(unittest.TestCase):
    def test_entries_reach_the_socket_and_again_when_it_was_started_anew(self):
        journal = Journal()
        self.addCleanup(lambda: journal.close())
        os.environ["POSTSCALE_JOURNAL_SOCKET"] = journal.path
        try:
            relay = harness.Relay("--log-format", "journald")
        finally:
            del os.environ["POSTSCALE_JOURNAL_SOCKET"]
        self.addCleanup(relay.stop)
        key = harness.new_key()
        with relay.login(key) as client:
            client.sendmail("a@yourdomain.com", "b@example.com", MESSAGE)
        entry = harness.wait_until(lambda: journal.named("message"), what="the entry")[0]
        self.assertEqual(entry["PRIORITY"], "6")
        self.assertEqual(entry["SYSLOG_IDENTIFIER"], "postscale-relay")
        self.assertEqual(entry["POSTSCALE_OUTCOME"], "accepted")
        self.assertRegex(entry["POSTSCALE_SESSION"], "^[0-9a-f]{16}$")
        self.assertTrue(entry["MESSAGE"].startswith("message bytes="), entry["MESSAGE"])
        self.assertEqual(journal.named("ready")[0]["PRIORITY"], "5")
        self.assertEqual(harness.find_keys(repr(journal.entries).encode(), [key]), [])
        self.assertNotIn(b"session-opened", relay.log)
        # Text from a peer adds no field.
        with relay.raw() as client:
            client.ask(b"EHLO x\x0bPOSTSCALE_FORGED=1")
            client.ask(b"QUIT")
        self.assertFalse(any("POSTSCALE_FORGED" in entry for entry in journal.entries))
        journal.close()
        with relay.raw() as client:
            client.ask(b"QUIT")
        journal.open()
        before = len(journal.named("session-opened"))

        def again():
            with relay.raw() as client:
                client.ask(b"QUIT")
            return len(journal.named("session-opened")) > before

        harness.wait_until(again, what="an entry at the new socket")

    def test_without_a_journal_it_does_not_start(self):
        result = subprocess.run(
            [harness.BINARY, "--sandbox", "--log-format", "journald"], capture_output=True, text=True,
            env={**os.environ, "POSTSCALE_JOURNAL_SOCKET": "/nonexistent/socket"}, timeout=30)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("/nonexistent/socket", result.stderr)


if __name__ == "__main__":
    unittest.main()
