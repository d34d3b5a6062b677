"""Clients that speak out of turn, speak another protocol, or try to smuggle, over real sockets.

Tests/Dialogs has the same rules, one transcript each; here they are tried with the kernel's pieces,
the accept queue and real TLS.
"""

import signal
import socket
import time
import unittest

import harness
from clients import RawClient

SEQUENCES = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\r\n.\r\r\n", b"\r\n.\r\r\n",
    b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\0\r\n.\n",
]
SMUGGLED = (
    b"MAIL FROM:<smuggled@yourdomain.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\n"
    b"From: smuggled@yourdomain.com\r\nTo: victim@example.com\r\n\r\nsmuggled\r\n.\r\n"
)


class EarlyTalkers(harness.RelayTestCase):
    """Bytes that arrived before the relay had sent anything: the greeting still comes first, and
    they are ordinary commands, so nothing of them survives STARTTLS."""

    def early(self, data, port=None):
        """A connection whose bytes were in the accept queue before the relay accepted it."""
        process = self.relay.process
        process.send_signal(signal.SIGSTOP)
        try:
            client = socket.create_connection(("127.0.0.1", port or self.relay.ports[0]), timeout=30)
            client.sendall(data)
            time.sleep(0.1)
        finally:
            process.send_signal(signal.SIGCONT)
        return RawClient(client)

    def test_the_greeting_comes_first_and_then_the_answers_in_order(self):
        with self.early(b"EHLO client.test\r\nNOOP\r\nQUIT\r\n") as client:
            self.assertEqual([reply[:3] for reply in client.replies(4)], ["220", "250", "250", "221"])
            self.assertEqual(client.line(), "")

    def test_nothing_of_them_survives_starttls(self):
        with self.early(b"EHLO client.test\r\nSTARTTLS\r\nMAIL FROM:<evil@example.com>\r\n") as client:
            self.assertEqual([reply[:3] for reply in client.replies(3)], ["220", "250", "554"])
            self.assertEqual(client.line(), "", "closed")

    def test_an_early_request_of_a_browser_is_shown_the_door(self):
        with self.early(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO a\r\nNOOP\r\n") as client:
            self.assertEqual([reply[:3] for reply in client.replies(2)], ["220", "554"])
            self.assertEqual(client.line(), "", "closed")

    def test_plaintext_where_tls_is_due_is_never_read_as_commands(self):
        with self.early(b"EHLO client.test\r\nNOOP\r\n" * 20, self.relay.tls_port) as client:
            answer = client.file.read()
            self.assertNotIn(b"220", answer)
            self.assertLess(len(answer), 64, "an alert at most")


class OutOfTurn(harness.RelayTestCase):
    def test_bytes_that_follow_starttls_before_the_handshake_break_it(self):
        with self.relay.plain() as client:
            client.reply()
            self.assertEqual(client.ask(b"STARTTLS")[:3], "220")
            client.send(b"MAIL FROM:<evil@example.com>\r\n")
            rest = client.file.read()
            self.assertNotIn(b"250", rest)
            self.assertNotIn(b"530", rest)

    def test_what_stands_behind_auth_waits_for_its_answer(self):
        with self.relay.raw() as client:
            client.reply()
            client.send(
                b"EHLO client.test\r\nAUTH PLAIN AHBvc3RzY2FsZQBwc190ZXN0X3Jldm9rZWQ=\r\n"
                b"MAIL FROM:<a@yourdomain.com>\r\nRCPT TO:<b@example.com>\r\nNOOP\r\n")
            self.assertEqual(
                [reply[:3] for reply in client.replies(5)], ["250", "535", "451", "503", "250"])
        self.assertEqual(self.sandbox.list(), [])

    def test_content_behind_a_refused_data_is_never_read_as_commands(self):
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            client.send(b"MAIL FROM:<a@yourdomain.com>\r\nRCPT TO:<nobody>\r\nDATA\r\n" + SMUGGLED)
            replies = client.file.read().splitlines()
            self.assertEqual([reply[:3] for reply in replies], [b"250", b"501", b"503"])
        self.assertEqual(self.sandbox.list(), [])

    def test_every_http_method_ends_the_session_before_its_body(self):
        for request in (b"GET / HTTP/1.1", b"POST / HTTP/1.1", b"PUT /x HTTP/1.1", b"CONNECT a:25 HTTP/1.1",
                        b"HEAD / HTTP/1.0", b"OPTIONS * HTTP/1.1", b"DELETE / HTTP/1.1", b"PATCH / HTTP/1.1",
                        b"TRACE / HTTP/1.1", b"PRI * HTTP/2.0", b"POST /" + b"x" * 5_000 + b" HTTP/1.1"):
            with self.subTest(request[:20]), self.relay.plain() as client:
                client.reply()
                client.send(request + b"\r\nHost: relay\r\n\r\nEHLO a\r\nMAIL FROM:<a@b.test>\r\nNOOP\r\n")
                replies = [line[:3] for line in client.file.read().splitlines()]
                self.assertEqual(replies[-1:], [b"554"])
                self.assertNotIn(b"250", replies)

    def test_commands_of_any_length_cost_no_memory(self):
        before = self.relay.peak_kilobytes()
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            for _ in range(50):
                client.send(b"X" * 1_000_000)
            client.send(b"\r\n")
            self.assertEqual(client.reply(), "500 Line too long")
            self.assertEqual(client.ask(b"NOOP")[:3], "250")
        self.assertLess(self.relay.peak_kilobytes(), harness.cost_bound(before + 20_000))


class Smuggling(harness.RelayTestCase):
    """Whole sessions through TLS, cut between two writes at every byte of what other servers took
    for an end of data.
    """

    def test_each_sequence_cut_at_every_byte(self):
        count = 0
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            for sequence in SEQUENCES:
                for start in (b"", b"From: a@yourdomain.com\r\nTo: b@example.com\r\n\r\nx"):
                    content = start + sequence + SMUGGLED
                    for cut in range(len(start), len(start) + len(sequence) + 1):
                        client.send(b"MAIL FROM:<a@yourdomain.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n")
                        client.replies(3)
                        client.send(content[:cut])
                        client.send(content[cut:])
                        self.assertEqual(client.reply()[:3], "250", (sequence, cut))
                        count += 1
            self.assertEqual(client.ask(b"NOOP"), "250 Ok")
        messages = self.sandbox.list()
        self.assertEqual(len(messages), count)
        self.assertEqual({tuple(message["to"]) for message in messages}, {("b@example.com",)})


if __name__ == "__main__":
    unittest.main()
