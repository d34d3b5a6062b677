"""What runs out is shared by key: memory, places in the queue, connections to the API, sessions."""

import shutil
import threading
import unittest

import hostile
from hostile import (Crowd, HEAD, HIDDEN_HEAD, LINE, MEGABYTE, Watch, harness, over_both_backends,
                     paused_upload, resident_bytes)


class Memory:
    def test_16_slow_messages_of_one_key_under_a_budget_of_4_mb(self):
        """Each message takes 256 KiB of the budget before its 354, so 16 of them are all of it."""
        self.start("--memory-budget", "4MB")
        others = self.others()
        others.calm()
        rest = resident_bytes(self.relay.process)
        watch = Watch(self, self.relay.process)
        key = harness.new_key()
        crowd = Crowd(self, 16, paused_upload(self.relay, key, 100_000, finish=16))
        crowd.settle(3)
        others.attacked()
        with self.subTest("memory"):
            # The sessions themselves are no messages: 16 and the customers', 20 KB each.
            self.check_memory(
                "16 slow messages", rest + 20 * 20_000, watch.stop().resident, 4 * MEGABYTE)
        others.stop()
        crowd.finish()
        with self.subTest("slow messages that go on"):
            self.assertTrue([note for note in crowd.notes if note.startswith("250 ")], crowd.notes)
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

        def send(index, crowd):
            source = f"127.0.1.{1 + index % 8}"
            with crowd.join(hostile.logged_in(self.relay, key, source, patience=60)) as client:
                refused = hostile.begin(client)
                if refused:
                    return crowd.note(refused)
                crowd.in_place()
                # All dots at once.
                is_open.wait(60)
                client.send(HEAD + LINE + b".\r\n")
                crowd.note(client.reply())

        is_open = threading.Event()
        # Handshakes: some at a time, as from several machines.
        crowd = Crowd(self, count, send)
        crowd.settle(40)
        is_open.set()
        others.attacked(5)
        others.check(f"{crowd.settled} waiting messages of one key")
        crowd.end()

    def test_groups_of_a_hundred_hidden_recipients_over_four_connections(self):
        """4 sessions of one key, 100 calls each message, 20 calls a second."""
        self.start("--api-connections", "4", seconds=lambda _: 0.2)
        others = self.others()
        others.calm()
        key = harness.new_key()
        crowd = Crowd(self, 4, self.groups(key))
        crowd.settle()
        others.attacked(5)
        others.check(f"groups of 100 hidden recipients, {len(self.api.messages(key))} calls")
        crowd.end()

    def groups(self, key):
        def work(index, crowd):
            with crowd.join(hostile.logged_in(self.relay, key, patience=60)) as client:
                while not crowd.is_over.is_set():
                    refused = hostile.begin(client, 100)
                    if refused:
                        return crowd.note(refused)
                    client.send(HIDDEN_HEAD + LINE + b".\r\n")
                    crowd.in_place()
                    crowd.note(client.reply())
        return work

    def test_many_bad_messages_of_one_key(self):
        """20 sessions without a pause; the API refuses each message with 400."""
        key = harness.new_key()
        self.start(status=lambda request: 400 if request.key == key else 202)
        others = self.others()
        others.calm()

        def send(index, crowd):
            while not crowd.is_over.is_set():
                with hostile.logged_in(self.relay, key) as client:
                    for _ in range(10):
                        crowd.note(hostile.submit(client)[:3])
                        crowd.in_place()

        crowd = Crowd(self, 20, send)
        crowd.settle()
        others.attacked()
        others.check(f"{len(self.api.messages(key))} bad messages of one key")
        crowd.end()
        self.assertIn("554", crowd.notes)


@unittest.skipUnless(shutil.which("prlimit"), "no prlimit here")
class Sessions:
    def test_hundreds_of_sessions_of_one_key_where_descriptors_are_few(self):
        """A process of 256 descriptors, and a key that wants 400 sessions and comes again."""
        api = self.api = self.make_api()
        self.relay = self.make_relay(api=api, wrapper=["prlimit", "--nofile=256"])
        others = self.others()
        others.calm()
        key = harness.new_key()

        def stay(index, crowd):
            while not crowd.is_over.is_set():
                try:
                    source = f"127.0.1.{1 + index % 8}"
                    with hostile.logged_in(self.relay, key, source, patience=20) as client:
                        crowd.in_place()
                        while not crowd.is_over.wait(0.5):
                            client.send(b"NOOP\r\n")
                            if not client.line().startswith("250 "):
                                break
                except (OSError, AssertionError) as error:
                    crowd.note(str(error)[:40])
                crowd.in_place()
                crowd.is_over.wait(2)

        crowd = Crowd(self, 400, stay)
        crowd.settle(8)
        others.attacked(5)
        sessions = hostile.prometheus_text.value(self.metrics(), "postscale_relay_sessions")
        others.check(f"400 sessions of one key wanted, {sessions:.0f} there, 256 descriptors")
        crowd.finish(10)


over_both_backends(globals(), Memory, Queue, Sessions)

if __name__ == "__main__":
    unittest.main()
