"""Which backend the relay takes, what it says about it, and what it does where io_uring is refused."""

import pathlib
import subprocess
import sys
import unittest

import harness
import uring

WITHOUT_URING = [sys.executable, str(pathlib.Path(uring.__file__)), "refuse"]


def events(relay, name):
    return [event for event in relay.events() if event.get("event") == name]


class Choice(unittest.TestCase):
    def start(self, *arguments, wrapper=()):
        relay = harness.Relay(*arguments, wrapper=wrapper)
        self.addCleanup(relay.stop)
        harness.wait_until(lambda: events(relay, "ready"), what="the ready line")
        return relay

    def send(self, relay):
        with relay.login(harness.new_key()) as client:
            head = b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: s\r\n\r\n"
            body = b"0123456789" * 7 + b"\r\n"
            for lines in (1, 40_000):
                client.sendmail("a@yourdomain.com", ["b@example.com"], head + body * lines)
        self.assertEqual(relay.sandbox.stats()["accepted"], 2)

    @unittest.skipUnless(uring.is_granted(), "this kernel does not allow io_uring")
    def test_auto_is_io_uring(self):
        relay = self.start("--backend", "auto", "--loops", "2")
        self.assertEqual(events(relay, "ready")[0]["backend"], "io_uring")
        self.assertEqual(events(relay, "io-uring-refused"), [])
        self.send(relay)

    def test_auto_is_epoll_where_io_uring_is_refused_and_says_so_once(self):
        relay = self.start("--backend", "auto", "--loops", "2", wrapper=WITHOUT_URING)
        self.assertEqual(events(relay, "ready")[0]["backend"], "epoll")
        refusals = events(relay, "io-uring-refused")
        self.assertEqual(len(refusals), 1)
        self.assertIn("io_uring_setup: Operation not permitted (", refusals[0]["reason"])
        self.send(relay)
        self.assertEqual(len(events(relay, "io-uring-refused")), 1)

    def test_epoll_asks_for_no_ring(self):
        relay = self.start("--backend", "epoll", wrapper=WITHOUT_URING)
        self.assertEqual(events(relay, "ready")[0]["backend"], "epoll")
        self.assertEqual(events(relay, "io-uring-refused"), [])

    def run_to_its_end(self, *arguments, wrapper):
        listen = f"127.0.0.1:{harness.free_port()}"
        api = f"127.0.0.1:{harness.free_port()}"
        return subprocess.run(
            [*wrapper, harness.BINARY, "--sandbox", "--sandbox-listen", api, "--listen", listen]
            + list(arguments),
            capture_output=True,
            text=True,
            timeout=30,
        )

    def test_io_uring_that_is_refused_ends_the_start(self):
        result = self.run_to_its_end("--backend", "io_uring", wrapper=WITHOUT_URING)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(
            "--backend io_uring: io_uring_setup: Operation not permitted (", result.stderr
        )
        self.assertIn("--backend epoll works on every kernel", result.stderr)
        self.assertNotIn("ready", result.stderr)

    @unittest.skipUnless(uring.is_granted(), "this kernel does not allow io_uring")
    def test_too_few_descriptors_for_all_rings_end_the_start(self):
        few = ["/bin/sh", "-c", 'ulimit -n 48; exec "$@"', "sh"]
        result = self.run_to_its_end("--backend", "io_uring", "--loops", "64", wrapper=few)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(
            "--backend io_uring: io_uring_setup: Too many open files "
            "(the limit of open files leaves no descriptor for a ring)",
            result.stderr,
        )


if __name__ == "__main__":
    unittest.main()
