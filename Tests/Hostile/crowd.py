"""Crowds that attack with keys of their own: a process each, with a thread per session, so that
they take nothing from the customers that a test measures, and little of the relay's processors.

What one session does is a *work*, a function of its number and the crowd. It calls
`crowd.in_place()` when it does the harm that it can; it may wait for `crowd.go` (all at once) and
for `crowd.is_over`, and notes what it was answered. An error of its socket ends it and is noted: a
relay may cut it off.
"""

import base64
import collections
import multiprocessing
import os
import threading
import time

from hostile import HEAD, HIDDEN_HEAD, LINE, begin, connect, lines, logged_in, submit

PATIENCE_SECONDS = 60
SPAWN = multiprocessing.get_context("spawn")
# What a crowd must know of a relay.
Door = collections.namedtuple("Door", ("tls_port", "certificate"))


class Crowd:
    """A crowd as the test sees it. `notes` is there after `finish`."""

    def __init__(self, test, relay, count, work, **arguments):
        self.count = count
        self.notes = []
        self.there = SPAWN.Value("i", 0)
        self.pipe, far_end = SPAWN.Pipe()
        door = Door(relay.tls_port, relay.certificate)
        self.process = SPAWN.Process(
            target=play, args=(far_end, self.there, door, count, work, arguments), daemon=True)
        self.process.start()
        far_end.close()
        test.addCleanup(self.end)

    @property
    def settled(self):
        """Sessions that are in place, or have ended."""
        return self.there.value

    def settle(self, seconds=15):
        """Waits until each is in place, at most so long: a fair relay lets some wait."""
        end = time.monotonic() + seconds
        while self.settled < self.count and time.monotonic() < end:
            time.sleep(0.02)
        # What they sent last is on its way.
        time.sleep(0.3)

    def go(self):
        self.pipe.send("go")

    def finish(self, seconds=15, is_over=True):
        """Waits for the ends of all sessions, at most so long, and returns their notes. Lets those
        that wait for `is_over` go on."""
        self.pipe.send(("finish", seconds, is_over))
        if not self.pipe.poll(seconds + 20):
            raise AssertionError("a crowd that does not end")
        self.notes = self.pipe.recv()
        return self.notes

    def end(self):
        """Hangs up."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Sessions:
    """The same crowd inside its process."""

    def __init__(self, there, door, count, work, arguments):
        self.there, self.door, self.work, self.arguments = there, door, work, arguments
        self.lock = threading.Lock()
        self.placed = set()
        self.notes = []
        self.go, self.is_over = threading.Event(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(index,), daemon=True)
                        for index in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, index):
        try:
            self.work(index, self, **self.arguments)
        except (OSError, AssertionError) as error:
            self.note(f"{type(error).__name__}: {error}"[:60])
        self.in_place()

    def in_place(self):
        with self.lock:
            self.placed.add(threading.get_ident())
            self.there.value = len(self.placed)

    def note(self, what):
        with self.lock:
            self.notes.append(what)

    def session(self, key, source="127.0.0.1"):
        """A client that is logged in."""
        return logged_in(self.door, key, source, PATIENCE_SECONDS)

    def finish(self, seconds, is_over):
        if is_over:
            self.is_over.set()
        end = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0, end - time.monotonic()))
        with self.lock:
            return list(self.notes)


def play(pipe, there, *crowd):
    """The process. It ends when the test ends it, or has ended itself."""
    os.nice(19)
    sessions = Sessions(there, *crowd)
    try:
        while True:
            order = pipe.recv()
            if order == "go":
                sessions.go.set()
            else:
                pipe.send(sessions.finish(*order[1:]))
    except (EOFError, OSError):
        pass


# Works. Each takes its number, the crowd, and what the test gives it.


def paused_upload(index, crowd, key, size, recipients=1, content=HEAD, finish=0):
    """A message of which `size` bytes arrive, and then nothing. The first `finish` of the crowd
    send the rest in the end, and note the reply."""
    with crowd.session(key) as client:
        refused = begin(client, recipients)
        if refused:
            return crowd.note(refused)
        client.send(content + lines(size))
        crowd.in_place()
        crowd.is_over.wait()
        if index < finish:
            client.send(b".\r\n")
            crowd.note(client.reply() or "closed")


def stalled_uploads(index, crowd, key, size, seconds):
    """Uploads that stop after `size` bytes for so long, one after the other."""
    while not crowd.is_over.is_set():
        try:
            with crowd.session(key) as client:
                if begin(client) is None:
                    client.send(HEAD + lines(size))
                    crowd.in_place()
                    crowd.is_over.wait(seconds)
                    client.send(LINE + b".\r\n")
                    crowd.note(client.reply())
        except (OSError, AssertionError) as error:
            crowd.note(str(error))
        crowd.is_over.wait(0.05)


def message_at_once(index, crowd, key):
    """A message whose final dot is sent when all go; notes (reply, seconds)."""
    with crowd.session(key, f"127.0.1.{1 + index % 8}") as client:
        refused = begin(client)
        if refused:
            return crowd.note((refused, 0))
        client.send(HEAD + LINE)
        crowd.in_place()
        crowd.go.wait()
        start = time.monotonic()
        client.send(b".\r\n")
        crowd.note((client.reply() or "closed", time.monotonic() - start))


def groups(index, crowd, key, recipients):
    """Messages to so many hidden recipients, one after the other."""
    with crowd.session(key) as client:
        while not crowd.is_over.is_set():
            refused = begin(client, recipients)
            if refused:
                return crowd.note(refused)
            client.send(HIDDEN_HEAD + LINE + b".\r\n")
            crowd.in_place()
            crowd.note(client.reply())


def messages(index, crowd, key):
    """Messages without a pause, ten in a session."""
    while not crowd.is_over.is_set():
        with crowd.session(key) as client:
            for _ in range(10):
                crowd.note(submit(client)[:3])
                crowd.in_place()


def guess_at_once(index, crowd, source):
    """Logs in with a key that nobody has when all go; notes the reply."""
    with connect(crowd.door, source, patience=PATIENCE_SECONDS) as client:
        client.reply()
        client.send(b"EHLO client.test\r\n")
        client.reply()
        crowd.in_place()
        crowd.go.wait()
        plain = base64.b64encode(b"\0postscale\0guessed_%d_%d" % (os.getpid(), index))
        client.send(b"AUTH PLAIN " + plain + b"\r\n")
        crowd.note((client.reply() or "closed")[:3])


def session_that_stays(index, crowd, key):
    """A session that is kept alive, and begun again when it ends."""
    while not crowd.is_over.is_set():
        try:
            with crowd.session(key, f"127.0.1.{1 + index % 8}") as client:
                crowd.in_place()
                while not crowd.is_over.wait(0.5):
                    client.send(b"NOOP\r\n")
                    if not client.line().startswith("250 "):
                        break
        except (OSError, AssertionError) as error:
            crowd.note(str(error)[:40])
        crowd.in_place()
        crowd.is_over.wait(2)
