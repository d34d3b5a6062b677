"""Clients that send until they are stopped, and records of the replies that they got.

Every message has a subject of its own. A client notes which subject was answered with which message
id; what the API keeps is read from the sandbox's folder. `check_books` compares the two: every
message that got 250 is at the API, whole, once, under its own id.
"""

import json
import pathlib
import threading
import time

import harness
from faults import LINE

TEXT_LINES = {"small": 3, "large": 6_000}


class Sender(threading.Thread):
    """One client that logs in and sends until it is stopped, or its connection ends."""

    def __init__(self, relay, key, name, kinds=("small",), gap=0):
        super().__init__(daemon=True)
        self.relay, self.key, self.name_of_it = relay, key, name
        self.kinds, self.gap = kinds, gap
        self.is_stopped = threading.Event()
        self.accepted = {}  # subject -> message id
        self.replies = []  # every reply to a final dot
        self.begun = []  # subjects whose final dot was sent
        self.last_words = ""
        self.seconds = []

    def run(self):
        try:
            with self.relay.raw() as client:
                client.log_in(self.key)
                self.send_on(client)
        except (OSError, AssertionError):
            pass

    def send_on(self, client):
        number = 0
        while not self.is_stopped.is_set():
            number += 1
            subject = f"{self.name_of_it}-{number}"
            reply = self.send_one(client, subject, self.kinds[number % len(self.kinds)])
            if not reply or reply.startswith("421"):
                self.last_words = reply
                return
            if self.gap:
                time.sleep(self.gap)
        client.send(b"QUIT\r\n")

    def send_one(self, client, subject, kind):
        for command, code in ((b"MAIL FROM:<a@yourdomain.com>", "250"),
                              (b"RCPT TO:<b@example.com>", "250"), (b"DATA", "354")):
            reply = client.ask(command)
            if not reply.startswith(code):
                self.replies.append(reply)
                return reply
        head = b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: %s\r\n\r\n"
        client.send(head % subject.encode() + LINE * TEXT_LINES[kind])
        self.begun.append(subject)
        start = time.monotonic()
        reply = client.ask(b".")
        self.seconds.append(time.monotonic() - start)
        self.replies.append(reply)
        if reply.startswith("250 Ok: queued as "):
            self.accepted[subject] = reply.removeprefix("250 Ok: queued as ")
        return reply


def kept(folder):
    """Subject -> [(message id, text)] of everything in a sandbox's folder."""
    found = {}
    for path in pathlib.Path(folder).glob("*.json"):
        message = json.loads(path.read_bytes())
        found.setdefault(message["subject"], []).append((path.stem, message["text_body"]))
    return found


def check_books(senders, folder):
    """(messages answered with 250, messages at the API); raises when they do not agree."""
    at_api = kept(folder)
    begun = {subject for sender in senders for subject in sender.begun}
    answered = 0
    for sender in senders:
        for subject, message_id in sender.accepted.items():
            answered += 1
            copies = at_api.get(subject, [])
            if [identity for identity, _ in copies] != [message_id]:
                raise AssertionError(f"{subject}: 250 for {message_id}, at the API: {copies}")
    for subject, copies in at_api.items():
        if len(copies) != 1 or subject not in begun:
            raise AssertionError(f"{subject}: {len(copies)} copies, never answered or never ended")
        text = copies[0][1]
        line = LINE.decode().replace("\r\n", "\n")
        if text not in (line * count for count in TEXT_LINES.values()):
            raise AssertionError(f"{subject}: not the text that was sent, {len(text)} characters")
    return answered, sum(len(copies) for copies in at_api.values())


def latency(senders):
    """(median, 99th percentile, longest) seconds from the final dot to the reply."""
    seconds = sorted(second for sender in senders for second in sender.seconds)
    if not seconds:
        return 0, 0, 0
    return seconds[len(seconds) // 2], seconds[len(seconds) * 99 // 100], seconds[-1]


def cpu_seconds(process):
    """User and system time of a process."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def pss_kilobytes(process):
    """Its proportional set size; resident size where the kernel does not tell."""
    try:
        lines = pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    except OSError:
        lines = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


class Watch(threading.Thread):
    """Samples a process's memory until told to stop; `peak` is in kilobytes."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process = process
        self.peak = 0
        self.is_stopped = threading.Event()

    def run(self):
        while not self.is_stopped.wait(0.05):
            try:
                self.peak = max(self.peak, pss_kilobytes(self.process))
            except (OSError, StopIteration):
                return

    def stop(self):
        self.is_stopped.set()
        self.join()
        return self.peak


def start_senders(relay, count, prefix, **more):
    senders = [Sender(relay, harness.new_key(), f"{prefix}-{index}", **more)
               for index in range(count)]
    for sender in senders:
        sender.start()
    return senders


def join(senders, seconds=60):
    for sender in senders:
        sender.join(seconds)
        if sender.is_alive():
            raise AssertionError(f"{sender.name_of_it} has no answer after {seconds} s")
