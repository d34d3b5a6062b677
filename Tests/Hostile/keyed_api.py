"""An API that tells its callers apart by their keys, and a slow line in front of one.

Every connection has a thread. Bodies are counted and thrown away, so gigabytes cost no memory. The
API is as fast, as patient and as willing to take connections as the test says; it never acts on an
incomplete request.
"""

import asyncio
import re
import socket
import struct
import threading
import time

ACCEPTED = b'{"message_id":"m%d@api.test","status":"queued"}'
KEY = re.compile(rb"\r\nauthorization: *bearer *(\S+)", re.I)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.I)


def response(status, body, headers=()):
    lines = [b"HTTP/1.1 %d X" % status, b"X-Request-ID: req-1", *headers,
             b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class Ended(Exception):
    """The connection is over."""


class Request:
    """What is known of one request: the key, whether it is a message, bytes of the body so far."""

    def __init__(self, head):
        found = KEY.search(head)
        self.key = found[1].decode() if found else ""
        self.is_message = head.startswith(b"POST")
        self.body_bytes = 0
        self.is_complete = False


class Connection:
    def __init__(self, api, sock, peer):
        self.api, self.socket, self.peer = api, sock, peer
        self.kept = b""

    def fill(self, seconds):
        """Appends what comes next; raises TimeoutError after so many seconds without a byte."""
        self.socket.settimeout(seconds)
        piece = self.socket.recv(262_144)
        if not piece:
            raise Ended
        self.kept = self.kept + piece if self.kept else piece

    def serve(self):
        try:
            if self.api.tls is not None:
                self.socket = self.api.tls.wrap_socket(self.socket, server_side=True)
            while True:
                self.serve_request()
        except (Ended, OSError):
            pass
        finally:
            self.socket.close()
            self.api.leave(self)

    def serve_request(self):
        while (end := self.kept.find(b"\r\n\r\n")) < 0:
            try:
                self.fill(self.api.idle_seconds)
            except TimeoutError:
                # A plain FIN, as servers end an idle connection.
                raise Ended from None
        head, self.kept = self.kept[:end + 4], self.kept[end + 4:]
        request = Request(head)
        self.api.begin(request)
        try:
            self.read_body(request, head)
        except TimeoutError:
            if self.api.body_farewell:
                self.socket.sendall(self.api.body_farewell)
            raise Ended from None
        request.is_complete = True
        self.socket.settimeout(60)
        self.socket.sendall(self.api.answer(request))

    def read_body(self, request, head):
        if CHUNKED.search(head):
            while size := self.chunk_size():
                self.skip(request, size)
                self.skip(None, 2)
            return self.skip(None, 2)
        length = LENGTH.search(head)
        self.skip(request, int(length[1]) if length else 0)

    def chunk_size(self):
        while (end := self.kept.find(b"\r\n")) < 0:
            self.fill(self.api.body_seconds)
        size = int(self.kept[:end], 16)
        self.kept = self.kept[end + 2:]
        return size

    def skip(self, request, count):
        while count:
            if not self.kept:
                self.fill(self.api.body_seconds)
            taken = min(count, len(self.kept))
            self.kept = self.kept[taken:]
            count -= taken
            if request is not None:
                request.body_bytes += taken


class API:
    """- tls: an SSLContext for HTTPS
    - connections_max: of one client address; more are reset before the handshake
    - idle_seconds: after which an idle connection is closed; says_idle: it tells so (Keep-Alive)
    - body_seconds: without a byte of a body, then `body_farewell` and the end
    - seconds(request): how long a message takes; status(request): other than 202
    - check_seconds: how long the check of a key takes; knows(key): whether the key is one
    """

    def __init__(self, tls=None, connections_max=None, idle_seconds=None, says_idle=False,
                 body_seconds=None, body_farewell=b"", seconds=None, status=None,
                 check_seconds=0, knows=lambda key: True):
        self.tls, self.connections_max = tls, connections_max
        self.idle_seconds, self.says_idle = idle_seconds, says_idle
        self.body_seconds, self.body_farewell = body_seconds, body_farewell
        self.seconds, self.status = seconds, status
        self.check_seconds, self.knows = check_seconds, knows
        self.lock = threading.Lock()
        self.connections = set()
        self.resets = 0
        self.requests = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                sock, (peer, _) = self.listener.accept()
            except OSError:
                return
            with self.lock:
                there = sum(1 for connection in self.connections if connection.peer == peer)
                is_too_many = self.connections_max is not None and there >= self.connections_max
                connection = Connection(self, sock, peer)
                if is_too_many:
                    self.resets += 1
                else:
                    self.connections.add(connection)
            if is_too_many:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=connection.serve, daemon=True).start()

    def begin(self, request):
        with self.lock:
            self.requests.append(request)

    def leave(self, connection):
        with self.lock:
            self.connections.discard(connection)

    def answer(self, request):
        headers = []
        if self.says_idle:
            headers = [b"Connection: keep-alive", b"Keep-Alive: timeout=%d" % self.idle_seconds]
        if not request.is_message:
            time.sleep(self.check_seconds)
            if not self.knows(request.key):
                return response(401, b'{"error":"no"}', headers)
            return response(200, b'{"emails":[],"total":0}', headers)
        if self.seconds:
            time.sleep(self.seconds(request))
        status = self.status(request) if self.status else 202
        if status != 202:
            return response(status, b'{"error":"no"}', headers)
        return response(202, ACCEPTED % len(self.requests), headers)

    def messages(self, key=None):
        """Messages that were begun, of one key or of all."""
        with self.lock:
            return [r for r in self.requests if r.is_message and key in (None, r.key)]

    def message_bytes(self):
        return sum(request.body_bytes for request in self.messages())

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self.lock:
            open_connections = list(self.connections)
        for connection in open_connections:
            try:
                connection.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Line:
    """A line of so many seconds in each direction to a port of this host. Ends of connections
    travel as long as bytes do."""

    def __init__(self, port, seconds):
        self.target, self.seconds = port, seconds
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
        self.port = self.listener.getsockname()[1]
        self.loop = asyncio.new_event_loop()
        threading.Thread(
            target=self.loop.run_until_complete, args=(self.run(),), daemon=True).start()

    async def run(self):
        self.is_over = asyncio.Event()
        server = await asyncio.start_server(self.carry, sock=self.listener)
        await self.is_over.wait()
        server.close()

    async def carry(self, near_reader, near_writer):
        await asyncio.sleep(self.seconds)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self.pump(near_reader, far_writer), self.pump(far_reader, near_writer))
        near_writer.close()
        far_writer.close()

    async def pump(self, reader, writer):
        """Pieces leave in order, each so many seconds after it came; None is the end."""
        pieces = asyncio.Queue()
        sender = asyncio.ensure_future(self.send(pieces, writer))
        piece = b"-"
        while piece:
            try:
                piece = await reader.read(65_536)
            except OSError:
                # A reset travels as a reset.
                piece = b""
                pieces.put_nowait((self.loop.time(), None))
                break
            pieces.put_nowait((self.loop.time(), piece))
        await sender

    async def send(self, pieces, writer):
        while True:
            came, piece = await pieces.get()
            await asyncio.sleep(came + self.seconds - self.loop.time())
            try:
                if piece is None:
                    return writer.transport.abort()
                if not piece:
                    return writer.write_eof()
                writer.write(piece)
            except OSError:
                return None

    def close(self):
        self.loop.call_soon_threadsafe(self.is_over.set)
