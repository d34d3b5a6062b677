"""An API that limits, refuses, shows pages, loses answers and restarts, as a test's rules say.

It answers as the API's public pages do (the JSON of an error, the fields of a 429), and it records
every copy that it accepted: who got it, with which key, under which id. A rule sees one call and
either answers it or leaves it to the next rule; a call that no rule answers succeeds. Transport,
framing and faults are those of Tests/Faults.
"""

import email.utils
import json
import math
import threading
import time

from scripted_api import ScriptedAPI, answer

PAGE = b"""<!DOCTYPE html>
<html><head><title>%d</title></head><body><h1>Request blocked</h1><hr>edge</body></html>
"""


class Call:
    """One call of the API, as rules see it."""

    def __init__(self, connection):
        request = connection.request
        head = bytes(request.raw[: request.head_length]).decode("latin-1")
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        fields = {name.lower(): value for name, value in fields.items()}
        self.connection = connection
        self.key = fields.get("authorization", "").removeprefix("Bearer ")
        self.is_send = request.is_post
        self.time = time.monotonic()
        self.status = None
        self.fields = json.loads(request.body) if self.is_send else {}
        self.sender = email.utils.parseaddr(self.fields.get("from", ""))[1]
        self.recipients = [
            email.utils.parseaddr(text)[1]
            for name in ("to", "cc", "bcc")
            for text in self.fields.get(name, [])
        ]

    @property
    def domain(self):
        return self.sender.rpartition("@")[2]

    @property
    def subject(self):
        return self.fields.get("subject", "")


class Reply:
    """An answer. `before` runs before it is written; with `is_lost` the connection is reset instead,
    although the API has acted."""

    def __init__(self, status, body, headers=(), before=None, is_lost=False):
        self.status, self.before, self.is_lost = status, before, is_lost
        kind = b"text/html" if body.startswith(b"<") else b"application/json"
        self.bytes = answer(status, body, [b"Content-Type: " + kind, *headers])


def refusal(status, code, words, **more):
    """The API's own refusal."""
    return Reply(status, json.dumps({"error": code, "message": words, **more}).encode())


def page(status):
    """What something in front of the API says: a proxy, a filter, a page of maintenance."""
    return Reply(status, PAGE % status, [b"Server: edge/1.0"])


class Limit:
    """At most `count` accepted recipients in `seconds`, of one domain or, without one, of a key.

    The public pages' minute, hour or day may last some seconds here."""

    def __init__(self, count, seconds, kind="per_minute", domain=None, phase="phase_1"):
        self.count, self.seconds, self.kind = count, seconds, kind
        self.domain, self.phase = domain, phase
        self.accepted = []
        self.refused = 0

    @property
    def ends(self):
        """When the first place is free again."""
        return self.accepted[0] + self.seconds

    def __call__(self, call):
        if not call.is_send or (self.domain and call.domain != self.domain):
            return None
        now = time.monotonic()
        self.accepted = [then for then in self.accepted if now - then < self.seconds]
        if len(self.accepted) + len(call.recipients) <= self.count:
            self.accepted += [now] * len(call.recipients)
            return None
        self.refused += 1
        wait = self.seconds - (now - self.accepted[0]) if self.accepted else self.seconds
        more = {"warming_phase": self.phase} if self.domain else {}
        return refusal(
            429, "rate_limit_exceeded", f"{self.kind} sending limit exceeded",
            limit_type=self.kind, limit=self.count, used=len(self.accepted),
            retry_after_seconds=max(1, math.ceil(wait)), **more,
        )  # fmt: skip


class QueueAPI:
    """Rules are functions of a call that return a Reply, or nothing."""

    def __init__(self, port=0):
        self.delay_seconds = 0
        self.rules = []
        self.lock = threading.Lock()
        self.calls = []
        self.copies = []
        self.under_way = self.most_under_way = 0
        self.port = port
        self.start()

    def start(self):
        """Listens, on the same port after `stop`."""
        self.server = ScriptedAPI(port=self.port)
        self.port = self.server.port
        self.server.on_request(self.serve)

    def stop(self):
        self.server.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection):
        connection.read_rest()
        call = Call(connection)
        with self.lock:
            self.calls.append(call)
            self.under_way += call.is_send
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.delay_seconds and call.is_send:
                time.sleep(self.delay_seconds)
            self.reply(call)
        finally:
            with self.lock:
                self.under_way -= call.is_send

    def reply(self, call):
        with self.lock:
            reply = next(filter(None, (rule(call) for rule in self.rules)), None)
            reply = reply or (self.accepted(call) if call.is_send else self.checked())
            call.status = reply.status
            if call.is_send and reply.status < 300:
                self.copies += [(recipient, call) for recipient in call.recipients]
        if reply.before:
            reply.before()
        if reply.is_lost:
            return call.connection.reset()
        call.connection.send(reply.bytes)

    def accepted(self, call, **more):
        body = {"message_id": f"m{len(self.copies)}@api.test", "status": "queued"}
        return Reply(202, json.dumps(body).encode(), **more)

    def checked(self):
        return Reply(200, b'{"emails":[],"total":0}')

    # What a test reads.

    def copies_of(self, recipient, subject=None):
        """How many copies this recipient got (of this subject)."""
        with self.lock:
            return sum(
                to == recipient and subject in (None, call.subject) for to, call in self.copies)

    def sends(self, recipient=None, status=None):
        """The sends so far, of one recipient, with one status."""
        with self.lock:
            return [
                call for call in self.calls
                if call.is_send and (recipient is None or recipient in call.recipients)
                and status in (None, call.status)]  # fmt: skip

    def checks(self):
        with self.lock:
            return [call for call in self.calls if not call.is_send]
