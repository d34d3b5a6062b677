"""Every row of the product page's error table, and the other replies of a session, to the
letter."""

import base64
import smtplib
import subprocess
import unittest

import harness

RAW = b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: s\r\n%s\r\nbody\r\n"


def error_of(work):
    """(code, text) of the SMTP error that `work` ends with."""
    try:
        work()
    except smtplib.SMTPResponseException as error:
        return error.smtp_code, error.smtp_error.decode()
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        return code, text.decode()
    raise AssertionError("no error")


class ErrorTable(harness.RelayTestCase):
    def send(self, key, to="b@example.com", headers=b""):
        with self.relay.login(key) as client:
            return error_of(lambda: client.sendmail("a@yourdomain.com", to, RAW % headers))

    def tearDown(self):
        self.assertEqual(self.sandbox.list(), [], "refused, and yet sent")

    def test_wrong_username(self):
        with self.relay.connect() as client:
            answer = error_of(lambda: client.login("someone", harness.new_key()))
        self.assertEqual(answer, (535, 'Invalid username, use "postscale"'))

    def test_key_refused(self):
        for key in (harness.new_key("revoked"), harness.secret_key("YOUR_API_KEY")):
            with self.relay.connect() as client:
                answer = error_of(lambda: client.login("postscale", key))
            self.assertEqual(answer, (535, "Authentication failed"))

    def test_key_cannot_be_checked(self):
        with self.relay.connect() as client:
            answer = error_of(lambda: client.login("postscale", harness.new_key("auth_down")))
        self.assertEqual(answer, (451, "Authentication service unavailable"))

    def test_api_unavailable(self):
        for behaviour in ("down", "gateway", "garbage", "reset"):
            with self.subTest(behaviour):
                self.assertEqual(
                    self.send(harness.new_key(behaviour)), (451, "API unavailable")
                )

    def test_malformed_message(self):
        code, text = self.send(
            harness.new_key(), headers=b'X-Postscale-Metadata: {"user_id": oops}\r\n'
        )
        self.assertEqual(code, 554)
        self.assertRegex(text, r"^Failed to parse message: \S.*")

    def test_rate_limit(self):
        expected = (452, "Rate limit exceeded, try again later")
        for behaviour in ("limited", "limited_hourly", "limited_minute", "limited_date"):
            with self.subTest(behaviour):
                key = harness.new_key(behaviour)
                self.assertEqual(self.send(key), expected)
                with self.relay.login(key) as client:
                    code, text = client.mail("a@yourdomain.com")
                # 30 seconds fit into --api-timeout.
                wanted = (250, "Ok") if behaviour == "limited_minute" else expected
                self.assertEqual((code, text.decode()), wanted, "at the next MAIL")
                with self.relay.login(key) as client:
                    self.assertEqual(client.mail("a@other.example")[0], 250, "another domain")

    def test_all_recipients_suppressed(self):
        self.assertEqual(
            self.send(harness.new_key(), to=["x@suppressed.test", "y@suppressed.test"]),
            (550, "All recipients suppressed"),
        )

    def test_not_logged_in(self):
        with self.relay.connect() as client:
            client.ehlo()
            answer = error_of(lambda: client.sendmail("a@b.test", "b@c.test", RAW % b""))
        self.assertEqual(answer, (502, "Authentication required"))

    def test_not_logged_in_and_no_tls(self):
        with smtplib.SMTP("localhost", self.relay.ports[0]) as client:
            client.ehlo()
            self.assertEqual(client.mail("a@b.test"), (502, b"Authentication required"))

    def test_the_table_as_swaks_shows_it(self):
        rows = [
            ("someone", harness.new_key(), '535 Invalid username, use "postscale"'),
            ("postscale", harness.new_key("revoked"), "535 Authentication failed"),
            ("postscale", harness.new_key("auth_down"), "451 Authentication service unavailable"),
            ("postscale", harness.new_key("down"), "451 API unavailable"),
            ("postscale", harness.new_key("limited"), "452 Rate limit exceeded, try again later"),
        ]
        for user, key, line in rows:
            with self.subTest(line):
                result = subprocess.run(
                    ["swaks", "--server", f"127.0.0.1:{self.relay.ports[1]}", "--tls"]
                    + ["--auth", "PLAIN", "--auth-user", user, "--auth-password", key]
                    + ["--from", "a@yourdomain.com", "--to", "b@example.com", "--body", "x"],
                    capture_output=True,
                    text=True,
                    timeout=60,
                )
                self.assertNotEqual(result.returncode, 0)
                replies = [out[4:] for out in result.stdout.splitlines() if out[:2] == "<~"]
                self.assertIn(line, replies)


class OtherReplies(harness.RelayTestCase):
    def send(self, key, sender="a@yourdomain.com", to="b@example.com"):
        raw = RAW.replace(b"a@yourdomain.com", sender.encode()) % b""
        with self.relay.login(key) as client:
            return error_of(lambda: client.sendmail(sender, to, raw))

    def test_the_api_s_own_message_is_passed_on(self):
        self.assertEqual(
            self.send(harness.new_key(), to="x@invalid.test"),
            (554, "recipient address x@invalid.test is invalid"),
        )
        self.assertEqual(
            self.send(harness.new_key("forbidden")),
            (550, "this API key is not permitted to do this"),
        )
        self.assertEqual(
            self.send(harness.new_key(), sender="a@unverified.test"),
            (550, "the sending domain unverified.test is not verified"),
        )

    def test_too_large_for_the_api(self):
        self.assertEqual(
            self.send(harness.new_key("toolarge")), (552, "Message size exceeds maximum")
        )

    def test_a_key_revoked_after_the_login(self):
        key = harness.new_key("revoked_later")
        with self.relay.login(key) as client:
            answer = error_of(lambda: client.sendmail("a@b.test", "b@c.test", RAW % b""))
            self.assertEqual(answer, (451, "Authentication failed, log in again"))
            self.assertEqual(client.mail("a@b.test")[0], 451, "logged out")

    def test_a_send_only_key_is_a_valid_key(self):
        for behaviour in ("sendonly", "auth_limited"):
            with self.relay.login(harness.new_key(behaviour)) as client:
                client.sendmail("a@b.test", "b@c.test", RAW % b"")
        self.assertEqual(len(self.sandbox.list()), 2)

    def test_every_2xx_is_accepted(self):
        for behaviour in ("created", "closing", "closing"):
            with self.relay.login(harness.new_key(behaviour)) as client:
                client.sendmail("a@b.test", "b@c.test", RAW % b"")
        self.assertEqual(len(self.sandbox.list()), 3)

    def test_announced_size_over_the_limit(self):
        with self.relay.login(harness.new_key()) as client:
            self.assertEqual(client.esmtp_features["size"], "52428800")
            code, text = client.mail("a@b.test", ["SIZE=52428801"])
            self.assertEqual(
                (code, text), (552, b"Message size exceeds maximum of 52428800 bytes")
            )
            self.assertEqual(client.mail("a@b.test", ["SIZE=52428800"])[0], 250)

    def test_the_101st_recipient(self):
        with self.relay.login(harness.new_key()) as client:
            client.mail("a@b.test")
            codes = [client.rcpt(f"r{n}@example.com")[0] for n in range(100)]
            self.assertEqual(set(codes), {250})
            self.assertEqual(client.rcpt("r100@example.com"), (452, b"Too many recipients"))

    def test_extensions_before_and_behind_tls(self):
        with smtplib.SMTP("localhost", self.relay.ports[0]) as client:
            client.ehlo()
            before = dict(client.esmtp_features)
            self.assertEqual(client.docmd("AUTH", "PLAIN"),
                             (530, b"Must issue a STARTTLS command first"))  # fmt: skip
            client.starttls(context=self.relay.context())
            client.ehlo()
            behind = dict(client.esmtp_features)
        both = {"pipelining", "size", "8bitmime", "smtputf8", "chunking", "binarymime", "limits"}
        self.assertEqual(set(before), both | {"starttls"})
        self.assertEqual(set(behind), both | {"auth"})
        self.assertEqual(set(behind["auth"].split()), {"PLAIN", "LOGIN"})

    def test_cram_md5_is_refused_and_login_goes_on(self):
        key = harness.new_key()
        with self.relay.raw() as client:
            self.assertEqual(client.reply(), "220 localhost ESMTP Postscale SMTP Relay")
            client.ask(b"EHLO client.test")
            self.assertEqual(
                client.ask(b"AUTH CRAM-MD5"), "504 Unrecognized authentication type"
            )
            self.assertEqual(client.ask(b"auth login"), "334 VXNlcm5hbWU6")
            self.assertEqual(client.ask(b"*"), "501 Authentication cancelled")
            self.assertEqual(client.ask(b"AUTH LOGIN"), "334 VXNlcm5hbWU6")
            self.assertEqual(client.ask(base64.b64encode(b"postscale")), "334 UGFzc3dvcmQ6")
            answer = client.ask(base64.b64encode(key.encode()))
            self.assertEqual(answer, "235 Authentication successful")
            self.assertTrue(client.ask(b"AUTH PLAIN").startswith("503 "))


class NoAPI(unittest.TestCase):
    def test_nobody_listens_at_the_api_s_address(self):
        relay = harness.Relay(api_port=harness.free_port())
        self.addCleanup(relay.stop)
        with relay.connect() as client:
            answer = error_of(lambda: client.login("postscale", harness.new_key()))
        self.assertEqual(answer, (451, "Authentication service unavailable"))


if __name__ == "__main__":
    unittest.main()
