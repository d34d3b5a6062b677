"""Commands that arrive together are all answered, in order; STARTTLS is a clean cut."""

import base64
import unittest

import harness


def codes(replies):
    return [int(reply[:3]) for reply in replies]


class Pipelining(harness.RelayTestCase):
    def test_a_whole_transaction_at_once(self):
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            client.send(
                b"MAIL FROM:<a@yourdomain.com>\r\nRCPT TO:<b@example.com>\r\n"
                b"RCPT TO:<not an address>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n"
            )
            self.assertEqual(codes(client.replies(5)), [250, 250, 501, 250, 354])
            client.send(
                b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: one\r\n\r\nx\r\n.\r\n"
                b"MAIL FROM:<a@yourdomain.com>\r\nRCPT TO:<b@example.com>\r\nRSET\r\nNOOP\r\n"
                b"VRFY b\r\nEXPN list\r\nHELP\r\nBOGUS\r\nDATA\r\n"
            )
            self.assertEqual(
                codes(client.replies(10)),
                [250, 250, 250, 250, 250, 252, 502, 214, 500, 503],
            )
            self.assertEqual(client.ask(b"QUIT"), "221 Bye")
            self.assertEqual(client.line(), "")
        self.assertEqual(self.sandbox.only_message()["subject"], "one")

    def test_everything_before_data_in_one_write_with_the_login(self):
        key = harness.new_key()
        plain = base64.b64encode(f"\0postscale\0{key}".encode())
        with self.relay.raw() as client:
            client.reply()
            client.send(
                b"EHLO client.test\r\nAUTH PLAIN " + plain + b"\r\n"
                b"MAIL FROM:<a@yourdomain.com>\r\nRCPT TO:<b@example.com>\r\nNOOP\r\n"
            )
            self.assertEqual(codes(client.replies(5)), [250, 235, 250, 250, 250])

    def test_many_messages_in_one_write(self):
        one = (
            b"MAIL FROM:<a@yourdomain.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n"
            b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: %d\r\n\r\nx\r\n.\r\n"
        )
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            client.send(b"".join(one % number for number in range(20)) + b"QUIT\r\n")
            self.assertEqual(codes(client.replies(81)), [250, 250, 354, 250] * 20 + [221])
        subjects = [message["subject"] for message in self.sandbox.list()]
        self.assertEqual(subjects, [str(number) for number in range(20)])

    def test_byte_by_byte(self):
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            client.send(b"MAIL FROM:<a@yourdomain.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n")
            self.assertEqual(codes(client.replies(3)), [250, 250, 354])
            for byte in b"Subject: s\r\n\r\n..dot\r\n.\r\n":
                client.send(bytes([byte]))
            self.assertEqual(codes([client.reply()]), [250])
        self.assertEqual(self.sandbox.only_message()["text_body"].strip(), ".dot")

    def test_line_feeds_alone_end_commands(self):
        with self.relay.plain() as client:
            client.reply()
            client.send(b"EHLO client.test\nNOOP\nQUIT\n")
            self.assertEqual(codes(client.replies(3)), [250, 250, 221])


class StartTLS(harness.RelayTestCase):
    def test_commands_before_tls_are_answered_in_order(self):
        with self.relay.plain() as client:
            self.assertEqual(client.reply(), "220 localhost ESMTP Postscale SMTP Relay")
            client.send(
                b"EHLO client.test\r\nNOOP\r\nAUTH PLAIN x\r\nMAIL FROM:<a@b.c>\r\nQUIT\r\n"
            )
            self.assertEqual(codes(client.replies(5)), [250, 250, 530, 502, 221])

    def test_bytes_behind_starttls_never_survive_it(self):
        with self.relay.plain() as client:
            client.reply()
            client.ask(b"EHLO client.test")
            client.send(b"STARTTLS\r\nMAIL FROM:<evil@example.com>\r\n")
            self.assertEqual(codes([client.reply()]), [554])
            self.assertEqual(client.line(), "", "closed")

    def test_starttls_forgets_the_greeting_before_it(self):
        with self.relay.plain() as client:
            client.reply()
            client.ask(b"EHLO client.test")
            self.assertTrue(client.ask(b"STARTTLS").startswith("220 "))
            secure = harness.RawClient(
                self.relay.context().wrap_socket(client.socket, server_hostname="localhost")
            )
            with secure:
                features = secure.ask(b"EHLO client.test")
                self.assertNotIn("STARTTLS", features)
                self.assertIn("AUTH PLAIN LOGIN", features)
                self.assertTrue(secure.ask(b"STARTTLS").startswith("503 "))

    def test_http_is_shown_the_door(self):
        with self.relay.plain() as client:
            client.reply()
            client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            lines = client.file.read().splitlines()
            self.assertLessEqual(len(lines), 1)


if __name__ == "__main__":
    unittest.main()
