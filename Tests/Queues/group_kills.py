"""`kill -9` of the relay at random moments, while clients hand over groups of hidden recipients:
`group_kills.py ROUNDS`, half of them on each backend, all with one ledger's file.

The API refuses some of each try for the moment. Clients try again until they have their 250, as a
mail server does: after a 4yz, after a lost connection, in another order. The rule is that nobody
gets a message twice after a 452 or 451 was answered for it, and that everybody gets it. A second
copy is allowed only when the first one's try ended with the kill: then no record may have been
written. These are counted. With LEDGER=server the records are in a Redis server: a relay that says that
it could not reach it may have owed it some when it was killed, or may not have been told of some. With
a file there is no excuse.
$SEED repeats the moments and the API's moods, not the threads' order.
"""

import collections
import math
import os
import random
import sys
import threading
import time

import queues
from queue_api import Call, Reply, refusal
from scripted_api import ScriptedAPI
from servers import harness, uring

SEED = int(os.environ.get("SEED", random.randrange(2**32)))
CLIENTS = 12
# From a relay's first reply to its end.
LIFE_SECONDS = (0.2, 2.0)
API_SECONDS = 10
# Longer than --api-timeout: such a limit is not waited for.
LONG_LIMIT_SECONDS = 12
LAST_SECONDS = 120

# What the API says to a recipient's call; the rest is accepted.
MOODS = {
    "unavailable": (0.15, 503, {}),
    "plan": (0.08, 403, {}),
    "second": (0.05, 429, {"retry_after_seconds": 1}),
    "hour": (0.04, 429, {"retry_after_seconds": LONG_LIMIT_SECONDS}),
}
SUPPRESSED_SHARE = 0.03


class Group:
    """One message and its hidden recipients. `tries` are (relay, start, end, reply); no reply when
    the connection was lost. `copies` are (time, relay) for each recipient."""

    def __init__(self, name, dice):
        self.name = name
        self.recipients = [f"{name}-{number}@example.com" for number in range(dice.randint(3, 10))]
        self.domain = f"{name}.example"
        self.sender = f"news@{self.domain}"
        self.raw = queues.message(name, self.sender, size=dice.choice((0, 0, 0, 300_000)))
        self.suppressed = {to for to in self.recipients if dice.random() < SUPPRESSED_SHARE}
        if self.suppressed == set(self.recipients):
            self.suppressed = set()
        self.tries = []
        self.copies = collections.defaultdict(list)

    def try_of(self, relay, moment):
        """The try during which this relay's call came."""
        return [each for each in self.tries if each[0] == relay and each[1] <= moment][-1]


class Book:
    """All groups, and the API's side of them."""

    def __init__(self, seed):
        self.seed = seed
        self.groups = {}
        self.calls = collections.Counter()
        self.statuses = collections.Counter()
        # When each relay was killed, and those that had not reached the ledger's server.
        self.kills = {}
        self.excused = set()
        self.lock = threading.Lock()

    def api(self, relay):
        """The API at a port of its own for one relay, so that each call is known by its relay."""
        server = ScriptedAPI()
        server.on_request(lambda connection: self.serve(connection, relay))
        return server

    def serve(self, connection, relay):
        connection.read_rest()
        call = Call(connection)
        if not call.is_send:
            return connection.send(Reply(200, b'{"emails":[],"total":0}').bytes)
        [to] = call.recipients
        name = to.partition("@")[0].rpartition("-")[0]
        with self.lock:
            group = self.groups[name]
            self.calls[to] += 1
            dice = random.Random(f"{self.seed} {to} {self.calls[to]}")
        time.sleep(dice.uniform(0, 0.03))
        reply = self.mood(group, to, dice)
        with self.lock:
            if reply is None:
                group.copies[to].append((time.monotonic(), relay))
                number = self.statuses[202]
                reply = Reply(202, b'{"message_id":"m%d@api.test","status":"queued"}' % number)
            self.statuses[reply.status] += 1
        connection.send(reply.bytes)

    def mood(self, group, to, dice):
        if to in group.suppressed:
            return refusal(422, "suppressed", "all recipients suppressed")
        luck = dice.random()
        for name, (share, status, more) in MOODS.items():
            if luck < share:
                limit = {"limit_type": name, "warming_phase": "phase_1", **more} if more else {}
                return refusal(status, f"{name}_limit", f"{name} limit reached", **limit)
            luck -= share
        return None

    def new_group(self, name, dice):
        with self.lock:
            self.groups[name] = Group(name, dice)
            return self.groups[name]

    def check(self, is_at_the_end):
        """Raises when somebody has a copy too many, or (with a 250) none. What it has counted."""
        counts = collections.Counter()
        wrong, gaps = [], []
        with self.lock:
            groups = list(self.groups.values())
        for group in groups:
            tries = list(group.tries)
            replies = [reply for *_, reply in tries if reply is not None]
            counts["groups"] += 1
            counts["recipients"] += len(group.recipients)
            counts["tries"] += len(tries)
            counts["tries cut by a kill"] += len(tries) - len(replies)
            counts["tries answered with 4yz"] += sum(reply[0] == "4" for reply in replies)
            is_accepted = bool(replies) and replies[-1].startswith("250 ")
            counts["groups answered with 250"] += is_accepted
            if any(reply[0] not in "24" for reply in replies) or (is_at_the_end and not is_accepted):
                wrong.append(f"{group.name}: {replies}")
            for relay, _, end, reply in tries:
                if reply is None and end and end < self.kills.get(relay, math.inf):
                    wrong.append(f"{group.name}: the connection was lost before the kill")
            for to in group.recipients:
                copies = sorted(group.copies[to])
                counts["copies"] += len(copies)
                counts["second copies, of first ones whose try was cut by a kill"] += len(copies[1:])
                for (moment, relay), (_, next_relay) in zip(copies, copies[1:]):
                    gaps.append(self.kills.get(relay, math.inf) - moment)
                    *_, reply = group.try_of(relay, moment)
                    if reply is not None and {relay, next_relay} & self.excused:
                        counts["of these after a 4yz, a relay did not reach the server"] += 1
                    elif reply is not None:
                        wrong.append(f"{to}: a second copy after {reply}: {copies} {tries}")
                if is_accepted and len(copies) < (to not in group.suppressed):
                    wrong.append(f"{to}: 250 without a copy")
        if wrong:
            raise AssertionError(f"SEED={self.seed}\n" + "\n".join(wrong[:20]))
        if gaps:
            gaps.sort()
            counts["ms from the first copy to the kill, median"] = round(gaps[len(gaps) // 2] * 1_000)
            counts["ms from the first copy to the kill, longest"] = round(gaps[-1] * 1_000)
        return counts


class Client(threading.Thread):
    """Hands over one group after another, each until its 250."""

    def __init__(self, kills, number):
        super().__init__(daemon=True)
        self.kills, self.number = kills, number
        self.key = harness.new_key(kind="live")
        self.dice = random.Random(f"{kills.seed} client {number}")
        self.connection, self.relay = None, None
        self.failure = None

    def run(self):
        try:
            count = 0
            while not self.kills.is_ending.is_set():
                count += 1
                group = self.kills.book.new_group(f"c{self.number}m{count}", self.dice)
                while not self.hand_over(group):
                    self.kills.is_over.wait(self.dice.uniform(0.05, 0.4))
                    if self.kills.is_over.is_set():
                        return
        except BaseException as error:
            self.failure = error
            raise

    def hand_over(self, group):
        """One try; whether it was the last."""
        recipients = self.dice.sample(group.recipients, len(group.recipients))
        try:
            if self.connection is None or self.dice.random() < 0.3:
                self.leave()
                self.relay = self.kills.relay
                self.connection = self.relay.client(self.key)
        except (OSError, AssertionError):
            self.connection = None
            return False
        start = time.monotonic()
        # A call may come while the try is under way, so it is noted first.
        group.tries.append((self.relay.number, start, None, None))
        try:
            reply = queues.submit(self.connection, group.raw, recipients, group.sender)
            if reply.startswith("4"):
                self.connection.ask(b"RSET")
        except (OSError, AssertionError):
            reply = ""
        group.tries[-1] = (self.relay.number, start, time.monotonic(), reply or None)
        if not reply or reply.startswith("421"):
            self.leave()
        return reply.startswith("250 ")

    def leave(self):
        if self.connection:
            try:
                queues.leave(self.connection, "close")
            except OSError:
                pass
        self.connection = None


class GroupKills:
    """Rounds of one ledger: a file, or the server that the caller names."""

    def __init__(self, seed=SEED, clients=CLIENTS, ledger=None):
        self.seed = seed
        self.dice = random.Random(seed)
        self.book = Book(seed)
        folder = harness.temporary_folder("certificate")
        certificate = os.path.join(folder, "certificate.pem")
        self.certificate = certificate, harness.make_certificate(folder, certificate)
        self.has_server = ledger is not None
        self.ledger = ledger or os.path.join(harness.temporary_folder("ledger"), "ledger.sqlite")
        self.relay, self.apis = None, []
        self.is_ending, self.is_over = threading.Event(), threading.Event()
        self.clients = [Client(self, number) for number in range(clients)]

    def start(self, backend):
        number = len(self.apis)
        api = self.book.api(number)
        self.apis.append(api)
        relay = queues.Relay(
            api, self.certificate, "--backend", backend, "--api-timeout", f"{API_SECONDS}s",
            "--log-level", "notice", ledger=self.ledger)  # fmt: skip
        relay.number = number
        self.relay = relay
        if number == 0:
            for client in self.clients:
                client.start()

    def round(self, backend):
        """One relay from its start to its kill."""
        self.start(backend)
        time.sleep(self.dice.uniform(*LIFE_SECONDS))
        self.book.kills[self.relay.number] = time.monotonic()
        self.relay.kill()
        self.excuse()
        # What it had sent is answered before anything is compared.
        time.sleep(0.1)
        self.apis[-1].close()

    def excuse(self):
        """What the relay says of the ledger's server."""
        if self.has_server and any(
            event["event"] in ("ledger-unreachable", "ledger-unwritten")
            for event in self.relay.events()
        ):
            self.book.excused.add(self.relay.number)

    def finish(self, backend):
        """A last relay lives until every client has its 250s. Then the books are compared."""
        self.is_ending.set()
        self.start(backend)
        end = time.monotonic() + LAST_SECONDS
        for client in self.clients:
            client.join(max(0, end - time.monotonic()))
        self.is_over.set()
        for client in self.clients:
            client.join(2 * API_SECONDS)
            client.leave()
        self.relay.stop()
        self.excuse()
        self.apis[-1].close()
        failures = [client.failure for client in self.clients if client.failure]
        if failures:
            raise failures[0]
        return self.book.check(is_at_the_end=True)

    def shown(self, counts):
        lines = {"kills": len(self.book.kills), **counts, **{
            f"calls answered with {status}": count
            for status, count in sorted(self.book.statuses.items())}}
        return "\n".join(f"{count:8,} {what}" for what, count in lines.items())


def main():
    rounds = int(sys.argv[1])
    backends = ["epoll"] + ["io_uring"] * uring.is_granted()
    redis = queues.Redis() if os.environ.get("LEDGER") == "server" else None
    kills = GroupKills(ledger=redis and redis.url)
    print(f"SEED={SEED}", flush=True)
    start = time.monotonic()
    for number in range(rounds):
        kills.round(backends[number % len(backends)])
        if (number + 1) % 10 == 0:
            counts = kills.book.check(is_at_the_end=False)
            print(f"{time.monotonic() - start:.0f} s, {number + 1} kills, {dict(counts)}", flush=True)
    print(kills.shown(kills.finish(backends[0])), flush=True)
    if redis:
        print(f"{len(kills.book.excused)} relays had not reached the server for a moment")
        redis.stop()


if __name__ == "__main__":
    main()
