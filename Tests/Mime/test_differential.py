"""Generated messages, read by the relay and by Python's `email` package (`policy=default`).

Each difference is a mistake of the relay, unless `compare.EXPLAINED` says why it is not. CI runs
the same cases each time; `DIFFERENTIAL_CASES=20000 DIFFERENTIAL_SEED=7` runs more and others.
"""

import os
import unittest

from hypothesis import HealthCheck, given, seed, settings

from compare import differences, lost
from explain import Explainer
from generate import damaged, messages

CASES = int(os.environ.get("DIFFERENTIAL_CASES", "1000"))
SEED = int(os.environ.get("DIFFERENTIAL_SEED", "2026"))

common = settings(
    max_examples=CASES, database=None, deadline=None, print_blob=False,
    suppress_health_check=list(HealthCheck))


class Differential(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.explainer = Explainer()
        cls.count = 0

    @classmethod
    def tearDownClass(cls):
        cls.explainer.close()
        print(f"{cls.count} generated messages read by both")

    @seed(SEED)
    @common
    @given(messages())
    def test_well_formed_messages_are_read_alike(self, message):
        type(self).count += 1
        self.assertEqual(differences(message, self.explainer.explain(message)), [])

    @seed(SEED)
    @common
    @given(damaged())
    def test_nothing_is_lost_of_damaged_messages(self, message):
        type(self).count += 1
        self.assertEqual(lost(message, self.explainer.explain(message)), [])


if __name__ == "__main__":
    unittest.main()
