"""Faults on the way to the API: nobody there, nobody answering, TLS that fails, too few connections."""

import concurrent.futures
import os
import socket
import threading
import time
import unittest

import faults
from certificates import OverTLS
from faults import (HELD, UNAVAILABLE, accepted, begin, harness, message,
                    not_sent, over_both_backends, submit, table, uncertain)
from scripted_api import ScriptedAPI, answer

AUTH_UNAVAILABLE = "451 Authentication service unavailable"


def log_in(relay):
    """The answer to a login with a fresh key."""
    with relay.raw() as client:
        client.reply()
        client.ask(b"EHLO client.test")
        plain = harness.base64.b64encode(f"\0postscale\0{harness.new_key()}".encode())
        return client.ask(b"AUTH PLAIN " + plain)


def reset_at_once(connection):
    connection.reset()


def close_at_once(connection):
    connection.close()


def silent(connection):
    connection.wait_for_end()


class Connections:
    """Over plain HTTP."""

    def test_refused(self):
        """Calls wait for an address that has answered within ten seconds. After that, no address
        means no waiting."""
        client = self.client()
        port = self.api.port
        self.api.close()
        start = time.monotonic()
        while time.monotonic() - start < 10:
            self.assertEqual(submit(client), UNAVAILABLE)
        start = time.monotonic()
        for _ in range(5):
            self.assertEqual(submit(client), UNAVAILABLE)
        self.assertEqual(log_in(self.relay), AUTH_UNAVAILABLE)
        self.assertLess(time.monotonic() - start, 3, "no address, no waiting")
        type(self).api = ScriptedAPI(port=port)
        self.addClassCleanup(self.api.close)
        self.recover()

    def test_a_restart_refuses_nobody_on_any_loop(self):
        """Some of eight loops have had an answer; then the API is away for a second. Clients come to
        all loops meanwhile."""
        api = ScriptedAPI()
        self.addCleanup(api.close)
        relay = harness.Relay(
            "--backend", self.backend, "--loops", "8", "--api-timeout", "10s",
            api_url=f"http://127.0.0.1:{api.port}")
        self.addCleanup(relay.stop)
        first = relay.raw()
        self.addCleanup(first.__exit__)
        first.log_in(harness.new_key())
        api.close()
        with concurrent.futures.ThreadPoolExecutor(25) as pool:
            logins = [pool.submit(log_in, relay) for _ in range(24)]
            sent = pool.submit(submit, first)
            time.sleep(1)
            self.assertFalse(any(login.done() for login in logins), "nobody is answered yet")
            api = ScriptedAPI(port=api.port)
            self.addCleanup(api.close)
            self.assertRegex(sent.result(), "^250 ")
            for login in logins:
                self.assertRegex(login.result(), "^235 ")

    def test_accepted_and_reset(self):
        """Whether or not a request is on the wire when the reset comes: the API never acts on
        it."""
        client = self.client()
        self.api.on_connect(reset_at_once)
        self.api.hang_up()
        time.sleep(0.05)
        for _ in range(5):
            self.assertEqual(submit(client), UNAVAILABLE)
        self.assertEqual(self.api.posts(), [])
        self.api.calm()
        self.recover()

    def test_accepted_and_never_answered(self):
        client = self.client()
        self.api.on_connect(silent)
        self.api.hang_up()
        time.sleep(0.05)
        start = time.monotonic()
        self.assertEqual(submit(client), UNAVAILABLE)
        self.assertLess(time.monotonic() - start, 3)
        start = time.monotonic()
        self.assertEqual(log_in(self.relay), AUTH_UNAVAILABLE)
        self.assertLess(time.monotonic() - start, 3)
        self.api.calm()
        self.api.hang_up()
        self.recover()

    def test_never_read(self):
        """The relay gives up an upload that the API never reads: the API provably has not acted on
        it."""
        client = self.client()
        reached = threading.Event()

        def fault(connection):
            connection.read_head()
            reached.set()
            time.sleep(4)

        self.api.on_post(fault)
        self.assertIsNone(begin(client, message()[0]))
        start = time.monotonic()
        client.socket.settimeout(10)

        def pour():
            try:
                client.send(faults.LINE * 200_000 + b".\r\n")
            except OSError:
                pass

        thread = threading.Thread(target=pour)
        thread.start()
        self.assertEqual(client.reply(), UNAVAILABLE)
        self.assertLess(time.monotonic() - start, 6)
        thread.join()
        self.assertEqual(self.api.complete_posts(), [])
        self.recover()

    def test_a_syn_that_nobody_answers(self):
        """A full backlog drops SYNs: --api-connect-timeout ends the wait."""
        with BlackHole() as hole:
            relay = harness.Relay(
                "--backend", self.backend, "--api-timeout", "2s", "--api-connect-timeout", "500ms",
                api_url=f"http://127.0.0.1:{hole.port}")
            self.addCleanup(relay.stop)
            start = time.monotonic()
            self.assertEqual(log_in(relay), AUTH_UNAVAILABLE)
            self.assertLess(time.monotonic() - start, 3)
            reasons = harness.wait_until(
                lambda: [e["reason"] for e in relay.events()
                         if e["event"] == "api-connection-failed"], what="a failure in the log")
            self.assertEqual(reasons[0], "timed out")
        api = ScriptedAPI(port=hole.port)
        self.addCleanup(api.close)
        harness.wait_until(lambda: log_in(relay).startswith("235 "), 5, "a login")

    def test_a_pool_that_is_exhausted(self):
        """One connection and one place in line: the third message is refused at once."""
        api = ScriptedAPI()
        self.addCleanup(api.close)
        relay = harness.Relay(
            "--backend", self.backend, "--loops", "1", "--api-connections", "1", "--api-queue", "1",
            "--api-timeout", "5s", api_url=f"http://127.0.0.1:{api.port}")
        self.addCleanup(relay.stop)
        clients = []
        for _ in range(3):
            client = relay.raw()
            self.addCleanup(client.__exit__)
            client.log_in(harness.new_key())
            clients.append(client)
        held, release = threading.Event(), threading.Event()

        def fault(connection):
            connection.read_rest()
            held.set()
            release.wait(10)
            connection.accept()

        api.on_post(fault)
        halves = []
        for client in clients:
            first, second = message()
            self.assertIsNone(begin(client, first))
            halves.append(second)
        clients[0].send(halves[0])
        self.assertTrue(held.wait(5))
        clients[1].send(halves[1])
        time.sleep(0.1)
        start = time.monotonic()
        clients[2].send(halves[2])
        self.assertEqual(clients[2].reply(), UNAVAILABLE)
        self.assertLess(time.monotonic() - start, 1, "at once")
        release.set()
        for client in clients[:2]:
            self.assertRegex(client.reply(), "^250 Ok: queued as m[0-9]+@api.test$")
        self.assertEqual((len(api.posts()), api.accepted_connections), (2, 1))
        self.assertRegex(submit(clients[2]), "^250 ")

    def test_a_dot_that_waits_for_a_connection_has_waited(self):
        """The whole message is in memory while another one has the only connection: the client's
        clock runs from its dot, not from when the API began to read."""
        api = ScriptedAPI()
        self.addCleanup(api.close)
        relay = harness.Relay(
            "--backend", self.backend, "--loops", "1", "--api-connections", "1",
            "--api-timeout", "3s", api_url=f"http://127.0.0.1:{api.port}")
        self.addCleanup(relay.stop)
        first, second = relay.raw(), relay.raw()
        for client in (first, second):
            self.addCleanup(client.__exit__)
            client.log_in(harness.new_key())
        held = threading.Event()

        def slow(connection):
            connection.read_rest()
            held.set()
            time.sleep(2)
            connection.accept()

        def never(connection):
            connection.read_rest()
            connection.wait_for_end()

        api.on_post(slow)
        half, rest = message()
        self.assertIsNone(begin(first, half))
        first.send(rest)
        self.assertTrue(held.wait(5))
        api.on_post(never)
        # The relay stops reading when the request passes the threshold, after 3,542 lines of 74
        # bytes as JSON has them, and at most one read of 128 KiB later. What it leaves then is less
        # than 62,000 bytes, however its reads were cut. That fits into the kernel's smallest receive
        # buffer, so the final dot has arrived at the relay's host.
        self.assertIsNone(begin(second, b"Subject: s\r\n\r\n"))
        start = time.monotonic()
        second.send(faults.LINE * 4_400 + b".\r\n")
        self.assertRegex(first.reply(), "^250 ")
        self.assertEqual(second.reply(), UNAVAILABLE)
        self.assertLess(time.monotonic() - start, 4)


class BlackHole:
    """A port whose backlog is full: the kernel drops every further SYN."""

    def __init__(self, address="127.0.0.1"):
        self.address = address

    def __enter__(self):
        self.listener = socket.socket()
        self.listener.bind((self.address, 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((self.address, self.port))
            self.fillers.append(filler)
        time.sleep(0.1)
        return self

    def __exit__(self, *_):
        for filler in self.fillers:
            filler.close()
        self.listener.close()


# TLS.


def alert(connection):
    """handshake_failure instead of a ServerHello."""
    connection.socket.recv(1)
    connection.send(b"\x15\x03\x03\x00\x02\x02\x28")
    connection.wait_for_end()


def plain_http(connection):
    connection.socket.recv(1)
    connection.send(answer(400, b"plain HTTP sent to an HTTPS port"))
    connection.wait_for_end()


def close_behind_hello(connection):
    connection.socket.recv(1)
    connection.end_sending()
    connection.wait_for_end()


def reset_behind_hello(connection):
    connection.socket.recv(1)
    connection.reset()


def handshake_with(name):
    """A handshake with another certificate; the relay ends it."""
    def fault(connection):
        context = connection.api.certificates.context(
            getattr(connection.api.certificates, name))
        connection.socket = context.wrap_socket(connection.socket, server_side=True)
        connection.wait_for_end()
    return fault


def on_every(name, fault, reason):
    """A fault of every connection: no request is ever begun."""
    return not_sent(name, fault, begun=0, at="connect", times=10**9), reason


HANDSHAKES = [
    on_every("an alert", alert, "alert"),
    on_every("plain HTTP", plain_http, "TLS"),
    on_every("the end behind the ClientHello", close_behind_hello, "TLS"),
    on_every("a reset behind the ClientHello", reset_behind_hello, "reset"),
    on_every("a reset at once", reset_at_once, "reset"),
    on_every("the end at once", close_at_once, ""),
    on_every("a handshake that stalls", silent, "timed out"),
    on_every("another's certificate", handshake_with("wrong_name"), "ostname mismatch"),
    on_every("an expired certificate", handshake_with("expired"), "expired"),
    on_every("an unknown authority", handshake_with("unknown"), "self-signed"),
]

OK = b'{"message_id":"m@api.test","status":"queued"}'


def over_tls(data, then):
    def fault(connection):
        connection.read_rest()
        connection.send(data)
        if then == "FIN":
            connection.end_sending()
            connection.wait_for_end()
        elif then == "reset":
            connection.reset()
        elif then == "close_notify":
            connection.socket.unwrap()
    return fault


def garbage_record(connection):
    """A record that opens under no key."""
    connection.read_rest()
    os.write(connection.socket.fileno(), b"\x17\x03\x03\x00\x20" + b"x" * 32)
    connection.wait_for_end()


HEAD = b"HTTP/1.1 202 Accepted\r\n"
RECORDS = [
    uncertain("no answer, a bare FIN", over_tls(b"", "FIN"), "closed"),
    uncertain("no answer, a reset", over_tls(b"", "reset"), "reset"),
    uncertain("an answer cut by a bare FIN", over_tls(HEAD + b"\r\n" + OK[:-1], "FIN"),
              "can't be read"),
    uncertain("a record that can't be opened", garbage_record, "TLS"),
    accepted("a whole answer, then a bare FIN", over_tls(answer(), "FIN")),
    accepted("a large request", over_tls(answer(), "go on"), kind=HELD),
    uncertain("a large request, reset", over_tls(b"", "reset"), "reset", kind=HELD),
]


class TLS(OverTLS):

    def test_handshakes(self):
        shared = self.relay
        try:
            for row, reason in HANDSHAKES:
                with self.subTest(row.name):
                    # One relay per row, because a repeated failure is logged only once in ten
                    # seconds.
                    self.relay = self.make_relay()
                    self.run_row(row)
                    reasons = [e["reason"] for e in self.relay.events()
                               if e["event"] == "api-connection-failed"
                               and e["address"].startswith("127.")]
                    self.assertIn(reason, reasons[0])
                    self.relay.stop()
        finally:
            self.relay = shared

    test_records = table(RECORDS)


over_both_backends(globals(), Connections, TLS)

if __name__ == "__main__":
    unittest.main()
