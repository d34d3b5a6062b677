"""The relay under a service manager: its sockets, its notifications, and a restart under load.

The load is clients that connect, send one message and leave, again and again. A client that is
refused, reset or told 421 counts as an error, and there must be none. Every message that got 250
must be at the API, once.
"""

import datetime
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import unittest

import harness
import service

# Three relays and a sandbox start in ReusedPorts, each in harness.READY_SECONDS at most, and the clients' last
# messages have their time.
OWN_NETWORK_SECONDS = 4 * harness.READY_SECONDS + 2 * harness.CLIENT_SECONDS


def suspects(relays, errors):
    """What the relays logged of their own lives, of the sessions with errors, and of all that lasted for more
    than five seconds or did not end. A client that gives up before a relay accepts it has a short session."""
    peers = {f"127.0.0.1:{port}" for error in errors for port in re.findall(r"from port (\d+)", error[2])}
    for number, relay in enumerate(relays):
        yield f"relay {number}: {relay.log.count(b'session-opened')} sessions"
        yield from (
            f"relay {number}: {line}" for line in relay.log.decode(errors="replace").splitlines()
            if not line.startswith("{"))
        sessions = {}
        for event in relay.events():
            if event["event"] in ("ready", "draining", "stopped"):
                yield f"relay {number}: {json.dumps(event)}"
            sessions.setdefault(event.get("session"), []).append(event)
        sessions.pop(None, None)
        for events in sessions.values():
            first, last = (
                datetime.datetime.fromisoformat(event["time"].removesuffix("Z"))
                for event in (events[0], events[-1]))
            is_slow = (last - first).total_seconds() > 5
            is_wanted = events[0].get("peer") in peers
            if is_wanted or is_slow or events[-1]["event"] != "session-closed":
                yield from (f"relay {number}: {json.dumps(event)}" for event in events)


class RestartTestCase(unittest.TestCase):
    def run_load(self, ports, restart, clients=8):
        """Runs `restart()` under load; returns (messages, errors)."""
        loads = [service.Load(*ports, f"load{index}") for index in range(clients)]
        for load in loads:
            load.start()
        time.sleep(0.5)
        restart()
        time.sleep(0.5)
        for load in loads:
            load.is_stopped.set()
        for load in loads:
            load.join(2 * harness.CLIENT_SECONDS)
            self.assertFalse(load.is_alive())
        errors = [error for load in loads for error in load.errors]
        accepted = [subject for load in loads for subject in load.accepted]
        return accepted, errors

    def check(self, sandbox, accepted, errors, relays):
        self.assertEqual(errors, [], "\n".join(suspects(relays, errors)))
        stored = sorted(message["subject"] for message in sandbox.stored_messages())
        self.assertEqual(stored, sorted(accepted), "every 250 is at the API, once")
        sessions = []
        for relay in relays:
            messages = [event for event in relay.events() if event["event"] == "message"]
            self.assertGreater(len(messages), 0, "every relay had a part in it")
            sessions += [event["session"] for event in messages]
        self.assertEqual(len(sessions), len(set(sessions)), "no relay uses the last one's numbers")
        print(f"{len(accepted)} messages, no error ", end="", file=sys.stderr)


class Activation(RestartTestCase):
    def setUp(self):
        self.sandbox = harness.Sandbox()
        self.addCleanup(self.sandbox.stop)
        self.sockets = [(service.listen(), "starttls"), (service.listen(), "tls")]
        for made, _ in self.sockets:
            self.addCleanup(made.close)
        self.ports = [made.getsockname()[1] for made, _ in self.sockets]

    def start(self, *arguments, sockets=None, environment=None):
        relay = service.Service(
            self.sockets if sockets is None else sockets, self.sandbox.port, *arguments,
            environment=environment)
        self.addCleanup(relay.stop)
        return relay

    def test_the_next_relay_takes_over_the_sockets_and_nobody_notices(self):
        relays = [self.start("--drain-grace", "10s", "--loops", "2")]

        def restart():
            for _ in range(2):
                relays.append(self.start("--drain-grace", "10s", "--loops", "2"))
                relays[-2].stop()
                time.sleep(0.5)

        accepted, errors = self.run_load(self.ports, restart)
        self.check(self.sandbox, accepted, errors, relays)

    def test_who_comes_between_two_relays_waits_and_is_served(self):
        first = self.start("--drain-grace", "10s")
        relays = [first]

        def restart():
            first.stop()
            time.sleep(0.3)
            relays.append(self.start("--drain-grace", "10s"))

        accepted, errors = self.run_load(self.ports, restart)
        self.check(self.sandbox, accepted, errors, relays)

    def test_clients_of_a_relay_that_has_stopped_go_to_the_next(self):
        """The kernel may have told only the stopped relay about them."""
        stopped = self.start()
        self.start()
        stopped.process.send_signal(signal.SIGSTOP)
        self.addCleanup(stopped.process.send_signal, signal.SIGCONT)
        # Its threads stop one by one, and one that still runs may take a client.
        harness.wait_until(lambda: set(service.thread_states(stopped.process)) == {"T"}, what="a stop")
        for number in range(6):
            with socket.create_connection(("127.0.0.1", self.ports[0]), timeout=5) as client:
                self.assertEqual(client.recv(4), b"220 ", f"client {number}")

    def test_flags_add_to_the_sockets_and_defaults_do_not(self):
        port = harness.free_port()
        relay = self.start("--listen", f"127.0.0.1:{port}")
        found = sorted(e["address"] for e in relay.events() if e["event"] == "listening")
        self.assertEqual(found, sorted(f"127.0.0.1:{p}" for p in [*self.ports, port]))

    def refused(self, *sockets):
        with self.assertRaises(AssertionError) as raised:
            self.start(sockets=list(sockets))
        return str(raised.exception)

    def test_sockets_that_mean_nothing_are_refused_with_a_reason(self):
        self.assertIn("FileDescriptorName=starttls", self.refused((self.sockets[0][0], "smtp")))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            os.set_inheritable(other.fileno(), True)
            self.assertIn("no listening TCP socket", self.refused((other, "tls")))

    def test_it_tells_systemd_how_it_is(self):
        told = service.Notifications()
        self.addCleanup(told.close)
        relay = self.start(environment={"NOTIFY_SOCKET": told.path})
        ready = told.next()
        self.assertEqual(ready["READY"], "1")
        self.assertIn("2 listeners", ready["STATUS"])
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
        relay.process.send_signal(signal.SIGHUP)
        reloading = told.next()
        self.assertEqual(reloading["RELOADING"], "1")
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
        self.assertTrue(before <= int(reloading["MONOTONIC_USEC"]) <= after)
        self.assertEqual(told.next()["READY"], "1")
        relay.terminate()
        self.assertEqual(told.next()["STOPPING"], "1")
        relay.stop()

    def test_the_watchdog_hears_of_it_while_its_loops_live(self):
        told = service.Notifications()
        self.addCleanup(told.close)
        environment = {"NOTIFY_SOCKET": told.path, "WATCHDOG_USEC": "400000"}
        relay = self.start(environment=environment)
        self.assertEqual(told.next()["READY"], "1")
        start = time.monotonic()
        for _ in range(10):
            self.assertEqual(told.next(), {"WATCHDOG": "1"})
        self.assertTrue(1.5 < time.monotonic() - start < 6)

    @unittest.skipUnless(os.geteuid() == 0, "only root can stop one thread of another process")
    def test_the_watchdog_hears_nothing_when_a_loop_hangs(self):
        told = service.Notifications()
        self.addCleanup(told.close)
        environment = {"NOTIFY_SOCKET": told.path, "WATCHDOG_USEC": "400000"}
        relay = self.start("--loops", "2", environment=environment)
        self.assertEqual(told.next()["READY"], "1")
        tasks = pathlib.Path(f"/proc/{relay.process.pid}/task")
        loop = next(
            int(task.name) for task in tasks.iterdir()
            if (task / "comm").read_text() == "loop-1\n")
        with service.halted(loop):
            told.socket.settimeout(1)
            with self.assertRaises(TimeoutError):
                for _ in range(3):  # One message may be under way, and the answers to one more.
                    told.next()
        told.socket.settimeout(5)
        self.assertEqual(told.next(), {"WATCHDOG": "1"}, "alive again")

    def test_a_watchdog_for_another_process_is_not_answered(self):
        told = service.Notifications()
        self.addCleanup(told.close)
        environment = {"WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1", "NOTIFY_SOCKET": told.path}
        self.start(environment=environment)
        self.assertEqual(told.next()["READY"], "1")
        told.socket.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            told.next()


@unittest.skipUnless(os.geteuid() == 0, "only root can make a network namespace")
class ReusedPorts(unittest.TestCase):
    def test_the_next_relay_binds_the_same_ports_and_nobody_notices(self):
        """In its own network namespace, where the kernel passes on the connections of a closing
        listener."""
        run = subprocess.run(
            ["unshare", "--net", sys.executable, __file__, "InOwnNetwork"],
            capture_output=True, text=True, timeout=OWN_NETWORK_SECONDS,
            env={**os.environ, "IN_OWN_NETWORK": "1"})
        self.assertEqual(run.returncode, 0, run.stderr[-3_000:])
        print(run.stderr.splitlines()[0] if run.stderr else "", end=" ", file=sys.stderr)


@unittest.skipUnless(os.environ.get("IN_OWN_NETWORK"), "runs inside ReusedPorts")
class InOwnNetwork(RestartTestCase):
    def test_a_restart_over_so_reuseport(self):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        pathlib.Path("/proc/sys/net/ipv4/tcp_migrate_req").write_text("1")
        sandbox = harness.Sandbox()
        self.addCleanup(sandbox.stop)
        ports = [harness.free_port(), harness.free_port()]
        relays = []

        def start():
            relays.append(service.Service(
                [], sandbox.port, "--drain-grace", "10s", "--loops", "2",
                f"--listen=127.0.0.1:{ports[0]}", f"--listen-tls=127.0.0.1:{ports[1]}"))
            self.addCleanup(relays[-1].stop)

        def restart():
            for _ in range(2):
                start()
                relays[-2].stop()
                time.sleep(0.5)

        start()
        accepted, errors = self.run_load(ports, restart)
        self.check(sandbox, accepted, errors, relays)


if __name__ == "__main__":
    unittest.main()
