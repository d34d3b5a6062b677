"""One front end between a relay and a sandbox, and all rows over one version of HTTP:
`case.py FRONT HTTP [ROW…]`, in network and process namespaces of its own (run.py makes them).

Relay and clients are on one side of a line with a delay (line.py), front end and sandbox on the
other. Each row prints one line of JSON: its name, whether it holds, and what was seen.
"""

import asyncio
import json
import os
import pathlib
import random
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "EndToEnd"))

import harness  # noqa: E402
import senders  # noqa: E402
from fronts import API_PORT, PORT  # noqa: E402
from line import FRONT  # noqa: E402
from rows import ROWS  # noqa: E402
from servers import ALL  # noqa: E402

DELAY_MILLISECONDS = 20


def known_flags():
    return subprocess.run(
        [harness.BINARY, "--help"], capture_output=True, text=True, check=True).stdout


class Case:
    """A relay, a front end, a sandbox, the line between them, and the book."""

    def __init__(self, front, http):
        self.http = http
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        self.line = subprocess.Popen(
            [sys.executable, pathlib.Path(__file__).parent / "line.py", str(DELAY_MILLISECONDS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.line.stdout.readline() != b"ready\n":
            raise AssertionError("the line did not come up")
        self.enter = ["nsenter", f"--net=/proc/{self.line.pid}/ns/net"]
        folder = harness.temporary_folder("front")
        os.chmod(folder, 0o755)
        self.certificate = os.path.join(folder, "certificate.pem")
        key = self.make_certificate(folder)
        self.store = harness.temporary_folder("store")
        self.api = None
        self.start_api()
        self.front = self.make_front(front, folder, self.certificate, key, self.enter)
        self.front.start()
        self.wait_for_front()
        self.random = random.Random(f"{front} {http}")
        self.start_relay()

    def make_front(self, name, *arguments):
        return ALL[name](*arguments)

    def make_certificate(self, folder):
        key = os.path.join(folder, "key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            + ["-nodes", "-days", "2", "-subj", "/CN=api", "-addext", f"subjectAltName=IP:{FRONT}"]
            + ["-keyout", key, "-out", self.certificate], check=True, capture_output=True)
        os.chmod(key, 0o644)
        return key

    def rows(self):
        """The names of the rows that apply."""
        return [row.__name__ for row in ROWS if row.__name__ not in self.front.without]

    def set_delay(self, milliseconds):
        """Of each direction."""
        self.line.stdin.write(b"%d\n" % milliseconds)
        self.line.stdin.flush()

    def start_api(self):
        self.api = harness.Process(
            "sandbox", ["sandbox", "--listen", f"127.0.0.1:{API_PORT}", "--store", self.store]
            + ["--log-format", "json", "--log-level", "warning"], wrapper=self.enter)
        self.wait_for(f"http://127.0.0.1:{API_PORT}/sandbox/stats", "the sandbox")

    def get(self, path):
        """From the sandbox itself."""
        return json.loads(subprocess.run(
            [*self.enter, "curl", "-s", "-m", "20", f"http://127.0.0.1:{API_PORT}{path}"],
            check=True, capture_output=True).stdout)

    def wait_for(self, url, what, seconds=20):
        def answers():
            return subprocess.run(
                [*self.enter, "curl", "-s", "-m", "2", "-o", "/dev/null", "--cacert",
                 self.certificate, url]).returncode == 0
        harness.wait_until(answers, seconds, what)

    def ask_front(self):
        """The check of a key, past the relay; whatever the answer is."""
        subprocess.run(
            ["curl", "-s", "-m", "30", "-o", "/dev/null", "--cacert", self.certificate, "-H",
             "Authorization: Bearer ps_test_past", f"https://{FRONT}:{PORT}/v1/emails?limit=1"])

    def key(self, behaviour):
        """A key of its own that makes the sandbox do this."""
        return harness.new_key(behaviour)

    def wait_for_front(self):
        try:
            self.wait_for(f"https://{FRONT}:{PORT}/", "the front end", self.front.ready_seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.front.said()}") from None

    def start_relay(self, http=None):
        """A fresh one, which knows nothing of the front end. It speaks `http` instead of the case's
        version."""
        self.relay_http = http or self.http
        flags = ["--api-http", self.relay_http] if "--api-http" in known_flags() else []
        # Over HTTP/2 a loop has one connection, and only what it sends first after an idle time can
        # cross the front end's end of it.
        flags += ["--loops", "8" if self.relay_http == "2" else "1"]
        self.relay = harness.Relay(
            "--api-ca", self.certificate, *flags, "--log-level", "info",
            "--max-handshakes-per-address", "1000000", "--max-handshakes-per-prefix", "1000000",
            "--max-message-size", "60MB", "--drain-timeout", "1s",
            api_url=f"https://{FRONT}:{PORT}")
        self.context = senders.context(self.relay.certificate)
        self.log_mark = 0

    def renew_relay(self, http=None):
        """One that has learnt nothing yet."""
        self.relay.stop()
        self.start_relay(http)

    def events(self):
        """What the relay has logged since the row began."""
        lines = self.relay.log[self.log_mark:].split(b"\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith(b"{")]

    def outcomes(self):
        """Outcome -> number of messages of the row, as the relay logged them. A thread of its own
        writes the log."""
        handed_over = sum(
            None not in (message.began, message.ended) for message in self.book.messages)
        end = time.monotonic() + 5
        while (sum(event["event"] == "message" for event in self.events()) < handed_over
               and time.monotonic() < end):
            time.sleep(0.1)
        found = {}
        for event in self.events():
            if event["event"] == "message":
                found[event["outcome"]] = found.get(event["outcome"], 0) + 1
        return found

    def run(self, row):
        self.book = senders.Book(self.store)
        for path in pathlib.Path(self.store).glob("*.json"):
            path.unlink()
        self.set_delay(DELAY_MILLISECONDS)
        if self.relay_http != self.http:
            self.renew_relay()
        self.log_mark = self.relay.log_path.stat().st_size
        start = time.monotonic()
        try:
            seen, faults = asyncio.run(row(self))
            lost, doubled = self.book.check()
            faults += [f"{len(lost)} lost: {lost[:3]}"] if lost else []
            faults += [f"{len(doubled)} doubled: {doubled[:3]}"] if doubled else []
        except Exception as error:  # noqa: BLE001 - the other rows still run
            seen, faults = "", [f"{type(error).__name__}: {error}"]
        reasons = sorted({
            f"{event['event']}: {event.get('reason', event.get('error', ''))}"
            for event in self.events()
            if event["event"] in (
                "api-uncertain", "api-not-sent", "api-foreign-answer", "login-unavailable")})
        print(json.dumps({
            "front": self.front.name, "http": self.http, "row": row.__name__, "seen": seen,
            "faults": faults, "reasons": reasons if faults else [],
            "outcomes": self.outcomes(), "seconds": round(time.monotonic() - start, 1)}), flush=True)

    def end(self):
        self.relay.stop()
        self.front.end()
        self.api.stop()
        self.line.kill()


def main():
    front, http, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    case = Case(front, http)
    # The row that keeps most connections comes last over HTTP/2, so that not all cases run it at once.
    for row in ROWS if http == "1.1" else ROWS[1:] + ROWS[:1]:
        if row.__name__ in case.rows() and row.__name__ in (names or case.rows()):
            case.run(row)
    case.end()


if __name__ == "__main__":
    main()
