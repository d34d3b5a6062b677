"""Faults of name resolution: no such name, no answer, a late one, other addresses, dead addresses.

The relay runs in a mount namespace of its own, whose /etc/resolv.conf names a small DNS server of
this test on loopback and whose /etc/hosts knows nothing: the tests neither ask nor change the
machine's DNS. They are skipped where such namespaces are not permitted or port 53 is not free.
"""

import os
import socket
import struct
import subprocess
import threading
import time
import unittest

from certificates import Certificates
from faults import harness, over_both_backends, submit, uring
from scripted_api import ScriptedAPI
from test_connections import AUTH_UNAVAILABLE, BlackHole, log_in

# One for each backend, so that both can run at once.
NAME_SERVERS = {"epoll": "127.0.0.53", "io_uring": "127.0.0.54"}
NO_SUCH_NAME, SERVER_FAILURE, SILENT = 3, 2, None
SETTINGS = {
    "resolv.conf": "nameserver %s\noptions timeout:1 attempts:1\n",
    "hosts": "127.0.0.1 localhost\n",
    "nsswitch.conf": "hosts: files dns\n",
}


class NameServer:
    """Answers questions for A records with what the test sets, and all others with no record."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, 53))
        self.addresses = []
        self.failure = 0
        self.delay = 0
        self.questions = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                question, peer = self.socket.recvfrom(512)
            except OSError:
                return
            if not question:
                return
            self.questions += 1
            if self.failure is not SILENT:
                threading.Thread(target=self.answer, args=(question, peer), daemon=True).start()

    def answer(self, question, peer):
        time.sleep(self.delay)
        end = question.index(b"\0", 12) + 5
        is_a = question[end - 4:end - 2] == b"\0\1"
        records = self.addresses if is_a and not self.failure else []
        head = question[:2] + struct.pack(
            ">HHHHH", 0x8180 | self.failure, 1, len(records), 0, 0)
        body = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(a) for a in records)
        try:
            self.socket.sendto(head + question[12:end] + body, peer)
        except OSError:
            pass

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # Wakes its thread; there is no UDP connection to end.
        except OSError:
            pass
        self.socket.close()


class Names:
    """`api.test` is known to the test's name server only."""

    @classmethod
    def setUpClass(cls):
        if cls.backend == "io_uring" and not uring.is_granted():
            raise unittest.SkipTest("io_uring is not granted")
        cls.make_namespace()
        certificates = Certificates()
        good = certificates.make("api", "api.test", "2")
        cls.context, cls.ca = certificates.context(good), good

    @classmethod
    def make_namespace(cls):
        """The arguments that put a program into its namespace."""
        folder = harness.temporary_folder("names")
        script = "mount --make-rprivate / && "
        for name, text in SETTINGS.items():
            path = os.path.join(folder, name)
            with open(path, "w") as file:
                file.write(text.replace("%s", NAME_SERVERS[cls.backend]))
            script += f"mount --bind {path} /etc/{name} && "
        cls.prefix = ["unshare", "-m", "sh", "-c", script + 'exec "$@"', "sh"]
        try:
            subprocess.run([*cls.prefix, "true"], check=True, capture_output=True)
            NameServer(NAME_SERVERS[cls.backend]).close()
        except (OSError, subprocess.CalledProcessError) as error:
            raise unittest.SkipTest(f"no namespace with its own DNS here: {error}")

    def setUp(self):
        self.names = NameServer(NAME_SERVERS[self.backend])
        self.addCleanup(self.names.close)

    def start(self, api, *arguments):
        relay = harness.Relay(
            "--backend", self.backend, "--api-timeout", "3s", "--api-connect-timeout", "500ms",
            "--dns-ttl", "500ms", "--api-ca", self.ca, *arguments,
            api_url=f"https://api.test:{api.port}", wrapper=self.prefix)
        self.addCleanup(relay.stop)
        return relay

    def start_api(self, *addresses, port=0):
        api = ScriptedAPI(tls=self.context, addresses=addresses or ("127.0.0.1",), port=port)
        self.addCleanup(api.close)
        return api

    def check_failures(self, relay):
        events = harness.wait_until(
            lambda: [e for e in relay.events() if e["event"] == "api-host-not-resolved"],
            5, "the failure in the log")
        self.assertEqual(events[0]["host"], "api.test")
        self.assertIn("api.test", events[0]["reason"])

    def check_outage_then_recovery(self, failure, seconds):
        api = self.start_api()
        self.names.failure = failure
        relay = self.start(api)
        start = time.monotonic()
        self.assertEqual(log_in(relay), AUTH_UNAVAILABLE)
        self.assertLess(time.monotonic() - start, seconds)
        self.check_failures(relay)
        self.names.failure, self.names.addresses = 0, ["127.0.0.1"]
        harness.wait_until(lambda: log_in(relay).startswith("235 "), 10, "a login")

    def test_no_such_name(self):
        self.check_outage_then_recovery(NO_SUCH_NAME, 2)

    def test_a_name_server_that_fails(self):
        self.check_outage_then_recovery(SERVER_FAILURE, 2)

    def test_a_name_server_that_is_silent(self):
        self.check_outage_then_recovery(SILENT, 5)

    def test_a_late_answer_is_waited_for(self):
        api = self.start_api()
        self.names.addresses, self.names.delay = ["127.0.0.1"], 0.8
        relay = self.start(api)
        self.assertEqual(log_in(relay), "235 Authentication successful")

    def test_a_name_that_is_lost_keeps_its_last_addresses(self):
        api = self.start_api()
        self.names.addresses = ["127.0.0.1"]
        relay = self.start(api)
        with relay.raw() as client:
            client.log_in(harness.new_key())
            self.assertRegex(submit(client), "^250 ")
            self.names.failure = NO_SUCH_NAME
            self.check_failures(relay)
            api.hang_up()
            self.assertRegex(submit(client), "^250 ")

    def test_other_addresses(self):
        """The new address takes over; the old one gets no more requests."""
        old = self.start_api("127.0.0.1")
        new = self.start_api("127.0.0.2", port=old.port)
        self.names.addresses = ["127.0.0.1"]
        relay = self.start(old)
        with relay.raw() as client:
            client.log_in(harness.new_key())
            self.assertRegex(submit(client), "^250 ")
            self.names.addresses = ["127.0.0.2"]

            def has_moved():
                self.assertRegex(submit(client), "^250 ")
                return new.posts()

            harness.wait_until(has_moved, 5, "a message at the new address")
            harness.wait_until(lambda: not old.connections, 5, "the old one left alone")
            before = len(old.posts())
            for _ in range(10):
                self.assertRegex(submit(client), "^250 ")
            self.assertEqual(len(old.posts()), before)

    def check_one_of_three_is_dead(self, api, dead):
        self.names.addresses = ["127.0.0.1", dead, "127.0.0.3"]
        relay = self.start(api, "--loops", "1")
        clients = []
        for _ in range(12):
            client = relay.raw()
            self.addCleanup(client.__exit__)
            client.log_in(harness.new_key())
            clients.append(client)
        for _ in range(3):
            harness.in_threads(
                len(clients), lambda index: self.assertRegex(submit(clients[index]), "^250 "))
        self.assertEqual(len(api.posts()), 36)
        harness.wait_until(
            lambda: [e for e in relay.events() if e["event"] == "api-address-rests"
                     and e["address"].startswith(dead)], 5, "the dead address rests")

    def test_one_address_of_three_refuses(self):
        self.check_one_of_three_is_dead(self.start_api("127.0.0.1", "127.0.0.3"), "127.0.0.2")

    def test_one_address_of_three_is_a_black_hole(self):
        with BlackHole("127.0.0.2") as hole:
            api = self.start_api("127.0.0.1", "127.0.0.3", port=hole.port)
            self.check_one_of_three_is_dead(api, "127.0.0.2")


over_both_backends(globals(), Names)

if __name__ == "__main__":
    unittest.main()
