"""Clients that send messages through the relay, and the book in which each message stands.

Every message has a subject of its own. A client notes the reply to it; what the API has accepted
lies in the folder of the sandbox. `Book.check` compares the two: a message with 250 is there once,
under the id that the 250 named, and nothing is there twice. Clients never send anything again, so
a second copy is the relay's, or something's between it and the API.
"""

import asyncio
import base64
import itertools
import json
import pathlib
import ssl
import time

import harness

# Longer than --api-timeout.
PATIENCE_SECONDS = 70
LINE = b"0123456789" * 7 + b"\r\n"


class Message:
    """What a client has sent, and what it heard."""

    def __init__(self, subject):
        self.subject, self.reply, self.seconds = subject, None, None
        # When its content went out, and when it was answered.
        self.began = self.ended = None

    @property
    def is_accepted(self):
        return bool(self.reply) and self.reply.startswith("250 ")


class Client:
    """A session of the relay."""

    def __init__(self, case, key=None):
        self.case, self.key = case, key or harness.new_key()
        self.reader = self.writer = None

    async def __aenter__(self):
        answer = await self.connect()
        if not answer.startswith("235 "):
            self.leave()
            raise AssertionError(f"login: {answer}")
        return self

    async def __aexit__(self, *_):
        self.leave()

    async def connect(self):
        """Returns the reply to AUTH."""
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self.case.relay.tls_port, ssl=self.case.context,
            server_hostname="localhost", limit=262_144)
        await self.reply()
        plain = base64.b64encode(f"\0postscale\0{self.key}".encode())
        self.writer.write(b"EHLO client.test\r\nAUTH PLAIN " + plain + b"\r\n")
        await self.reply()
        return await self.reply()

    def leave(self):
        if self.writer:
            self.writer.close()

    async def reply(self):
        while True:
            line = await asyncio.wait_for(self.reader.readline(), PATIENCE_SECONDS)
            if line[3:4] != b"-":
                return line.decode().rstrip()

    async def begin(self, message, to="b@example.com"):
        """The reply that is no success, or None: then the content may be sent."""
        self.writer.write(
            b"MAIL FROM:<a@yourdomain.com>\r\nRCPT TO:<%s>\r\nDATA\r\n" % to.encode())
        replies = [await self.reply() for _ in range(3)]
        refused = [reply for reply in replies if reply[:3] not in ("250", "354")]
        if refused:
            return refused[0]
        message.began = time.monotonic()
        self.writer.write(
            b"From: a@yourdomain.com\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: <%s@client.test>\r\n"
            % (to.encode(), message.subject.encode(), message.subject.encode()))
        return None

    async def send(self, text=b"\r\n" + LINE, to="b@example.com"):
        """A message whose further lines are `text`, at once or in pieces; the result is in the
        book. A piece that is a number is a pause of so many seconds."""
        message = self.case.book.message()
        start = time.monotonic()
        try:
            message.reply = await self.begin(message, to)
            if message.reply is None:
                for piece in [text] if isinstance(text, bytes) else text:
                    if isinstance(piece, bytes):
                        self.writer.write(piece)
                        await self.writer.drain()
                    else:
                        await asyncio.sleep(piece)
                dot = time.monotonic()
                self.writer.write(b".\r\n")
                message.reply = await self.reply() or "closed"
                message.seconds = time.monotonic() - dot
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            message.reply = f"no reply: {type(error).__name__}"
        message.ended = time.monotonic()
        if message.seconds is None:
            message.seconds = message.ended - start
        return message


async def send_on(case, until, gap=0, key=None):
    """Sends one message after the other until `until()`, with a new session after one that ended."""
    client = Client(case, key)
    try:
        while not until():
            try:
                if client.writer is None:
                    answer = await client.connect()
                    if not answer.startswith("235"):
                        case.book.logins.append(answer)
                        client.leave()
                        client.writer = None
                        await asyncio.sleep(0.2)
                        continue
                message = await client.send()
                if not message.reply[:3].isdigit() or message.reply.startswith("421"):
                    client.leave()
                    client.writer = None
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                case.book.logins.append(type(error).__name__)
                client.writer = None
            await asyncio.sleep(gap)
    finally:
        client.leave()


def attachments(size):
    """Lines of a message with two attachments of so many bytes together, in base64."""
    half = base64.encodebytes(bytes(range(256)) * (size * 57 // 78 // 512)).replace(b"\n", b"\r\n")
    yield b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    yield b"--b\r\n\r\ntext\r\n"
    for name in (b"one", b"two"):
        yield (b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64"
               b"\r\nContent-Disposition: attachment; filename=%s.bin\r\n\r\n" % name)
        for start in range(0, len(half), 1_048_576):
            yield half[start:start + 1_048_576]
    yield b"--b--\r\n"


class Book:
    """All messages of a case, and what the API has of them."""

    def __init__(self, store):
        self.store = pathlib.Path(store)
        self.numbers = itertools.count(1)
        self.messages, self.logins = [], []

    def message(self):
        message = Message(f"message-{next(self.numbers):06d}")
        self.messages.append(message)
        return message

    def accepted_by_api(self):
        """Subject -> ids."""
        found = {}
        for path in self.store.glob("*.json"):
            subject = json.loads(path.read_bytes())["subject"]
            found.setdefault(subject, []).append(path.stem)
        return found

    def check(self):
        """(lost, doubled): subjects with 250 that the API does not have under that id, and those it
        has more than once."""
        at_api = self.accepted_by_api()
        lost = [
            message.subject for message in self.messages if message.is_accepted
            and message.reply.removeprefix("250 Ok: queued as ")
            not in at_api.get(message.subject, [])]
        doubled = [subject for subject, ids in at_api.items() if len(ids) > 1]
        return lost, doubled


def context(certificate):
    return ssl.create_default_context(cafile=certificate)
