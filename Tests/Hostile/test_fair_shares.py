"""What runs out is shared by key: memory, places in the queue, connections to the API, sessions."""

import shutil
import unittest

import hostile
from crowd import (Crowd, groups, message_at_once, messages, paused_upload, session_that_stays)
from hostile import MEGABYTE, Watch, harness, over_both_backends, resident_bytes


class Memory:
    def test_16_slow_messages_of_one_key_under_a_budget_of_4_mb(self):
        """Each message takes 256 KiB of the budget before its 354, so 16 of them are all of it."""
        self.start("--memory-budget", "4MB")
        others = self.others()
        others.calm()
        rest = resident_bytes(self.relay.process)
        watch = Watch(self, self.relay.process)
        key = harness.new_key()
        crowd = Crowd(self, self.relay, 16, paused_upload, key=key, size=100_000, finish=16)
        crowd.settle(3)
        others.attacked()
        with self.subTest("memory"):
            # The sessions themselves are no messages: 16 and the customers', 20 KB each.
            self.check_memory(
                "16 slow messages", rest + 20 * 20_000, watch.stop().resident, 4 * MEGABYTE)
        others.stop()
        notes = crowd.finish()
        with self.subTest("slow messages that go on"):
            self.assertTrue([note for note in notes if note.startswith("250 ")], notes)
        others.check("16 slow messages of one key, --memory-budget 4MB")


class Queue:
    """The API is slow, and one key has far more to send than it takes."""

    def test_a_thousand_waiting_messages_of_one_key(self):
        """40 messages a second, 1,000 of one key: 25 s of waiting."""
        self.start("--api-connections", "4", seconds=lambda _: 0.1)
        others = self.others()
        others.calm()
        key = harness.new_key()
        count = min(1_000, hostile.DESCRIPTORS // 4)
        crowd = Crowd(self, self.relay, count, message_at_once, key=key)
        crowd.settle(40)
        crowd.go()
        others.attacked(5)
        others.check(f"{crowd.settled} waiting messages of one key")

    def test_groups_of_a_hundred_hidden_recipients_over_four_connections(self):
        """4 sessions of one key, 100 calls each message, 20 calls a second."""
        self.start("--api-connections", "4", seconds=lambda _: 0.2)
        others = self.others()
        others.calm()
        key = harness.new_key()
        crowd = Crowd(self, self.relay, 4, groups, key=key, recipients=100)
        crowd.settle()
        others.attacked(5)
        others.check(f"groups of 100 hidden recipients, {len(self.api.messages(key))} calls")

    def test_many_bad_messages_of_one_key(self):
        """20 sessions without a pause; the API refuses each message with 400."""
        key = harness.new_key()
        self.start(status=lambda request: 400 if request.key == key else 202)
        others = self.others()
        others.calm()

        crowd = Crowd(self, self.relay, 20, messages, key=key)
        crowd.settle()
        others.attacked()
        others.check(f"{len(self.api.messages(key))} bad messages of one key")
        self.assertIn("554", crowd.finish())


@unittest.skipUnless(shutil.which("prlimit"), "no prlimit here")
class Sessions:
    def test_hundreds_of_sessions_of_one_key_where_descriptors_are_few(self):
        """A process of 256 descriptors, and a key that wants 400 sessions and comes again."""
        api = self.api = self.make_api()
        self.relay = self.make_relay(api=api, wrapper=["prlimit", "--nofile=256"])
        others = self.others()
        others.calm()
        key = harness.new_key()

        crowd = Crowd(self, self.relay, 400, session_that_stays, key=key)
        crowd.settle(8)
        others.attacked(5)
        sessions = hostile.prometheus_text.value(self.metrics(), "postscale_relay_sessions")
        others.check(f"400 sessions of one key wanted, {sessions:.0f} there, 256 descriptors")


over_both_backends(globals(), Memory, Queue, Sessions)

if __name__ == "__main__":
    unittest.main()
