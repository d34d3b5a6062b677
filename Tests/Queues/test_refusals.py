"""What the API or something in front of it refuses, and what mail servers make of the relay's words:
a refusal that ends by itself defers, one that stays bounces with the API's words.

After each row the cause ends, and everything that was deferred is sent, once.
"""

import time
import unittest

import queues
from queue_api import Limit, page, refusal
from queues import QueueTestCase, message
from servers import BOUNCED, DEFERRED, RETRY_SECONDS, SENT, SERVERS, support

TO = "someone@example.com"


@support.for_each(SERVERS)
class Pages(QueueTestCase):
    """Pages in front of the API say nothing about a key, a message or a limit."""

    def check_400_is_deferred(self, client):
        self.check(client, 400)

    def check_401_is_deferred(self, client):
        self.check(client, 401)

    def check_403_is_deferred(self, client):
        self.check(client, 403)

    def check_422_is_deferred(self, client):
        self.check(client, 422)

    def check_429_is_deferred(self, client):
        self.check(client, 429)

    def check(self, client, status):
        self.api.rules.append(lambda call: page(status) if call.is_send else None)
        server = self.serve(client)
        with self.noted(server, [TO], f"a page with {status} for sends"):
            server.hand_over("mail", message(f"page {status}"), queues.SENDER, [TO])
            self.has_tried(server, TO)
            self.assertEqual(server.verdict(TO), DEFERRED, server.account())
            self.assertIn("451 API unavailable", " ".join(server.texts(TO)))
            logged = self.relay.logged("api-foreign-answer")
            self.assertEqual(
                [logged[name] for name in ("level", "status", "content_type", "server")],
                ["warning", str(status), "text/html", "edge/1.0"])  # fmt: skip
            self.api.rules.clear()
            self.settles(server, [TO])
            self.empties(server)
            self.never_bounced(server, [TO])
            self.one_copy_each([TO])


@support.for_each(SERVERS)
class PagesForChecks(QueueTestCase):
    """The same at the check of a key: nobody is logged in, and nobody is told that a key is wrong."""

    def check_401_is_deferred(self, client):
        self.check(client, 401)

    def check_403_is_deferred(self, client):
        self.check(client, 403)

    def check_429_is_deferred(self, client):
        self.check(client, 429)

    def check(self, client, status):
        self.api.rules.append(lambda call: None if call.is_send else page(status))
        server = self.serve(client)
        with self.noted(server, [TO], f"a page with {status} for checks of keys"):
            server.hand_over("mail", message(f"check {status}"), queues.SENDER, [TO])
            self.wait(
                server, lambda: server.verdicts(TO) or self.has_logged("login-unavailable"),
                "a login")  # fmt: skip
            self.assertEqual(self.api.sends(), [], "nobody was logged in")
            self.relay.logged("login-unavailable")
            self.assertFalse(self.has_logged("login-refused"), "535 for a login")
            self.api.rules.clear()
            self.settles(server, [TO])
            self.empties(server)
            self.never_bounced(server, [TO])
            self.one_copy_each([TO])

    def has_logged(self, event):
        return any(each["event"] == event for each in self.relay.events())


# The API's own refusals: status, code, words, and what a mail server must make of them.
PLAN = "plan limit reached"
REFUSALS = {
    "plan": (403, "plan_limit", PLAN, DEFERRED),
    "credits": (402, "payment_required", "not enough credits", DEFERRED),
    "domain": (403, "forbidden", "domain not verified", BOUNCED),
    "template": (404, "not_found", "template welcom not found", BOUNCED),
    "conflict": (409, "conflict", "message is in conflict", BOUNCED),
    "invalid": (400, "invalid_request", "subject is too long", BOUNCED),
    "suppressed": (422, "suppressed", "all recipients suppressed", BOUNCED),
}
ROWS = {
    "plan": "403 \"plan limit reached\"",
    "credits": "402",
    "domain": "another 403",
    "template": "404, a template with a typo",
    "conflict": "409",
    "invalid": "400",
    "suppressed": "422",
}


@support.for_each(SERVERS)
class Refusals(QueueTestCase):
    """All kinds at once, each a message of its own."""

    def check_what_ends_is_deferred_and_what_stays_is_bounced(self, client):
        def refuse(call):
            kind = call.recipients[0].partition("@")[0] if call.is_send else ""
            return refusal(*REFUSALS[kind][:3]) if kind in REFUSALS else None

        self.api.rules.append(refuse)
        server = self.serve(client)
        for kind in REFUSALS:
            headers = [("X-Postscale-Template", "welcom")] if kind == "template" else []
            server.hand_over(kind, message(kind, headers=headers), queues.SENDER, [self.to(kind)])
        end = time.monotonic() + queues.PATIENCE_SECONDS
        while time.monotonic() < end and not all(self.is_right(server, kind) for kind in REFUSALS):
            time.sleep(0.1)
        for kind in REFUSALS:
            with self.subTest(kind), self.noted(server, [self.to(kind)], ROWS[kind]):
                self.assertTrue(self.is_right(server, kind), server.account())
        self.api.rules.clear()
        deferred = [self.to(kind) for kind in REFUSALS if REFUSALS[kind][3] == DEFERRED]
        self.settles(server, deferred)
        self.one_copy_each(deferred)
        bounced = [self.to(kind) for kind in REFUSALS if REFUSALS[kind][3] == BOUNCED]
        self.assertEqual([self.api.copies_of(to) for to in bounced], [0] * len(bounced))

    def to(self, kind):
        return f"{kind}@example.com"

    def is_right(self, server, kind):
        """The verdict, and the words in the server's log."""
        _, _, words, verdict = REFUSALS[kind]
        words = "All recipients suppressed" if kind == "suppressed" else words
        verdicts = server.verdicts(self.to(kind))
        if verdict == DEFERRED and BOUNCED in verdicts:
            return False
        return verdicts[-1:] == [verdict] and words in " ".join(server.texts(self.to(kind)))


@support.for_each(SERVERS)
class RevokedKeys(QueueTestCase):
    row = "the key is revoked while a queue runs"

    def check_the_queue_waits(self, client):
        """The API takes one message and then knows the key no more: the rest is deferred, however
        often it is tried, until the key is good again."""
        def revoked(call):
            if self.api.copies and self.is_revoked:
                return refusal(401, "unauthorized", "API key revoked")
            return None

        self.is_revoked = True
        self.api.rules.append(revoked)
        server = self.serve(client)
        people = [f"person{number}@example.com" for number in range(1, 5)]
        with self.noted(server, people):
            for number, to in enumerate(people):
                server.hand_over(f"m{number}", message(f"mail {number}"), queues.SENDER, [to])
            self.wait(server, lambda: self.api.copies, "a first message")
            waiting = [to for to in people if not self.api.copies_of(to)]
            self.assertGreaterEqual(len(waiting), 2)
            self.settles(server, waiting, DEFERRED)
            # Through another login and another try.
            checks = len(self.api.checks())
            self.wait(server, lambda: len(self.api.checks()) > checks + 1, "other logins")
            self.never_bounced(server, people)
            self.is_revoked = False
            self.settles(server, people)
            self.empties(server)
            self.never_bounced(server, people)
            self.one_copy_each(people)


@support.for_each(SERVERS)
class ShortLimits(QueueTestCase):
    row = "429 with one second to wait"
    arguments = ("--api-timeout", "10s")

    def check_is_sent_at_the_first_try(self, client):
        limit = Limit(1, 1, domain="yourdomain.com")
        self.api.rules.append(limit)
        server = self.serve(client)
        people = ["one@example.com", "two@example.com", "three@example.com"]
        with self.noted(server, people):
            for number, to in enumerate(people):
                server.hand_over(f"m{number}", message(f"short {number}"), queues.SENDER, [to])
            self.settles(server, people)
            self.empties(server)
            self.one_copy_each(people)
            self.assertGreater(limit.refused, 0, "the limit was met")
            self.assertEqual([server.verdicts(to) for to in people], [[SENT]] * 3)


@support.for_each(SERVERS)
class DomainLimits(QueueTestCase):
    row = "a domain meets its daily limit"
    day_seconds = 30

    def check_only_that_domain_waits(self, client):
        """Until its limit ends, nothing of it is sent; meanwhile another domain's mail is."""
        warm, other = "news@warm.example", "shop@other.example"
        day = Limit(2, self.day_seconds, kind="daily", domain="warm.example")
        self.api.rules.append(day)
        server = self.serve(client)
        people = [f"warm{number}@example.com" for number in range(1, 5)]
        others = [f"other{number}@example.com" for number in range(1, 5)]
        with self.noted(server, people), self.noted(server, others, "meanwhile another domain of its key"):
            for number, to in enumerate(people):
                server.hand_over(f"w{number}", message(f"warm {number}", warm), warm, [to])
            self.wait(
                server, lambda: day.refused and sum(
                    DEFERRED in server.verdicts(to) for to in people) >= 2, "the limit")  # fmt: skip
            limit_ends = day.ends
            for number, to in enumerate(others):
                server.hand_over(f"o{number}", message(f"other {number}", other), other, [to])
            self.settles(server, others, SENT, self.day_seconds / 2)
            # After a 4yz sendmail calls the whole host bad for a moment, and defers without asking.
            if client.name != "sendmail":
                self.assertEqual([server.verdicts(to) for to in others], [[SENT]] * 4)
            self.assertLess(
                max(call.time for to, call in self.api.copies if to in others), limit_ends,
                "while the limit lasted")  # fmt: skip
            self.settles(server, people)
            self.empties(server)
            self.one_copy_each(people + others)


@support.for_each(SERVERS)
class ForgottenLimits(QueueTestCase):
    row = "an admin call forgets the limit"

    def check_mail_goes_on(self, client):
        """The account is raised after the API had said that an hour is to be waited."""
        day = Limit(1, 3_600, kind="daily", domain="yourdomain.com")
        self.api.rules.append(day)
        server = self.serve(client)
        people = ["first@example.com", "second@example.com"]
        with self.noted(server, people):
            for number, to in enumerate(people):
                server.hand_over(f"m{number}", message(f"day {number}"), queues.SENDER, [to])
            self.wait(
                server, lambda: any(DEFERRED in server.verdicts(to) for to in people), "the limit")
            self.api.rules.clear()
            self.relay.forget_limit("yourdomain.com")
            self.settles(server, people, SENT, 6 * RETRY_SECONDS)
            self.empties(server)
            self.one_copy_each(people)


@support.for_each(SERVERS)
class LostReplies(QueueTestCase):
    """The API has accepted a message, and the server cannot have seen the 250: its next try is
    answered from the ledger."""

    def check_reset_before_the_api_answers(self, client):
        self.check(client, "the connection is reset before the API's answer", "cut")

    def check_reset_on_the_way(self, client):
        """The relay's kernel had every byte of the 250 acknowledged, by a balancer."""
        self.check(client, "the connection is reset with the 250 on its way", "swallow")

    def check(self, client, row, how):
        switch = self.new_switch(self.relay.port)

        def loses_once(call):
            if call.is_send and not self.api.copies:
                return self.api.accepted(call, before=getattr(switch, how))
            return None

        self.api.rules.append(loses_once)
        server = self.serve(client, switch.port)
        with self.noted(server, [TO], row):
            server.hand_over("mail", message("lost"), queues.SENDER, [TO])
            self.settles(server, [TO])
            self.empties(server)
            self.one_copy_each([TO])
            self.assertEqual(server.verdicts(TO)[0], DEFERRED, server.account())


if __name__ == "__main__":
    unittest.main()
