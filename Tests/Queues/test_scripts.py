"""What clients without a queue do, and mail servers only by chance: written out command by command.

Each closes its connection as said: with QUIT, in order without QUIT (TLS close_notify, FIN), or by a
reset before it has read its reply.
"""

import os
import time
import unittest

import queues
from queue_api import PAGE, Limit, Reply, page, refusal
from queues import SENDER, QueueTestCase, hidden, leave, message, shuffled, submit
from servers import harness

MINUTE = 3
PEOPLE = hidden(6)
TRY_SECONDS = 45


class Scripts(QueueTestCase):
    def say(self, raw, recipients, how="quit", relay=None, sender=SENDER, key=None):
        """One connection, one message; its reply."""
        client = (relay or self.relay).client(key or self.key)
        reply = submit(client, raw, recipients, sender)
        leave(client, how)
        return reply

    def until_accepted(self, raw, recipients, relays=None, between=lambda: None, **more):
        """Tries like a queue, at these relays in turns; the reply of each try."""
        replies, start = [], time.monotonic()
        relays = relays or [self.relay]
        while not replies or replies[-1].startswith("4"):
            if replies:
                between()
                time.sleep(1.5)
            replies.append(
                self.say(raw, recipients(len(replies)), relay=relays[len(replies) % len(relays)],
                         **more))  # fmt: skip
            self.assertLess(time.monotonic() - start, TRY_SECONDS, replies)
        return replies

    def limited(self, count=2):
        self.api.rules.append(Limit(count, MINUTE, domain="yourdomain.com"))


class Alerts(Scripts):
    row = "equal alerts without Message-ID, no QUIT"

    def test_each_is_delivered_to_both(self):
        both = ["one@example.com", "two@example.com"]
        alert = message("disk full", has_id=False)
        with self.noted(None, both):
            for number in range(3):
                self.assertRegex(self.say(alert, both, "close"), "^250 Ok: queued as ", number)
            self.assertEqual([self.api.copies_of(to) for to in both], [3, 3])

    def test_also_from_a_client_that_resets_after_its_250(self):
        both = ["one@example.com", "two@example.com"]
        alert = message("disk full", has_id=False)
        with self.noted(None, both, self.row + ", reset after reading"):
            for number in range(3):
                self.assertRegex(self.say(alert, both, "reset"), "^250 Ok: queued as ", number)
            self.assertEqual([self.api.copies_of(to) for to in both], [3, 3])


class OnPurpose(Scripts):
    def check(self, how, row):
        raw = message(f"again after {how}")
        with self.noted(None, ["one@example.com"], row):
            for _ in range(2):
                self.assertRegex(self.say(raw, ["one@example.com"], how), "^250 ")
                time.sleep(0.5)
            self.assertEqual(self.api.copies_of("one@example.com"), 2)

    def test_after_an_orderly_end_it_is_sent_again(self):
        self.check("close", "the same on purpose after a close in order")

    def test_after_quit_it_is_sent_again(self):
        self.check("quit", "the same on purpose after QUIT")


class LostReplies(Scripts):
    row = "reset before the 250 was read"

    def test_the_retry_has_the_same_250_and_there_is_one_copy(self):
        raw, to = message("a lost 250"), ["one@example.com"]
        with self.noted(None, to):
            client = self.relay.client(self.key)
            client.send(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (
                SENDER.encode(), to[0].encode()))
            client.replies(3)
            self.api.delay_seconds = 0.3
            client.send(raw + b".\r\n")
            harness.wait_until(lambda: self.api.calls and self.api.calls[-1].is_send, 5, "the call")
            leave(client, "reset")
            harness.wait_until(lambda: self.api.copies, 5, "the copy")
            self.api.delay_seconds = 0
            replies = self.until_accepted(raw, lambda _: to)
            self.assertEqual(replies[-1], "250 Ok: queued as m0@api.test")
            self.one_copy_each(to)
            # A record answers once: the third time it is sent.
            self.assertRegex(self.say(raw, to), "^250 ")
            self.assertEqual(self.api.copies_of(to[0]), 2)

    def test_a_second_coming_while_the_first_is_under_way_waits_for_its_answer(self):
        raw, to = message("under way"), ["one@example.com"]
        with self.noted(None, to, "a second try while the first is under way"):
            self.api.delay_seconds = 1.5
            client = self.relay.client(self.key)
            client.send(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (
                SENDER.encode(), to[0].encode()))
            client.replies(3)
            client.send(raw + b".\r\n")
            harness.wait_until(lambda: self.api.calls and self.api.calls[-1].is_send, 5, "the call")
            leave(client, "reset")
            time.sleep(0.2)
            self.assertEqual(self.say(raw, to), "250 Ok: queued as m0@api.test")
            self.one_copy_each(to)


class Regrouped(Scripts):
    """Mail servers regroup the recipients of a message between its tries."""

    def test_in_another_order(self):
        with self.noted(None, PEOPLE, "6 hidden, in another order at each try"):
            self.limited()
            self.until_accepted(message("order"), lambda n: shuffled(PEOPLE, n))
            self.one_copy_each(PEOPLE)

    def test_with_one_recipient_more(self):
        more = PEOPLE + ["late@example.com"]
        with self.noted(None, more, "6 hidden, one more in a retry"):
            self.limited()
            self.until_accepted(message("more"), lambda n: shuffled(more, n) if n else PEOPLE)
            self.one_copy_each(more)

    def test_in_parts(self):
        """All six, then two transactions of three: nobody is forgotten, nobody gets two."""
        with self.noted(None, PEOPLE, "6 hidden, then in two parts"):
            self.limited()
            raw = message("parts")
            self.assertRegex(self.say(raw, PEOPLE), "^452 ")
            for part in (PEOPLE[3:], PEOPLE[:3]):
                self.until_accepted(raw, lambda _, part=part: part)
            self.one_copy_each(PEOPLE)

    def test_begins_with_those_who_were_never_tried(self):
        with self.noted(None, PEOPLE, "6 hidden, some are refused for the moment for ever"):
            # Two of six are never taken; the others must not wait for them.
            self.api.rules.append(
                lambda call: refusal(503, "unavailable", "later")
                if call.is_send and call.recipients[0] in PEOPLE[:2] else None)  # fmt: skip
            self.limited()
            raw, replies = message("starved"), []
            for _ in range(4):
                replies.append(self.say(raw, PEOPLE))
                time.sleep(MINUTE)
            self.assertEqual({reply[0] for reply in replies}, {"4"}, replies)
            self.one_copy_each(PEOPLE[2:])

    def test_who_is_refused_for_good_is_asked_once(self):
        with self.noted(None, PEOPLE, "6 hidden, one is suppressed"):
            self.api.rules.append(
                lambda call: refusal(422, "suppressed", "all recipients suppressed")
                if call.is_send and call.recipients == [PEOPLE[3]] else None)  # fmt: skip
            self.limited()
            self.until_accepted(message("suppressed"), lambda _: PEOPLE)
            self.one_copy_each([to for to in PEOPLE if to != PEOPLE[3]])
            self.assertEqual(len(self.api.sends(PEOPLE[3])), 1)

    def test_an_equal_message_after_the_250_is_another_one(self):
        with self.noted(None, PEOPLE, "6 hidden, the same again after the 250"):
            self.limited()
            raw = message("twice")
            for _ in range(2):
                self.until_accepted(raw, lambda _: PEOPLE)
            self.assertEqual([self.api.copies_of(to) for to in PEOPLE], [2] * 6)


class RestartedRelays(Scripts):
    def setUp(self):
        self.ledger = os.path.join(harness.temporary_folder("ledger"), "ledger.sqlite")
        super().setUp()

    def test_a_restart_between_all_tries(self):
        with self.noted(None, PEOPLE, "6 hidden, a restart between all tries"):
            self.limited()
            self.until_accepted(
                message("restarted"), lambda n: shuffled(PEOPLE, n), between=self.relay.restart)
            self.one_copy_each(PEOPLE)

    def test_a_kill_and_one_recipient_more(self):
        more = PEOPLE + ["late@example.com"]
        with self.noted(None, more, "6 hidden, kill -9, then one recipient more"):
            self.limited()
            self.until_accepted(
                message("killed more"), lambda n: shuffled(more, n) if n else PEOPLE,
                between=self.relay.restart_after_kill)  # fmt: skip
            self.one_copy_each(more)


class KilledRelays(Scripts):
    def setUp(self):
        self.ledger = os.path.join(harness.temporary_folder("ledger"), "ledger.sqlite")
        super().setUp()

    def test_a_kill_between_all_tries(self):
        with self.noted(None, PEOPLE, "6 hidden, kill -9 between all tries"):
            self.limited()
            self.until_accepted(
                message("killed"), lambda n: shuffled(PEOPLE, n),
                between=self.relay.restart_after_kill)  # fmt: skip
            self.one_copy_each(PEOPLE)

    def test_a_lost_250_outlives_a_kill(self):
        raw, to = message("lost and killed"), ["one@example.com"]
        with self.noted(None, to, "reset before the 250, then kill -9"):
            self.api.delay_seconds = 0.3
            client = self.relay.client(self.key)
            client.send(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (
                SENDER.encode(), to[0].encode()))
            client.replies(3)
            client.send(raw + b".\r\n")
            harness.wait_until(lambda: self.api.calls and self.api.calls[-1].is_send, 5, "the call")
            leave(client, "reset")
            harness.wait_until(lambda: self.api.copies, 5, "the copy")
            time.sleep(1)
            self.relay.restart_after_kill()
            self.assertEqual(self.say(raw, to), "250 Ok: queued as m0@api.test")
            self.one_copy_each(to)


class LargeGroups(Scripts):
    row = "30 hidden, above 256 KiB, API 100 ms"
    arguments = ("--api-timeout", "10s")

    def test_calls_run_side_by_side(self):
        people = hidden(30)
        with self.noted(None, people):
            self.api.delay_seconds = 0.1
            client = self.relay.client(self.key)
            raw = message("large", size=300_000)
            start = time.monotonic()
            reply = submit(client, raw, people)
            seconds = time.monotonic() - start
            self.note("the same, until its reply", "script", f"{seconds:.1f} s", [], seconds < 1.5)
            self.assertRegex(reply, "^250 ")
            self.one_copy_each(people)
            self.assertLess(seconds, 1.5, "30 calls of 100 ms")
            self.assertGreater(self.api.most_under_way, 3)


class ShortLimits(Scripts):
    arguments = ("--api-timeout", "10s")

    def test_a_client_without_a_queue_is_made_to_wait(self):
        """The API names a second: nobody hears of it."""
        people = [f"short{number}@example.com" for number in range(3)]
        with self.noted(None, people, "429 with one second to wait, no queue"):
            limit = Limit(1, 1, domain="yourdomain.com")
            self.api.rules.append(limit)
            start = time.monotonic()
            for number, to in enumerate(people):
                self.assertRegex(self.say(message(f"short {number}"), [to]), "^250 ")
            self.assertGreater(time.monotonic() - start, 1.5)
            self.assertGreater(limit.refused, 0, "the limit was met")
            self.one_copy_each(people)

    def test_hidden_recipients_wait_too(self):
        people = hidden(4)
        with self.noted(None, people, "4 hidden, 429 with one second to wait, no queue"):
            limit = Limit(1, 1, domain="yourdomain.com")
            self.api.rules.append(limit)
            self.assertRegex(self.say(message("short group"), people), "^250 ")
            self.assertGreater(limit.refused, 0, "the limit was met")
            self.one_copy_each(people)


class Foreign(Scripts):
    """Whatever is in front of the API says: 451, nothing is forgotten or limited, and the next message
    on the same connection is sent."""

    BODIES = {
        "page": PAGE % 400, "message": b'{"message":"forbidden"}', "detail": b'{"detail":"no"}',
        "list": b'["rate limit exceeded"]', "number": b'{"error":7}', "text": b"plan limit reached",
        "empty": b"",
    }  # fmt: skip
    STATUSES = (400, 401, 402, 403, 404, 407, 409, 410, 422, 429, 451)

    def test_every_status_with_every_body(self):
        wrong = []
        with self.noted(None, ["one@example.com"], "77 answers of something in front of the API"):
            answers = [(status, name) for status in self.STATUSES for name in self.BODIES]
            self.api.rules.append(
                lambda call: Reply(*self.answer) if call.is_send and self.answer else None)
            client = self.relay.client(self.key)
            for status, name in answers:
                for self.answer, expected in (
                    ((status, self.BODIES[name]), "451 API unavailable"), (None, "250 Ok")):
                    reply = submit(
                        client, message(f"{status} {name}"), ["one@example.com"])  # fmt: skip
                    if not reply.startswith(expected):
                        wrong.append((status, name, expected, reply))
                        client.ask(b"RSET")
            self.assertEqual(wrong, [])
            self.assertEqual(self.api.copies_of("one@example.com"), len(answers))
            self.assertEqual(len(self.api.checks()), 1, "the key is still known")


class AnyPassword(Scripts):
    """A page at the check of a key is no proof that it is good."""

    def check(self, status):
        raw, to = message(f"password {status}"), ["one@example.com"]
        with self.noted(None, to, f"any password, a page with {status} for its check"):
            self.api.rules.append(lambda call: None if call.is_send else page(status))
            with self.assertRaisesRegex(AssertionError, "451 Authentication service unavailable"):
                self.say(raw, to)
            self.api.rules[:] = [
                lambda call: None if call.is_send else refusal(401, "unauthorized", "no such key")]
            with self.assertRaisesRegex(AssertionError, "535 Authentication failed"):
                self.say(raw, to)
            self.assertEqual(self.api.sends(), [])

    def test_400(self):
        self.check(400)

    def test_401(self):
        self.check(401)

    def test_403(self):
        self.check(403)

    def test_429(self):
        self.check(429)


class BelievedLimits(Scripts):
    """First of all tests, because it lasts five minutes: see run.py."""

    def test_a_limit_of_an_hour_is_probed_after_five_minutes(self):
        """Nobody tells the relay that the account was raised: one message after five minutes asks,
        and its success ends the limit."""
        one = ["one@example.com"]
        with self.noted(None, one, "a limit of an hour ends early, nobody says so"):
            self.api.rules.append(Limit(1, 3_600, kind="daily", domain="yourdomain.com"))
            self.assertRegex(self.say(message("first"), one), "^250 ")
            start = time.monotonic()
            self.assertRegex(self.say(message("second"), one), "^452 ")
            self.api.rules.clear()
            while (reply := self.say(message("second"), one)).startswith("452 "):
                self.assertLess(time.monotonic() - start, 310, "five minutes")
                time.sleep(5)
            self.assertRegex(reply, "^250 ")
            self.assertGreater(time.monotonic() - start, 60, "a limit is believed for a while")
            self.assertRegex(self.say(message("third"), one), "^250 ")


class Domains(Scripts):
    def test_the_replies_of_a_domain_at_its_limit(self):
        """The limited domain hears 452; another domain of the same key hears 250, on the same
        connection and with the same MAIL FROM."""
        with self.noted(None, ["a@example.com"], "daily limit: replies on one connection"):
            self.api.rules.append(Limit(1, 3_600, kind="daily", domain="warm.example"))
            client = self.relay.client(self.key)
            warm, other = "news@warm.example", "shop@other.example"
            one = ["a@example.com"]
            self.assertRegex(submit(client, message("w1", warm), one, warm), "^250 ")
            limited = "^452 Rate limit exceeded, try again later$"
            for _ in range(2):
                self.assertRegex(submit(client, message("w2", warm), one, warm), limited)
                client.ask(b"RSET")
                self.assertRegex(submit(client, message("o1", other), one, other), "^250 ")
                # MAIL FROM is one thing (a bounce address, say), From another: where one MAIL FROM
                # led last time, it is taken to lead again.
                self.assertRegex(submit(client, message("o2", other), one, "bounce@mx.example"), "^250 ")
                self.assertRegex(submit(client, message("w3", warm), one, "lists@mx.example.net"), limited)
                client.ask(b"RSET")
            leave(client, "quit")
            refused = self.api.sends(status=429)
            self.assertLessEqual(len(refused), 1, "the API is not asked again within a limit")

    def test_a_limit_without_a_phase_is_the_keys(self):
        with self.noted(None, ["a@example.com"], "a key's limit: every domain waits"):
            self.api.rules.append(Limit(1, 3_600, kind="hourly"))
            client = self.relay.client(self.key)
            one = ["a@example.com"]
            senders = [f"a@{name}.example" for name in ("first", "second", "third")]
            replies = [submit(client, message(to, to), one, to)[:3] for to in senders]
            self.assertEqual(replies, ["250", "452", "452"])
            self.assertEqual(len(self.api.sends()), 2)


if __name__ == "__main__":
    unittest.main()
