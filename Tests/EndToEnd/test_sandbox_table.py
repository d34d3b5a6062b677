"""The tables of docs/sandbox.md against the relay: what you send, and what the client then sees.

Each row of the page is sent through a relay with a short --api-timeout, which stands for the 50 s of
the page. The reply's code must be the one in the row's last column.
"""

import re
import smtplib
import unittest

import harness

PAGE = (harness.ROOT / "docs/sandbox.md").read_text()


def rows(pattern):
    """[(name, last column)] of the rows whose first cell is `pattern`."""
    return re.findall(rf"^\| {pattern} \|.*\| ([^|]*) \|$", PAGE, re.M)


def code(text):
    """The first reply of a column."""
    return int(re.search(r"\b[245]\d\d\b", text)[0])


class Table(harness.RelayTestCase):
    arguments = ("--api-timeout", "2s", "--sandbox-slow", "200ms")

    def outcome(self, key, recipient="b@example.com", sender="a@yourdomain.com", fields=""):
        """(code, where) of the reply that ends the try: at AUTH, MAIL, or after the message."""
        with self.relay.connect() as client:
            try:
                client.login("postscale", key)
            except smtplib.SMTPAuthenticationError as error:
                return error.smtp_code, "AUTH"
            status, _ = client.mail(sender)
            if status != 250:
                return status, "MAIL"
            client.rcpt(recipient)
            header = f"From: {sender}\r\nTo: {recipient}\r\nMessage-ID: <{key}>\r\n{fields}"
            return client.data(f"{header}Subject: s\r\n\r\nt\r\n")[0], "message"

    def test_keys(self):
        keys = rows(r"`ps_test_([a-z_]+)`")
        self.assertGreater(len(keys), 20)
        for name, column in keys:
            with self.subTest(name):
                wanted = code(column), "AUTH" if "AUTH" in column else "message"
                self.assertEqual(self.outcome(harness.new_key(name)), wanted)

    def test_recipients(self):
        names = rows(r"`…@((?!unverified|<)[a-z0-9.]+\.test)`")
        self.assertGreater(len(names), 5)
        for domain, column in names:
            if "warming" in domain:
                continue
            # One recipient alone: all are suppressed.
            wanted = 550 if domain == "suppressed.test" else code(column)
            with self.subTest(domain):
                key = harness.new_key()
                self.assertEqual(self.outcome(key, f"{key}@{domain}")[0], wanted)
            with self.subTest(f"{domain} under example.com"):
                key = harness.new_key()
                name = domain.removesuffix(".test")
                self.assertEqual(self.outcome(key, f"{name}+{key}@example.com")[0], wanted)

    def test_errors_in_each_shape(self):
        names, shapes = rows("`([45][0-9a-z-]+)`"), rows("`(text|coded|nested|page|foreign)`")
        self.assertEqual((len(names), len(shapes)), (15, 5))
        for name, reply in names:
            for shape, column in shapes:
                wanted = code(reply)
                if "451" in column:
                    wanted = 552 if name == "413" else 451
                with self.subTest(f"{name}.{shape}"):
                    got = self.outcome(harness.new_key(), f"b@{name}.{shape}.test")[0]
                    self.assertEqual(got, wanted)
                with self.subTest(f"send_{name}_{shape}"):
                    got = self.outcome(harness.new_key(f"send_{name}_{shape}"))[0]
                    self.assertEqual(got, wanted)

    def test_errors_of_the_key_check(self):
        for name, wanted in (
            ("401_text", 535), ("401_coded", 535), ("403_coded", 250), ("403-plan_nested", 250),
            ("429_coded", 250), ("429_text", 250), ("503_text", 451), ("500_coded", 451),
            ("401_page", 451), ("403_page", 451), ("429_page", 451), ("503_page", 451),
            ("403_foreign", 451), ("429_foreign", 451),
        ):  # fmt: skip
            with self.subTest(name):
                self.assertEqual(self.outcome(harness.new_key(f"auth_{name}"))[0], wanted)

    def test_senders(self):
        key = harness.new_key()
        self.assertEqual(self.outcome(key, sender="a@unverified.test")[0], 550)
        self.assertEqual(self.outcome(key, sender="unverified@example.com")[0], 550)
        self.assertEqual(self.outcome(key, sender="minut2.warming@example.com")[0], 550)
        self.assertEqual(self.outcome(key, sender="a@minut2.warming.test")[0], 550)
        slow = "a@minute2.warming.test"
        got = [self.outcome(harness.new_key(), sender=slow)[0] for _ in range(3)]
        self.assertEqual(got, [250, 250, 452])
        got = [self.outcome(key, sender="a@x.minute1.warming.test")[0] for _ in range(2)]
        self.assertEqual(got, [250, 452])
        key = harness.new_key()
        got = [self.outcome(key, sender="minute1.warming@example.com")[0] for _ in range(2)]
        self.assertEqual(got, [250, 452])
        self.assertEqual(self.outcome(key, sender="a@warmed.example")[0], 250)
        # A wait that fits into --api-timeout.
        got = [self.outcome(key, sender="a@day2-1s.warming.test")[0] for _ in range(5)]
        self.assertEqual(got, [250] * 5)

    def test_templates(self):
        for fields, wanted in (
            ("X-Postscale-Template: welcome\r\n", 250),
            ("X-Postscale-Template: unknown-welcome\r\n", 554),
            ("X-Postscale-Template-Id: unknown\r\n", 554),
        ):  # fmt: skip
            self.assertEqual(self.outcome(harness.new_key(), fields=fields)[0], wanted)

    def test_a_key_that_is_revoked_in_the_middle(self):
        key = harness.new_key("revoked_after_3")
        got = [self.outcome(key, fields=f"X-Number: {n}\r\n") for n in range(5)]
        self.assertEqual(got, [(250, "message")] * 3 + [(451, "message"), (535, "AUTH")])

    def test_one_second_to_wait_is_waited_for(self):
        self.assertEqual(self.outcome(harness.new_key("limited_brief_for_1"))[0], 250)


if __name__ == "__main__":
    unittest.main()
