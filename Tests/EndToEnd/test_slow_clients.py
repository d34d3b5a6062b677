"""Clients that send a byte now and then: every stage ends at some time.

The relay gets short timeouts here instead of the usual long ones: the flags set all times that the
machine knows. Each stage is one slow client; all run at once.
"""

import base64
import socket
import ssl
import threading
import time
import unittest

import harness

# Far shorter than the idle timeout, so that each byte would restart a naive timer.
PACE = 0.3
IDLE = 2
# The grace of the slowest upload (ten seconds), and some time for a busy machine.
DATA_ENDS = 10


class Trickle:
    """Sends bytes at this pace until the relay closes; remembers how long that took and the
    reply."""

    def __init__(self, sock, data):
        self.socket = sock
        self.data = data
        self.answer = b""
        self.seconds = None

    def run(self, patience):
        begin = time.monotonic()
        self.socket.settimeout(PACE)
        sent = 0
        while time.monotonic() - begin < patience:
            try:
                if sent < len(self.data):
                    self.socket.send(self.data[sent : sent + 1])
                    sent += 1
                piece = self.socket.recv(4096)
                if not piece:
                    break
                self.answer += piece
            except (TimeoutError, ssl.SSLWantReadError):
                continue
            except OSError:
                break
        else:
            return
        self.seconds = time.monotonic() - begin


class SlowClients(harness.RelayTestCase):
    arguments = ("--idle-timeout", f"{IDLE}s", "--session-timeout", "15s")

    def plain_socket(self, tls=False):
        port = self.relay.tls_port if tls else self.relay.ports[0]
        return socket.create_connection(("127.0.0.1", port), timeout=30)

    def hello(self, version=ssl.TLSVersion.TLSv1_3):
        """A ClientHello, and the objects that continue the handshake."""
        context = self.relay.context()
        context.maximum_version = version
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return tls, incoming, outgoing.read(), outgoing

    def in_handshake(self):
        return Trickle(self.plain_socket(tls=True), self.hello()[2])

    def in_handshake_behind_starttls(self):
        client = self.relay.plain()
        client.reply()
        client.ask(b"STARTTLS")
        return Trickle(client.socket, self.hello()[2])

    def before_finished(self, version):
        """The first flight at once, the second byte by byte."""
        tls, incoming, first, outgoing = self.hello(version)
        sock = self.plain_socket(tls=True)
        sock.sendall(first)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            incoming.write(sock.recv(65536))
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                if version == ssl.TLSVersion.TLSv1_2 and outgoing.pending:
                    break
        return Trickle(sock, outgoing.read())

    def logged_in(self):
        client = self.relay.raw()
        client.log_in(harness.new_key())
        return client

    def in_auth(self):
        client = self.relay.raw()
        client.reply()
        client.ask(b"AUTH LOGIN")
        return Trickle(client.socket, base64.b64encode(b"postscale" * 50))

    def in_data(self):
        client = self.logged_in()
        for command in (b"MAIL FROM:<a@yourdomain.com>", b"RCPT TO:<b@example.com>", b"DATA"):
            client.ask(command)
        return Trickle(client.socket, b"Subject: slow\r\n\r\n" + b"x" * 1_000)

    def with_line(self, line, logged_in=True):
        client = self.logged_in() if logged_in else self.relay.plain()
        if not logged_in:
            client.reply()
        return Trickle(client.socket, line)

    def behind_quit(self):
        """Sends QUIT, and then neither closes nor stops sending."""
        client = self.logged_in()
        client.ask(b"QUIT")
        return Trickle(client.socket, b"x" * 1_000)

    def test_one_byte_now_and_then_at_every_stage(self):
        stages = {
            "handshake": (self.in_handshake, IDLE, b""),
            "handshake behind STARTTLS": (self.in_handshake_behind_starttls, IDLE, b""),
            "second flight, 1.3": (
                lambda: self.before_finished(ssl.TLSVersion.TLSv1_3), IDLE, None),
            "second flight, 1.2": (
                lambda: self.before_finished(ssl.TLSVersion.TLSv1_2), IDLE, None),
            "EHLO": (lambda: self.with_line(b"EHLO " + b"x" * 500, False), IDLE, b"421 Timeout"),
            "AUTH": (self.in_auth, IDLE, b"421 Timeout"),
            "MAIL": (lambda: self.with_line(b"MAIL FROM:<" + b"x" * 500), IDLE, b"421 Timeout"),
            "DATA": (self.in_data, DATA_ENDS, b"421 Data too slow"),
            "QUIT": (lambda: self.with_line(b"Q" * 500), IDLE, b"421 Timeout"),
            "behind QUIT": (self.behind_quit, 2, b""),
        }
        clients = {name: make() for name, (make, _, _) in stages.items()}
        threads = [
            threading.Thread(target=client.run, args=(30,)) for client in clients.values()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name, (_, bound, answer) in stages.items():
            with self.subTest(name):
                client = clients[name]
                self.assertIsNotNone(client.seconds, "still open after 30 s")
                self.assertLess(client.seconds, bound + 8)
                if answer is not None:
                    self.assertTrue(client.answer.startswith(answer), client.answer)
                client.socket.close()
        harness.wait_until(self.nobody_is_left, what="the end of all sessions")
        self.assertEqual(self.sandbox.list(), [])

    def nobody_is_left(self):
        events = [event["event"] for event in self.relay.events()]
        return events.count("session-opened") == events.count("session-closed")

    def test_a_client_that_never_reads_is_not_written_to_for_ever(self):
        client = self.relay.plain()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.reply()
        client.socket.settimeout(1)
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < 30:
                client.socket.send(b"EHLO client.test\r\n" * 500)
        except TimeoutError:
            pass  # The relay reads no more, as it should.
        except OSError:
            pass
        harness.wait_until(self.nobody_is_left, 20, "the end of the session")
        client.__exit__()

    def test_commands_without_end_meet_the_session_s_own_end(self):
        with self.relay.plain() as client:
            client.reply()
            begin = time.monotonic()
            client.socket.settimeout(10)
            while True:
                client.send(b"NOOP\r\n")
                reply = client.line()
                if not reply.startswith("250"):
                    break
                self.assertLess(time.monotonic() - begin, 45)
                time.sleep(0.5)
            self.assertEqual(reply, "421 Session time limit reached, closing connection")


if __name__ == "__main__":
    unittest.main()
