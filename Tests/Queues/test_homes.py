"""Two relays that share a Redis server, which stops, falls silent, is slow, has no room, or becomes a
replica.

Mail goes on within moments whatever happens to it. What a relay could not write then, it writes when
the server is back: so another relay knows it before the next try.
"""

import time
import unittest

import queues
from queue_api import Limit, refusal
from queues import SENDER, QueueTestCase, hidden, leave, message, shuffled, submit
from servers import SENT, SERVERS, harness, support

MINUTE = 4
PEOPLE = hidden(6)
# From the connect to the reply, how much longer than with a good server: the median, and the longest.
# The relay may wait for the server for 50 ms; the rest is for a busy machine.
MEDIAN_SECONDS, LONGEST_SECONDS = 0.15, 2
# Until a relay has written what a server missed that is back.
CATCH_UP_SECONDS = 8
# Until the other relay has heard of a limit or of a forgotten key; relays ask every second.
NEWS_SECONDS = 2.5

FAULTS = {
    "stopped": (lambda redis: redis.stop(), lambda redis: redis.start()),
    "silent": (lambda redis: redis.freeze(), lambda redis: redis.thaw()),
    "slow": (lambda redis: redis.slow_down(), lambda redis: redis.speed_up()),
    "full": (lambda redis: redis.fill(), lambda redis: redis.empty()),
    "a replica": (lambda redis: redis.become_replica(), lambda redis: redis.become_primary()),
}


class Fleet(QueueTestCase):
    has_relay = False

    def setUp(self):
        super().setUp()
        self.redis = queues.Redis()
        self.addCleanup(self.redis.stop)
        self.relays = [self.new_relay(ledger=self.redis.url) for _ in range(2)]

    def submit(self, relay, raw, recipients, sender=SENDER):
        client = self.relays[relay].client(self.key)
        reply = submit(client, raw, recipients, sender)
        leave(client, "quit")
        return reply

    def uses_redis(self):
        self.assertTrue(self.redis.is_used(), "the relays use the Redis server")

    def timed(self, relay, raw, recipients, sender):
        """(reply, seconds from the connect to the reply)"""
        start = time.monotonic()
        client = self.relays[relay].client(self.key)
        reply = submit(client, raw, recipients, sender)
        seconds = time.monotonic() - start
        leave(client, "quit")
        return reply, seconds

    def waits(self, name):
        """Of eight messages in turns at both relays, of a domain that has no limit, shortest first."""
        other, seconds = "shop@other.example", []
        people = [f"{name.replace(' ', '-')}{number}@example.com" for number in range(8)]
        for number, to in enumerate(people):
            reply, wait = self.timed(number % 2, message(f"{name} {number}", other), [to], other)
            self.assertRegex(reply, "^250 ")
            seconds.append(wait)
        self.one_copy_each(people)
        return sorted(seconds)

    def goes_on(self, name, before):
        """Mail during a fault, from its first moment on; `before` it was so fast."""
        during = self.waits(name)
        text = f"before: {before}, during: {during}"
        self.assertLess(during[4] - before[4], MEDIAN_SECONDS, text)
        self.assertLess(during[-1] - before[-1], LONGEST_SECONDS, text)


class Homes(Fleet):
    """A group's tries, one at each relay in turns, with a fault of the server between them."""

    def check(self, name):
        break_it, repair = FAULTS[name]
        with self.noted(None, PEOPLE, f"6 hidden at two relays, Redis {name} between tries"):
            self.api.rules.append(Limit(2, MINUTE, domain="yourdomain.com"))
            raw = message(f"group while {name}")
            self.assertRegex(self.submit(0, raw, PEOPLE), "^452 ")
            self.uses_redis()
            before = self.waits("before")
            # The second try meets the fault at the same relay, which knows what it did itself.
            break_it(self.redis)
            self.addCleanup(self.redis.thaw)
            time.sleep(MINUTE)
            self.assertRegex(self.submit(0, raw, PEOPLE), "^(452|250) ")
            self.goes_on(name, before)
            # What it missed is written before the third try, at the other relay.
            repair(self.redis)
            time.sleep(CATCH_UP_SECONDS)
            replies = [self.submit(1, raw, PEOPLE)]
            while replies[-1].startswith("4") and len(replies) < 6:
                time.sleep(MINUTE / 2)
                replies.append(self.submit(len(replies) % 2, raw, PEOPLE))
            self.assertRegex(replies[-1], "^250 ")
            self.one_copy_each(PEOPLE)

    def test_stopped(self):
        self.check("stopped")

    def test_silent(self):
        self.check("silent")

    def test_slow(self):
        self.check("slow")

    def test_full(self):
        self.check("full")

    def test_a_replica(self):
        self.check("a replica")

    def test_there_is_no_server_at_the_start(self):
        """A relay starts, and mail goes on, before its server is there."""
        with self.noted(None, [], "the relays start before Redis"):
            before = self.waits("before")
            self.redis.stop()
            for relay in self.relays:
                relay.restart_after_kill()
            self.goes_on("none", before)
            self.redis.start()
            harness.wait_until(self.redis.is_used, CATCH_UP_SECONDS, "the use of the server")


@support.for_each(SERVERS)
class ServersOverFaults(Fleet):
    """A mail server's queue runs through all the faults, one after another."""

    row = "a queue while Redis stops, is silent, slow, full, a replica"

    def check_the_queue_runs_dry(self, client):
        switch = self.new_switch(*(relay.port for relay in self.relays))
        server = self.serve(client, switch.port)
        people = [f"person{number}@example.com" for number in range(2 + 2 * len(FAULTS))]
        self.addCleanup(self.redis.thaw)
        with self.noted(server, people):
            def hand_over(number):
                server.hand_over(f"m{number}", message(f"mail {number}"), SENDER, [people[number]])

            for number in (0, 1):
                hand_over(number)
            self.settles(server, people[:2])
            self.uses_redis()
            for index, (break_it, repair) in enumerate(FAULTS.values(), 1):
                break_it(self.redis)
                for number in (2 * index, 2 * index + 1):
                    hand_over(number)
                self.settles(server, people[: 2 * index + 2], seconds=20)
                repair(self.redis)
            self.empties(server)
            self.one_copy_each(people)
            self.assertEqual({tuple(server.verdicts(to)) for to in people}, {(SENT,)})


class Killed(Fleet):
    """What a killed relay has written, the other one knows; and so does the next one at its place."""

    def test_a_kill_after_each_try(self):
        with self.noted(None, PEOPLE, "6 hidden at two relays, each killed after its try"):
            self.api.rules.append(Limit(2, MINUTE, domain="yourdomain.com"))
            raw, replies = message("killed at one"), []
            while not replies or replies[-1].startswith("4"):
                relay = len(replies) % 2
                replies.append(self.submit(relay, raw, shuffled(PEOPLE, len(replies))))
                self.relays[relay].restart_after_kill()
                self.assertLess(len(replies), 12, replies)
                time.sleep(MINUTE / 2)
            self.assertRegex(replies[-1], "^250 ")
            self.uses_redis()
            self.one_copy_each(PEOPLE)


class Shared(Fleet):
    """What one relay has learnt, the other knows."""

    def test_a_lost_250_is_answered_by_the_other_relay(self):
        raw, to = message("lost at one"), ["one@example.com"]
        with self.noted(None, to, "reset before the 250, retry at the other relay"):
            self.api.delay_seconds = 0.5
            client = self.relays[0].client(self.key)
            client.send(
                b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (SENDER.encode(), to[0].encode()))
            client.replies(3)
            client.send(raw + b".\r\n")
            harness.wait_until(lambda: self.api.calls and self.api.calls[-1].is_send, 5, "the call")
            leave(client, "reset")
            harness.wait_until(lambda: self.api.copies, 5, "the copy")
            time.sleep(0.5)
            self.assertEqual(self.submit(1, raw, to), "250 Ok: queued as m0@api.test")
            self.one_copy_each(to)

    def test_a_message_under_way_is_waited_for_by_the_other_relay(self):
        raw, to = message("under way at one"), ["one@example.com"]
        with self.noted(None, to, "a second try at the other relay while the first is under way"):
            self.api.delay_seconds = 1.5
            client = self.relays[0].client(self.key)
            client.send(
                b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (SENDER.encode(), to[0].encode()))
            client.replies(3)
            client.send(raw + b".\r\n")
            harness.wait_until(lambda: self.api.calls and self.api.calls[-1].is_send, 5, "the call")
            leave(client, "reset")
            time.sleep(0.4)
            self.assertEqual(self.submit(1, raw, to), "250 Ok: queued as m0@api.test")
            self.one_copy_each(to)

    def test_a_domains_limit(self):
        with self.noted(None, ["one@example.com"], "a limit that the other relay has met"):
            self.api.rules.append(Limit(1, 3_600, kind="daily", domain="yourdomain.com"))
            one = ["one@example.com"]
            self.assertRegex(self.submit(0, message("first"), one), "^250 ")
            self.assertRegex(self.submit(0, message("second"), one), "^452 ")
            asked = len(self.api.sends())
            time.sleep(NEWS_SECONDS)
            self.assertRegex(self.submit(1, message("second"), one), "^452 ")
            self.assertEqual(len(self.api.sends()), asked, "the API was not asked again")
            other = "shop@other.example"
            self.assertRegex(self.submit(1, message("o", other), one, other), "^250 ")

    def test_a_forgotten_key(self):
        """A 401 at one relay: the other one asks again before it lets that key in."""
        with self.noted(None, ["one@example.com"], "a key that the other relay has forgotten"):
            one = ["one@example.com"]
            self.assertRegex(self.submit(1, message("before"), one), "^250 ")
            checks = len(self.api.checks())
            self.api.rules.append(
                lambda call: refusal(401, "unauthorized", "key revoked") if call.is_send else None)
            self.assertRegex(self.submit(0, message("revoked"), one), "^451 ")
            time.sleep(NEWS_SECONDS)
            self.assertRegex(self.submit(1, message("other"), one), "^451 ")
            # One check of relay 0's login, one of relay 1's second.
            self.assertEqual(len(self.api.checks()), checks + 2)


if __name__ == "__main__":
    unittest.main()
