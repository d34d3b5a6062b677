"""A long run under everything at once: `soak.py MINUTES`.

Steady clients send messages that the API accepts; others meet every fault that the sandbox has a
key for; some send slowly, some reset their connection in the middle of a message. Memory and
descriptors of the relay are read every ten seconds. At the end all clients leave. Then every
message for which a steady client got 250 must be at the API, whole and once; the descriptors must
be as many as at the beginning; and the memory of the second half may exceed that of the first by at
most `GROWTH_KILOBYTES`.
"""

import os
import random
import socket
import struct
import sys
import threading
import time

import faults  # noqa: F401 - finds the harness
import harness
import load

STEADY = 6
FAULTS = ["down", "gateway", "invalid", "conflict", "garbage", "reset", "hang", "closing", "limited",
          "toolarge", "slow", "revoked", "revoked_later", "auth_down", "auth_hang", "forbidden"]
SLOW = 60
VANISHING = 4
GROWTH_KILOBYTES = 3_000


class Crowd:
    """Threads that misbehave again and again until the end, each a method of this class."""

    def __init__(self, relay, seconds):
        self.relay, self.end = relay, time.monotonic() + seconds
        self.counts = {}
        self.lock = threading.Lock()
        self.threads = []

    def start(self, behave, *arguments):
        def run():
            while time.monotonic() < self.end:
                try:
                    what = behave(*arguments)
                except (OSError, AssertionError):
                    what = "connections that the relay ended"
                with self.lock:
                    self.counts[what] = self.counts.get(what, 0) + 1
                time.sleep(random.uniform(0.2, 1))

        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()

    def fault(self, name):
        """A message with a key for which something goes wrong; the login may fail too."""
        with self.relay.raw() as client:
            client.log_in(harness.new_key(name))
            sender = load.Sender(self.relay, "", name)
            reply = sender.send_one(client, "fault", random.choice(["small", "large"]))
            return f"{name}: {reply[:3]}"

    def slow(self):
        """A byte now and then, from the first of the handshake or of a message on."""
        if random.random() < 0.5:
            with socket.create_connection(("127.0.0.1", self.relay.tls_port), 90) as plain:
                return self.trickle(plain.send, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 9)
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            for command in (b"MAIL FROM:<a@yourdomain.com>", b"RCPT TO:<b@example.com>", b"DATA"):
                client.ask(command)
            return self.trickle(client.send, b"Subject: slow\r\n\r\n" + b"x" * 1_000)

    def trickle(self, send, text):
        for index in range(len(text)):
            if time.monotonic() > self.end:
                return "slow ones at the end"
            send(text[index:index + 1])
            time.sleep(random.uniform(1, 8))
        return "slow ones that came through"

    def vanish(self):
        """Resets its connection in the middle of a message."""
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            for command in (b"MAIL FROM:<a@yourdomain.com>", b"RCPT TO:<b@example.com>", b"DATA"):
                client.ask(command)
            client.send(b"Subject: gone\r\n\r\n" + load.LINE * random.choice([10, 1_000, 8_000]))
            client.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return "vanished in a message"

    def join(self):
        for thread in self.threads:
            thread.join(120)


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def watch(relay, minutes):
    """(seconds, kilobytes, descriptors) every ten seconds; prints one line per minute."""
    samples, start = [], time.monotonic()
    while time.monotonic() - start < minutes * 60:
        time.sleep(10)
        samples.append((time.monotonic() - start, load.pss_kilobytes(relay.process),
                        descriptors(relay.process)))
        if len(samples) % 6 == 0:
            print("%4.0f s  %6d kB  %3d descriptors" % samples[-1], flush=True)
    return samples


def median(values):
    return sorted(values)[len(values) // 2]


def main():
    minutes = float(sys.argv[1])
    sandbox = harness.Sandbox()
    # All clients have one address, which would be refused for its failed logins; the steady ones
    # stay during the whole run.
    limits = ["--session-timeout", "24h", "--max-failed-logins-per-address", "1000000",
              "--max-failed-logins-per-prefix", "1000000"]
    relay = harness.Relay("--api-timeout", "5s", "--log-level", "notice", *limits,
                          api_port=sandbox.port)
    before = descriptors(relay.process)
    crowd = Crowd(relay, minutes * 60)
    steady = load.start_senders(relay, STEADY, "steady", kinds=("small",) * 19 + ("large",), gap=0.4)
    for name in FAULTS:
        crowd.start(crowd.fault, name)
    for _ in range(SLOW):
        crowd.start(crowd.slow)
    for _ in range(VANISHING):
        crowd.start(crowd.vanish)
    samples = watch(relay, minutes)
    for sender in steady:
        sender.is_stopped.set()
    load.join(steady)
    crowd.join()
    for what, count in sorted(crowd.counts.items()):
        print(f"{count:7} {what}")
    ended = {reply[:3] for sender in steady for reply in sender.replies}
    answered = sum(len(sender.accepted) for sender in steady)
    print(f"steady clients: {answered} answered with 250, replies {ended}, "
          "latency %.3f, %.3f, %.3f s (median, p99, longest)" % load.latency(steady))
    at_api = load.kept(sandbox.store)
    for sender in steady:
        for subject, message_id in sender.accepted.items():
            assert [identity for identity, _ in at_api.get(subject, [])] == [message_id], subject
    harness.wait_until(lambda: descriptors(relay.process) <= before + 6, 90, "the descriptors")
    middle = len(samples) // 2
    first, second = (median([kilobytes for _, kilobytes, _ in part])
                     for part in (samples[middle // 2:middle], samples[middle:]))
    print(f"memory: {first} kB in the second quarter, {second} kB in the second half; descriptors: "
          f"{before} before, {max(d for _, _, d in samples)} at most, "
          f"{descriptors(relay.process)} behind it")
    assert second - first <= GROWTH_KILOBYTES, "memory grows"
    assert ended == {"250"}, "a steady client was told something else"
    relay.stop()
    sandbox.stop()


if __name__ == "__main__":
    main()
