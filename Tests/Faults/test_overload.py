"""More than fits: memory, API latency, descriptors. What is too much waits or is told to come
later."""

import pathlib
import shutil
import socket
import threading
import time
import unittest

import faults
import load
from faults import LINE, begin, harness, message, over_both_backends, submit, uring
from scripted_api import ScriptedAPI

NO_MEMORY = "451 Insufficient resources, try again later"


class Base:
    arguments = ()

    @classmethod
    def setUpClass(cls):
        if cls.backend == "io_uring" and not uring.is_granted():
            raise unittest.SkipTest("io_uring is not granted")

    def setUp(self):
        self.api = ScriptedAPI()
        self.addCleanup(self.api.close)

    def start(self, *arguments, **more):
        self.relay = harness.Relay(
            "--backend", self.backend, *arguments, api_url=f"http://127.0.0.1:{self.api.port}",
            **more)
        self.addCleanup(self.relay.stop)
        return self.relay

    def check_throughput_is_back(self, seconds=5):
        """Twenty messages, one after the other, within seconds."""
        start = time.monotonic()
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            for _ in range(20):
                self.assertRegex(submit(client), "^250 ")
        back = time.monotonic() - start
        self.assertLess(back, seconds)
        return back


class Overload(Base):
    """Eight megabytes of budget are 32 messages at a time; a hundred clients need more."""

    CLIENTS = 100
    BUDGET = 8

    def test_more_messages_than_memory_and_an_api_that_is_slow(self):
        relay = self.start(
            "--loops", "1", "--memory-budget", f"{self.BUDGET}MB", "--idle-timeout", "10s",
            "--api-timeout", "20s")
        calm = threading.Event()

        def slow(connection):
            connection.read_rest()
            calm.wait(1.0)
            connection.accept()

        self.api.on_post(slow, times=10**9)
        before = load.pss_kilobytes(relay.process)
        watch = load.Watch(relay.process)
        watch.start()
        outcomes, waits = [], []

        def send(_):
            client = relay.raw()
            self.addCleanup(client.__exit__)
            client.log_in(harness.new_key())
            for _ in range(3):
                first, second = message(faults.HELD)
                start = time.monotonic()
                reply = begin(client, first)
                if not reply:
                    client.send(second)
                    reply = client.reply()
                waits.append(time.monotonic() - start)
                outcomes.append(reply)

        harness.in_threads(self.CLIENTS, send)
        peak = watch.stop()
        accepted = [reply for reply in outcomes if reply.startswith("250 ")]
        self.assertEqual(set(outcomes) - set(accepted), set(), "the excess waits its turn")
        self.assertEqual(len(self.api.complete_posts()), len(accepted), "250 and only 250")
        self.assertLess(max(waits), 15, "nobody waits for ever")
        # A held message is in memory as its request body, and once more on its way to the kernel.
        bound = before + 2.5 * self.BUDGET * 1024
        self.assertLess(peak, harness.cost_bound(bound))
        calm.set()
        self.api.calm()
        back = self.check_throughput_is_back()
        print(f"{self.backend}: {self.CLIENTS} clients, {len(outcomes)} messages of 180 kB, budget "
              f"{self.BUDGET} MB, API 1 s: {len(accepted)} x 250, longest wait {max(waits):.1f} s; "
              f"{before / 1024:.1f} MB before, {peak / 1024:.1f} MB at most; 20 messages "
              f"{back:.2f} s afterwards", flush=True)

    def test_an_api_that_stands_still(self):
        """Messages that have their memory are finished when the API goes on; the others get 451 in
        time."""
        relay = self.start(
            "--loops", "1", "--memory-budget", f"{self.BUDGET}MB", "--idle-timeout", "3s",
            "--api-timeout", "20s")
        moves = threading.Event()

        def stuck(connection):
            connection.read_rest()
            moves.wait(20)
            connection.accept()

        self.api.on_post(stuck, times=10**9)
        refused, accepted = [], []

        def send(_):
            client = relay.raw()
            self.addCleanup(client.__exit__)
            client.log_in(harness.new_key())
            first, second = message(faults.HELD)
            start = time.monotonic()
            reply = begin(client, first)
            if reply:
                self.assertEqual(reply, NO_MEMORY)
                refused.append(time.monotonic() - start)
                if len(refused) == self.CLIENTS - self.BUDGET * 4:
                    moves.set()
            else:
                client.send(second)
                self.assertRegex(client.reply(), "^250 ")
                accepted.append(time.monotonic())

        harness.in_threads(self.CLIENTS, send)
        self.assertEqual(len(accepted), self.BUDGET * 4, "as many as the budget holds")
        self.assertEqual(len(self.api.complete_posts()), len(accepted))
        self.assertLess(max(refused), 6)
        self.api.calm()
        back = self.check_throughput_is_back()
        print(f"{self.backend}: an API that stands still: {len(accepted)} x 250, {len(refused)} x "
              f"451 after {max(refused):.1f} s at most; 20 messages {back:.2f} s afterwards",
              flush=True)

    def test_uploads_that_the_api_reads_slowly(self):
        """Cut-through messages wait in their clients, not in the relay."""
        clients, lines = 16, 150_000  # More than the kernel's buffers take.
        relay = self.start(
            "--loops", "1", "--memory-budget", f"{self.BUDGET}MB", "--api-timeout", "30s")
        begun = threading.Semaphore(0)
        moves = threading.Event()

        def slow(connection):
            connection.read_head()
            begun.release()
            moves.wait(harness.PATIENCE_SECONDS)
            connection.read_chunks()
            connection.accept()

        self.api.on_post(slow, times=10**9)
        before = load.pss_kilobytes(relay.process)
        watch = load.Watch(relay.process)
        watch.start()

        def send(_):
            client = relay.raw()
            self.addCleanup(client.__exit__)
            client.log_in(harness.new_key())
            self.assertIsNone(begin(client, message()[0]))
            client.send(LINE * lines + b".\r\n")
            self.assertRegex(client.reply(), "^250 ")

        def go_on():
            for _ in range(clients):
                self.assertTrue(begun.acquire(timeout=harness.PATIENCE_SECONDS))
            time.sleep(1)  # The buffers take all that they can.
            moves.set()

        harness.in_threads(clients + 1, lambda index: send(index) if index else go_on())
        peak = watch.stop()
        self.assertEqual(len(self.api.complete_posts()), clients)
        # io_uring also holds what came after each pause, at most half a megabyte per connection.
        factor = 2.5 if self.backend == "epoll" else 4
        self.assertLess(peak, harness.cost_bound(before + factor * self.BUDGET * 1024))
        self.api.calm()
        print(f"{self.backend}: {clients} uploads of {lines * len(LINE) / 1e6:.1f} MB that wait for "
              f"the API, budget {self.BUDGET} MB: {before / 1024:.1f} MB before, "
              f"{peak / 1024:.1f} MB at most, {clients} x 250", flush=True)

    def test_two_that_announced_too_little_do_not_wait_for_each_other(self):
        """Each holds memory that the other needs: one is refused and the other goes on, both at
        once."""
        relay = self.start("--loops", "1", "--memory-budget", "256KB")
        clients = []
        for _ in range(2):
            client = relay.raw()
            self.addCleanup(client.__exit__)
            client.log_in(harness.new_key())
            client.ask(b"MAIL FROM:<a@yourdomain.com> SIZE=1000")
            client.ask(b"RCPT TO:<b@example.com>")
            self.assertRegex(client.ask(b"DATA"), "^354 ")
            client.send(b"From: a@yourdomain.com\r\nSubject: x\r\n\r\n")
            clients.append(client)
        start = time.monotonic()
        for client in clients:
            client.send(LINE * 100)
        time.sleep(0.2)
        for client in clients:
            client.send(LINE * 100 + b".\r\n")
        replies = sorted(client.reply() for client in clients)
        self.assertLess(time.monotonic() - start, 3)
        self.assertRegex(replies[0], "^250 ")
        self.assertEqual(replies[1], NO_MEMORY)


@unittest.skipUnless(shutil.which("prlimit"), "no prlimit here")
class Descriptors(Base):
    """A process that may open 128 descriptors, with three times as many clients."""

    LIMIT = 128

    def start_small(self, *arguments):
        return self.start(
            "--loops", "1", *arguments, wrapper=["prlimit", f"--nofile={self.LIMIT}"])

    def flood(self, count):
        """Connections that say nothing, as many as the backlog takes."""
        crowd = []
        for _ in range(count):
            sock = socket.socket()
            sock.settimeout(5)
            sock.connect(("127.0.0.1", self.relay.ports[0]))
            self.addCleanup(sock.close)
            crowd.append(sock)
        return crowd

    def open_descriptors(self):
        return len(list(pathlib.Path(f"/proc/{self.relay.process.pid}/fd").iterdir()))

    def test_accepting_pauses_the_api_is_reached_and_it_goes_on(self):
        relay = self.start_small()
        known = relay.raw()
        self.addCleanup(known.__exit__)
        known.log_in(harness.new_key())
        self.assertRegex(submit(known), "^250 ")
        crowd = self.flood(300)
        # There is room for a few while hundreds wait: no more than those few get in.
        for sock in crowd[:10]:
            sock.close()
        time.sleep(0.5)
        start, cpu = time.monotonic(), load.cpu_seconds(relay.process)
        descriptors = self.open_descriptors()
        time.sleep(3)
        seconds, cpu = time.monotonic() - start, load.cpu_seconds(relay.process) - cpu
        self.assertLess(descriptors, self.LIMIT)
        self.assertLess(cpu, harness.cost_bound(0.3), "it does not spin")
        paused = [e for e in relay.events() if e["event"] == "accept-paused"]
        self.assertTrue(paused)
        self.assertLess(len(paused), 6)
        # New connections to the API are possible all the time.
        before = self.api.accepted_connections
        for _ in range(5):
            self.api.hang_up()
            time.sleep(0.05)
            self.assertRegex(submit(known), "^250 ")
        self.assertGreaterEqual(self.api.accepted_connections, before + 5)
        for sock in crowd:
            sock.close()
        start = time.monotonic()
        back = self.check_throughput_is_back()
        print(f"{self.backend}: {self.LIMIT} descriptors, 300 connections: {descriptors} in use, "
              f"{cpu * 1000:.0f} ms of CPU in {seconds:.1f} s, API reached; 20 messages "
              f"{back:.2f} s behind the end of the flood", flush=True)


over_both_backends(globals(), Overload, Descriptors)

if __name__ == "__main__":
    unittest.main()
