"""SIGTERM: messages in flight get their answer, idle sessions get 421, and nothing is lost."""

import errno
import pathlib
import socket
import threading
import time
import unittest

import faults
import load
from faults import UNAVAILABLE, begin, harness, message, over_both_backends, uring
from scripted_api import ScriptedAPI

BYE = "421 Service shutting down"


class Drain:
    """`--drain-timeout` is 30 s unless a test says otherwise."""

    @classmethod
    def setUpClass(cls):
        if cls.backend == "io_uring" and not uring.is_granted():
            raise unittest.SkipTest("io_uring is not granted")

    def setUp(self):
        pass

    def start(self, *arguments, **more):
        relay = harness.Relay("--backend", self.backend, *arguments, **more)
        self.addCleanup(relay.stop)
        return relay

    def refuses(self, port):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return False
        except OSError as error:
            return error.errno == errno.ECONNREFUSED

    def ended_within(self, relay, seconds):
        start = time.monotonic()
        self.assertEqual(relay.process.wait(seconds), 0)
        return time.monotonic() - start

    def test_under_load(self):
        sandbox = harness.Sandbox("--slow", "400ms")
        self.addCleanup(sandbox.stop)
        relay = self.start(api_port=sandbox.port)
        idle = [relay.raw() for _ in range(10)]
        for client in idle:
            self.addCleanup(client.__exit__)
            client.log_in(harness.new_key())
        senders = [
            load.Sender(relay, harness.new_key("slow"), f"s{index}", kinds=("small", "large"))
            for index in range(20)]
        for sender in senders:
            sender.start()
        harness.wait_until(lambda: all(s.accepted for s in senders), 30, "a 250 for everybody")
        time.sleep(1.1)  # A client that was answered within the last second does not count as idle.
        relay.terminate()
        start = time.monotonic()
        for port in [*relay.ports, relay.tls_port]:
            harness.wait_until(lambda: self.refuses(port), 2, "new connections refused")
        refused = time.monotonic() - start
        for client in idle:
            self.assertEqual((client.reply(), client.line()), (BYE, ""))
            client.__exit__()  # The relay waits two seconds for clients that stay.
        told = time.monotonic() - start
        self.ended_within(relay, 10)
        ended = time.monotonic() - start
        load.join(senders)
        for sender in senders:
            self.assertEqual(sender.last_words, BYE, "each hears it, behind its answer")
            self.assertEqual(len(sender.begun), len(sender.accepted), "every dot has its 250")
        answered, kept = load.check_books(senders, sandbox.store)
        self.assertEqual(answered, kept)
        print(f"{self.backend}: new connections refused after {refused * 1000:.0f} ms, idle ones "
              f"told after {told * 1000:.0f} ms, ended after {ended:.2f} s; {answered} answered "
              f"with 250, {kept} at the API", flush=True)

    def test_a_message_that_is_still_arriving_is_finished(self):
        api = ScriptedAPI()
        self.addCleanup(api.close)
        relay = self.start(api_url=f"http://127.0.0.1:{api.port}")
        clients = []
        for kind in (faults.SMALL, faults.CHUNKED):
            client = relay.raw()
            self.addCleanup(client.__exit__)
            client.log_in(harness.new_key())
            first, second = message(kind)
            self.assertIsNone(begin(client, first))
            clients.append((client, second))
        relay.terminate()
        harness.wait_until(lambda: self.refuses(relay.tls_port), 2, "the drain")
        for client, second in clients:
            client.send(second)
            self.assertRegex(client.reply(), "^250 Ok: queued as m[0-9]+@api.test$")
            self.assertEqual((client.reply(), client.line()), (BYE, ""))
        self.ended_within(relay, 5)
        self.assertEqual(len(api.complete_posts()), 2)

    def test_a_quit_behind_the_answer_is_answered(self):
        """Python's `with smtplib.SMTP(…)` raises when its QUIT is answered with 421."""
        relay = self.start()
        clients = []
        for _ in range(10):
            client = relay.login(harness.new_key())
            client.mail("a@yourdomain.com")
            client.rcpt("b@example.com")
            self.assertEqual(client.docmd("DATA")[0], 354)
            clients.append(client)
        relay.terminate()
        harness.wait_until(lambda: self.refuses(relay.tls_port), 2, "the drain")
        for client in clients:
            with client:
                client.send(b"Subject: last\r\n\r\nText\r\n.\r\n")
                self.assertRegex(client.getreply()[1], b"^Ok: queued as ")
        self.assertLess(self.ended_within(relay, 3), 0.5, "nobody is waited for")
        self.assertEqual(len(list(pathlib.Path(relay.store).glob("*.json"))), 10)

    def hanging(self, *arguments):
        """A relay with a message in flight that its API never answers; (relay, client, api)."""
        api = ScriptedAPI()
        self.addCleanup(api.close)
        relay = self.start(*arguments, api_url=f"http://127.0.0.1:{api.port}")
        client = relay.raw()
        self.addCleanup(client.__exit__)
        client.log_in(harness.new_key())
        arrived = threading.Event()

        def fault(connection):
            connection.read_rest()
            arrived.set()
            connection.wait_for_end()

        api.on_post(fault)
        first, second = message()
        self.assertIsNone(begin(client, first))
        client.send(second)
        self.assertTrue(arrived.wait(5))
        return relay, client, api

    def last_reply(self, client):
        """What the client reads before its connection ends; empty for a reset."""
        try:
            return client.line()
        except OSError:
            return ""

    def test_an_api_that_never_answers_is_waited_for_no_longer_than_allowed(self):
        relay, client, api = self.hanging("--drain-timeout", "1s")
        relay.terminate()
        start = time.monotonic()
        self.assertIn(self.last_reply(client), ("", UNAVAILABLE, BYE))
        relay.process.wait(5)
        seconds = time.monotonic() - start
        self.assertGreater(seconds, 0.9)
        self.assertLess(seconds, 3)
        self.assertEqual(relay.process.returncode, 0)
        self.assertIn(b"drain-cut-short", relay.log)
        self.assertEqual(len(api.posts()), 1, "and not sent again")

    def test_the_api_timeout_ends_the_wait_when_it_is_shorter(self):
        relay, client, _ = self.hanging("--api-timeout", "1s")
        relay.terminate()
        self.assertEqual(client.reply(), UNAVAILABLE)
        self.assertEqual((client.reply(), client.line()), (BYE, ""))
        self.ended_within(relay, 3)
        self.assertNotIn(b"drain-cut-short", relay.log)

    def test_a_second_signal_stops_at_once(self):
        relay, client, _ = self.hanging()
        relay.terminate()
        harness.wait_until(lambda: self.refuses(relay.tls_port), 2, "the drain")
        relay.terminate()
        self.assertLess(self.ended_within(relay, 3), 1.5)
        self.assertIn(self.last_reply(client), ("", UNAVAILABLE, BYE))


over_both_backends(globals(), Drain)

if __name__ == "__main__":
    unittest.main()
