"""What the tests of this folder share: other customers who are measured, the relay's memory and
temporary files.

A test is one attack, mostly by a crowd (crowd.py). *Customers* with keys (and, where strangers
attack, from an address) of their own send messages at a steady pace, first in calm, then under the
attack. `Others.check` is what every test promises: all of the customers' messages were answered
with 250, and none took more than a second longer than the slowest in calm. A crowd may be refused,
delayed or cut off; what it gets is the test's own business.

PATIENCE=70 waits longer for a reply than usual: to measure how long a broken relay keeps customers
waiting.
"""

import base64
import functools
import os
import pathlib
import re
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest
import urllib.request

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "Faults"), str(TESTS / "EndToEnd")]

import harness  # noqa: E402
import prometheus_text  # noqa: E402
import uring  # noqa: E402
from clients import RawClient  # noqa: E402
from keyed_api import API  # noqa: E402

# How long a customer waits for one reply; then it leaves, and the message counts as lost.
PATIENCE_SECONDS = float(os.environ.get("PATIENCE", 6))
# What an attack may add to a message of another customer.
ADDED_SECONDS_MAX = 1.0
# Memory beyond its budget: what is not counted in it, in shares of it.
SLACK = 1.1
MEGABYTE = 1_048_576
LINE = b"0123456789" * 7 + b"\r\n"
HEAD = b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: s\r\n\r\n"
# Nobody is named in it: every recipient is a hidden one.
HIDDEN_HEAD = b"From: a@yourdomain.com\r\nSubject: s\r\n\r\n"

# A crowd needs descriptors, here and in the relay, which inherits the limit.
DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
# A thousand threads.
threading.stack_size(512 * 1_024)


def lines(size):
    """So many bytes of text, whole lines."""
    return LINE * (size // len(LINE))


# Clients. `relay` is a harness.Relay, or has its `tls_port` and `certificate`.


@functools.cache
def context_for(certificate):
    return ssl.create_default_context(cafile=certificate)


def connect(relay, source="127.0.0.1", port=None, patience=PATIENCE_SECONDS, context=None):
    """A client after its TLS handshake, from an address of loopback; nothing is read yet."""
    plain = socket.create_connection(
        ("127.0.0.1", port or relay.tls_port), timeout=patience, source_address=(source, 0))
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = context or context_for(relay.certificate)
        return RawClient(context.wrap_socket(plain, server_hostname="localhost"))
    except BaseException:
        plain.close()
        raise


def log_in(client, key):
    """Raises AssertionError when the key is not let in."""
    client.reply()
    plain = base64.b64encode(f"\0postscale\0{key}".encode())
    client.send(b"EHLO client.test\r\nAUTH PLAIN " + plain + b"\r\n")
    client.reply()
    answer = client.reply()
    if not answer.startswith("235 "):
        raise AssertionError(answer or "closed")


def logged_in(relay, key, source="127.0.0.1", patience=PATIENCE_SECONDS):
    client = connect(relay, source, patience=patience)
    try:
        log_in(client, key)
    except BaseException:
        client.__exit__()
        raise
    return client


def begin(client, recipients=1, size=None):
    """MAIL, RCPT, DATA in one write; the reply that is no success, or None before the content."""
    commands = [b"MAIL FROM:<a@yourdomain.com>" + (b" SIZE=%d" % size if size else b"")]
    names = [b"b"] + [b"hidden%d" % number for number in range(1, recipients)]
    commands += [b"RCPT TO:<%s@example.com>" % name for name in names] + [b"DATA"]
    client.send(b"".join(command + b"\r\n" for command in commands))
    for reply in client.replies(len(commands)):
        if reply[:3] not in ("250", "354"):
            return reply or "closed"
    return None


def submit(client, content=HEAD + LINE, recipients=1):
    """One message; its reply."""
    refused = begin(client, recipients)
    if refused:
        return refused
    client.send(content + b".\r\n")
    return client.reply() or "closed"


# Customers.


class Customer(threading.Thread):
    """Sends messages at a steady pace until it is stopped: in one session, or each in a session of
    its own with a key that the relay has never seen (`fresh`)."""

    def __init__(self, relay, fresh=False, source="127.0.0.1", gap=0.1, content=HEAD + LINE,
                 recipients=1):
        super().__init__(daemon=True)
        self.relay, self.fresh, self.source, self.gap = relay, fresh, source, gap
        self.content, self.recipients = content, recipients
        self.key = harness.new_key()
        self.client = None
        self.results = []  # (seconds since the epoch of the clock, seconds, reply) of each message
        self.is_stopped = threading.Event()

    def run(self):
        while not self.is_stopped.wait(self.gap):
            start = time.monotonic()
            try:
                reply = self.send_one()
            except (OSError, AssertionError) as error:
                reply = f"no reply: {error or type(error).__name__}"
            self.results.append((start, time.monotonic() - start, reply))
            if self.fresh or not reply.startswith("250 "):
                self.leave()
        self.leave()

    def send_one(self):
        if self.client is None:
            key = harness.new_key() if self.fresh else self.key
            self.client = logged_in(self.relay, key, self.source)
        return submit(self.client, self.content, self.recipients)

    def leave(self):
        if self.client is not None:
            try:
                self.client.__exit__()
            except OSError:
                pass
            self.client = None


class Others:
    """Customers whose mail must not be touched by an attack: `calm`, then `attacked`, then
    `check`."""

    def __init__(self, test, *customers):
        self.test, self.customers = test, customers
        self.attack_began = None
        for customer in customers:
            customer.start()
        test.addCleanup(self.stop)

    def calm(self, seconds=1.5):
        """Lets them send without an attack. Each has sent something when this returns."""
        time.sleep(seconds)
        harness.wait_until(
            lambda: all(len(customer.results) > 3 for customer in self.customers), 20,
            "a customer's messages before the attack")
        self.attack_began = time.monotonic()

    def attacked(self, seconds=4):
        """Lets them send under the attack. Each has ended a message when this returns."""
        start = time.monotonic()
        time.sleep(seconds)
        harness.wait_until(
            lambda: all(customer.results[-1][0] > start for customer in self.customers),
            2 * PATIENCE_SECONDS + 5, "the end of a message under the attack")

    def stop(self):
        for customer in self.customers:
            customer.is_stopped.set()
        for customer in self.customers:
            customer.join(2 * PATIENCE_SECONDS)

    def check(self, what):
        """Every message 250, and none late."""
        self.stop()
        results = [result for customer in self.customers for result in customer.results]
        # A message counts as attacked if it ended when the attack had begun.
        before = [r for r in results if r[0] + r[1] <= self.attack_began]
        during = [r for r in results if r[0] + r[1] > self.attack_began]
        calm = max(seconds for _, seconds, _ in before)
        slowest = max(seconds for _, seconds, _ in during)
        replies = {}
        for _, _, reply in during:
            kind = re.sub(r"(?<=queued as ).*", "…", reply)
            replies[kind] = replies.get(kind, 0) + 1
        self.test.figure(
            f"{what}: {len(before)} messages of others in calm took {calm:.3f} s at most, "
            f"{len(during)} under the attack {slowest:.3f} s; {replies}")
        self.test.assertEqual(
            [r for _, _, r in before if not r.startswith("250 ")], [], "others' replies in calm")
        self.test.assertEqual(
            sum(count for kind, count in replies.items() if not kind.startswith("250 ")), 0,
            f"{what}: others' messages under the attack: {replies}")
        self.test.assertLess(
            slowest, calm + ADDED_SECONDS_MAX,
            f"{what}: the slowest message of others, {calm:.3f} s in calm")


# What the relay holds.


def resident_bytes(process):
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) * 1_024


def temporary_files(process):
    """(link, bytes on disk) of the unlinked files that a process holds."""
    found = []
    for path in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
        try:
            link = os.readlink(path)
            if link.endswith(" (deleted)"):
                found.append((link, path.stat().st_blocks * 512))
        except OSError:
            pass
    return found


class Watch(threading.Thread):
    """Samples what a relay holds until it is stopped: its most memory and temporary bytes."""

    def __init__(self, test, process):
        super().__init__(daemon=True)
        self.process = process
        self.resident = self.temporary = 0
        self.is_stopped = threading.Event()
        self.start()
        test.addCleanup(self.stop)

    def run(self):
        while not self.is_stopped.wait(0.03):
            try:
                self.resident = max(self.resident, resident_bytes(self.process))
                held = sum(size for _, size in temporary_files(self.process))
                self.temporary = max(self.temporary, held)
            except (OSError, IndexError):
                return

    def stop(self):
        self.is_stopped.set()
        self.join()
        return self


def send_buffers(port):
    """Bytes that the kernel holds to be sent from a port of this host, for each connection."""
    shown = subprocess.run(
        ["ss", "-tnmH", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    return [int(queued) for queued in re.findall(r"skmem:\(.*?,w(\d+),", shown)]


@functools.cache
def known_flags():
    return subprocess.run(
        [harness.BINARY, "--help"], capture_output=True, text=True, check=True).stdout


def if_known(flag, value):
    """A flag for relays that have it: one without it fails by what it does, not at its start."""
    return [flag, value] if flag in known_flags() else []


# Tests.


class HostileTestCase(unittest.TestCase):
    backend = "epoll"

    def setUp(self):
        if self.backend == "io_uring" and not uring.is_granted():
            self.skipTest("io_uring is not granted")

    def figure(self, text):
        # On a line of its own, whatever the runner has written.
        print(f"\n[{self.backend}] {text}", flush=True)

    def make_api(self, **more):
        api = API(**more)
        self.addCleanup(api.close)
        return api

    def make_relay(self, *arguments, api=None, api_url=None, **more):
        """A relay with one loop, and /metrics."""
        self.admin = harness.free_port()
        relay = harness.Relay(
            "--backend", self.backend, "--loops", "1", "--log-level", "info", "--drain-timeout",
            "1s", "--admin", str(self.admin), *arguments,
            api_url=api_url or f"http://127.0.0.1:{api.port}", **more)
        self.addCleanup(relay.stop)
        return relay

    def start(self, *arguments, **more):
        """A well-behaved API, and a relay in front of it."""
        self.api = self.make_api(**more)
        self.relay = self.make_relay(*arguments, api=self.api)

    def others(self, *customers):
        """By default one customer with a session, and one that logs in for each message."""
        return Others(self, *(customers or (Customer(self.relay), Customer(self.relay, True))))

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=10) as page:
            return prometheus_text.parse(page.read())

    def reserved_bytes(self):
        return prometheus_text.value(
            self.metrics(), "postscale_relay_memory_budget_bytes", state="reserved")

    def check_memory(self, what, rest, peak, budget):
        """What the relay had resident beyond its rest, and what it says itself."""
        self.figure(f"{what}: {(peak - rest) / MEGABYTE:.1f} MB more than at rest "
                    f"({rest / MEGABYTE:.1f} MB), budget {budget / MEGABYTE:.0f} MB")
        self.assertLessEqual(self.reserved_bytes(), budget, f"{what}: reserved, says /metrics")
        self.assertLessEqual(
            peak - rest, harness.cost_bound(SLACK * budget), f"{what}: memory beyond that at rest")


def over_both_backends(namespace, *classes):
    """Puts each class into `namespace` once for epoll and once for io_uring."""
    for base in classes:
        for backend, suffix in (("epoll", "OverEpoll"), ("io_uring", "OverUring")):
            name = base.__name__ + suffix
            namespace[name] = type(name, (base, HostileTestCase), {
                "backend": backend, "__module__": namespace["__name__"]})


def no_verification(version=None):
    """A client's context that trusts everybody, for those who attack."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version:
        context.minimum_version = context.maximum_version = version
    return context
