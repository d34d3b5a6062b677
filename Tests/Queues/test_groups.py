"""Hidden recipients: each is a call of its own, and the API takes some of them at a time.

However often a server tries, and whatever happens to relays and ledgers between its tries, each
recipient gets one copy, nobody is starved, and the server's queue is empty in the end.
"""

import os
import time
import unittest

import queues
from queue_api import Limit, refusal
from queues import QueueTestCase, hidden, message
from servers import DEFERRED, RETRY_SECONDS, SENT, SERVERS, harness, support

# A minute of the public pages' limits, for these tests; longer than --api-timeout, so that a limit
# cannot be waited for.
MINUTE = 7
PEOPLE = hidden(6)
# The servers' 15 minutes are 4 seconds here, so the ten minutes that the relay once remembered a
# group are less than 3.
WINDOW = ("--duplicate-window", "3s")


class Groups(QueueTestCase):
    arguments = QueueTestCase.arguments + WINDOW

    def start_group(self, client, port=None):
        self.limit = Limit(2, MINUTE, domain="yourdomain.com")
        self.api.rules.append(self.limit)
        server = self.serve(client, port)
        server.hand_over("group", message("a group"), queues.SENDER, PEOPLE)
        return server

    def finish(self, server):
        self.settles(server, PEOPLE)
        self.empties(server)
        self.one_copy_each(PEOPLE)
        self.assertGreater(self.limit.refused, 0, "the limit was met")

    def first_try(self, server):
        """A part of the group was accepted, and the server has heard that the rest was not."""
        self.wait(server, lambda: DEFERRED in server.verdicts(PEOPLE[0]), "a first refusal")


@support.for_each(SERVERS)
class LimitedGroups(Groups):
    row = "6 hidden recipients, 2 a minute"

    def check_each_gets_one_copy(self, client):
        server = self.start_group(client)
        with self.noted(server, PEOPLE):
            self.finish(server)
            self.wait(server, lambda: self.relay.replies()[-1:] == ["250"], "a 250 in the log", 10)
            self.assertNotIn("250", self.relay.replies()[:-1], "250 when all have it, not before")


@support.for_each(SERVERS)
class KilledRelays(Groups):
    row = "the relay is killed between tries"

    def setUp(self):
        self.ledger = os.path.join(harness.temporary_folder("ledger"), "ledger.sqlite")
        super().setUp()

    def check_each_gets_one_copy(self, client):
        server = self.start_group(client)
        with self.noted(server, PEOPLE):
            self.first_try(server)
            self.relay.restart_after_kill()
            before = len(self.api.sends(status=202))
            self.wait(server, lambda: len(self.api.sends(status=202)) > before, "a second try")
            # A try whose calls were all limited may have had its reply before.
            replies = len(self.relay.replies())
            self.wait(server, lambda: len(self.relay.replies()) > replies, "its reply")
            self.relay.restart_after_kill()
            self.finish(server)


@support.for_each(SERVERS)
class RestartedRelays(Groups):
    row = "the relay is restarted between tries"

    def setUp(self):
        self.ledger = os.path.join(harness.temporary_folder("ledger"), "ledger.sqlite")
        super().setUp()

    def check_each_gets_one_copy(self, client):
        server = self.start_group(client)
        with self.noted(server, PEOPLE):
            self.first_try(server)
            self.relay.restart()
            self.finish(server)


@support.for_each(SERVERS)
class LargeGroups(QueueTestCase):
    row = "30 hidden recipients, above 256 KiB"
    arguments = ("--api-timeout", "10s")

    def check_is_sent_at_the_first_try(self, client):
        people = hidden(30)
        self.api.delay_seconds = 0.1
        server = self.serve(client)
        with self.noted(server, people):
            server.hand_over("large", message("large", size=300_000), queues.SENDER, people)
            self.settles(server, people)
            self.empties(server)
            self.one_copy_each(people)
            self.assertGreater(self.api.most_under_way, 3, "side by side")
            self.assertEqual({tuple(server.verdicts(to)) for to in people}, {(SENT,)})


@support.for_each(SERVERS)
class Fleets(Groups):
    row = "every other try at another relay of a fleet"
    has_relay = False

    def check_each_gets_one_copy(self, client):
        redis = queues.Redis()
        self.addCleanup(redis.stop)
        relays = [self.new_relay(ledger=redis.url) for _ in range(2)]
        switch = self.new_switch(*(relay.port for relay in relays))
        server = self.start_group(client, switch.port)
        with self.noted(server, PEOPLE):
            self.finish(server)
            self.assertTrue(redis.is_used(), "the relays use the Redis server")


@support.for_each(SERVERS)
class RestartedAPIs(Groups):
    row = "the API restarts within a group"

    def check_each_gets_one_copy(self, client):
        """The API takes two of six and goes away: no call is lost, so no copy is made twice."""
        self.api.rules.append(
            lambda call: refusal(503, "unavailable", "restarting")
            if call.is_send and len(self.api.copies) >= 2 else None)  # fmt: skip
        server = self.serve(client)
        with self.noted(server, PEOPLE):
            server.hand_over("group", message("a group"), queues.SENDER, PEOPLE)
            self.first_try(server)
            self.api.stop()
            time.sleep(RETRY_SECONDS + 1)
            self.api.rules.clear()
            self.api.start()
            self.settles(server, PEOPLE)
            self.empties(server)
            self.one_copy_each(PEOPLE)


@support.for_each(SERVERS)
class LostAnswers(Groups):
    row = "the API's answer for one of 6 is lost"

    def check_only_that_one_may_get_two(self, client):
        lost = []

        def loses_one(call):
            if call.is_send and call.recipients == [PEOPLE[2]] and not lost:
                lost.append(call)
                return self.api.accepted(call, is_lost=True)
            return None

        self.api.rules.append(loses_one)
        server = self.serve(client)
        with self.noted(server, PEOPLE):
            server.hand_over("group", message("a group"), queues.SENDER, PEOPLE)
            self.settles(server, PEOPLE)
            self.empties(server)
            self.one_copy_each([to for to in PEOPLE if to != PEOPLE[2]])
            self.assertLessEqual(self.api.copies_of(PEOPLE[2]), 2)
            self.assertIn(DEFERRED, server.verdicts(PEOPLE[0]), "an uncertain answer is no 250")


if __name__ == "__main__":
    unittest.main()
