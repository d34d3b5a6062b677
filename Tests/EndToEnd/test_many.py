"""Many clients at once, and clients that do nothing: each message arrives once, and each wait
ends."""

import time
import unittest

import harness

RAW = b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: %d\r\n\r\nconfidential\r\n"


class Many(harness.RelayTestCase):
    def test_five_hundred_messages_by_fifty_clients(self):
        key = harness.new_key()

        def work(index):
            with self.relay.raw() as client:
                client.log_in(key)
                for number in range(10):
                    client.send(
                        b"MAIL FROM:<a@yourdomain.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n"
                    )
                    codes = [reply[:3] for reply in client.replies(3)]
                    self.assertEqual(codes, ["250", "250", "354"])
                    client.send(RAW % (index * 10 + number) + b".\r\n")
                    self.assertTrue(client.reply().startswith("250 Ok: queued as "))

        harness.in_threads(50, work)
        subjects = sorted(int(message["subject"]) for message in self.sandbox.list())
        self.assertEqual(subjects, list(range(500)))

    def test_a_refused_key_is_asked_about_once(self):
        key = harness.new_key("revoked")
        before = self.sandbox.stats()["requests"]

        def work(_):
            with self.relay.raw() as client:
                with self.assertRaises(AssertionError):
                    client.log_in(key)

        harness.in_threads(10, work)
        # The second `stats` counts itself.
        self.assertEqual(self.sandbox.stats()["requests"] - before, 1 + 1)

    def test_the_log_has_a_line_for_each_message(self):
        with self.relay.login(harness.new_key()) as client:
            client.sendmail("a@yourdomain.com", "b@example.com", RAW % 1)
        message_id = self.sandbox.list()[0]["message_id"]

        def lines():
            return [e for e in self.relay.events() if e.get("message_id") == message_id]

        found = harness.wait_until(lines, what="the log line")
        self.assertEqual(found[0]["level"], "info")
        self.assertEqual(found[0]["reply"], "250")
        self.assertNotIn(b"confidential", self.relay.log)


class Waits(harness.RelayTestCase):
    arguments = ("--idle-timeout", "1s", "--session-timeout", "4s")

    def check_timeout(self, client, start, low, high):
        self.assertEqual(client.reply(), "421 Timeout, closing connection")
        self.assertEqual(client.line(), "", "closed")
        self.assertTrue(low < time.monotonic() - start < high, time.monotonic() - start)

    def test_a_silent_client(self):
        with self.relay.plain() as client:
            client.reply()
            self.check_timeout(client, time.monotonic(), 0.8, 3)

    def test_a_client_that_is_silent_in_data(self):
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            for command in (b"MAIL FROM:<a@b.test>", b"RCPT TO:<b@c.test>", b"DATA"):
                client.ask(command)
            client.send(b"Subject: s\r\n\r\nhalf a li")
            self.check_timeout(client, time.monotonic(), 0.8, 3)
        self.assertEqual(self.sandbox.list(), [])

    def test_a_client_that_never_ends(self):
        start = time.monotonic()
        with self.relay.plain() as client:
            client.reply()
            answer = "250"
            while answer.startswith("250"):
                time.sleep(0.2)
                answer = client.ask(b"NOOP")
            self.assertTrue(answer.startswith("421 "), answer)
        self.assertLess(time.monotonic() - start, 7)

    def test_a_client_that_never_begins_tls(self):
        start = time.monotonic()
        with harness.socket.create_connection(("127.0.0.1", self.relay.tls_port)) as sock:
            sock.settimeout(8)
            try:
                self.assertEqual(sock.recv(100), b"")
            except ConnectionResetError:
                pass  # No reply is possible here.
        self.assertLess(time.monotonic() - start, 7)


if __name__ == "__main__":
    unittest.main()
