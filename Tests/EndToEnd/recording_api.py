"""An API that keeps every byte that it receives, and reads HTTP by the letter of RFC 9112.

It has its own strict reader, not the relay's: what it cannot read to the last byte is recorded as a
fault. So it shows what an attacker could make a proxy in front of the real API see.
"""

import json
import re
import socket
import threading

HEAD_END = b"\r\n\r\n"


class Recorded:
    """One request: its head as bytes, and its body without framing."""

    def __init__(self, head, body):
        self.head = head
        self.body = body

    @property
    def method(self):
        return self.head.split(b" ", 1)[0].decode()


class RecordingAPI:
    """Answers every key check with `check_status`, as the API does, every send with 202."""

    def __init__(self, check_status=200):
        self.check_status = check_status
        self.requests = []
        self.faults = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()
        for connection in self.connections:
            connection.close()

    def count(self, method):
        with self.lock:
            return sum(request.method == method for request in self.requests)

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        reader = _Reader(connection)
        try:
            while True:
                request = reader.request()
                if request is None:
                    return
                with self.lock:
                    self.requests.append(request)
                    number = len(self.requests)
                if request.method == "GET":
                    good, refusal = {"emails": [], "total": 0}, {"error": "invalid API key"}
                    value = good if self.check_status < 300 else refusal
                    self._answer(connection, self.check_status, value)
                else:
                    answer = {"message_id": f"m{number}", "status": "queued"}
                    self._answer(connection, 202, answer)
        except _Fault as fault:
            with self.lock:
                self.faults.append(str(fault))
        except OSError:
            pass
        finally:
            connection.close()

    def _answer(self, connection, status, value):
        body = json.dumps(value).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.sendall(head + body)


class _Fault(Exception):
    pass


class _Reader:
    def __init__(self, connection):
        self.connection = connection
        self.bytes = b""

    def request(self):
        """The next request; None when the connection ends between requests, or inside a body (an
        upload that was given up)."""
        while HEAD_END not in self.bytes:
            if not self._more():
                if self.bytes:
                    raise _Fault(f"the end inside a head: {self.bytes[-200:]!r}")
                return None
        end = self.bytes.index(HEAD_END) + 4
        head, self.bytes = self.bytes[:end], self.bytes[end:]
        body = self._body(head)
        return None if body is None else Recorded(head, body)

    def _body(self, head):
        lengths = re.findall(rb"\r\nContent-Length: ([0-9]+)(?=\r\n)", head)
        is_chunked = head.count(b"\r\nTransfer-Encoding: chunked\r\n")
        if head.startswith(b"GET "):
            if lengths or is_chunked:
                raise _Fault(f"a GET with a body: {head!r}")
            return b""
        if len(lengths) + is_chunked != 1:
            raise _Fault(f"not one framing: {head!r}")
        return self._take(int(lengths[0])) if lengths else self._chunks()

    def _chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.bytes:
                if not self._more():
                    return None
            line, _, self.bytes = self.bytes.partition(b"\r\n")
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", line):
                raise _Fault(f"a chunk's size is {line[:100]!r}")
            piece = self._take(int(line, 16) + 2)
            if piece is None:
                return None
            if piece[-2:] != b"\r\n":
                raise _Fault(f"a chunk ends with {piece[-2:]!r}")
            if len(piece) == 2:
                return body
            body += piece[:-2]

    def _take(self, count):
        while len(self.bytes) < count:
            if not self._more():
                return None
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken

    def _more(self):
        try:
            piece = self.connection.recv(1 << 16)
        except OSError:
            return False
        self.bytes += piece
        return bool(piece)
