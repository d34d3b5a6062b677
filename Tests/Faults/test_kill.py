"""`kill -9` of the relay at random moments under load: every message for which a client saw 250 is
at the API.

$SEED repeats the moments; `make soak-kill ROUNDS=n` runs many rounds and prints what it counted.
"""

import os
import random
import time
import unittest

import faults  # noqa: F401 - finds the harness
import harness
import load
import uring

SEED = int(os.environ.get("SEED", random.randrange(2**32)))


class Kills:
    """Rounds against one sandbox, which keeps what it accepts in a folder."""

    def __init__(self, seed, clients=8):
        self.random = random.Random(seed)
        self.clients = clients
        self.sandbox = harness.Sandbox()
        self.rounds = self.ended = self.answered = self.kept = 0
        self.senders = []

    def round(self, backend, after=(0.1, 1.0)):
        """One relay, loaded and killed; returns when its clients have noticed."""
        self.rounds += 1
        relay = harness.Relay("--backend", backend, api_port=self.sandbox.port)
        try:
            senders = load.start_senders(
                relay, self.clients, f"r{self.rounds}", kinds=("small", "small", "large"))
            harness.wait_until(lambda: any(s.accepted for s in senders), 20, "the first 250")
            time.sleep(self.random.uniform(*after))
        finally:
            relay.kill()
        load.join(senders)
        self.senders += senders

    def check(self):
        """Checks the records of all rounds so far, after the sandbox has answered everything that
        it was sent."""
        self.ended = sum(len(sender.begun) for sender in self.senders)
        harness.wait_until(
            lambda: self.sandbox.client.stats()["connections_open"] <= 1,  # The connection that asks.
            what="the end of the last calls")
        self.answered, self.kept = load.check_books(self.senders, self.sandbox.store)

    def __str__(self):
        return (f"{self.rounds} kills: {self.ended} messages ended by their clients, "
                f"{self.answered} answered with 250, {self.kept} at the API")


class Kill(unittest.TestCase):
    def check_kills(self, backend):
        kills = Kills(SEED)
        self.addCleanup(kills.sandbox.stop)
        for _ in range(4):
            kills.round(backend)
        kills.check()
        print(f"{backend}: {kills}", flush=True)
        self.assertGreater(kills.answered, 20, f"seed {SEED}")
        # A message that was unanswered when the relay died may be there once, or not at all.
        self.assertLessEqual(kills.kept, kills.ended)

    def test_over_epoll(self):
        self.check_kills("epoll")

    @unittest.skipUnless(uring.is_granted(), "io_uring is not granted")
    def test_over_io_uring(self):
        self.check_kills("io_uring")


if __name__ == "__main__":
    unittest.main()
