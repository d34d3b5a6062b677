"""The limits of each front end as it comes, for the table of docs/api-fronts.md: `limits.py FRONT…`
prints a row for each, and takes as long as the longest idle limit (five minutes).

For each: after how long it closes an idle connection, how many requests one may carry, the largest
head and body that it passes on, what becomes of an upload that its client gives up, and of an interim
answer of the API, how long an upload may pause and an answer may take; over HTTP/1.1 and HTTP/2. The API
is one that takes everything, in this file too.

    limits.py FRONT…            all of it
    limits.py of FRONT          one front end, in namespaces of its own
    limits.py api PORT FILE     the API; writes into the file what became of each upload
"""

import asyncio
import concurrent.futures
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "EndToEnd"))

from fronts import API_PORT, FRONTS, PORT  # noqa: E402
from line import FRONT  # noqa: E402
from servers import ALL  # noqa: E402

IDLE_SECONDS_MAX = 320
ANSWER_SECONDS_MAX = 20
# Of an upload's pause and of the API's answer: more than the relay waits for an answer.
PATIENCE_SECONDS = 55
REQUESTS_MAX = 12_000
HEAD_KILOBYTES = (1, 2, 4, 7, 8, 12, 14, 16, 24, 32, 48, 64, 96, 128, 256)
BODY_MEGABYTES = (1, 2, 8, 16, 32, 48, 80)


# The API.


class Ended(Exception):
    """The client has ended a request before its end."""


async def read_body(reader, head):
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
    left = int(length[1]) if length else 0
    if re.search(rb"\r\ntransfer-encoding: *chunked", head, re.I):
        while True:
            size = int((await reader.readline()).split(b";")[0] or b"x", 16)
            await reader.readexactly(size + 2)
            if size == 0:
                return
    while left:
        piece = await reader.read(min(left, 1_048_576))
        if not piece:
            raise Ended
        left -= len(piece)


async def serve(report, reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            given_up = re.search(rb" /given-up/(\S*)", head.split(b"\r\n")[0])
            try:
                await read_body(reader, head)
                word = "completed"
            except (Ended, asyncio.IncompleteReadError, ConnectionError, ValueError):
                word = "broken off"
            if given_up:
                report.write(f"{given_up[1].decode()}: {word}\n")
                report.flush()
            if word == "broken off":
                return
            if b" /103" in head.split(b"\r\n")[0]:
                writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
                await asyncio.sleep(0.1)
            if b" /late" in head.split(b"\r\n")[0]:
                await asyncio.sleep(PATIENCE_SECONDS)
            writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
                         b"Content-Length: 2\r\n\r\n{}")
            await writer.drain()
            if b"\r\nconnection: close" in head.lower():
                return
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


async def api(port, path):
    with open(path, "a") as report:
        server = await asyncio.start_server(
            lambda reader, writer: serve(report, reader, writer), "127.0.0.1", port,
            limit=4 * 1_048_576)
        await server.serve_forever()


# Clients of one connection: `request` returns a status, or 0 when the connection ended without one;
# `is_ended` says that the front end wants no more requests on it.


class HTTP1:
    alpn = "http/1.1"
    streams = 1

    def __init__(self, sock):
        self.socket, self.file, self.is_ended = sock, sock.makefile("rb"), False

    def begin(self, path, length=None, header_bytes=0, body=b""):
        framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        head = (f"POST {path} HTTP/1.1\r\nHost: {FRONT}:{PORT}\r\nAuthorization: Bearer "
                f"{'k' * header_bytes}\r\nConnection: keep-alive\r\n{framing}\r\n\r\n")
        self.socket.sendall(head.encode() + body)

    def request(self, path="/", header_bytes=8, body=b""):
        try:
            self.begin(path, len(body), header_bytes, body)
        except OSError:
            pass
        try:
            return self.answer()
        except (OSError, ValueError):
            self.is_ended = True
            return 0

    def answer(self):
        status = 100
        while status < 200:
            status = int(self.file.readline().split()[1:2][0]) if self.file.peek(1) else int("x")
            length, lines = 0, []
            while (line := self.file.readline().strip().lower()) != b"":
                lines.append(line)
                if line.startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
        self.file.read(length)
        self.hint = next((line.decode() for line in lines if line.startswith(b"keep-alive:")), "")
        self.is_ended = b"connection: close" in lines
        return status

    def give_up(self):
        self.begin(f"/given-up/{self.alpn}", body=b"".join(b"10000\r\n" + b"x" * 65_536 + b"\r\n" for _ in range(16)))

    def pause(self):
        """Seconds until the front end ends an upload that pauses, and its status."""
        self.begin("/", length=2, body=b"x")
        start = time.monotonic()
        self.socket.settimeout(PATIENCE_SECONDS)
        try:
            answer = self.socket.recv(65_536)
            return time.monotonic() - start, int((answer.split() + [b"", b"0"])[1] or 0)
        except TimeoutError:
            self.socket.settimeout(ANSWER_SECONDS_MAX)
        except OSError:
            return time.monotonic() - start, 0
        self.socket.sendall(b"x")
        return time.monotonic() - start, int((self.socket.recv(65_536).split() + [b"", b"0"])[1] or 0)

    def close(self):
        self.file.close()
        self.socket.close()

    def wait_for_end(self):
        self.socket.settimeout(IDLE_SECONDS_MAX)
        try:
            while self.file.read(1):
                pass
        except OSError:
            pass


class HTTP2:
    alpn = "h2"

    def __init__(self, sock):
        import h2.connection
        import h2.events

        self.events, self.socket = h2.events, sock
        self.connection = h2.connection.H2Connection()
        self.connection.initiate_connection()
        self.stream, self.is_ended, self.hint, self.patience = -1, False, "", ANSWER_SECONDS_MAX
        self.flush()

    def flush(self):
        self.socket.sendall(self.connection.data_to_send())

    def begin(self, path, header_bytes, length=None):
        self.stream += 2
        framing = [] if length is None else [("content-length", str(length))]
        self.connection.send_headers(self.stream, [
            (":method", "POST"), (":scheme", "https"), (":authority", f"{FRONT}:{PORT}"), (":path", path),
            ("authorization", "Bearer " + "k" * header_bytes), *framing], end_stream=length == 0)
        self.flush()

    def request(self, path="/", header_bytes=8, body=b""):
        try:
            self.begin(path, header_bytes, len(body))
            return self.answer(body)
        except Exception:  # noqa: BLE001 - whatever ends the connection
            self.is_ended = True
            return 0

    def answer(self, body):
        status, sent, end = None, 0, time.monotonic() + self.patience
        while time.monotonic() < end:
            while sent < len(body):
                room = min(self.connection.local_flow_control_window(self.stream), 16_384)
                if room <= 0:
                    break
                piece = body[sent:sent + room]
                sent += len(piece)
                self.connection.send_data(self.stream, piece, end_stream=sent == len(body))
                self.flush()
            piece = self.socket.recv(65_536)
            if not piece:
                return 0
            for event in self.connection.receive_data(piece):
                if isinstance(event, self.events.ResponseReceived):
                    status = int(dict(event.headers)[b":status"])
                elif isinstance(event, self.events.DataReceived):
                    self.connection.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id)
                elif isinstance(event, self.events.ConnectionTerminated):
                    self.is_ended = True
                elif isinstance(event, self.events.StreamReset):
                    return status or 0
                elif isinstance(event, self.events.StreamEnded):
                    self.flush()
                    return status
            self.flush()
        return 0

    def give_up(self):
        self.begin(f"/given-up/{self.alpn}", 8)
        for _ in range(3):
            self.connection.send_data(self.stream, b"x" * 16_384)
        self.flush()
        time.sleep(0.5)
        self.connection.reset_stream(self.stream, 8)
        self.flush()

    def pause(self):
        """As over HTTP/1.1."""
        self.begin("/", 8, 2)
        self.connection.send_data(self.stream, b"x")
        self.flush()
        start = time.monotonic()
        try:
            while (left := start + PATIENCE_SECONDS - time.monotonic()) > 0:
                self.socket.settimeout(left)
                piece = self.socket.recv(65_536)
                for event in self.connection.receive_data(piece):
                    if isinstance(event, self.events.ResponseReceived):
                        return time.monotonic() - start, int(dict(event.headers)[b":status"])
                    if isinstance(event, (self.events.StreamReset, self.events.ConnectionTerminated)):
                        return time.monotonic() - start, 0
                if not piece:
                    return time.monotonic() - start, 0
                self.flush()
        except TimeoutError:
            pass
        except Exception:  # noqa: BLE001 - whatever ends the connection
            return time.monotonic() - start, 0
        seconds = time.monotonic() - start
        self.socket.settimeout(ANSWER_SECONDS_MAX)
        return seconds, self.answer(b"x")

    @property
    def streams(self):
        """How many the front end allows at once; it has said so with its first answer."""
        return self.connection.remote_settings.max_concurrent_streams

    def close(self):
        self.socket.close()

    def wait_for_end(self):
        """Until GOAWAY or the end."""
        self.socket.settimeout(IDLE_SECONDS_MAX)
        try:
            while piece := self.socket.recv(65_536):
                for event in self.connection.receive_data(piece):
                    if isinstance(event, self.events.ConnectionTerminated):
                        return
                self.flush()
        except OSError:
            pass


def connect(kind):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([kind.alpn])
    plain = socket.create_connection((FRONT, PORT), timeout=ANSWER_SECONDS_MAX)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock = context.wrap_socket(plain)
    if sock.selected_alpn_protocol() not in (kind.alpn, None):
        raise AssertionError(f"ALPN chose {sock.selected_alpn_protocol()}")
    return kind(sock)


def largest(sizes, passes):
    """The largest size that passes, or None."""
    found = None
    for size in sizes:
        if not passes(size):
            break
        found = size
    return found


def size(number, unit, sizes):
    if number is None:
        return f"less than {sizes[0]} {unit}"
    return f"{number} {unit}" + (" or more" if number == sizes[-1] else "")


def ended(seconds, status):
    """What became of a pause or of a late answer."""
    return "borne" if status == 202 else f"{status or 'ended'} after {seconds:.1f} s"


def late_answer(kind):
    client = connect(kind)
    client.patience = PATIENCE_SECONDS + ANSWER_SECONDS_MAX
    client.socket.settimeout(client.patience)
    start = time.monotonic()
    status = client.request("/late")
    return ended(time.monotonic() - start, status)


def idle_limit(kind):
    client = connect(kind)
    client.request()
    start = time.monotonic()
    client.wait_for_end()
    seconds = time.monotonic() - start
    return f"{seconds:.1f} s" if seconds < IDLE_SECONDS_MAX - 1 else f"over {IDLE_SECONDS_MAX} s"


def measure(kind, report):
    """{what: text} over one version of HTTP."""
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        waits = {
            "idle": pool.submit(idle_limit, kind), "answer": pool.submit(late_answer, kind),
            "pause": pool.submit(lambda: ended(*connect(kind).pause()))}
        found = measure_others(kind, report)
        return found | {what: each.result() for what, each in waits.items()}


def measure_others(kind, report):
    """All that is no matter of waiting."""
    found = {}
    client = connect(kind)
    found["status"] = client.request()
    found["hint"] = client.hint
    found["streams"] = client.streams
    client = connect(kind)
    count = 0
    while count < REQUESTS_MAX and client.request() == 202:
        count += 1
        if client.is_ended:
            break
    found["requests"] = count if count < REQUESTS_MAX else f"over {REQUESTS_MAX}"
    head = largest(HEAD_KILOBYTES, lambda size: connect(kind).request(header_bytes=size << 10) == 202)
    found["head"] = size(head, "KB", HEAD_KILOBYTES)
    body = largest(BODY_MEGABYTES, lambda size: connect(kind).request(body=bytes(size << 20)) == 202)
    found["body"] = size(body, "MB", BODY_MEGABYTES)
    client = connect(kind)
    client.give_up()
    time.sleep(1)
    client.close()
    time.sleep(2)
    ends = [line for line in pathlib.Path(report).read_text().splitlines()
            if line.startswith(kind.alpn)]
    found["given up"] = ", ".join(line.split(": ")[1] for line in ends) or "never seen"
    found["103"] = connect(kind).request("/103")
    return found


def of(name):
    """One front end; prints its row."""
    import case

    class Place(case.Case):
        """A case without a relay, with an API that takes everything."""

        def start_api(self):
            self.report = os.path.join(self.store, "report")
            pathlib.Path(self.report).touch()
            self.api = subprocess.Popen(
                [*self.enter, sys.executable, __file__, "api", str(API_PORT), self.report])
            self.wait_for(f"http://127.0.0.1:{API_PORT}/", "the API")

        def make_front(self, name, *arguments):
            return ALL[name](*arguments, is_default=True)

        def start_relay(self):
            self.set_delay(0)

    place = Place(name, "")
    versions = ALL[name].versions
    kinds = [{"1.1": HTTP1, "2": HTTP2}[version] for version in versions]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        of_versions = list(pool.map(lambda kind: measure(kind, place.report), kinds))
    place.front.end()
    place.api.kill()
    place.line.kill()
    for version, found in zip(versions, of_versions):
        words = "; ".join(f"{what} {value}" for what, value in found.items())
        print(f"{name} {version}: {words}", flush=True)


def main():
    if sys.argv[1:2] == ["api"]:
        return asyncio.run(api(int(sys.argv[2]), sys.argv[3]))
    if sys.argv[1:2] == ["of"]:
        return of(sys.argv[2])
    import run

    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("AT_A_TIME", len(FRONTS)))) as pool:
        done = list(pool.map(lambda name: subprocess.run(
            [*run.ALONE, sys.executable, __file__, "of", name], timeout=1_000),
            sys.argv[1:] or list(FRONTS)))
    sys.exit(any(each.returncode for each in done))


if __name__ == "__main__":
    main()
