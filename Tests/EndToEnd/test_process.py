"""The process as the kernel sees it: its user, its rights, and what others may see of it."""

import os
import pathlib
import pwd
import socket
import subprocess
import unittest

import harness

NOBODY = pwd.getpwnam("nobody")
IS_ROOT = os.geteuid() == 0
BINARY = os.path.abspath(harness.BINARY)


def status(pid, thread=None):
    """Fields of /proc/PID/status, of one thread or of the first."""
    path = f"/proc/{pid}/task/{thread}/status" if thread else f"/proc/{pid}/status"
    return dict(line.split(":\t", 1) for line in pathlib.Path(path).read_text().splitlines() if ":\t" in line)


class Rights(harness.RelayTestCase):
    def test_nothing_it_ran_could_gain_rights(self):
        pid = self.relay.process.pid
        threads = os.listdir(f"/proc/{pid}/task")
        self.assertGreater(len(threads), 2)
        for thread in threads:
            self.assertEqual(status(pid, thread)["NoNewPrivs"], "1", thread)

    def test_it_leaves_no_core(self):
        harness.wait_until(
            lambda: any(event["event"] == "ready" for event in self.relay.events()),
            what="the start")
        limits = pathlib.Path(f"/proc/{self.relay.process.pid}/limits").read_text()
        line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        self.assertEqual(line.split()[4:6], ["0", "0"])

    def test_it_has_no_children_and_no_key_in_its_environment(self):
        key = harness.new_key()
        with self.relay.login(key) as client:
            client.sendmail("a@yourdomain.com", "b@example.com", b"Subject: s\r\n\r\nx\r\n")
            pid = self.relay.process.pid
            for thread in os.listdir(f"/proc/{pid}/task"):
                children = pathlib.Path(f"/proc/{pid}/task/{thread}/children").read_text()
                self.assertEqual(children, "")
            for name in ("environ", "cmdline"):
                self.assertEqual(
                    harness.find_keys(pathlib.Path(f"/proc/{pid}/{name}").read_bytes(), [key]), [])

    @unittest.skipUnless(IS_ROOT, "only root can become somebody else")
    def test_a_relay_that_stays_root_says_so(self):
        harness.wait_until(
            lambda: "running-as-root" in [event["event"] for event in self.relay.events()])


@unittest.skipUnless(IS_ROOT, "only root can become somebody else")
class AnotherUser(unittest.TestCase):
    def privileged_port(self):
        for port in range(1_000, 600, -1):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue
        raise AssertionError("no privileged port is free")

    def check_identity(self, relay, group):
        pid = relay.process.pid
        # The kernel accepts connections as soon as the ports are bound, the relay a little later.
        harness.wait_until(
            lambda: any(event["event"] == "ready" for event in relay.events()), what="the start")
        for thread in os.listdir(f"/proc/{pid}/task"):
            fields = status(pid, thread)
            self.assertEqual(fields["Uid"].split(), [str(NOBODY.pw_uid)] * 4)
            self.assertEqual(fields["Gid"].split(), [str(group)] * 4)
            self.assertEqual(set(fields["Groups"].split()), {str(group)})
            for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertEqual(int(fields[name], 16), 0, name)
            self.assertEqual(fields["NoNewPrivs"], "1")

    def test_every_thread_is_the_user_and_messages_pass_on_a_privileged_port(self):
        # The sandbox runs as the same user, which cannot write to the folders of this test.
        api = harness.Sandbox()
        self.addCleanup(api.stop)
        port = self.privileged_port()
        relay = harness.Relay(
            "--listen", f"127.0.0.1:{port}", "--user", "nobody", "--loops", "3", api_port=api.port)
        self.addCleanup(relay.stop)
        self.check_identity(relay, NOBODY.pw_gid)
        with relay.login(harness.new_key(), port) as client:
            # Several hidden recipients: the message is held, if necessary in a temporary file.
            client.sendmail("a@yourdomain.com", ["b@example.com", "c@example.com"],
                            b"From: a@yourdomain.com\r\nSubject: s\r\n\r\n" + b"x" * 70 + b"\r\n")
        self.assertEqual(len(api.client.list()), 2)
        self.check_identity(relay, NOBODY.pw_gid)
        self.assertNotIn("running-as-root", [event["event"] for event in relay.events()])

    def test_a_group_of_its_own(self):
        api = harness.Sandbox()
        self.addCleanup(api.stop)
        relay = harness.Relay(
            "--user", str(NOBODY.pw_uid), "--group", "mail", api_port=api.port)
        self.addCleanup(relay.stop)
        self.check_identity(relay, 8)

    def test_its_memory_is_not_readable_by_the_same_user(self):
        api = harness.Sandbox()
        self.addCleanup(api.stop)
        relay = harness.Relay("--user", "nobody", api_port=api.port)
        self.addCleanup(relay.stop)
        self.check_identity(relay, NOBODY.pw_gid)
        for name in ("mem", "environ", "maps"):
            reader = subprocess.run(
                ["/usr/bin/head", "-c", "1", f"/proc/{relay.process.pid}/{name}"],
                user=NOBODY.pw_uid, group=NOBODY.pw_gid, extra_groups=[], capture_output=True,
                text=True, cwd="/", timeout=30)
            self.assertIn("Permission denied", reader.stderr, name)

    def refused(self, *arguments, **identity):
        port = harness.free_port()
        result = subprocess.run(
            [BINARY, "--sandbox", "--sandbox-listen", f"127.0.0.1:{harness.free_port()}",
             "--listen", f"127.0.0.1:{port}", *arguments],
            capture_output=True, text=True, cwd="/", timeout=30, **identity)
        self.assertNotEqual(result.returncode, 0)
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1)
        return result.stderr

    def test_it_does_not_run_when_it_cannot_become_the_user(self):
        nobody = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}
        if subprocess.run([BINARY, "--version"], capture_output=True, cwd="/", **nobody).returncode:
            self.skipTest("nobody may not run the program from where it lies")
        self.assertIn("Only root can", self.refused("--user", "root", **nobody))
        self.assertIn("Only root can", self.refused("--user", "daemon", **nobody))

    def test_it_does_not_run_with_a_folder_that_the_user_cannot_write_to(self):
        folder = harness.temporary_folder("locked")
        os.chmod(folder, 0o700)
        error = self.refused("--user", "nobody", "--temporary-folder", folder)
        self.assertIn("--temporary-folder", error)

    def test_it_does_not_run_as_a_user_that_is_none(self):
        self.assertIn("no such user", self.refused("--user", "nobody-here"))


if __name__ == "__main__":
    unittest.main()
