"""A few rounds of group_kills.py; `make soak-kill ROUNDS=100` has many."""

import unittest

from group_kills import GroupKills
from queues import QueueTestCase
from servers import uring


class Kills(QueueTestCase):
    has_relay = False

    def check(self, backend):
        kills = GroupKills(clients=6)
        for _ in range(3):
            kills.round(backend)
        counts = kills.finish(backend)
        print(kills.shown(counts))
        self.assertGreater(counts["tries answered with 4yz"], 5)
        self.note(f"groups of hidden recipients under load, 3 kills, {backend}", "script",
                  f"{counts['groups answered with 250']} groups, "
                  f"{counts['tries cut by a kill']} tries cut by a kill", [], True)  # fmt: skip

    def test_over_epoll(self):
        self.check("epoll")

    @unittest.skipUnless(uring.is_granted(), "io_uring is not granted")
    def test_over_io_uring(self):
        self.check("io_uring")


if __name__ == "__main__":
    unittest.main()
