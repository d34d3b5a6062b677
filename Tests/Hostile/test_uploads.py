"""Uploads that stop, stall and trickle: they hold no connection to the API that others need, and
their stalls are nobody's fault but their own."""

import time
import unittest

import hostile
from crowd import Crowd, paused_upload, stalled_uploads
from hostile import Customer, HEAD, LINE, MEGABYTE, harness, lines, over_both_backends

# Above --buffer-threshold: the upload begins while the message arrives.
ABOVE_THRESHOLD = 310 * 1_024
# As nginx with client_body_timeout: it closes; others say 408 first.
REQUEST_TIMEOUT = (b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                   b"Content-Type: text/html\r\nContent-Length: 0\r\n\r\n")


class PausedUploads:
    """One key's uploads pause, as many as the API may have connections."""

    def check(self, count, *arguments):
        self.start(*arguments)
        others = self.others()
        others.calm()
        key = harness.new_key()
        crowd = Crowd(
            self, self.relay, count, paused_upload, key=key, size=ABOVE_THRESHOLD, finish=8)
        crowd.settle(20)
        begun = len(self.api.messages(key))
        others.attacked()
        others.check(f"{count} paused uploads of one key, {begun} at the API")
        # Pausing is no crime: an upload that goes on is served.
        notes = crowd.finish()
        accepted = [note for note in notes if note.startswith("250 ")]
        self.assertEqual(len(accepted), 8, f"uploads that went on: {notes[:8]}")

    def test_256_with_the_defaults(self):
        self.check(256)

    def test_40_with_32_connections(self):
        self.check(40, "--api-connections", "32")

    def test_40_that_were_fast_at_first(self):
        """A fast upload gets a connection early; when it pauses, half of the pool is left."""
        self.start("--api-connections", "32")
        others = self.others()
        others.calm()
        key = harness.new_key()
        crowd = Crowd(self, self.relay, 40, paused_upload, key=key, size=2 * MEGABYTE)
        # Those without a connection are not read to their ends.
        crowd.settle(4)
        begun = len(self.api.messages(key))
        others.attacked()
        with self.subTest("half of the pool"):
            self.assertLessEqual(begun, 16, "connections that uploads hold, of 32")
        others.check(f"40 uploads of one key that paused after 2 MB, {begun} at the API")


class StalledUploads:
    """Six uploads of one key stall for longer than the API waits for a body, again and again."""

    def check(self, farewell, what):
        self.start(body_seconds=1, body_farewell=farewell)
        # Three other keys, and keys that are not cached.
        others = self.others(*(Customer(self.relay) for _ in range(3)), Customer(self.relay, True))
        others.calm()
        key = harness.new_key()
        crowd = Crowd(self, self.relay, 6, stalled_uploads, key=key, size=ABOVE_THRESHOLD,
                      seconds=1.5)
        crowd.settle()
        others.attacked(6)
        others.check(f"{len(self.api.messages(key))} stalled uploads of one key, the API {what}")

    def test_the_api_closes(self):
        self.check(b"", "closes")

    def test_the_api_says_408_and_closes(self):
        self.check(REQUEST_TIMEOUT, "says 408 and closes")


class Trickles:
    """--min-data-rate counts over the last 15 seconds in which bytes arrived: a trickle is closed,
    whatever came before it, and a pause is no trickle."""

    def test_trickles_are_closed_and_pauses_are_not(self):
        self.start()
        outcomes = {}

        def play(name, work):
            with hostile.logged_in(self.relay, harness.new_key(), patience=70) as client:
                self.assertIsNone(hostile.begin(client))
                client.send(HEAD)
                start = time.monotonic()
                try:
                    outcomes[name] = work(client)
                except OSError as error:
                    outcomes[name] = (str(error), time.monotonic() - start)

        plays = {
            "a trickle": self.trickle,
            "a trickle after 5 MB": self.trickle_after_much,
            "a pause of 40 s in a small message": self.pause,
            "a pause of 40 s after 300 KB": self.pause_in_upload,
        }
        harness.in_threads(len(plays), lambda index: play(*list(plays.items())[index]))
        for name, (reply, seconds) in outcomes.items():
            self.figure(f"{name}: {reply!r} after {seconds:.0f} s")
        for name in ("a trickle", "a trickle after 5 MB"):
            reply, seconds = outcomes[name]
            self.assertTrue(reply.startswith("421 "), f"{name}: {reply!r} after {seconds:.0f} s")
            # Fifteen seconds of too little, and up to as long until the fast ones are forgotten.
            self.assertTrue(8 < seconds < 35, f"{name} ended after {seconds:.0f} s")
        for name in list(plays)[2:]:
            self.assertTrue(outcomes[name][0].startswith("250 "), f"{name}: {outcomes[name]}")

    def trickle(self, client):
        """A hundred bytes a second; the reply that ends it, or what 45 s of it came to."""
        start = time.monotonic()
        client.socket.settimeout(1)
        while time.monotonic() - start < 45:
            try:
                client.send(b"t" * 98 + b"\r\n")
                reply = client.socket.recv(1_024).decode()
                return (reply.strip() or "closed"), time.monotonic() - start
            except TimeoutError:
                continue
            except OSError as error:
                return str(error), time.monotonic() - start
        return "still open", time.monotonic() - start

    def trickle_after_much(self, client):
        client.send(lines(5 * MEGABYTE))
        return self.trickle(client)

    def pause(self, client):
        start = time.monotonic()
        client.send(LINE)
        time.sleep(40)
        client.send(lines(5 * MEGABYTE) + b".\r\n")
        return client.reply() or "closed", time.monotonic() - start

    def pause_in_upload(self, client):
        client.send(lines(ABOVE_THRESHOLD))
        return self.pause(client)


over_both_backends(globals(), PausedUploads, StalledUploads, Trickles)

if __name__ == "__main__":
    unittest.main()
