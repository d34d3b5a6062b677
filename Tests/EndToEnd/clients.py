"""The two ends that a test plays: an SMTP client of raw bytes, and a reader of the sandbox."""

import base64
import http.client
import json
import urllib.parse


class SandboxClient:
    """Looks at what a sandbox has accepted, through its test access."""

    def __init__(self, port):
        self.port = port

    def request(self, method, path, body=None, headers=None):
        """(status, headers, body) of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def get(self, path):
        status, _, body = self.request("GET", path)
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {body[:200]!r}")
        return body

    def list(self):
        return json.loads(self.get("/sandbox/messages"))["messages"]

    def stats(self):
        return json.loads(self.get("/sandbox/stats"))

    def clear(self):
        self.request("DELETE", "/sandbox/messages")

    def message(self, message_id):
        """The request as the API received it."""
        return json.loads(self.get(f"/sandbox/messages/{urllib.parse.quote(message_id)}"))

    def attachment(self, message_id, number):
        quoted = urllib.parse.quote(message_id)
        return self.get(f"/sandbox/messages/{quoted}/attachments/{number}")

    def only_message(self):
        """The one message there is."""
        found = self.list()
        if len(found) != 1:
            raise AssertionError(f"{len(found)} messages at the sandbox, expected 1")
        return self.message(found[0]["message_id"])


class RawClient:
    """Sends bytes to a server and returns whole replies."""

    def __init__(self, sock):
        self.socket = sock
        self.file = sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        """One line without its line end; empty at the end of the connection."""
        return self.file.readline().rstrip(b"\r\n").decode("ascii")

    def reply(self):
        """One reply, the lines of a longer one joined by line feeds."""
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return "\n".join(lines)

    def replies(self, count):
        return [self.reply() for _ in range(count)]

    def ask(self, command):
        self.send(command + b"\r\n")
        return self.reply()

    def log_in(self, key):
        self.reply()
        self.ask(b"EHLO client.test")
        answer = self.ask(b"AUTH PLAIN " + base64.b64encode(f"\0postscale\0{key}".encode()))
        if not answer.startswith("235 "):
            raise AssertionError(answer)
