"""What keys share: temporary bytes, groups of hidden recipients, and what operators see of it."""

import hashlib
import json
import os
import subprocess
import unittest

import harness
from prometheus_text import value
from test_admin import PREFIX, get, scrape

MEGABYTE = 1_048_576
HIDDEN = ["b@example.com", "c@example.com"]
NO_ROOM = (451, b"Insufficient resources, try again later")
TOO_LARGE = (552, b"Message too large for its number of hidden recipients")


def message(bytes_):
    """A message to nobody that its header names."""
    line = b"0123456789abcdef" * 4 + b"\r\n"
    return b"From: a@yourdomain.com\r\nSubject: s\r\n\r\n" + line * (bytes_ // len(line))


def name_of(key):
    """As `--trace-key` takes it."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


class Sharing(unittest.TestCase):
    def relay(self, *arguments, environment=()):
        """A relay with an admin listener. `environment`: words for env(1)."""
        self.admin = harness.free_port()
        relay = harness.Relay(
            "--admin", str(self.admin), *arguments,
            wrapper=("/usr/bin/env", "-u", "STATE_DIRECTORY", "-u", "XDG_STATE_HOME", *environment))
        self.addCleanup(relay.stop)
        return relay

    def event(self, relay, name):
        """The one event of this name, once the relay has written it."""

        def find():
            return [event for event in relay.events() if event.get("event") == name]

        found, = harness.wait_until(find, what=f"event {name}")
        return found

    def metric(self, name, **labels):
        return value(scrape(self.admin), PREFIX + name, **labels)

    def send(self, relay, key, bytes_):
        """The reply to the final dot."""
        with relay.login(key) as client:
            client.mail("a@yourdomain.com")
            for recipient in HIDDEN:
                client.rcpt(recipient)
            return client.data(message(bytes_))

    def accounts(self):
        status, headers, body = get(self.admin, "/debug/accounts")
        self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
        return json.loads(body), body


class Folder(Sharing):
    def test_the_log_names_the_folder_and_who_named_it(self):
        state = harness.temporary_folder("state")
        for environment, folder, source in (
                ([f"STATE_DIRECTORY={state}:/other"], state, "STATE_DIRECTORY"),
                ([f"XDG_STATE_HOME={state}"], f"{state}/postscale-relay", "XDG_STATE_HOME"),
                ([f"HOME={state}"], f"{state}/.local/state/postscale-relay", "HOME")):
            with self.subTest(source):
                relay = self.relay(environment=environment)
                event = self.event(relay, "temporary-folder")
                self.assertEqual((event["folder"], event["from"]), (folder, source))
                facts = os.statvfs(folder)
                eighth = facts.f_bavail * facts.f_frsize / 8
                self.assertAlmostEqual(int(event["budget"]) / eighth, 1, delta=0.2)
                self.assertEqual(self.metric("temporary_budget_bytes", state="max"),
                                 int(event["budget"]))
                self.assertEqual(os.stat(folder).st_mode & 0o777, 0o700)
                self.assertEqual(self.send(relay, harness.new_key(), MEGABYTE)[0], 250)
                self.assertEqual(os.listdir(folder) if source != "STATE_DIRECTORY" else [], [])
                self.assertEqual(self.metric("temporary_budget_bytes", state="used"), 0)

    def test_without_a_folder_what_needs_one_gets_451(self):
        relay = self.relay(environment=["HOME=/dev/null"])
        event = self.event(relay, "no-temporary-folder")
        self.assertEqual(event["level"], "warning")
        self.assertIn("/dev/null", event["tried"])
        self.assertIn("--temporary-folder", event["remedy"])
        key = harness.new_key()
        self.assertEqual(self.send(relay, key, MEGABYTE), NO_ROOM)
        self.assertEqual(self.send(relay, key, 10_000)[0], 250)
        refused = self.event(relay, "no-temporary-room")
        self.assertEqual(refused["key"], name_of(key))
        self.assertEqual(self.metric("temporary_refused_total", reason="folder"), 1)
        self.assertEqual(self.metric("messages_total", outcome="no-room"), 1)

    @unittest.skipUnless(os.geteuid() == 0, "only root can mount a small disk")
    def test_a_full_disk_is_no_outage_of_the_api(self):
        folder = harness.temporary_folder("disk")
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", folder], capture_output=True)
        if made.returncode:
            self.skipTest("no small disk can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", folder])
        relay = self.relay("--temporary-folder", folder, "--temporary-budget", "1GB")
        key = harness.new_key()
        self.assertEqual(self.send(relay, key, 4 * MEGABYTE), NO_ROOM)
        refused = self.event(relay, "no-temporary-room")
        self.assertEqual(refused["reason"], "No space left on device")
        self.assertEqual(self.metric("temporary_refused_total", reason="disk"), 1)
        self.assertEqual(self.metric("temporary_budget_bytes", state="used"), 0)
        self.assertEqual(self.send(relay, key, MEGABYTE // 2)[0], 250)


class Bytes(Sharing):
    def test_a_key_that_fills_its_share_leaves_room_for_others(self):
        state = harness.temporary_folder("state")
        relay = self.relay("--temporary-folder", state, "--temporary-budget", "16MB")
        key, other = harness.new_key(), harness.new_key()
        clients = []
        for _ in range(4):
            client = relay.login(key)
            self.addCleanup(client.close)
            client.mail("a@yourdomain.com")
            for recipient in HIDDEN:
                client.rcpt(recipient)
            self.assertEqual(client.docmd("DATA")[0], 354)
            client.send(message(3 * MEGABYTE))
            clients.append(client)
        # Two of the four files fit into half of the budget, nearly; others must be refused.
        harness.wait_until(lambda: self.metric("temporary_refused_total", reason="share") >= 1)
        self.assertLessEqual(self.metric("temporary_budget_bytes", state="used"), 8 * MEGABYTE)
        accounts, _ = self.accounts()
        mine = accounts["accounts"][0]
        self.assertEqual((mine["key"], mine["sessions"]), (name_of(key), 4))
        self.assertGreater(mine["temporary_bytes"], 4 * MEGABYTE)
        self.assertLessEqual(mine["temporary_bytes"], 8 * MEGABYTE)
        self.assertGreaterEqual(mine["refused"], 1)
        self.assertEqual(self.send(relay, other, 3 * MEGABYTE)[0], 250)
        replies = []
        for client in clients:
            client.send(b".\r\n")
            replies.append(client.getreply())
        self.assertGreaterEqual([code for code, _ in replies].count(250), 2)
        self.assertEqual({reply for reply in replies if reply[0] != 250}, {NO_ROOM})
        harness.wait_until(lambda: self.metric("temporary_budget_bytes", state="used") == 0)

    def test_the_accounts_name_no_key(self):
        relay = self.relay()
        keys = [harness.new_key() for _ in range(3)]
        clients = [relay.login(key) for key in keys]
        report, body = self.accounts()
        self.assertEqual({entry["key"] for entry in report["accounts"]}, set(map(name_of, keys)))
        self.assertEqual(report["total"], 3)
        self.assertEqual(self.metric("accounts"), 3)
        self.assertEqual(harness.find_keys(body, keys), [])
        self.assertEqual(len(json.loads(get(self.admin, "/debug/accounts?limit=1")[2])["accounts"]), 1)
        self.assertEqual(get(self.admin, "/debug/accounts?limit=51")[0], 400)
        for client in clients:
            client.quit()
        harness.wait_until(lambda: self.accounts()[0]["total"] == 0)


class Groups(Sharing):
    def test_a_recipient_too_many_for_the_announced_size_is_refused(self):
        relay = self.relay("--group-bytes", "3MB")
        with relay.login(harness.new_key()) as client:
            client.mail("a@yourdomain.com", [f"SIZE={MEGABYTE}"])
            for number in range(3):
                self.assertEqual(client.rcpt(f"r{number}@example.com")[0], 250)
            self.assertEqual(client.rcpt("r3@example.com"), TOO_LARGE)
            self.assertEqual(client.data(message(MEGABYTE // 2))[0], 250)
        self.assertEqual(len(relay.sandbox.list()), 3)
        self.assertEqual(self.metric("groups_refused_total", at="rcpt"), 1)

    def test_without_a_size_the_message_is_refused_and_nobody_gets_it(self):
        relay = self.relay("--group-bytes", "3MB")
        with relay.login(harness.new_key()) as client:
            client.mail("a@yourdomain.com")
            for recipient in HIDDEN:
                client.rcpt(recipient)
            self.assertEqual(client.data(message(2 * MEGABYTE)), TOO_LARGE)
            self.assertEqual(client.noop()[0], 250)
        self.assertEqual(relay.sandbox.list(), [])
        self.assertEqual(self.metric("groups_refused_total", at="data"), 1)
        self.assertEqual(self.metric("messages_total", outcome="group-too-large"), 1)


if __name__ == "__main__":
    unittest.main()
