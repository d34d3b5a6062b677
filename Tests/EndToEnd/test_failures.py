"""Clients that leave, an API that dies, a relay that is told to stop: half a message is never
sent."""

import socket
import struct
import threading
import time
import unittest

import harness

HEAD = b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: s\r\nMessage-ID: <%d@x>\r\n\r\n"
LINE = b"0123456789" * 7 + b"\r\n"
# Larger than messages that are held whole, so the upload has begun.
MANY_LINES = LINE * 30_000
MEGABYTE_OF_LINES = LINE * 14_563


def begin(client, number=0):
    """Up to the 354, then the header block."""
    assert client.ask(b"MAIL FROM:<a@yourdomain.com>").startswith("250")
    assert client.ask(b"RCPT TO:<b@example.com>").startswith("250")
    assert client.ask(b"DATA").startswith("354")
    client.send(HEAD % number)


class ClientLeaves(harness.RelayTestCase):
    def open_data(self):
        client = self.relay.raw()
        client.log_in(harness.new_key())
        begin(client)
        return client

    def check_nothing_was_sent(self, before, incomplete):
        harness.wait_until(
            lambda: self.sandbox.stats()["incomplete"] >= before["incomplete"] + incomplete,
            what="the abandoned upload",
        )
        self.assertEqual(self.sandbox.list(), [])
        after = self.sandbox.stats()
        self.assertEqual(after["accepted"], before["accepted"])
        self.assertEqual(after["incomplete"], before["incomplete"] + incomplete)

    def test_in_the_middle_of_a_large_message(self):
        before = self.sandbox.stats()
        with self.open_data() as client:
            client.send(MANY_LINES)
        self.check_nothing_was_sent(before, 1)

    def test_in_the_middle_of_a_large_message_with_a_reset(self):
        before = self.sandbox.stats()
        with self.open_data() as client:
            client.send(MANY_LINES)
            # A reset discards what was not read yet, so wait until the upload has begun.
            harness.wait_until(
                lambda: self.sandbox.stats()["body_bytes"] > before["body_bytes"],
                what="the upload",
            )
            client.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        self.check_nothing_was_sent(before, 1)

    def test_in_front_of_the_dot_of_a_large_message(self):
        before = self.sandbox.stats()
        with self.open_data() as client:
            client.send(MANY_LINES + b".\r")
        self.check_nothing_was_sent(before, 1)

    def test_in_the_middle_of_a_small_message(self):
        before = self.sandbox.stats()
        with self.open_data() as client:
            client.send(LINE)
        time.sleep(0.3)
        self.check_nothing_was_sent(before, 0)

    def test_a_lone_line_feed_does_not_end_a_message(self):
        with self.open_data() as client:
            client.send(b"x\n.\nMAIL FROM:<evil@example.com>\r\n.\r\n")
            self.assertTrue(client.reply().startswith("250 "))
        self.assertIn("evil", self.sandbox.only_message()["text_body"])
        self.sandbox.clear()

    def setUp(self):
        super().setUp()
        self.addCleanup(self.sandbox.clear)


class LedgerAfterLostReplies(harness.RelayTestCase):
    arguments = ("--sandbox-slow", "700ms")

    def submit(self, client, number):
        begin(client, number)
        client.send(LINE + b".\r\n")

    def test_a_retry_of_what_was_accepted_unseen_is_answered_and_not_sent(self):
        key = harness.new_key("slow")
        with self.relay.raw() as client:
            client.log_in(key)
            self.submit(client, 1)
            harness.wait_until(self.sandbox.list, what="the message at the API")
        time.sleep(1)
        message_id = self.sandbox.list()[0]["message_id"]
        with self.relay.raw() as client:
            client.log_in(key)
            self.submit(client, 1)
            self.assertEqual(client.reply(), f"250 Ok: queued as {message_id}")
        self.assertEqual(len(self.sandbox.list()), 1)

    def test_sending_the_same_twice_on_purpose_sends_it_twice(self):
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            for _ in range(2):
                self.submit(client, 2)
                self.assertTrue(client.reply().startswith("250 "))
        self.assertEqual(len(self.sandbox.list()), 2)


class APIDies(unittest.TestCase):
    def setUp(self):
        self.sandbox = harness.Sandbox()
        self.relay = harness.Relay(api_port=self.sandbox.port)
        self.addCleanup(self.relay.stop)

    def test_in_the_middle_of_an_upload(self):
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            begin(client)
            for _ in range(3):
                client.send(MEGABYTE_OF_LINES)
            harness.wait_until(
                lambda: self.sandbox.client.stats()["body_bytes"] > 0, what="the upload"
            )
            self.sandbox.kill()
            client.send(MEGABYTE_OF_LINES + b".\r\n")
            self.assertEqual(client.reply(), "451 API unavailable")
            self.assertTrue(client.ask(b"NOOP").startswith("250 "), "the session lives on")
        self.assertEqual(self.sandbox.stored(), [])

    def test_while_it_owes_an_answer(self):
        with self.relay.raw() as client:
            client.log_in(harness.new_key("hang"))
            begin(client)
            before = self.sandbox.client.stats()["body_bytes"]
            client.send(LINE + b".\r\n")
            harness.wait_until(
                lambda: self.sandbox.client.stats()["body_bytes"] > before, what="the request"
            )
            self.sandbox.kill()
            self.assertEqual(client.reply(), "451 API unavailable")
        self.assertEqual(self.sandbox.stored(), [])

    def test_and_comes_back(self):
        with self.relay.raw() as client:
            key = harness.new_key()
            client.log_in(key)
            self.sandbox.kill()
            begin(client)
            client.send(LINE + b".\r\n")
            self.assertEqual(client.reply(), "451 API unavailable")
            port = self.sandbox.port
            again = harness.Process(
                "sandbox", ["sandbox", "--listen", f"127.0.0.1:{port}", "--log-format", "json"]
            )
            self.addCleanup(again.stop)
            again.wait_for_port(port)

            def is_accepted():
                begin(client)
                client.send(LINE + b".\r\n")
                return client.reply().startswith("250 ")

            harness.wait_until(is_accepted, 15, "a message accepted again")
        self.assertEqual(len(harness.SandboxClient(port).list()), 1)


class APIHangs(unittest.TestCase):
    def test_the_client_has_its_answer_within_the_api_timeout(self):
        relay = harness.Relay("--api-timeout", "1500ms")
        self.addCleanup(relay.stop)
        with relay.raw() as client:
            client.log_in(harness.new_key("hang"))
            begin(client)
            start = time.monotonic()
            client.send(LINE + b".\r\n")
            self.assertEqual(client.reply(), "451 API unavailable")
            self.assertLess(time.monotonic() - start, 3)
        self.assertEqual(relay.sandbox.list(), [])


class Shutdown(unittest.TestCase):
    def test_sigterm_during_a_slow_send(self):
        relay = harness.Relay("--sandbox-slow", "1500ms")
        self.addCleanup(relay.stop)
        with relay.raw() as busy, relay.raw() as idle:
            self.assertTrue(idle.reply().startswith("220 "))
            busy.log_in(harness.new_key("slow"))
            begin(busy)
            busy.send(LINE + b".\r\n")
            harness.wait_until(relay.sandbox.list, what="the message at the API")
            relay.terminate()
            self.assertTrue(idle.reply().startswith("421 Service shutting down"))
            self.assertEqual(idle.line(), "", "closed")
            self.assertTrue(busy.reply().startswith("250 Ok: queued as "))
            self.assertTrue(busy.reply().startswith("421 Service shutting down"))
            self.assertEqual(busy.line(), "", "closed")
            relay.process.wait(5)

    def test_sigterm_during_data(self):
        relay = harness.Relay()
        self.addCleanup(relay.stop)
        with relay.raw() as client:
            client.log_in(harness.new_key())
            begin(client)
            client.send(MANY_LINES)
            relay.terminate()
            time.sleep(0.3)
            client.send(MANY_LINES + b".\r\n")
            self.assertTrue(client.reply().startswith("250 Ok: queued as "))

    def test_stopping_without_clients_is_prompt(self):
        relay = harness.Relay()
        start = time.monotonic()
        relay.stop()
        self.assertLess(time.monotonic() - start, 3)

    def test_stopping_while_clients_connect(self):
        relay = harness.Relay()
        stop = threading.Event()

        def connect():
            while not stop.is_set():
                try:
                    with relay.plain() as client:
                        client.line()
                except OSError:
                    return

        thread = threading.Thread(target=connect)
        thread.start()
        time.sleep(0.2)
        try:
            relay.stop()
        finally:
            stop.set()
            thread.join()


if __name__ == "__main__":
    unittest.main()
