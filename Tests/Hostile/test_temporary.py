"""Messages to hidden recipients: the files that hold them, and how much one message may become."""

import pathlib
import subprocess
import threading
import time
import unittest

import hostile
from crowd import Crowd, paused_upload
from hostile import (Customer, HIDDEN_HEAD, MEGABYTE, Watch, harness, if_known, lines,
                     over_both_backends, resident_bytes, temporary_files)

TOO_LARGE = "552 Message too large for its number of hidden recipients"


class TemporaryBytes:
    BUDGET, TEMPORARY, SIZE = 16, 64, 20

    def test_ten_messages_of_20_mb_to_two_hidden_recipients(self):
        """The whole message is held before the first call: in a file, above the threshold."""
        self.start("--memory-budget", f"{self.BUDGET}MB",
                   *if_known("--temporary-budget", f"{self.TEMPORARY}MB"))
        small_group = HIDDEN_HEAD + lines(MEGABYTE)
        others = self.others(
            Customer(self.relay), Customer(self.relay, True),
            Customer(self.relay, gap=0.3, content=small_group, recipients=2))
        others.calm(3)
        rest = resident_bytes(self.relay.process)
        watch = Watch(self, self.relay.process)
        crowd = Crowd(
            self, self.relay, 10, paused_upload, key=harness.new_key(), recipients=2,
            size=self.SIZE * MEGABYTE, content=HIDDEN_HEAD, finish=10)
        crowd.settle(20)
        time.sleep(1)
        held = sum(size for _, size in temporary_files(self.relay.process))
        others.attacked()
        others.stop()
        crowd.finish(30)
        watch.stop()
        self.figure(f"temporary files: {held / MEGABYTE:.0f} MB while the messages wait, "
                    f"{watch.temporary / MEGABYTE:.0f} MB at most; replies "
                    f"{sorted(note[:24] for note in crowd.notes)}")
        with self.subTest("temporary files"):
            self.assertLessEqual(
                watch.temporary, hostile.SLACK * self.TEMPORARY * MEGABYTE,
                f"bytes in unlinked files, --temporary-budget {self.TEMPORARY}MB")
        with self.subTest("replies"):
            self.assertEqual(
                [note for note in crowd.notes if note[:4] not in ("250 ", "451 ", "452 ")], [],
                "what does not fit is told to come later")
        with self.subTest("memory"):
            self.check_memory("ten messages of 20 MB", rest, watch.resident, self.BUDGET * MEGABYTE)
        others.check("ten messages of 20 MB to two hidden recipients")


class Folder:
    """Where the files are, and that at most an eighth of what is free there is used."""

    def hold(self, environment, size=2 * MEGABYTE):
        """The files, as (link, bytes), while a message to two hidden recipients is held, and its
        reply."""
        api = self.make_api()
        start = ["/usr/bin/env", "-u", "STATE_DIRECTORY", "-u", "XDG_STATE_HOME", "-u", "HOME"]
        start += [f"{name}={value}" for name, value in environment.items()]
        relay = self.relay = self.make_relay(api=api, wrapper=start)
        crowd = Crowd(self, relay, 1, paused_upload, key=harness.new_key(), size=size, recipients=2,
                      content=HIDDEN_HEAD, finish=1)
        crowd.settle(10)
        time.sleep(0.5)
        files = [(link, held) for link, held in temporary_files(relay.process) if held]
        crowd.finish()
        return files, crowd.notes

    def test_where_they_are(self):
        state, home = harness.temporary_folder("state"), harness.temporary_folder("home")
        xdg = harness.temporary_folder("xdg")
        rows = {
            "$STATE_DIRECTORY": ({"STATE_DIRECTORY": state, "HOME": home}, state),
            "$XDG_STATE_HOME": ({"XDG_STATE_HOME": xdg, "HOME": home}, f"{xdg}/postscale-relay"),
            "$HOME": ({"HOME": home}, f"{home}/.local/state/postscale-relay"),
        }
        for name, (environment, folder) in rows.items():
            with self.subTest(name):
                files, notes = self.hold(environment)
                self.assertEqual([str(pathlib.Path(link).parent) for link, _ in files], [folder])
                self.assertRegex(notes[0], "^250 ")

    def test_at_most_an_eighth_of_what_is_free(self):
        """A disk of 80 MB: a message of 20 MB does not fit into a tenth of it, one of 2 MB does."""
        folder = harness.temporary_folder("disk")
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", folder],
                          capture_output=True).returncode != 0:
            self.skipTest("no right to mount a small disk")
        self.addCleanup(subprocess.run, ["umount", "--lazy", folder], check=True)
        for size, replies in ((20 * MEGABYTE, ("451 ", "452 ")), (2 * MEGABYTE, ("250 ",))):
            with self.subTest(size=size):
                files, notes = self.hold({"STATE_DIRECTORY": folder}, size)
                self.assertLessEqual(
                    sum(held for _, held in files), 10 * MEGABYTE, "bytes in unlinked files")
                self.assertIn(notes[0][:4], replies)

    def test_without_a_folder_nothing_is_spilled_and_the_log_says_so(self):
        files, notes = self.hold({"HOME": "/dev/null"})
        self.assertEqual(files, [], "no folder, no files")
        self.assertIn(notes[0][:4], ("250 ", "451 ", "452 "), "it fits into memory or comes later")
        said = [event for event in self.relay.events()
                if event["level"] in ("notice", "warning", "error")
                and "temporary" in str(event).lower() and "session" not in event]
        self.assertEqual(len(said), 1, f"one clear line in the log at the start: {said}")


class GroupBytes:
    """40 MB to 100 hidden recipients would be 4 GB to the API."""

    SIZE, RECIPIENTS, LIMIT = 40 * MEGABYTE, 100, 1_024 * MEGABYTE

    def setUp(self):
        super().setUp()
        self.start()
        self.client = hostile.logged_in(self.relay, harness.new_key(), patience=120)
        self.addCleanup(self.client.__exit__)

    def test_is_refused_at_rcpt_when_its_size_was_given(self):
        client = self.client
        self.assertTrue(
            client.ask(b"MAIL FROM:<a@yourdomain.com> SIZE=%d" % self.SIZE).startswith("250 "))
        replies = [client.ask(b"RCPT TO:<hidden%d@example.com>" % number)
                   for number in range(self.RECIPIENTS)]
        accepted = sum(reply.startswith("250 ") for reply in replies)
        self.figure(f"40 MB announced, 100 recipients: {accepted} of them 250")
        self.assertEqual({reply for reply in replies if not reply.startswith("250 ")}, {TOO_LARGE},
                         f"refusals of 100 RCPT after SIZE=40 MB; {accepted} x 250")
        self.assertLessEqual(accepted * self.SIZE, self.LIMIT, "bytes that the API would get")
        self.assertTrue(client.ask(b"NOOP").startswith("250 "), "the session lives on")

    def test_is_refused_after_its_dot_otherwise(self):
        client = self.client
        self.assertIsNone(hostile.begin(client, self.RECIPIENTS))
        client.send(HIDDEN_HEAD)
        piece = lines(MEGABYTE)
        for _ in range(self.SIZE // MEGABYTE):
            client.send(piece)
        reply = []
        waiter = threading.Thread(
            target=lambda: reply.append(client.ask(b".")), daemon=True)
        waiter.start()
        end = time.monotonic() + 60
        while waiter.is_alive() and time.monotonic() < end:
            waiter.join(0.05)
            sent = self.api.message_bytes()
            if sent > self.LIMIT:
                # Enough seen; the rest of the 4 GB would only take time.
                self.relay.process.terminate()
                self.fail(f"more than {sent / MEGABYTE:.0f} MB to the API from one message, "
                          f"{len(self.api.messages())} calls")
        self.figure(f"40 MB to 100 hidden recipients: {reply}, {self.api.message_bytes()} bytes to "
                    "the API")
        self.assertEqual(reply, [TOO_LARGE])
        self.assertEqual(self.api.messages(), [], "calls of a refused group")

    def test_what_fits_is_sent(self):
        reply = hostile.submit(self.client, HIDDEN_HEAD + lines(200_000), self.RECIPIENTS)
        self.assertRegex(reply, "^250 ")
        self.assertEqual(len(self.api.messages()), self.RECIPIENTS)


over_both_backends(globals(), TemporaryBytes, Folder, GroupBytes)

if __name__ == "__main__":
    unittest.main()
