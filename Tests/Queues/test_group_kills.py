"""A few rounds of group_kills.py; `make soak-kill ROUNDS=100` has many."""

import unittest

from group_kills import GroupKills
from queues import QueueTestCase, Redis
from servers import uring


class Kills(QueueTestCase):
    has_relay = False

    def check(self, backend, ledger=None, name="a file"):
        kills = GroupKills(clients=6, ledger=ledger)
        for _ in range(3):
            kills.round(backend)
        counts = kills.finish(backend)
        print(kills.shown(counts))
        self.assertGreater(counts["tries answered with 4yz"], 5)
        self.note(f"groups of hidden recipients under load, 3 kills, {name}, {backend}", "script",
                  f"{counts['groups answered with 250']} groups, "
                  f"{counts['tries cut by a kill']} tries cut by a kill", [], True)  # fmt: skip

    def test_over_epoll(self):
        self.check("epoll")

    def test_with_a_server(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        self.check("epoll", redis.url, "Redis")
        self.assertTrue(redis.is_used(), "the relays use the Redis server")

    @unittest.skipUnless(uring.is_granted(), "io_uring is not granted")
    def test_over_io_uring(self):
        self.check("io_uring")


if __name__ == "__main__":
    unittest.main()
