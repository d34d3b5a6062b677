"""What the tables of faults share: messages, rows, the run of a row, the recovery after it.

A row is one fault: a function of a connection, which may return what is left to do once the client
goes on. Its run logs a client in while the API works, arms the fault, submits one message, and
looks at three places: the client's reply (to the letter), the API (how many requests it saw begun
and complete), and the log (which event with which reason, and neither key nor content). Then the
fault ends, and within seconds the relay must get a message accepted again without help.
"""

import json
import os
import pathlib
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "EndToEnd"))

import harness  # noqa: E402
import uring  # noqa: E402
from scripted_api import ScriptedAPI  # noqa: E402

UNAVAILABLE = "451 API unavailable"
# Is in every message and must be in no log.
MARKER = b"content-that-no-log-may-hold"
LINE = b"0123456789" * 7 + b"\r\n"
SMALL, HELD, CHUNKED = "small", "held", "chunked"
LINES = {SMALL: 1, HELD: 2_500, CHUNKED: 8_000}
RECOVERY_SECONDS = 5

_message_count = 0


def message(kind=SMALL):
    """(first half, second half with the final dot) of a message of its own."""
    global _message_count
    _message_count += 1
    head = (
        b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: %08d\r\n"
        b"Message-ID: <%08d-%d@client.test>\r\n\r\n%s\r\n"
        % (_message_count, _message_count, os.getpid(), MARKER)
    )
    lines = LINES[kind]
    return head + LINE * (lines // 2), LINE * (lines - lines // 2) + b".\r\n"


class Row:
    """One fault and all that must follow from it."""

    def __init__(self, name, fault, reply=UNAVAILABLE, kind=SMALL, complete=1, begun=1,
                 outcome=None, event=None, reason="", at="post", times=1, waits=False):
        """
        - kind: which message is submitted
        - complete, begun: requests that the API saw; `begun` is a set when both are right
        - outcome: that of the log's `message` event
        - event, reason: the log's event about the call, and what its reason contains
        - at: where the fault takes over (post, connect), so many `times`
        - waits: the second half of the message is sent after the fault has acted
        """
        self.name, self.fault, self.reply, self.kind = name, fault, reply, kind
        self.complete, self.begun = complete, begun
        self.outcome, self.event, self.reason = outcome, event, reason
        self.at, self.times, self.waits = at, times, waits


def uncertain(name, fault, reason="", **more):
    """The API may have acted: 451, and not sent again."""
    return Row(name, fault, outcome="uncertain", event="api-uncertain", reason=reason, **more)


def not_sent(name, fault, reason="", **more):
    """The API provably has not acted: 451 after the last try that is allowed."""
    more.setdefault("complete", 0)
    return Row(name, fault, outcome="unavailable", event="api-not-sent", reason=reason, **more)


def accepted(name, fault, reply="250 Ok: queued as m@api.test", **more):
    return Row(name, fault, reply=reply, outcome="accepted", **more)


def answered(name, fault, reply, outcome, **more):
    """The API has refused explicitly."""
    return Row(name, fault, reply=reply, outcome=outcome, event="api-answer", **more)


def begin(client, first_half):
    for command, code in ((b"MAIL FROM:<a@yourdomain.com>", "250"),
                          (b"RCPT TO:<b@example.com>", "250"), (b"DATA", "354")):
        answer = client.ask(command)
        if not answer.startswith(code):
            return answer
    client.send(first_half)
    return None


def submit(client, kind=SMALL):
    """One message; the last reply."""
    first, second = message(kind)
    return begin(client, first) or client.ask(second[:-2])


class FaultTestCase(unittest.TestCase):
    """A scripted API and a relay in front of it for all rows of a class."""

    backend = "epoll"
    arguments = ()
    tls = None
    host = "127.0.0.1"
    scheme = "http"

    @classmethod
    def setUpClass(cls):
        if cls.backend == "io_uring" and not uring.is_granted():
            raise unittest.SkipTest("io_uring is not granted")
        cls.api = ScriptedAPI(tls=cls.tls)
        cls.addClassCleanup(cls.api.close)
        cls.relay = cls.make_relay()

    @classmethod
    def make_relay(cls):
        relay = harness.Relay(
            "--backend", cls.backend, "--loops", "1", "--api-timeout", "2s", "--api-connect-timeout", "1s",
            *cls.arguments, api_url=f"{cls.scheme}://{cls.host}:{cls.api.port}")
        cls.addClassCleanup(cls.check_log, relay)
        cls.addClassCleanup(relay.stop)
        return relay

    @classmethod
    def check_log(cls, relay):
        if MARKER in relay.log:
            raise AssertionError("content of a message is in the log")

    def setUp(self):
        self.api.calm()
        self.api.forget()

    def client(self):
        client = self.relay.raw()
        self.addCleanup(client.__exit__)
        client.log_in(harness.new_key())
        return client

    # One row.

    def run_row(self, row):
        self.setUp()
        mark = self.relay.log_path.stat().st_size
        client = self.client()
        acted = threading.Event()

        def fault(connection):
            try:
                rest = row.fault(connection)
            finally:
                acted.set()
            if callable(rest):
                rest()

        self.arm(row, fault)
        start = time.monotonic()
        reply = self.submit_row(client, row, acted)
        seconds = time.monotonic() - start
        self.assertEqual(reply, row.reply, row.name)
        self.assertLess(seconds, 5, "the client waits no longer than --api-timeout")
        begun, complete = len(self.api.posts()), len(self.api.complete_posts())
        self.assertIn(begun, row.begun if isinstance(row.begun, set) else {row.begun}, "begun")
        self.assertEqual(complete, row.complete, "complete requests at the API")
        self.check_events(row, mark, client)
        self.api.calm()
        self.recover()

    def arm(self, row, fault):
        if row.at == "post":
            return self.api.on_post(fault, row.times)
        self.api.on_connect(fault, row.times)
        self.api.hang_up()
        time.sleep(0.05)

    def submit_row(self, client, row, acted):
        first, second = message(row.kind)
        refused = begin(client, first)
        if refused:
            return refused
        if row.waits:
            self.assertTrue(acted.wait(5), "the fault has acted")
            time.sleep(0.05)
        return client.ask(second[:-2])

    def events(self, mark, client):
        """What the log says after `mark` about the client's session."""
        with open(self.relay.log_path, "rb") as log:
            log.seek(mark)
            lines = log.read().decode("utf-8", "replace").splitlines()
        # `mark` may lie inside a line, and so may the end.
        events = [json.loads(line) for line in lines
                  if line.startswith('{"time"') and line.endswith("}")]
        peer = "127.0.0.1:%d" % client.socket.getsockname()[1]
        opened = [e for e in events if e["event"] == "session-opened" and e["peer"] == peer]
        return [e for e in events if opened and e.get("session") == opened[-1]["session"]]

    def check_events(self, row, mark, client):
        def ended():
            return [e for e in self.events(mark, client) if e["event"] == "message"]

        event = harness.wait_until(ended, what="the message in the log")[0]
        self.assertEqual(event["outcome"], row.outcome)
        self.assertEqual(event["reply"], row.reply[:3])
        seen = self.events(mark, client)
        names = {e["event"] for e in seen}
        for name in ("api-uncertain", "api-not-sent"):
            self.assertEqual(name in names, name == row.event, f"{name}: {names}")
        if row.event:
            reasons = [e.get("reason", "") for e in seen if e["event"] == row.event]
            self.assertTrue(reasons and row.reason in reasons[-1], f"{row.reason}: {reasons}")

    def recover(self, seconds=RECOVERY_SECONDS):
        """The relay recovers without help: a fresh login and a message."""
        def works():
            try:
                with self.relay.raw() as client:
                    client.log_in(harness.new_key())
                    return submit(client).startswith("250 ")
            except AssertionError:
                return False

        harness.wait_until(works, seconds, "a message accepted again")


def over_both_backends(namespace, *classes):
    """Puts each class into `namespace` once for epoll and once for io_uring."""
    for base in classes:
        for backend, suffix in (("epoll", "OverEpoll"), ("io_uring", "OverUring")):
            name = base.__name__ + suffix
            namespace[name] = type(name, (base, FaultTestCase), {
                "backend": backend, "__module__": namespace["__name__"]})


def table(rows):
    """A test method that runs every row as a subtest."""
    def test(self):
        for row in rows:
            with self.subTest(row.name):
                self.run_row(row)
    return test
