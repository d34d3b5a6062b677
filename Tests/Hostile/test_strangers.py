"""Strangers, who have no key: what they may do costs customers nothing, and little memory."""

import socket
import ssl
import struct
import subprocess
import sys
import time
import unittest

import hostile
import strangers
import tls12
from crowd import Crowd, guess_at_once
from hostile import (MEGABYTE, harness, no_verification, over_both_backends,
                     resident_bytes)

# Heap of a stranger that reads nothing, and what the kernel may hold for it.
STRANGER_BYTES_MAX = 32 * 1_024
SEND_BUFFER_MAX = 256 * 1_024
# A handshake that does not come to its end.
HANDSHAKE_BYTES_MAX = 22 * 1_024
HANDSHAKE_SECONDS = 15


def address(number):
    return f"127.0.1.{1 + number % 200}"


def stranger(port, number, receive_buffer=None):
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.bind((address(number), 0))
    sock.settimeout(20)
    sock.connect(("127.0.0.1", port))
    return sock


class Guesses:
    """One stranger asks about hundreds of keys at once; the API takes its time for each."""

    def test_300_at_once_over_16_connections(self):
        self.start("--api-connections", "16", check_seconds=0.5,
                   knows=lambda key: not key.startswith("guessed_"))
        others = self.others()
        others.calm(2)
        count = min(300, hostile.DESCRIPTORS // 4)
        crowd = Crowd(self, self.relay, count, guess_at_once, source="127.0.9.1")
        crowd.settle(40)
        crowd.go()
        others.attacked(5)
        others.check(f"{count} keys that one stranger asks about at once")


class Commands:
    """Commands that do nothing, without end."""

    def flood(self, count, *more):
        self.start()
        others = self.others()
        others.calm()
        command = [sys.executable, strangers.__file__, str(self.relay.ports[0]), str(count), "NOOP"]
        program = subprocess.Popen(
            [*command, *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.kill)
        time.sleep(1)
        others.attacked()
        seen, _ = program.communicate(timeout=20)
        connections, accepted = (int(number) for number in seen.split())
        with self.subTest("cut off"):
            self.assertLessEqual(
                accepted, 100 * connections, f"replies to NOOPs on {connections} connections")
        others.check(f"{count} strangers {' '.join(more)} send NOOP without end ({connections} "
                     f"connections, {accepted} replies)")

    def test_20_strangers_that_send_noop(self):
        self.flood(20)

    def test_200_strangers_that_send_noop(self):
        self.flood(200)

    def test_200_strangers_that_send_on_after_they_were_cut_off(self):
        self.flood(200, "deaf-to-the-end")

    def noops(self, client, count):
        """How many of so many NOOPs, one after the other, got 250, and the last reply."""
        for number in range(count):
            reply = client.ask(b"NOOP")
            if not reply.startswith("250 "):
                return number, reply
        return count, reply

    def test_a_stranger_is_cut_off_after_100_of_them(self):
        self.start()
        client = self.relay.plain()
        self.addCleanup(client.__exit__)
        client.reply()
        done, reply = self.noops(client, 300)
        self.figure(f"NOOPs of a stranger: {done} x 250, then {reply!r}")
        self.assertTrue(99 <= done <= 100, f"{done} NOOPs before login got 250, then {reply!r}")
        self.assertTrue(reply.startswith("421 "), reply)

    def test_a_customer_may_send_1000_of_them_between_messages(self):
        """Keep-alive NOOPs are honest."""
        self.start()
        client = hostile.logged_in(self.relay, harness.new_key(), patience=20)
        self.addCleanup(client.__exit__)
        for _ in range(2):
            self.assertEqual(self.noops(client, 900)[0], 900)
            self.assertRegex(hostile.submit(client), "^250 ")
        done, reply = self.noops(client, 1_500)
        self.figure(f"NOOPs of a customer after a message: {done} x 250, then {reply!r}")
        self.assertTrue(999 <= done <= 1_000, f"{done} NOOPs got 250, then {reply!r}")
        self.assertTrue(reply.startswith("421 "), reply)


class Deaf:
    """Strangers that send EHLO as long as somebody takes it, and never read."""

    COUNT = 300

    def check(self, what, port_of, handshake):
        self.start()
        relay, port = self.relay, port_of(self.relay)
        others = self.others()
        others.calm()
        # The first ones are not counted: the relay's tables grow by steps.
        crowd = []
        self.addCleanup(lambda: [sock.close() for sock in crowd])
        for number in range(20):
            crowd.append(self.talk(handshake(stranger(port, number, 4_096))))
        rest = resident_bytes(relay.process)
        for number in range(20, 20 + self.COUNT):
            crowd.append(self.talk(handshake(stranger(port, number, 4_096))))
        for _ in range(3):
            for sock in crowd:
                self.talk(sock)
            time.sleep(0.2)
        each = (resident_bytes(relay.process) - rest) / self.COUNT
        # None are left of those that were cut off.
        most = max(hostile.send_buffers(port), default=0)
        others.attacked(2)
        each = max(each, (resident_bytes(relay.process) - rest) / self.COUNT)
        self.figure(f"{what} that send EHLO and never read: {each / 1_024:.1f} KiB of memory each, "
                    f"in the kernel {most / 1_024:.0f} KiB at most")
        with self.subTest("memory"):
            self.assertLessEqual(
                each, harness.cost_bound(STRANGER_BYTES_MAX), f"memory of each of {what}")
        with self.subTest("the kernel's send buffer"):
            self.assertLessEqual(most, SEND_BUFFER_MAX, f"bytes for one of {what}")
        others.check(f"{len(crowd)} {what} that never read")

    def talk(self, sock):
        """EHLOs as long as they are taken."""
        sock.settimeout(0)
        block = b"EHLO stranger.test\r\n" * 500
        try:
            for _ in range(200):
                sock.send(block)
        except (OSError, ssl.SSLError):
            pass
        return sock

    def over_tls(self, version):
        context = no_verification(version)
        return lambda sock: context.wrap_socket(sock, server_hostname="localhost")

    def test_before_tls(self):
        self.check("strangers before TLS", lambda relay: relay.ports[0], lambda sock: sock)

    def test_over_tls_1_3(self):
        self.check("strangers over TLS 1.3", lambda relay: relay.tls_port,
                   self.over_tls(ssl.TLSVersion.TLSv1_3))

    def test_over_tls_1_2(self):
        self.check("strangers over TLS 1.2", lambda relay: relay.tls_port,
                   self.over_tls(ssl.TLSVersion.TLSv1_2))


class Renegotiation:
    def test_one_that_asks_again_and_again_and_does_not_read(self):
        self.start()
        others = self.others()
        others.calm()
        rest = resident_bytes(self.relay.process)
        sock = stranger(self.relay.tls_port, 0, 4_096)
        self.addCleanup(sock.close)
        sealer, request = tls12.handshake(sock), tls12.renegotiation_request()
        sent, end, ended = 0, time.monotonic() + 6, None
        sock.settimeout(2)
        while ended is None and time.monotonic() < end:
            records = b"".join(sealer.seal(tls12.HANDSHAKE, request) for _ in range(500))
            try:
                sock.sendall(records)
                sent += 500
            except TimeoutError:
                # The relay reads no more: then its end must follow.
                ended = self.end_of(sock)
            except OSError as error:
                ended = type(error).__name__
        grown = resident_bytes(self.relay.process) - rest
        others.attacked(1)
        self.figure(f"{sent} requests for renegotiation: {grown / 1_024:.0f} KiB more memory, the "
                    f"connection: {ended or 'still open'}")
        with self.subTest("memory"):
            self.assertLess(grown, harness.cost_bound(MEGABYTE), f"growth after {sent} requests")
        with self.subTest("the end"):
            self.assertIsNotNone(ended, f"still open after {sent} requests for renegotiation")
        others.check("a stranger that asks for renegotiation")

    def end_of(self, sock):
        """How a connection ends within some seconds, or None."""
        end = time.monotonic() + 5
        while time.monotonic() < end:
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
            if info[0] != 1:  # TCP_ESTABLISHED
                return f"state {info[0]}"
            time.sleep(0.1)
        return None


def client_hello():
    context = no_verification()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class Unfinished:
    """Strangers that begin a handshake over both kinds of port, and do not come to its end."""

    COUNT = 200

    def check(self, what, pieces):
        self.start()
        others = self.others()
        others.calm()
        crowd = [self.open(number) for number in range(20)]
        self.addCleanup(lambda: [sock.close() for sock in crowd])
        self.send(crowd, pieces[0])
        rest = resident_bytes(self.relay.process)
        more = [self.open(20 + number) for number in range(self.COUNT)]
        crowd += more
        begin, most, ends = time.monotonic(), 0, {}
        self.send(more, pieces[0])
        for second in range(1, HANDSHAKE_SECONDS + 6):
            time.sleep(max(0, begin + second - time.monotonic()))
            if second < len(pieces):
                self.send(crowd, pieces[second])
            most = max(most, resident_bytes(self.relay.process) - rest)
            for sock in crowd:
                if sock not in ends and self.has_ended(sock):
                    ends[sock] = time.monotonic() - begin
        self.figure(f"{what}: {most / self.COUNT / 1_024:.1f} KiB of memory each, {len(ends)} of "
                    f"{len(crowd)} ended, the last after {max(ends.values(), default=0):.0f} s")
        others.attacked(1)
        with self.subTest("memory"):
            self.assertLessEqual(most / self.COUNT, harness.cost_bound(HANDSHAKE_BYTES_MAX),
                                 f"{what}: memory of each")
        with self.subTest("the end"):
            self.assertEqual(len(ends), len(crowd),
                             f"{what}: connections that ended within {HANDSHAKE_SECONDS + 5} s")
        others.check(f"{len(crowd)} strangers, {what}")

    def open(self, number):
        if number % 2:
            return stranger(self.relay.tls_port, number)
        sock = stranger(self.relay.ports[0], number)
        sock.recv(1_024)
        sock.sendall(b"STARTTLS\r\n")
        sock.recv(1_024)
        return sock

    def send(self, crowd, piece):
        for sock in crowd:
            sock.settimeout(0)
            try:
                sock.send(piece)
            except OSError:
                pass

    def has_ended(self, sock):
        sock.settimeout(0)
        try:
            while sock.recv(4_096):
                pass
            return True
        except BlockingIOError:
            return False
        except OSError:
            return True


class SlowHandshakes(Unfinished):
    def test_a_client_hello_that_arrives_over_a_minute(self):
        """It is ended after 15 s, and costs little until then."""
        hello = client_hello()
        step = len(hello) // 60
        self.check("a ClientHello over 60 s",
                   [hello[start:start + step] for start in range(0, len(hello), step)])


class HugeHandshakes(Unfinished):
    def test_a_huge_client_hello_that_never_ends(self):
        """It announces 131,000 bytes, the most that OpenSSL takes, and sends 100,000."""
        payload = b"\1" + struct.pack("!I", 131_000)[1:] + b"\3\3" + b"x" * 100_000
        records = b"".join(
            struct.pack("!BHH", 22, 0x0301, len(payload[start:start + 16_000]))
            + payload[start:start + 16_000] for start in range(0, len(payload), 16_000))
        self.check("a ClientHello of 100 KB", [records])


over_both_backends(
    globals(), Guesses, Commands, Deaf, Renegotiation, SlowHandshakes, HugeHandshakes)

if __name__ == "__main__":
    unittest.main()
