"""SIGHUP: the relay reads certificates, ticket keys and limits again; wrong ones change nothing."""

import os
import pathlib
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import unittest

import harness


def certificate(folder, *names):
    """A folder as certbot writes it, with a certificate for `names`."""
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-days", "2", "-subj", "/CN=unused"]
        + ["-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)]
        + ["-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True, capture_output=True)
    return folder


class ReloadTestCase(unittest.TestCase):
    def start(self, *arguments, config=""):
        """A relay without its own certificate, with a sandbox process as its API."""
        self.sandbox = harness.Sandbox()
        self.addCleanup(self.sandbox.stop)
        self.port, self.tls_port = harness.free_port(), harness.free_port()
        self.config = pathlib.Path(harness.temporary_folder("config")) / "relay.conf"
        self.config.write_text(
            f"# For the test.\n--listen 127.0.0.1:{self.port}\n--listen-tls 127.0.0.1:{self.tls_port}\n"
            f"--api-url http://127.0.0.1:{self.sandbox.port}\n" + config)
        relay = harness.Process(
            "reload", ["--config", str(self.config), "--log-format", "json", "--log-level", "trace"]
            + [*harness.RELAY_ARGUMENTS, *arguments])
        self.addCleanup(relay.stop)
        relay.wait_for_port(self.port)
        self.wait_for_event(relay, "ready")
        return relay

    def wait_for_event(self, relay, *names, count=1):
        def find():
            found = [event for event in relay.events() if event["event"] in names]
            return found[-1] if len(found) >= count else None

        return harness.wait_until(find, what=f"event {names}")

    def hang_up(self, relay, event="reloaded"):
        """Sends SIGHUP; returns the event with which the reload ends."""
        names = ("reloaded", "reload-refused")
        before = sum(entry["event"] in names for entry in relay.events())
        relay.process.send_signal(signal.SIGHUP)
        found = self.wait_for_event(relay, *names, count=before + 1)
        self.assertEqual(found["event"], event, found)
        # The loops adopt it in their next tick.
        with socket.create_connection(("127.0.0.1", self.port)) as probe:
            probe.recv(1)
        return found

    def handshake(self, server_name, session=None, context=None, port=None):
        """A finished handshake on the port for TLS, greeting read."""
        context = context or self.context()
        plain = socket.create_connection(("127.0.0.1", port or self.tls_port), timeout=10)
        client = context.wrap_socket(plain, server_hostname=server_name, session=session)
        self.addCleanup(client.close)
        self.assertTrue(client.recv(1_000).startswith(b"220 "))
        return client

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def presented(self, server_name):
        """The certificate that a client gets when it asks for this name."""
        with self.handshake(server_name) as client:
            return client.getpeercert(binary_form=True)

    def stored(self, folder):
        return ssl.PEM_cert_to_DER_cert((folder / "fullchain.pem").read_text())


class Names(ReloadTestCase):
    def test_the_name_that_a_client_asks_for_chooses_among_a_folder_of_folders(self):
        live = pathlib.Path(harness.temporary_folder("live"))
        (live / "README").write_text("not a certificate")
        first = certificate(live / "a", "a.example", "*.wild.example")
        own = certificate(live / "b", "smtp.example.com")
        self.start("--tls-folder", str(live), "--hostname", "smtp.example.com")
        for name, folder in [
            ("a.example", first), ("A.Example", first), ("x.wild.example", first),
            ("smtp.example.com", own),
            # No certificate covers these names: the one for --hostname is used.
            ("wild.example", own), ("x.y.wild.example", own), ("other.example", own), (None, own),
        ]:
            self.assertEqual(self.presented(name), self.stored(folder), name)

    def test_it_chooses_behind_starttls_and_with_tls_1_2_and_tickets_are_good_for_it(self):
        live = pathlib.Path(harness.temporary_folder("live"))
        other = certificate(live / "a", "a.example")
        own = certificate(live / "b", "b.example")
        self.start("--tls-folder", str(live), "--hostname", "b.example")
        context = ssl.create_default_context(cafile=other / "fullchain.pem")
        with smtplib.SMTP("127.0.0.1", self.port, "client.test") as client:
            client._host = "a.example"
            client.starttls(context=context)
            client.login("postscale", harness.new_key())
            client.sendmail("a@yourdomain.com", "b@example.com", b"Subject: s\r\n\r\nx\r\n")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=other / "fullchain.pem")
            context.maximum_version = context.minimum_version = version
            with self.handshake("a.example", context=context) as client:
                session = client.session
                self.assertFalse(client.session_reused)
            with self.handshake("a.example", session, context) as client:
                self.assertTrue(client.session_reused, version)
                client.sendall(b"NOOP\r\n")
                self.assertTrue(client.recv(1_000).startswith(b"250 "))
        self.assertEqual(self.presented("b.example"), self.stored(own))


class Reload(ReloadTestCase):
    def setUp(self):
        self.folder = certificate(
            pathlib.Path(harness.temporary_folder("live")) / "smtp.example.com", "localhost")

    def test_a_renewed_certificate_is_used_and_open_sessions_go_on(self):
        relay = self.start("--tls-folder", str(self.folder))
        old = self.stored(self.folder)
        context = self.context()
        with self.handshake("localhost", context=context) as client:
            session = client.session
            certificate(self.folder, "localhost")
            self.assertEqual(self.presented("localhost"), old, "not before it is asked to")
            self.hang_up(relay)
            self.assertEqual(self.presented("localhost"), self.stored(self.folder))
            self.assertNotEqual(self.presented("localhost"), old)
            client.sendall(b"NOOP\r\n")
            self.assertTrue(client.recv(1_000).startswith(b"250 "))
        with self.handshake("localhost", session, context) as client:
            self.assertTrue(client.session_reused, "tickets stay good")

    def test_a_bad_certificate_changes_nothing_and_says_why(self):
        relay = self.start("--tls-folder", str(self.folder), config="--max-recipients 7\n")
        old = self.stored(self.folder)
        self.config.write_text(self.config.read_text().replace("recipients 7", "recipients 8"))
        key = self.folder / "privkey.pem"
        good = key.read_bytes()
        key.write_text("nonsense")
        event = self.hang_up(relay, "reload-refused")
        self.assertIn(f"key {key}", event["reason"])
        self.assertEqual(self.presented("localhost"), old)
        self.assertIn(b"RCPTMAX=7", self.hello())
        certificate(self.folder, "localhost")
        key.write_bytes(good)
        event = self.hang_up(relay, "reload-refused")
        self.assertIn(f"key {key}", event["reason"], "the key of another certificate")
        self.assertEqual(self.presented("localhost"), old)

    def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(self):
        relay = self.start("--tls-folder", str(self.folder))
        key = self.folder / "privkey.pem"
        good = key.read_bytes()
        locked = subprocess.run(
            ["openssl", "pkey", "-in", key, "-aes128", "-passout", "pass:secret"], capture_output=True, check=True)
        key.write_bytes(locked.stdout)
        self.assertIn("it has a passphrase", self.hang_up(relay, "reload-refused")["reason"])
        key.write_bytes(good)
        self.hang_up(relay)

    def test_a_certificate_that_has_ended_is_named(self):
        relay = self.start("--tls-folder", str(self.folder))
        self.hang_up(relay)
        self.assertFalse([e for e in relay.events() if e["event"] == "certificate-not-valid"])
        _, chain, key = harness.signed_certificate(-9, -1)
        shutil.copy(chain, self.folder / "fullchain.pem")
        shutil.copy(key, self.folder / "privkey.pem")
        self.hang_up(relay)
        event = self.wait_for_event(relay, "certificate-not-valid")
        self.assertEqual((event["names"], event["reason"].startswith("ended at ")), ("localhost", True), event)

    def hello(self):
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.recv(1_000)
            client.sendall(b"EHLO client.test\r\n")
            return client.recv(1_000)

    def test_limits_change_for_new_sessions_and_the_rest_is_named(self):
        relay = self.start(
            "--tls-folder", str(self.folder), config="--max-recipients 7\n--loops 1\n")
        with socket.create_connection(("127.0.0.1", self.port)) as open_session:
            open_session.recv(1_000)
            text = self.config.read_text().replace("recipients 7", "recipients 8")
            self.config.write_text(
                text.replace("--loops 1", "--loops 2") + "--max-connections-per-address 2\n")
            self.hang_up(relay)
            restart = self.wait_for_event(relay, "reload-needs-restart")
            self.assertEqual(restart["flags"], "--loops")
            open_session.sendall(b"EHLO client.test\r\n")
            self.assertIn(b"RCPTMAX=7", open_session.recv(1_000))
            self.assertIn(b"RCPTMAX=8", self.hello())
            with socket.create_connection(("127.0.0.1", self.port)) as second:
                self.assertTrue(second.recv(1_000).startswith(b"220 "))
                with socket.create_connection(("127.0.0.1", self.port)) as third:
                    self.assertTrue(third.recv(1_000).startswith(b"421 "))

    def test_a_bad_settings_file_changes_nothing_and_names_what_is_wrong(self):
        relay = self.start("--tls-folder", str(self.folder), config="--max-recipients 7\n")
        text = self.config.read_text()
        for line, reason in [
            ("--max-recipients 0", "--max-recipients 0: give a number above 0"),
            ("--no-such-flag", "--no-such-flag"), ("nonsense", "give one flag a line"),
        ]:
            self.config.write_text(text.replace("--max-recipients 7", line))
            event = self.hang_up(relay, "reload-refused")
            self.assertIn(reason, event["reason"])
            self.assertIn(b"RCPTMAX=7", self.hello())
        os.unlink(self.config)
        self.assertIn("No such file", self.hang_up(relay, "reload-refused")["reason"])
        self.config.write_text(text)
        self.hang_up(relay)

    def test_relays_with_the_same_ticket_keys_open_each_others_tickets(self):
        keys = pathlib.Path(harness.temporary_folder("tickets")) / "ticket.key"
        first, second = os.urandom(80), os.urandom(80)
        keys.write_bytes(first)
        other = self.start("--tls-folder", str(self.folder), "--ticket-keys", str(keys))
        port = self.tls_port
        relay = self.start("--tls-folder", str(self.folder), "--ticket-keys", str(keys))
        context = self.context()
        with self.handshake("localhost", context=context) as client:
            session = client.session
        with self.handshake("localhost", session, context, port) as client:
            self.assertTrue(client.session_reused, "a ticket of the other relay")
        keys.write_bytes(second + first)
        self.hang_up(relay)
        with self.handshake("localhost", session, context) as client:
            self.assertTrue(client.session_reused, "a key that only opens")
        keys.write_bytes(second)
        self.hang_up(relay)
        with self.handshake("localhost", session, context) as client:
            self.assertFalse(client.session_reused, "a key that is gone")
        keys.write_bytes(b"short")
        self.assertIn("give 1 to 16 keys", self.hang_up(relay, "reload-refused")["reason"])
        self.assertIsNone(other.process.poll())

    def test_credentials_of_systemd_are_found(self):
        folder = pathlib.Path(harness.temporary_folder("credentials"))
        for name in ("fullchain.pem", "privkey.pem"):
            shutil.copy(self.folder / name, folder / name)
        os.environ["CREDENTIALS_DIRECTORY"] = str(folder)
        self.addCleanup(os.environ.pop, "CREDENTIALS_DIRECTORY")
        self.start()
        self.assertEqual(self.presented("localhost"), self.stored(self.folder))


if __name__ == "__main__":
    unittest.main()
