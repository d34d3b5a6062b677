"""A small SMTP server at port 2525 of loopback: listener.py TRANSCRIPT [RULE...].

TRANSCRIPT gets each line of a client as "SESSION LINE", and a message's content as "SESSION content
SHA256". A rule VERB=REPLY, or LINE=REPLY for one exact line, replaces a reply; "." is the end of the
content. Further rules: extensions=A,B is what EHLO announces; tls=FILE has a certificate and its key
for TLS from the first byte; hold=SECONDS delays the reply to the content, and a line that has come
before that reply is marked "early".
"""

import hashlib
import itertools
import pathlib
import socketserver
import ssl
import sys
import time

TRANSCRIPT = pathlib.Path(sys.argv[1])
RULES = dict(rule.split("=", 1) for rule in sys.argv[2:])
REPLIES = {
    "EHLO": "\r\n".join(
        ["250-server.example.com"]
        + [f"250-{each}" for each in RULES.get("extensions", "PIPELINING,AUTH PLAIN").split(",")]
        + ["250 SIZE"]
    ),
    "DATA": "354 go on", "QUIT": "221 bye", "AUTH": "235 welcome", ".": "250 taken",
}  # fmt: skip
NUMBERS = itertools.count(1)


class Session(socketserver.StreamRequestHandler):
    def setup(self):
        if "tls" in RULES:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(RULES["tls"])
            self.request = context.wrap_socket(self.request, server_side=True)
        super().setup()
        self.number = next(NUMBERS)

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def note(self, text):
        with TRANSCRIPT.open("a") as transcript:
            transcript.write(f"{self.number} {text}\n")

    def handle(self):
        mark = ""
        self.say("220 server.example.com ESMTP")
        while line := self.rfile.readline().decode("latin-1").rstrip("\r\n"):
            self.note(mark + line)
            mark = ""
            verb = line.split(" ")[0].upper()
            reply = RULES.get(line) or RULES.get(verb) or REPLIES.get(verb, "250 fine")
            self.say(reply)
            if reply.startswith("354"):
                mark = self.content()
            if verb == "QUIT":
                return

    def content(self):
        """Reads a message and answers; the mark for the next line."""
        digest = hashlib.sha256()
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            digest.update(line)
        self.note(f"content {digest.hexdigest()}")
        mark = ""
        if "hold" in RULES:
            time.sleep(float(RULES["hold"]))
            self.connection.setblocking(False)
            mark = "early " if self.rfile.peek(1) else ""
            self.connection.setblocking(True)
        self.say(RULES.get(".", REPLIES["."]))
        return mark


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


with Server(("127.0.0.1", 2525), Session) as server:
    TRANSCRIPT.touch()
    server.serve_forever()
