"""The examples of the product's page, word for word; only host, port and key differ."""

import smtplib
import ssl
import subprocess
import unittest
import warnings
from email.mime.text import MIMEText

import harness


class Python(harness.RelayTestCase):
    def message(self):
        msg = MIMEText("Hello from Postscale SMTP!")
        msg["Subject"] = "Test email"
        msg["From"] = "sender@yourdomain.com"
        msg["To"] = "recipient@example.com"
        return msg

    def check(self):
        sent = self.sandbox.only_message()
        self.assertEqual(sent["from"], "sender@yourdomain.com")
        self.assertEqual(sent["to"], ["recipient@example.com"])
        self.assertEqual(sent["subject"], "Test email")
        self.assertEqual(sent["text_body"].rstrip("\n"), "Hello from Postscale SMTP!")
        for absent in ("cc", "bcc", "html_body", "attachments", "tags", "metadata"):
            self.assertFalse(sent.get(absent), absent)

    def test_as_on_the_page_over_starttls(self):
        for port in self.relay.ports:
            with self.subTest(port=port):
                self.sandbox.clear()
                with smtplib.SMTP("localhost", port) as server:
                    server.starttls()
                    server.login("postscale", harness.new_key())
                    server.send_message(self.message())
                self.check()

    def test_with_a_verified_certificate(self):
        for port in self.relay.ports + [self.relay.tls_port]:
            with self.subTest(port=port):
                self.sandbox.clear()
                with self.relay.connect(port) as server:
                    server.login("postscale", harness.new_key())
                    server.send_message(self.message())
                self.check()

    def test_implicit_tls(self):
        context = self.relay.context()
        with smtplib.SMTP_SSL("localhost", self.relay.tls_port, context=context) as server:
            self.assertIn(server.sock.version(), ("TLSv1.2", "TLSv1.3"))
            server.login("PostScale", harness.new_key(kind="live"))
            server.send_message(self.message())
        self.check()
        self.assertEqual(self.sandbox.list()[0]["status"], "queued")

    def test_tls_older_than_1_2_is_refused(self):
        context = self.relay.context()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            smtplib.SMTP_SSL("localhost", self.relay.tls_port, context=context)

    def test_two_messages_in_one_session(self):
        with self.relay.login(harness.new_key()) as server:
            server.send_message(self.message())
            server.send_message(self.message())
        self.assertEqual(len(self.sandbox.list()), 2)

    def test_the_reply_names_the_message(self):
        with self.relay.login(harness.new_key()) as server:
            server.mail("sender@yourdomain.com")
            server.rcpt("recipient@example.com")
            code, text = server.data(self.message().as_bytes())
        message_id = self.sandbox.list()[0]["message_id"]
        self.assertEqual((code, text.decode()), (250, f"Ok: queued as {message_id}"))


class CommandLine(harness.RelayTestCase):
    def swaks(self, *arguments, key=None):
        return subprocess.run(
            ["swaks", "--server", f"127.0.0.1:{self.relay.ports[0]}", "--tls"]
            + ["--auth", "PLAIN", "--auth-user", "postscale"]
            + ["--auth-password", key or harness.new_key()]
            + ["--from", "sender@yourdomain.com", "--to", "recipient@example.com", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_hello(self):
        result = self.swaks(
            "--header", "Subject: Hello from Postscale", "--body", "Sent via SMTP relay!"
        )
        self.assertEqual(result.returncode, 0, result.stdout)
        sent = self.sandbox.only_message()
        self.assertEqual(sent["from"], "sender@yourdomain.com")
        self.assertEqual(sent["to"], ["recipient@example.com"])
        self.assertEqual(sent["subject"], "Hello from Postscale")
        self.assertEqual(sent["text_body"].strip(), "Sent via SMTP relay!")

    def test_custom_headers(self):
        result = self.swaks(
            "--header", "Subject: Welcome",
            "--header", "X-Postscale-Tags: welcome, onboarding",
            "--header", 'X-Postscale-Metadata: {"user_id": "42", "campaign": "launch"}',
            "--body", "Welcome to the platform!",
        )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stdout)
        sent = self.sandbox.only_message()
        self.assertEqual(sent["tags"], ["welcome", "onboarding"])
        self.assertEqual(sent["metadata"], {"user_id": "42", "campaign": "launch"})
        self.assertEqual(sent["text_body"].strip(), "Welcome to the platform!")
        self.assertNotIn("x-postscale", " ".join(sent.get("headers", {})).lower())

    def test_the_page_error_for_a_refused_key(self):
        result = self.swaks("--body", "x", key=harness.secret_key("YOUR_API_KEY"))
        self.assertEqual(result.returncode, 28, result.stdout)
        self.assertRegex(result.stdout, r"(?m)^<~\* 535 Authentication failed$")


if __name__ == "__main__":
    unittest.main()
