"""PROXY headers: required from a balancer, refused from others; the address in them counts."""

import socket
import ssl
import struct
import time
import unittest
import urllib.request

import harness
import prometheus_text

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def line(source="192.0.2.7", port=4711):
    return f"PROXY TCP4 {source} 198.51.100.1 {port} 587\r\n".encode()


def block(source="192.0.2.7", port=4711, command=1, rest=b""):
    addresses = socket.inet_aton(source) + socket.inet_aton("198.51.100.1")
    body = addresses + struct.pack("!HH", port, 587) + rest
    return SIGNATURE + bytes([0x20 | command, 0x11]) + struct.pack("!H", len(body)) + body


LOCAL = SIGNATURE + b"\x20\x00\x00\x00"


class ProxyTestCase(harness.RelayTestCase):
    arguments = ("--proxy-from", "127.0.0.1", "--max-connections-per-address", "4")

    @classmethod
    def setUpClass(cls):
        cls.admin_port = harness.free_port()
        cls.arguments += ("--admin", str(cls.admin_port))
        super().setUpClass()

    def refused(self, reason, port=None):
        """What the metrics count as refused headers of this port."""
        url = f"http://127.0.0.1:{self.admin_port}/metrics"
        with urllib.request.urlopen(url, timeout=20) as answer:
            samples = prometheus_text.parse(answer.read())
        return prometheus_text.value(
            samples, "postscale_relay_proxy_headers_refused_total", reason=reason,
            listener=f"127.0.0.1:{port or self.relay.ports[0]}")

    def connect(self, header, port=None):
        plain = socket.create_connection(
            ("127.0.0.1", port or self.relay.ports[0]), timeout=15, source_address=("127.0.0.1", 0))
        self.addCleanup(plain.close)
        plain.sendall(header)
        return plain

    def end(self, client):
        """The bytes that come until the relay closes."""
        received = b""
        try:
            while True:
                piece = client.recv(4_096)
                if not piece:
                    return received
                received += piece
        except ConnectionResetError:
            return received

    def peers(self, name="session-opened"):
        return [event["peer"] for event in self.relay.events() if event["event"] == name]

    def wait_for_peer(self, peer, name="session-opened"):
        harness.wait_until(lambda: peer in self.peers(name), what=f"{name} of {peer}")


class Headers(ProxyTestCase):
    def test_both_versions_name_the_client_and_the_greeting_comes_behind(self):
        for number, header in enumerate([line, block]):
            source = f"192.0.2.{10 + number}"
            client = self.connect(header(source, 4_000 + number))
            self.assertTrue(client.recv(1_000).startswith(b"220 "))
            self.wait_for_peer(f"{source}:{4_000 + number}")

    def test_a_header_in_pieces_with_commands_behind_it(self):
        for header in (line("192.0.2.20"), block("192.0.2.20")):
            client = self.connect(b"")
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in header[:-1]:
                client.sendall(bytes([byte]))
                time.sleep(0.001)
            client.sendall(header[-1:] + b"EHLO client.test\r\n")
            received = b""
            while b"STARTTLS\r\n" not in received:
                received += client.recv(4_096)
            self.assertTrue(received.startswith(b"220 "))

    def test_a_client_hello_in_the_same_packet_as_the_header(self):
        for header in (line("192.0.2.30"), block("192.0.2.30")):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = self.relay.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
            with self.assertRaises(ssl.SSLWantReadError):
                tls.do_handshake()
            client = self.connect(header + outgoing.read(), self.relay.tls_port)
            while True:
                incoming.write(client.recv(16_384))
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    continue
            client.sendall(outgoing.read())
            greeting = b""
            while not greeting:
                try:
                    greeting = tls.read(1_000)
                except ssl.SSLWantReadError:
                    incoming.write(client.recv(16_384))
            self.assertTrue(greeting.startswith(b"220 "))
        self.wait_for_peer("192.0.2.30:4711")

    def test_a_whole_message_through_tls_on_both_kinds_of_port(self):
        for port in (self.relay.ports[0], self.relay.tls_port):
            client = self.connect(block("192.0.2.40"), port)
            context = self.relay.context()
            if port != self.relay.tls_port:
                client.recv(1_000)
                client.sendall(b"STARTTLS\r\n")
                self.assertTrue(client.recv(1_000).startswith(b"220 "))
            secure = context.wrap_socket(client, server_hostname="localhost")
            raw = harness.RawClient(secure)
            if port != self.relay.tls_port:
                secure.sendall(b"NOOP\r\n")  # The reply comes where log_in expects a greeting.
            raw.log_in(harness.new_key())
            for command in (b"MAIL FROM:<a@yourdomain.com>", b"RCPT TO:<b@example.com>"):
                self.assertTrue(raw.ask(command).startswith("250 "))
            self.assertTrue(raw.ask(b"DATA").startswith("354 "))
            self.assertTrue(raw.ask(b"Subject: s\r\n\r\nx\r\n.").startswith("250 "))

        def peers():
            return [event["peer"] for event in self.relay.events() if event["event"] == "message"]

        harness.wait_until(lambda: peers()[-2:] == 2 * ["192.0.2.40"], what="both in the log")

    def test_a_balancer_that_speaks_for_itself_is_served_under_its_own_address(self):
        for header in (LOCAL, b"PROXY UNKNOWN\r\n"):
            before = len([peer for peer in self.peers() if peer.startswith("127.0.0.1:")])
            client = self.connect(header)
            self.assertTrue(client.recv(1_000).startswith(b"220 "))
            harness.wait_until(
                lambda: len([p for p in self.peers() if p.startswith("127.0.0.1:")]) > before)

    def test_without_a_header_or_with_a_bad_one_it_is_reset(self):
        ports = (self.relay.ports[0], self.relay.tls_port)
        before = [self.refused("malformed", port) for port in ports]
        for bad in (b"EHLO client.test\r\n", b"\x16\x03\x01", b"PROXY TCP4 nonsense\r\n",
                    SIGNATURE + b"\x31\x11\x00\x00", b"PROXY UNKNOWN " + b"x" * 200,
                    SIGNATURE + b"\x21\x11\xff\xff"):
            for port in ports:
                self.assertEqual(self.end(self.connect(bad, port)), b"", bad)
        self.wait_for_peer("127.0.0.1", "proxy-header-refused")
        after = [self.refused("malformed", port) for port in ports]
        self.assertEqual([now - then for now, then in zip(after, before)], [6, 6])

    def test_who_leaves_before_its_header_is_counted(self):
        before = self.refused("closed")
        self.connect(b"").close()
        self.connect(b"PROXY TCP4 192.0.2.1").close()
        harness.wait_until(lambda: self.refused("closed") == before + 2, what="the count")

    def test_who_says_nothing_has_five_seconds(self):
        before = self.refused("timeout")
        client = self.connect(b"PROXY TCP4 192.0.2.1")
        start = time.monotonic()
        self.assertEqual(self.end(client), b"")
        self.assertTrue(4 < time.monotonic() - start < 8)
        self.assertEqual(self.refused("timeout"), before + 1)

    def test_limits_count_the_client_and_not_the_balancer(self):
        clients = [self.connect(block(f"192.0.3.{number}")) for number in range(12)]
        for client in clients:
            self.assertTrue(client.recv(1_000).startswith(b"220 "))
        same = [self.connect(block("192.0.4.1", 100 + number)) for number in range(4)]
        for client in same:
            self.assertTrue(client.recv(1_000).startswith(b"220 "))
        fifth = self.connect(block("192.0.4.1", 200))
        self.assertTrue(self.end(fifth).startswith(b"421 "))
        self.wait_for_peer("192.0.4.1", "connection-refused")


class Others(ProxyTestCase):
    arguments = ("--proxy-from", "192.0.2.0/24", "--proxy-from", "::1")

    def test_a_header_from_anybody_else_is_no_header(self):
        client = self.connect(line("192.0.2.66"))
        received = b""
        while received.count(b"\n") < 2:
            received += client.recv(1_000)
        self.assertTrue(received.startswith(b"220 "))
        self.assertIn(b"\r\n500 ", received)
        # An alert, unless the end of the connection arrives first.
        answer = self.end(self.connect(block("192.0.2.66"), self.relay.tls_port))
        self.assertIn(answer[:1], (b"", b"\x15"))
        self.assertFalse([peer for peer in self.peers() if peer.startswith("192.0.2.")])


if __name__ == "__main__":
    unittest.main()
