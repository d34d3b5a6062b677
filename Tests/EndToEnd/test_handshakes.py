"""Garbage in TLS handshakes, on both kinds of port: it ends one connection, and the relay goes on.

Each case is many connections. During and after them another client sends messages; at the end the
relay has not grown, and has used no more CPU time than garbage of that size may cost.
"""

import errno
import os
import pathlib
import random
import resource
import socket
import ssl
import struct
import time
import unittest

import harness
from test_tls import Tool

# Kilobytes by which the relay may have grown after all cases, and CPU seconds per case.
GROWTH_MAX = 24_000
CPU_SECONDS_MAX = 20


def record(kind, payload, version=0x0301):
    return struct.pack("!BHH", kind, version, len(payload)) + payload


def hello():
    """The first flight of a real client."""
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


HELLO = hello()
BODY = HELLO[5:]
EMPTY = record(22, b"")


def random_bytes():
    for seed in range(60):
        source = random.Random(seed)
        yield source.randbytes(source.randint(1, 5_000))


def damaged_hellos():
    for seed in range(120):
        source = random.Random(seed)
        bytes_ = bytearray(HELLO)
        for _ in range(source.randint(1, 8)):
            bytes_[source.randrange(len(bytes_))] = source.randrange(256)
        yield bytes(bytes_)


CASES = {
    "random bytes": random_bytes,
    "a damaged ClientHello": damaged_hellos,
    "a ClientHello cut short": lambda: (HELLO[:cut] for cut in range(1, len(HELLO), 9)),
    "a record longer than any": lambda: [
        struct.pack("!BHH", kind, 0x0301, length) + b"\1" * 70_000
        for kind in (20, 21, 22, 23) for length in (16_641, 32_768, 65_535)],
    "records of no type": lambda: [record(kind, b"x" * 100) for kind in (0, 19, 24, 25, 128, 255)],
    "versions that are none": lambda: [
        record(22, BODY, version) for version in (0, 0x0002, 0x0200, 0x0400, 0xFEFF, 0xFFFF)],
    "SSLv2": lambda: [
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\x01\x00\x80" * 7 + b"c" * 16,
        b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + b"\x01\x00\x80" * 7 + b"c" * 16],
    "alerts in bulk": lambda: [
        record(21, b"\1\x5a") * 5_000, record(21, b"\1\x64") * 5_000, record(21, b"\2\x28") * 100,
        HELLO + record(21, b"\1\x5a") * 5_000, record(21, b"") * 5_000],
    "empty records in bulk": lambda: [
        EMPTY * 20_000, HELLO[:9] + EMPTY * 20_000, record(23, b"") * 20_000, record(20, b"") * 20_000,
        record(22, BODY[:10]) + EMPTY * 20_000],
    "changes of cipher in bulk": lambda: [
        record(20, b"\1") * 20_000, HELLO + record(20, b"\1") * 20_000, HELLO + record(20, b"\2") * 10],
    "data before it is time": lambda: [
        record(23, b"x" * 1_000) * 20, HELLO + record(23, b"x" * 1_000, 0x0303) * 200],
    "a message that says it is huge": lambda: [
        record(22, b"\1\xff\xff\xff" + b"x" * 1_000) * 200,
        record(22, b"\1\x01\x00\x00" + b"x" * 16_000) * 20],
    "two hellos": lambda: [HELLO + HELLO, HELLO * 50],
    "messages out of order": lambda: [
        record(22, bytes([kind]) + b"\0\0\4abcd") for kind in (0, 2, 4, 5, 8, 11, 12, 14, 15, 16, 20, 24, 254)],
    "HTTP and SMTP": lambda: [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"EHLO a\r\nMAIL FROM:<a@b>\r\n" * 100],
}


class Handshakes(harness.RelayTestCase):
    arguments = (
        "--loops", "1", "--idle-timeout", "20s", "--max-handshakes-per-address", "1000000",
        "--max-handshakes-per-prefix", "1000000")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.relay.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self):
        text = pathlib.Path(f"/proc/{self.relay.process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0])

    def open(self, starttls):
        if not starttls:
            return socket.create_connection(("127.0.0.1", self.relay.tls_port), timeout=30)
        client = self.relay.plain()
        client.reply()
        client.ask(b"STARTTLS")
        return client.socket

    def attack(self, garbage, starttls, pause=0):
        """Sends garbage in pieces, closes its side, and reads until the relay closes; there is
        never a greeting."""
        with self.open(starttls) as sock:
            answer = b""
            try:
                for start in range(0, len(garbage), 65_536) if not pause else ():
                    sock.sendall(garbage[start : start + 65_536])
                for byte in garbage if pause else b"":
                    sock.send(bytes([byte]))
                    time.sleep(pause)
                sock.shutdown(socket.SHUT_WR)
                while piece := sock.recv(65_536):
                    answer += piece
                    self.assertLess(len(answer), 100_000, "it answers without end")
            except OSError as error:
                # The relay may have closed first; a shutdown after a reset says ENOTCONN, which is
                # no ConnectionError.
                if not isinstance(error, ConnectionError) and error.errno != errno.ENOTCONN:
                    raise
            self.assertNotIn(b"220 localhost", answer)

    def bystander(self):
        with self.relay.login(harness.new_key()) as client:
            client.sendmail("a@yourdomain.com", "b@example.com", b"Subject: s\r\n\r\nx\r\n")

    def closed_for_tls(self):
        return [event["reason"] for event in self.relay.events()
                if event["event"] == "session-closed" and event["reason"].startswith("tls")]

    def test_each_kind_costs_its_connection(self):
        for _ in range(20):
            self.bystander()
        resident = self.resident()
        attacks = 0
        for name, make in CASES.items():
            for starttls in (False, True):
                begin = self.cpu_seconds()
                for garbage in make():
                    self.attack(garbage, starttls)
                    attacks += 1
                with self.subTest(name, starttls=starttls):
                    self.assertLess(
                        self.cpu_seconds() - begin, harness.cost_bound(CPU_SECONDS_MAX))
                    self.bystander()
        self.assertLess(self.resident(), harness.cost_bound(resident + GROWTH_MAX))
        # The others ended because the peer closed inside a message.
        harness.wait_until(
            lambda: len(self.closed_for_tls()) > attacks // 2, what="the ends in the log")
        self.assertEqual(len(self.sandbox.list()), 20 + 2 * len(CASES))

    def test_a_handshake_in_pieces_of_a_byte_succeeds(self):
        """The opposite case: slow and odd clients are not hostile."""
        context = self.relay.context()
        for as_records in (False, True):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
            is_first = True
            with self.open(starttls=False) as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while True:
                    try:
                        client.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        flight = outgoing.read()
                        if as_records and is_first:
                            # One handshake message in as many records as it has bytes (RFC 8446 5.1).
                            flight = b"".join(record(22, bytes([byte])) for byte in flight[5:])
                        is_first = False
                        for start in range(0, len(flight), 1 if not as_records else 1_000):
                            sock.send(flight[start : start + (1 if not as_records else 1_000)])
                        incoming.write(sock.recv(65_536))
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65_536))
                greeting = b""
                while b"\n" not in greeting:
                    try:
                        greeting += client.read(1_000)
                    except ssl.SSLWantReadError:
                        incoming.write(sock.recv(65_536))
                self.assertEqual(greeting, b"220 localhost ESMTP Postscale SMTP Relay\r\n")

    def test_hundreds_of_handshakes_that_stop_half_way_leave_nothing(self):
        count = 900 if self.may_open(1_100) else 300
        resident = []
        # The allocator keeps what the first rounds took, and then takes no more: some four rounds
        # in a row together add less than 300 bytes per session. Which rounds these are varies
        # (mostly the fourth to the eighth); a leak per session would show in every round.
        for _ in range(40):
            sockets = [self.open(starttls=False) for _ in range(count)]
            for sock in sockets:
                sock.sendall(HELLO[:200])
            self.bystander()
            # 47 kB each while OpenSSL holds its half of a handshake (measured), not more.
            self.assertLess(self.resident(), harness.cost_bound(60_000 + 70 * count))
            for sock in sockets:
                sock.close()
            harness.wait_until(self.nobody_is_left, what="the end of all sessions")
            resident.append(self.resident())
            if len(resident) > 4:
                growth = (resident[-1] - resident[-5]) * 1_000
                if growth < harness.cost_bound(4 * 300 * count):
                    return
        self.fail(f"each round leaves something: {resident}")

    def may_open(self, count):
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0] > count

    def nobody_is_left(self):
        events = [event["event"] for event in self.relay.events()]
        return events.count("session-opened") == events.count("session-closed")


class Renegotiation(harness.RelayTestCase):
    def test_none_in_tls_1_2(self):
        with Tool("s_client", "-connect", f"127.0.0.1:{self.relay.tls_port}", "-servername", "localhost",
                  "-CAfile", self.relay.certificate, "-tls1_2", "-crlf") as client:
            client.expect(b"Secure Renegotiation IS supported")
            client.expect(b"220 localhost ESMTP")
            client.send(b"R\n")
            client.expect(b"RENEGOTIATING")
            harness.wait_until(lambda: b"no renegotiation" in client.output, what="the refusal")


if __name__ == "__main__":
    unittest.main()
