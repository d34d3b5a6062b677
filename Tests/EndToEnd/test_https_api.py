"""The relay's calls over HTTPS, as in production: verified, and refused when not trusted."""

import os
import smtplib
import unittest

import harness
import test_large

RAW = b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: %d\r\n\r\nbody\r\n"


class HTTPS(unittest.TestCase):
    def setUp(self):
        self.folder = harness.temporary_folder("api")
        self.certificate = os.path.join(self.folder, "api.pem")
        self.key = harness.make_certificate(self.folder, self.certificate)

    def start_sandbox(self, *arguments):
        sandbox = harness.Sandbox(
            "--tls-cert", self.certificate, "--tls-key", self.key, *arguments
        )
        self.addCleanup(sandbox.stop)
        return sandbox

    def start_relay(self, sandbox, *arguments, host="localhost"):
        relay = harness.Relay(*arguments, api_url=f"https://{host}:{sandbox.port}")
        self.addCleanup(relay.stop)
        return relay

    def test_messages_small_and_large(self):
        sandbox = self.start_sandbox()
        relay = self.start_relay(sandbox, "--api-ca", self.certificate)
        with relay.login(harness.new_key()) as client:
            for number in range(50):
                client.sendmail("a@yourdomain.com", "b@example.com", RAW % number)
        subjects = sorted(int(m["subject"]) for m in sandbox.stored_messages())
        self.assertEqual(subjects, list(range(50)))
        large, digests = test_large.message(test_large.MESSAGE_BYTES_MAX)
        with relay.login(harness.new_key(), relay.tls_port) as client:
            message_id = test_large.submit(client, large)
        for number, digest in enumerate(digests, start=1):
            path = os.path.join(sandbox.store, message_id, f"{number}-part{number}.bin")
            self.assertEqual(test_large.sha256_of(path), digest)

    def test_by_address(self):
        sandbox = self.start_sandbox()
        relay = self.start_relay(sandbox, "--api-ca", self.certificate, host="127.0.0.1")
        with relay.login(harness.new_key()) as client:
            client.sendmail("a@yourdomain.com", "b@example.com", RAW % 1)
        self.assertEqual(len(sandbox.stored_messages()), 1)

    def test_early_answers_and_resets(self):
        sandbox = self.start_sandbox()
        relay = self.start_relay(sandbox, "--api-ca", self.certificate)
        large = b"X: y\r\n" + RAW % 1 + b"0123456789abcde\r\n" * 300_000
        for behaviour, expected in [("toolarge", 552), ("revoked_later", 451), ("reset", 451)]:
            with self.subTest(behaviour), relay.login(harness.new_key(behaviour)) as client:
                client.mail("a@yourdomain.com")
                client.rcpt("b@example.com")
                self.assertEqual(client.data(large)[0], expected)

    def test_a_certificate_that_is_not_trusted(self):
        sandbox = self.start_sandbox()
        relay = self.start_relay(sandbox)
        self.check_unavailable(relay)

    def test_a_certificate_for_another_name(self):
        self.key = harness.make_certificate(self.folder, self.certificate, "api.example")
        sandbox = self.start_sandbox()
        self.check_unavailable(self.start_relay(sandbox, "--api-ca", self.certificate))

    def check_unavailable(self, relay):
        with relay.connect() as client:
            with self.assertRaises(smtplib.SMTPAuthenticationError) as raised:
                client.login("postscale", harness.new_key())
        self.assertEqual(raised.exception.smtp_code, 451)


if __name__ == "__main__":
    unittest.main()
