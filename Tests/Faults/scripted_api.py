"""An API server on raw sockets that does exactly what a test tells it, byte by byte.

Without a fault it behaves well: it answers key checks and messages with success, on keep-alive
connections. A *fault* is a function of a connection; armed, it takes over at the first byte of the
next POST (`on_post`), at the first byte of any request (`on_request`) or as soon as a connection is
accepted (`on_connect`), for as many times as the test asked for. The server counts what it has
read: requests that were begun and requests that were complete, each with its raw bytes.
"""

import socket
import struct
import threading

ACCEPTED = b'{"message_id":"m%d@api.test","status":"queued"}'


def answer(status=202, body=b'{"message_id":"m@api.test","status":"queued"}', headers=(),
           reason=b"X", version=b"HTTP/1.1"):
    """A well-formed response with Content-Length."""
    lines = [b"%s %d %s" % (version, status, reason), b"X-Request-ID: req-1", *headers,
             b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class Ended(Exception):
    """The relay has closed the connection."""


class Request:
    """One request as far as it was read."""

    def __init__(self):
        self.raw = bytearray()
        self.is_complete = False

    @property
    def is_post(self):
        return self.raw.startswith(b"P")

    @property
    def head_length(self):
        end = self.raw.find(b"\r\n\r\n")
        return len(self.raw) if end < 0 else end + 4

    @property
    def body(self):
        """The content, chunked framing taken off."""
        rest = bytes(self.raw[self.head_length:])
        if b"transfer-encoding: chunked" not in self.raw[:self.head_length].lower():
            return rest
        body = b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body += rest[:int(size, 16)]
            rest = rest[int(size, 16) + 2:]
        return body


class Connection:
    """One accepted connection, run by its own thread."""

    def __init__(self, api, sock, number):
        self.api = api
        self.socket = sock
        self.number = number
        self.request = None

    # The building blocks of faults.

    def read(self, count):
        """Exactly `count` further bytes of the request, noted with it."""
        data = b""
        while len(data) < count:
            try:
                piece = self.socket.recv(count - len(data))
            except OSError as error:
                raise Ended from error
            if not piece:
                raise Ended
            data += piece
            self.request.raw += piece
        return data

    def read_head(self):
        """Up to the blank line, not a byte more."""
        while not self.request.raw.endswith(b"\r\n\r\n"):
            self.read(1)

    def read_rest(self):
        """The rest of the request, which then counts as complete."""
        self.read_head()
        head = bytes(self.request.raw).lower()
        if b"transfer-encoding: chunked" in head:
            return self.read_chunks()
        if b"content-length: " in head:
            self.read(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        self.complete()

    def read_chunks(self):
        """Up to the last chunk; the request then counts as complete."""
        while self.read_chunk():
            pass
        self.complete()

    def read_chunk(self):
        """One chunk; false for the last."""
        line = b""
        while not line.endswith(b"\r\n"):
            line += self.read(1)
        size = int(line, 16)
        self.read(size + 2)
        return size > 0

    def complete(self):
        self.request.is_complete = True

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Ended from error

    def end_sending(self):
        """FIN, and nothing else."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        """As `close(2)`: FIN, or a reset when unread bytes are left."""
        try:
            self.socket.close()
        except OSError:
            pass

    def reset(self):
        """A reset, whatever is unread or unsent."""
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        self.close()

    def reset_from_outside(self):
        """The same while its thread reads: the reset is sent when that thread lets go of the
        socket."""
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.socket.shutdown(socket.SHUT_RD)
        except OSError:
            pass

    def wait_for_end(self, seconds=20):
        """Reads and discards until the relay has closed; these bytes are not counted."""
        try:
            self.socket.settimeout(seconds)
            while self.socket.recv(65536):
                pass
        except OSError:
            pass

    # The well-behaved server.

    def serve(self):
        try:
            fault = self.api.take_fault("connect")
            if fault:
                return fault(self)
            if self.api.tls is not None:
                self.socket = self.api.tls.wrap_socket(self.socket, server_side=True)
            while True:
                self.serve_request()
        except (Ended, OSError):
            pass
        finally:
            self.close()
            self.api.leave(self)

    def serve_request(self):
        self.request = Request()
        first = self.read(1)
        fault = self.api.begin(self.request)
        if fault:
            fault(self)
            if self.socket.fileno() < 0:
                raise Ended
            return
        self.read_rest()
        self.accept(is_post=first == b"P")

    def accept(self, is_post=True):
        """The answer that this request deserves."""
        if is_post:
            self.send(answer(body=ACCEPTED % self.api.next_message_number()))
        else:
            self.send(answer(200, b'{"emails":[],"total":0}'))


class ScriptedAPI:
    """The server; `close` ends it and all its threads."""

    def __init__(self, tls=None, addresses=("127.0.0.1",), port=0):
        self.tls = tls
        self.lock = threading.Lock()
        self.connections = set()
        self.accepted_connections = 0
        self.requests = []
        self.messages = 0
        self.faults = {"connect": [None, 0], "request": [None, 0], "post": [None, 0]}
        self.listeners = []
        for address in addresses:
            listener = socket.create_server((address, port), backlog=512)
            port = listener.getsockname()[1]
            self.listeners.append(listener)
            threading.Thread(target=self.run, args=(listener,), daemon=True).start()
        self.port = port

    def run(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                connection = Connection(self, sock, self.accepted_connections)
                self.accepted_connections += 1
                self.connections.add(connection)
            threading.Thread(target=connection.serve, daemon=True).start()

    # Set by the test.

    def on_connect(self, fault, times=10**9):
        self.faults["connect"] = [fault, times]

    def on_request(self, fault, times=10**9):
        self.faults["request"] = [fault, times]

    def on_post(self, fault, times=1):
        self.faults["post"] = [fault, times]

    def calm(self):
        """No faults any more."""
        for fault in self.faults.values():
            fault[:] = [None, 0]

    def forget(self):
        with self.lock:
            self.requests = []

    def hang_up(self):
        """Closes every connection, as a restarted server does."""
        with self.lock:
            open_connections = list(self.connections)
        for connection in open_connections:
            connection.end_sending()
            try:
                connection.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop_listening(self):
        for listener in self.listeners:
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()

    def close(self):
        self.stop_listening()
        self.hang_up()

    # Seen by the test.

    def posts(self):
        """The messages that were begun, complete ones and others."""
        with self.lock:
            return [request for request in self.requests if request.is_post]

    def complete_posts(self):
        return [request for request in self.posts() if request.is_complete]

    # For the connections.

    def take_fault(self, kind):
        with self.lock:
            fault = self.faults[kind]
            if fault[0] is None or fault[1] == 0:
                return None
            fault[1] -= 1
            return fault[0]

    def begin(self, request):
        with self.lock:
            self.requests.append(request)
        return (request.is_post and self.take_fault("post")) or self.take_fault("request")

    def leave(self, connection):
        with self.lock:
            self.connections.discard(connection)

    def next_message_number(self):
        with self.lock:
            self.messages += 1
            return self.messages
