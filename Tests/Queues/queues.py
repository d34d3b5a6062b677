"""What the tests of Tests/Queues share: the relay that stays at its port, two of them in front of
one Redis server, and the case that holds API, relay and mail server together."""

import contextlib
import itertools
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

import servers
from servers import WITH_PARENT, harness
from queue_api import QueueAPI

REPORT = os.environ.get("QUEUES_REPORT")
# A server's try may be late on a busy machine.
PATIENCE_SECONDS = 60
SENDER = "sender@yourdomain.com"
API_SECONDS = 3
# What a page in a browser cannot send to another host without asking.
ADMIN_HEADERS = {"Content-Type": "application/json", "X-Requested-By": "check-queues"}


def hidden(count, prefix="hidden"):
    """Recipients that no header names."""
    return [f"{prefix}{number}@example.com" for number in range(1, count + 1)]


def message(subject, sender=SENDER, headers=(), size=0, has_id=True):
    """A message to people that its headers do not name."""
    lines = [f"From: {sender}", f"Subject: {subject}", "Date: Mon, 30 Nov 2026 08:00:00 +0000"]
    if has_id:
        lines.append(f"Message-ID: <{subject.replace(' ', '-')}.{os.getpid()}@yourdomain.com>")
    lines += [f"{name}: {value}" for name, value in headers]
    lines += ["", "Hello."] + ["0123456789" * 7] * (size // 72)
    return ("\r\n".join(lines) + "\r\n").encode()


# Tests run side by side, each with a hundred ports of its own (run.py). None is one that the kernel
# gives to outgoing connections: while a server is down, its port stays free.
_ports = itertools.count(12_000 + 100 * int(os.environ.get("QUEUES_SLOT", os.getpid() % 150)))


def lasting_port():
    """A port for a server that will be stopped and started again."""
    for port in _ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


class Relay(harness.Process):
    """A relay at the same ports however often it is started. With `ledger` its --ledger; a relay
    that has no such flag runs without it (and fails for that)."""

    def __init__(self, api, certificate, *arguments, ledger=None):
        self.certificate, key = certificate
        self.port, self.tls_port, self.admin_port = (lasting_port() for _ in range(3))
        self.arguments = [
            "--hostname", "localhost", "--tls-cert", self.certificate, "--tls-key", key,
            "--api-url", f"http://127.0.0.1:{api.port}", f"--listen=127.0.0.1:{self.port}",
            f"--listen-tls=127.0.0.1:{self.tls_port}", f"--admin=127.0.0.1:{self.admin_port}",
            "--log-format", "json", "--log-level", "debug", "--loops", "1",
            # Servers repeat a refused login, all from one address.
            "--max-failed-logins-per-address", "10000", "--max-failed-logins-per-prefix", "10000",
            "--failed-login-delay", "0ms", *harness.RELAY_ARGUMENTS, *arguments,
        ]  # fmt: skip
        if ledger:
            self.arguments += ["--ledger", ledger]
        self.start()

    def start(self):
        super().__init__("relay", self.arguments, wrapper=WITH_PARENT)

        def is_ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the relay ended early:\n{self.log.decode()}")
            return any(event["event"] == "ready" for event in self.events())

        harness.wait_until(is_ready, harness.READY_SECONDS, "the relay's start")

    def restart_after_kill(self):
        """kill -9, and another one with the same flags. The kernel closes the listeners of a killed
        relay with io_uring some moments after the process has ended; a connection that is made
        meanwhile is reset."""
        self.kill()
        harness.wait_until(lambda: not self.is_listening(), 10, "the end of its listeners")
        self.start()

    def restart(self):
        """In order: SIGTERM, the drain, and another one with the same flags."""
        self.stop()
        self.start()

    def is_listening(self):
        try:
            socket.create_connection(("127.0.0.1", self.tls_port), timeout=1).close()
            return True
        except OSError:
            return False

    def client(self, key):
        """A raw client that is logged in."""
        context = harness.ssl.create_default_context(cafile=self.certificate)
        plain = socket.create_connection(("127.0.0.1", self.tls_port), timeout=30)
        client = harness.RawClient(context.wrap_socket(plain, server_hostname="localhost"))
        client.log_in(key)
        return client

    def admin(self, path, fields):
        """An admin call that changes something; it must succeed."""
        status, _, body = harness.SandboxClient(self.admin_port).request(
            "POST", path, json.dumps(fields), ADMIN_HEADERS)
        if status // 100 != 2:
            raise AssertionError(f"POST {path}: {status} {body[:200]!r}")

    def forget_limit(self, domain):
        self.admin("/limits/forget", {"domain": domain})

    def logged(self, name):
        """The first event of this name. The log is written by a thread of its own, after replies."""
        return harness.wait_until(
            lambda: next((event for event in self.events() if event["event"] == name), None),
            what=f"{name} in the log")

    def replies(self):
        """The replies to messages, as the log has them."""
        return [event.get("reply") for event in self.events() if event["event"] == "message"]


def submit(client, raw, recipients, sender=SENDER):
    """The reply to one message, and of a command before it that was refused."""
    reply = client.ask(f"MAIL FROM:<{sender}>".encode())
    if not reply.startswith("250"):
        return reply
    for recipient in recipients:
        reply = client.ask(f"RCPT TO:<{recipient}>".encode())
        if not reply.startswith("250"):
            return reply
    reply = client.ask(b"DATA")
    return client.ask(raw + b".") if reply.startswith("354") else reply


def leave(client, how):
    """quit; or without QUIT, after everything was read: close in order; or reset before a read."""
    if how == "quit":
        client.ask(b"QUIT")
    if how == "close":
        with contextlib.suppress(OSError):
            client.socket.unwrap()
    if how == "reset":
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.__exit__()


class Switch:
    """In front of relays like a balancer without a mind: each connection goes to the next of
    `ports`. It can reset its connections on both sides: at once, or when a relay says something."""

    def __init__(self, ports):
        self.ports = list(ports)
        self.count = 0
        self.pairs, self.doomed = set(), set()
        self.swallows = False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def cut(self):
        """Resets all connections; returns when that is done."""
        self.doomed |= self.pairs
        for side in [side for pair in self.doomed for side in pair]:
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RD)
        with contextlib.suppress(AssertionError):
            harness.wait_until(lambda: not self.pairs, 2)

    def swallow(self):
        """The next bytes of a relay go no further, and both its connections are reset."""
        self.swallows = True

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            port = self.ports[self.count % len(self.ports)]
            self.count += 1
            threading.Thread(target=self._serve, args=(client, port), daemon=True).start()

    def _serve(self, client, port):
        try:
            relay = socket.create_connection(("127.0.0.1", port))
        except OSError:
            return client.close()
        pair = (client, relay)
        self.pairs.add(pair)
        try:
            ends_in_order = self._pass_on(client, relay)
        except OSError:
            ends_in_order = False
        for side in pair:
            if not ends_in_order:
                with contextlib.suppress(OSError):
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            side.close()
        self.pairs.discard(pair)

    def _pass_on(self, client, relay):
        """Until one side ends; whether it did so in order."""
        others, closing = {client: relay, relay: client}, set()
        while True:
            for side in select.select([side for side in others if side not in closing], [], [])[0]:
                piece = side.recv(65536)
                if (client, relay) in self.doomed:
                    return False
                if side is relay and self.swallows:
                    self.swallows = False
                    return False
                if not piece:
                    closing.add(side)
                    others[side].shutdown(socket.SHUT_WR)
                    if len(closing) == 2:
                        return True
                else:
                    others[side].sendall(piece)


class Redis:
    """A Redis or Valkey server of its own, that a test may ill-treat. It keeps what it was told when it
    stops."""

    def __init__(self):
        # Debian's -tools have the server too: it is the checker by another name. The package of the
        # server adds that name, and starts one.
        found = [
            (kind, path) for kind in ("valkey", "redis") for name in ("server", "check-rdb")
            if (path := shutil.which(f"{kind}-{name}"))]  # fmt: skip
        if not found:
            raise unittest.SkipTest("no Redis or Valkey") if servers.support.OPTIONAL \
                else AssertionError("neither redis-tools nor valkey-tools is installed")
        self.kind, path = found[0]
        self.port = lasting_port()
        self.folder = pathlib.Path(harness.temporary_folder("redis"))
        self.program = self.folder / f"{self.kind}-server"
        self.program.symlink_to(path)
        self.start()

    @property
    def url(self):
        return f"valkey://127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen(
            [*WITH_PARENT, self.program, "--port", str(self.port)]
            + ["--bind", "127.0.0.1", "--dir", self.folder, "--save", ""]
            + ["--appendonly", "yes", "--appendfsync", "always"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        harness.wait_until(lambda: self.ask("PING") == "PONG", 10, "redis-server")

    def ask(self, *words):
        return subprocess.run(
            [f"{self.kind}-cli", "-p", str(self.port), *words],
            capture_output=True, text=True).stdout.strip()

    def is_used(self):
        """Whether anybody but redis-cli has asked it for something."""
        calls = self.ask("INFO", "commandstats")
        return any(not line.startswith(("cmdstat_ping", "cmdstat_info", "cmdstat_config", "#"))
                   for line in calls.splitlines())  # fmt: skip

    def stop(self):
        self.process.kill()
        self.process.wait()

    def freeze(self):
        """Its kernel accepts and acknowledges, it answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def slow_down(self):
        """Most of its answers take longer than a relay waits."""
        self.is_slow = True

        def sleep_and_work():
            while self.is_slow:
                self.freeze()
                time.sleep(0.3)
                self.thaw()
                time.sleep(0.03)

        self.sleeper = threading.Thread(target=sleep_and_work, daemon=True)
        self.sleeper.start()

    def speed_up(self):
        self.is_slow = False
        self.sleeper.join()

    def fill(self):
        """No write has room any more."""
        self.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        self.ask("CONFIG", "SET", "maxmemory", "1")

    def empty(self):
        self.ask("CONFIG", "SET", "maxmemory", "0")

    def become_replica(self):
        """Of a server that is nowhere: reads have old answers, writes are refused (READONLY)."""
        self.ask("REPLICAOF", "127.0.0.1", str(lasting_port()))

    def become_primary(self):
        self.ask("REPLICAOF", "NO", "ONE")


class QueueTestCase(unittest.TestCase):
    """One API, a relay, and with `serve` a mail server in front of it."""

    row = ""
    arguments = ("--api-timeout", f"{API_SECONDS}s", "--refused-key-ttl", "1s")
    ledger = None
    has_relay = True

    def setUp(self):
        self.api = QueueAPI(lasting_port())
        self.addCleanup(self.api.stop)
        self.key = harness.new_key(kind="live")
        folder = harness.temporary_folder("certificate")
        certificate = os.path.join(folder, "certificate.pem")
        self.certificate = certificate, harness.make_certificate(folder, certificate)
        if self.has_relay:
            self.relay = self.new_relay(ledger=self.ledger)

    def new_relay(self, *arguments, ledger=None):
        relay = Relay(self.api, self.certificate, *self.arguments, *arguments, ledger=ledger)
        self.addCleanup(relay.stop)
        return relay

    def new_switch(self, *ports):
        switch = Switch(ports)
        self.addCleanup(switch.close)
        return switch

    def serve(self, client, port=None, **more):
        """A mail server; its first message starts it."""
        server = servers.Server(
            client, port or self.relay.port, self.key, self.certificate[0], **more)
        self.addCleanup(server.end)
        return server

    # What a row must end with.

    def settles(self, server, recipients, verdict=servers.SENT, seconds=PATIENCE_SECONDS):
        """Each recipient has this verdict. A bounce is the last one, so it ends the wait."""
        def settled():
            verdicts = {server.verdict(to) for to in recipients}
            if servers.BOUNCED in verdicts - {verdict}:
                raise AssertionError(f"bounced, not {verdict}")
            return verdicts == {verdict}

        self.wait(server, settled, f"{verdict} for all", seconds)

    def empties(self, server):
        """Nothing waits, and nothing came back."""
        self.wait(server, server.has_empty_queue, "an empty queue", 15)
        self.assertEqual(server.verdict(SENDER), "waiting", "a bounce was sent")

    def has_tried(self, server, recipient, seconds=PATIENCE_SECONDS):
        self.wait(server, lambda: server.verdicts(recipient), f"a try for {recipient}", seconds)

    def never_bounced(self, server, recipients):
        for to in recipients:
            self.assertNotIn(servers.BOUNCED, server.verdicts(to), f"{to}\n{server.account()}")

    def wait(self, server, condition, what, seconds=PATIENCE_SECONDS):
        try:
            harness.wait_until(condition, seconds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{server.account()}") from None

    def one_copy_each(self, recipients, subject=None):
        copies = {to: self.api.copies_of(to, subject) for to in recipients}
        self.assertEqual(copies, dict.fromkeys(recipients, 1))

    @contextlib.contextmanager
    def noted(self, server, recipients, row=None, subject=None):
        """Notes for the table what was seen at the end, whether the row passed or not."""
        try:
            yield
            passed = True
        except BaseException:
            passed = False
            raise
        finally:
            if server:
                time.sleep(0 if passed else 0.5)
                seen = [path_of(server.verdicts(to)) for to in recipients]
                verdict = "; ".join(sorted(set(seen)))
            else:
                verdict = ""
            copies = [self.api.copies_of(to, subject) for to in recipients]
            self.note(row or self.row, server.client.name if server else "script",
                      verdict, copies, passed)  # fmt: skip

    def note(self, row, server, verdict, copies, passed):
        if REPORT:
            cell = {"row": row, "server": server, "verdict": verdict, "copies": copies,
                    "passed": passed}  # fmt: skip
            with open(REPORT, "a", encoding="utf-8") as report:
                report.write(json.dumps(cell) + "\n")


def path_of(verdicts):
    """A history in short: "deferred, sent"."""
    short = [each for index, each in enumerate(verdicts) if index == 0 or verdicts[index - 1] != each]
    return ", ".join(short) or "not tried"


def shuffled(items, seed):
    """In another order for another seed."""
    return random.Random(seed).sample(items, len(items))
