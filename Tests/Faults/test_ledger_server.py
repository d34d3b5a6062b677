"""A ledger in a Valkey or Redis server, shared by two relays: what it answers, and every fault of it.

The server is Debian's redis-server, started by the test on loopback; it is stopped, silenced, filled,
made a replica, emptied, and asked for a password and TLS.
"""

import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest
import urllib.request

import faults
from faults import begin, harness, message
from scripted_api import ScriptedAPI, answer

QUEUED = r"^250 Ok: queued as "
# From the final dot to the reply while the server is out of order. The relay waits 50 ms at most; the
# rest is for a busy machine.
MOMENT_SECONDS = 0.4
HIDDEN = (b"From: a@yourdomain.com\r\nSubject: s\r\nMessage-ID: <%s@client.test>\r\n\r\n"
          + faults.MARKER + b"\r\n")


class Server:
    """A redis-server of one test, or a valkey-server where that is installed."""

    def __init__(self, *arguments, tls=False):
        self.binary = shutil.which("valkey-server") or shutil.which("redis-server")
        if not self.binary:
            raise AssertionError("neither valkey-server nor redis-server is installed: make deps")
        self.folder = harness.temporary_folder("server")
        self.port = harness.free_port()
        self.arguments = list(arguments)
        self.client = []
        self.url = f"valkey://127.0.0.1:{self.port}"
        if tls:
            self.certificate = os.path.join(self.folder, "certificate.pem")
            key = harness.make_certificate(self.folder, self.certificate)
            self.arguments += ["--tls-port", str(self.port), "--port", "0", "--tls-cert-file",
                               self.certificate, "--tls-key-file", key, "--tls-ca-cert-file",
                               self.certificate, "--tls-auth-clients", "no"]
            self.client = ["--tls", "--cacert", self.certificate]
            self.url = f"valkeys://localhost:{self.port}"
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder]
            + ["--save", "", "--appendonly", "yes", "--appendfsync", "always", *self.arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        harness.wait_until(lambda: self.ask("PING") in ("PONG",) or "NOAUTH" in self.ask("PING"),
                           10, "the server")

    def ask(self, *words):
        binary = self.binary.replace("-server", "-cli")
        return subprocess.run([binary, "-h", "127.0.0.1", "-p", str(self.port), *self.client, *words],
                              capture_output=True, text=True).stdout.strip()

    def names(self):
        return sorted(name for name in self.ask("--scan", "--pattern", "postscale:*").split())

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def silence(self):
        self.process.send_signal(signal.SIGSTOP)

    def speak(self):
        self.process.send_signal(signal.SIGCONT)


class LedgerBench:
    """Two relays, a server, and an API for each test."""

    backend = "epoll"
    server_arguments = ()
    server_tls = False
    relay_arguments = ()

    def setUp(self):
        if self.backend == "io_uring" and not faults.uring.is_granted():
            raise unittest.SkipTest("io_uring is not granted")
        self.server = Server(*self.server_arguments, tls=self.server_tls)
        self.addCleanup(self.server.stop)
        self.api = ScriptedAPI()
        self.addCleanup(self.api.close)
        self.relays = [self.new_relay() for _ in range(2)]
        self.key = harness.new_key()

    def new_relay(self, *arguments):
        relay = harness.Relay(
            "--backend", self.backend, "--loops", "1", "--api-timeout", "8s",
            "--ledger", self.server.url, *self.relay_arguments, *arguments,
            api_url=f"http://127.0.0.1:{self.api.port}")
        self.addCleanup(self.stop, relay)
        return relay

    def stop(self, relay):
        if relay.process.poll() is None:
            relay.stop()
        self.assertNotIn(faults.MARKER, relay.log)

    def session(self, relay):
        client = self.relays[relay].raw()
        client.log_in(self.key)
        return client

    def send(self, relay, halves=None):
        """(reply, seconds after the final dot)"""
        first, second = halves or message()
        with self.session(relay) as client:
            refused = begin(client, first)
            if refused:
                return refused, 0
            client.send(second)
            start = time.monotonic()
            reply = client.reply()
            client.ask(b"NOOP")  # The reply was seen.
            return reply, time.monotonic() - start

    def send_group(self, relay, name, recipients):
        with self.session(relay) as client:
            client.ask(b"MAIL FROM:<a@yourdomain.com>")
            for recipient in recipients:
                client.ask(b"RCPT TO:<%s>" % recipient.encode())
            client.ask(b"DATA")
            client.send(HIDDEN % name + b".\r\n")
            return client.reply()

    def leave(self, relay, halves):
        """A client goes while the API has its message; returns what lets the API answer."""
        arrived, release = threading.Event(), threading.Event()

        def fault(connection):
            connection.read_rest()
            arrived.set()
            release.wait(8)
            connection.send(answer())

        self.api.on_post(fault)
        client = self.session(relay)
        self.assertIsNone(begin(client, halves[0]))
        client.send(halves[1])
        self.assertTrue(arrived.wait(5))
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.file.close()
        client.socket.close()
        return release

    def unseen(self, relay, halves):
        """A message that was accepted, and whose client does not know."""
        release = self.leave(relay, halves)
        time.sleep(0.1)
        release.set()

    def events(self, relay, name):
        return [event for event in self.relays[relay].events() if event["event"] == name]

    def wait_for(self, relay, name, count=1):
        harness.wait_until(lambda: len(self.events(relay, name)) >= count, 10, name)
        return self.events(relay, name)[-1]

    def goes_on(self, count=6):
        """Mail is accepted at both relays, without waiting for the server."""
        for number in range(count):
            reply, seconds = self.send(number % 2)
            self.assertRegex(reply, QUEUED)
            self.assertLess(seconds, MOMENT_SECONDS)

    def records(self):
        return [name for name in self.server.names() if name[10] in "alg"]


class Answers(LedgerBench):
    """What one relay has recorded, the other one answers."""

    def test_an_acceptance_is_told_at_another_relay_and_once(self):
        halves = message()
        self.unseen(0, halves)
        harness.wait_until(self.records, 5, "the record")
        reply, _ = self.send(1, halves)
        self.assertEqual(reply, "250 Ok: queued as m@api.test")
        self.assertEqual(len(self.api.posts()), 1)
        # The client knows now: the same message is another one, and nothing is left.
        reply, _ = self.send(0, halves)
        self.assertRegex(reply, QUEUED)
        self.assertEqual(len(self.api.posts()), 2)
        harness.wait_until(lambda: self.server.names() == ["postscale:key"], 5, "an empty ledger")

    def test_the_first_relay_is_killed(self):
        halves = message()
        self.unseen(0, halves)
        harness.wait_until(self.records, 5, "the record")
        self.relays[0].kill()
        reply, _ = self.send(1, halves)
        self.assertEqual(reply, "250 Ok: queued as m@api.test")
        self.assertEqual(len(self.api.posts()), 1)

    def test_a_message_under_way_at_one_relay_is_waited_for_at_the_other(self):
        halves = message()
        release = self.leave(0, halves)
        harness.wait_until(self.records, 5, "the lease")
        replies = []
        second = threading.Thread(target=lambda: replies.append(self.send(1, halves)))
        second.start()
        time.sleep(0.6)
        self.assertEqual(replies, [])
        release.set()
        second.join()
        self.assertEqual(replies[0][0], "250 Ok: queued as m@api.test")
        self.assertEqual(len(self.api.posts()), 1)

    def test_who_holds_the_lease_is_killed(self):
        """The second try waits for the rest of the first one's time, and is sent then."""
        halves = message()
        self.leave(0, halves)
        harness.wait_until(self.records, 5, "the lease")
        self.relays[0].kill()
        replies = []
        while len(replies) < 3 and not (replies and replies[-1].startswith("250")):
            replies.append(self.send(1, halves)[0])
        self.assertRegex(replies[-1], QUEUED)

    def test_who_tells_an_acceptance_is_killed(self):
        """The record is not lost with the relay that was about to tell it."""
        halves = message()
        self.unseen(0, halves)
        harness.wait_until(self.records, 5, "the record")
        client = self.session(1)
        self.assertIsNone(begin(client, halves[0]))
        client.send(halves[1])
        harness.wait_until(lambda: any(name[10] == "k" for name in self.server.names()), 5, "k")
        self.relays[1].kill()
        self.assertTrue(any(name[10] == "a" for name in self.server.names()))

    def test_hidden_recipients_get_one_copy_each_at_two_relays(self):
        people = [f"p{number}@example.com" for number in range(5)]

        def refuse(connection):
            connection.read_rest()
            connection.send(answer(503, b'{"error":{"code":"x","message":"later"}}'))

        self.api.on_post(refuse, 2)
        first = self.send_group(0, b"group", people)
        self.assertRegex(first, "^451 ")
        self.assertEqual(len(self.records()), 3)
        self.relays[0].kill()
        self.assertRegex(self.send_group(1, b"group", people[::-1]), QUEUED)
        # Two were refused, and came again; the other three were not sent twice.
        self.assertEqual(len(self.api.posts()), 5 + 2)
        harness.wait_until(lambda: self.server.names() == ["postscale:key"], 5, "an empty ledger")

    def test_nothing_in_the_server_names_anybody(self):
        self.unseen(0, message())
        self.send_group(0, b"names", ["p1@example.com", "p2@example.com"])
        harness.wait_until(self.records, 5, "the record")
        time.sleep(0.2)
        for path in pathlib.Path(self.server.folder).rglob("*"):
            if path.is_file():
                data = path.read_bytes().lower()
                for word in (b"example", b"yourdomain", b"client.test", self.key.encode().lower()):
                    self.assertNotIn(word, data, path)


class ServerFaults(LedgerBench):
    """Mail goes on within moments, the log says why, and what was missed is written later."""

    def check(self, break_it, repair, reason, is_asked=False):
        known, missed = message(), message()
        self.unseen(0, known)
        harness.wait_until(self.records, 5, "the record")
        break_it()
        self.goes_on()
        self.unseen(0, missed)
        event = self.wait_for(0, "ledger-unreachable")
        self.assertEqual(event["level"], "warning")
        self.assertIn(reason, event["reason"])
        self.assertIn("remedy", event)
        # The relay that recorded it knows it itself, whatever has become of the server.
        self.assertEqual(self.send(0, missed)[0], "250 Ok: queued as m@api.test")
        if is_asked:
            self.assertEqual(self.send(1, known)[0], "250 Ok: queued as m@api.test")
        again = message()
        self.unseen(0, again)
        time.sleep(0.2)
        repair()
        self.wait_for(0, "ledger-reached")
        self.assertEqual(self.send(1, again)[0], "250 Ok: queued as m@api.test")
        self.assertLessEqual(len(self.events(0, "ledger-unreachable")), 2)
        self.assertTrue(self.relays[0].process.poll() is None)

    def test_stopped(self):
        self.check(self.server.stop, self.server.start, "")

    def test_silent(self):
        self.check(self.server.silence, self.server.speak, "no answer")

    def test_full(self):
        def fill():
            self.server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
            self.server.ask("CONFIG", "SET", "maxmemory", "1")

        self.check(fill, lambda: self.server.ask("CONFIG", "SET", "maxmemory", "0"), "OOM", True)

    def test_a_replica(self):
        self.check(lambda: self.server.ask("REPLICAOF", "127.0.0.1", str(harness.free_port())),
                   lambda: self.server.ask("REPLICAOF", "NO", "ONE"), "READONLY", True)

    def test_slow(self):
        """A pause of 300 ms: one message waits for a moment, and the connection stays."""
        sleeping = threading.Thread(target=lambda: self.server.ask("CLIENT", "PAUSE", "300", "ALL"))
        sleeping.start()
        sleeping.join()
        self.goes_on(4)
        time.sleep(0.5)
        self.goes_on(2)

    def test_its_data_is_lost(self):
        halves = message()
        self.unseen(0, halves)
        harness.wait_until(self.records, 5, "the record")
        self.server.ask("FLUSHALL")
        # The relay that made it writes it again.
        harness.wait_until(self.records, 5, "the record, again")
        self.assertEqual(self.send(1, halves)[0], "250 Ok: queued as m@api.test")
        self.assertEqual(len(self.api.posts()), 1)

    def test_metrics_and_readiness(self):
        admin = harness.free_port()
        relay = self.new_relay("--admin", f"127.0.0.1:{admin}")
        relay.wait_for_port(admin)

        def get(path):
            return urllib.request.urlopen(f"http://127.0.0.1:{admin}{path}", timeout=5).read().decode()

        self.assertIn('ledger_up{home="valkey"} 1', get("/metrics"))
        self.server.stop()
        harness.wait_until(lambda: 'ledger_up{home="valkey"} 0' in get("/metrics"), 5, "down")
        get("/readyz")  # An error status raises.
        self.server.start()
        harness.wait_until(lambda: 'ledger_up{home="valkey"} 1' in get("/metrics"), 5, "up")

    def test_it_is_not_there_at_the_start(self):
        self.server.stop()
        start = time.monotonic()
        self.relays.append(self.new_relay())
        self.assertLess(time.monotonic() - start, 8)
        self.wait_for(2, "ledger-unreachable")
        self.assertRegex(self.send(2)[0], QUEUED)
        self.server.start()
        self.wait_for(2, "ledger-reached")

    def test_a_drained_relay_writes_what_it_owes(self):
        halves = message()
        self.server.silence()
        self.unseen(0, halves)
        time.sleep(0.3)
        self.relays[0].process.terminate()
        time.sleep(0.2)
        self.server.speak()
        self.relays[0].process.wait(20)
        self.assertEqual(self.send(1, halves)[0], "250 Ok: queued as m@api.test")


class Fleet(LedgerBench):
    """Limits and forgotten keys are known to both relays within moments."""

    def test_a_limit_that_one_relay_has_met(self):
        def limit(connection):
            connection.read_rest()
            connection.send(answer(
                429, b'{"error":{"code":"rate_limit_exceeded","message":"Rate limit exceeded"}}',
                headers=(b"Retry-After: 200",)))

        self.api.on_post(limit)
        self.assertRegex(self.send(0)[0], "^452 ")
        time.sleep(1.5)
        count = len(self.api.posts())
        self.assertRegex(self.send(1)[0], "^452 ")
        self.assertEqual(len(self.api.posts()), count)

    def test_a_key_that_the_api_refuses_is_asked_about_at_both(self):
        for relay in (0, 1):
            self.assertRegex(self.send(relay)[0], QUEUED)

        def revoke(connection):
            connection.read_rest()
            connection.send(answer(401, b'{"error":{"code":"unauthorized","message":"revoked"}}'))

        checks = self.checks()
        self.session(1).__exit__()
        self.assertEqual(self.checks(), checks)
        self.api.on_post(revoke)
        self.assertRegex(self.send(0)[0], "^451 Authentication failed")
        time.sleep(1.5)
        checks = self.checks()
        self.session(1).__exit__()
        self.assertEqual(self.checks(), checks + 1)

    def checks(self):
        return sum(1 for request in self.api.requests if not request.is_post)


class Secured(LedgerBench):
    """TLS, verified, and a user with a password who may do no more than docs/fleet.md says."""

    server_tls = True
    COMMANDS = ("+select", "+get", "+set", "+mget", "+exists", "+del", "+sadd", "+srem", "+pexpire",
                "+xadd", "+xread")

    def setUp(self):
        folder = harness.temporary_folder("credentials")
        self.credentials = os.path.join(folder, "ledger")
        self.password = "Gr2q-not-in-any-log"
        with open(self.credentials, "w") as file:
            file.write(f"user=relay\npassword={self.password}\nsecret=of the fleet\n")
        self.server_arguments = ("--user", "default", "off", "--user", "relay", "on",
                                 f">{self.password}", "~postscale:*", "-@all", *self.COMMANDS)
        self.relay_arguments = ("--ledger-credentials", self.credentials)
        original = Server.__init__

        def with_authority(server, *arguments, **named):
            original(server, *arguments, **named)
            self.relay_arguments += ("--ledger-ca", server.certificate)

        Server.__init__ = with_authority
        self.addCleanup(setattr, Server, "__init__", original)
        super().setUp()

    def test_records_are_shared(self):
        halves = message()
        self.unseen(0, halves)
        time.sleep(0.5)
        self.assertEqual(self.send(1, halves)[0], "250 Ok: queued as m@api.test")
        self.assertEqual(len(self.api.posts()), 1)
        for relay in (0, 1):
            for event in ("ledger-unreachable", "fleet-news-refused"):
                self.assertEqual(self.events(relay, event), [])
        for relay in self.relays:
            self.assertNotIn(self.password.encode(), relay.log)

    def test_a_wrong_password_and_an_unknown_authority(self):
        with open(self.credentials, "w") as file:
            file.write("user=relay\npassword=wrong-one\n")
        self.relays.append(self.new_relay())
        self.assertIn("WRONGPASS", self.wait_for(2, "ledger-unreachable")["reason"])
        self.assertRegex(self.send(2)[0], QUEUED)
        self.relay_arguments = ("--ledger-credentials", self.credentials)
        self.relays.append(self.new_relay())
        self.assertIn("TLS", self.wait_for(3, "ledger-unreachable")["reason"])
        self.assertRegex(self.send(3)[0], QUEUED)
        for relay in self.relays:
            self.assertNotIn(b"wrong-one", relay.log)


for base in (Answers, ServerFaults, Fleet, Secured):
    for backend, suffix in (("epoll", "OverEpoll"), ("io_uring", "OverUring")):
        name = "Ledger" + base.__name__ + suffix
        globals()[name] = type(name, (base, unittest.TestCase),
                               {"backend": backend, "__module__": __name__})

if __name__ == "__main__":
    unittest.main()
