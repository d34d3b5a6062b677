"""Two relays behind HAProxy, each in a network namespace: one is killed, one is drained, under load.

The balancer runs deploy/haproxy/haproxy.cfg unchanged. Each relay has its own API on its loopback;
the clients' records are compared with both. Clients connect, send one message and leave; a client
whose message was not answered with 250 sends it again, as every mail program does.
"""

import json
import os
import pathlib
import smtplib
import subprocess
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))

import harness  # noqa: E402
import service  # noqa: E402

BALANCER = "203.0.113.1"
CLIENT = "203.0.113.2"
SUFFIX = str(os.getpid())


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


class Node:
    """A network namespace with one address on the relays' network."""

    def __init__(self, name, address):
        self.name, self.address = f"{name}-{SUFFIX}", address
        ip("netns", "add", self.name)
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command):
        subprocess.run(["ip", "netns", "exec", self.name, *command], check=True)

    @property
    def prefix(self):
        return ["ip", "netns", "exec", self.name]

    def remove(self):
        ip("netns", "del", self.name)


class Relay(harness.Process):
    """A relay on the public ports, and its API."""

    def __init__(self, node, *arguments, api=None):
        self.node = node
        self.store = harness.temporary_folder("store")
        folder = harness.temporary_folder("fleet")
        certificate = os.path.join(folder, "certificate.pem")
        key = harness.make_certificate(folder, certificate)
        super().__init__(
            "fleet",
            ["--hostname", "localhost", "--tls-cert", certificate, "--tls-key", key]
            + (api or ["--sandbox", "--sandbox-store", self.store])
            + ["--log-format", "json", "--log-level", "trace", "--admin", f"{node.address}:9587"]
            + [f"--listen={node.address}:587", f"--listen-tls={node.address}:465"]
            # All clients have one address, and on a fast machine make more than 6,000 handshakes
            # per minute.
            + ["--max-handshakes-per-address", "1000000", "--max-handshakes-per-prefix", "1000000"]
            + ["--proxy-from", "10.0.0.10", "--drain-delay", "4s", "--drain-grace", "10s", "--loops", "1"]
            + [*harness.RELAY_ARGUMENTS, *arguments],
            wrapper=node.prefix)
        harness.wait_until(
            lambda: any(event["event"] == "ready" for event in self.events()), what="the start")

    def subjects(self):
        """The messages at its API, each as often as it is there."""
        return [
            json.loads(path.read_bytes())["subject"] for path in pathlib.Path(self.store).glob("*.json")]


class Client(service.Load):
    """Sends one message after another, each until it is answered with 250."""

    def __init__(self, name):
        super().__init__(587, 465, name, host=BALANCER)

    def deliver(self, subject, port, is_tls):
        while True:
            try:
                return self.send(subject, port, is_tls)
            except (OSError, smtplib.SMTPException) as error:
                self.errors.append((subject, repr(error)))
                time.sleep(0.05)


@unittest.skipUnless(os.geteuid() == 0, "only root can make network namespaces")
class Outside(unittest.TestCase):
    """Runs the rest in a new namespace, that of the clients."""

    def test_two_relays_behind_haproxy(self):
        if os.environ.get("IN_OWN_NETWORK"):
            self.skipTest("runs outside")
        run = subprocess.run(
            ["unshare", "--net", sys.executable, __file__, "Fleet"], timeout=300,
            env={**os.environ, "IN_OWN_NETWORK": "1"})
        self.assertEqual(run.returncode, 0)


@unittest.skipUnless(os.environ.get("IN_OWN_NETWORK"), "runs inside Outside")
class Fleet(unittest.TestCase):
    def setUp(self):
        ip("link", "set", "lo", "up")
        self.balancer = Node("lb", "10.0.0.10")
        self.nodes = [Node("r1", "10.0.0.11"), Node("r2", "10.0.0.12")]
        for node in (self.balancer, *self.nodes):
            self.addCleanup(node.remove)
        lb = self.balancer.name
        ip("link", "add", "world", "type", "veth", "peer", "name", "world", "netns", lb)
        # A deleted namespace removes its links some time later: too late for the next test.
        self.addCleanup(ip, "link", "del", "world")
        ip("address", "add", f"{CLIENT}/24", "dev", "world")
        ip("link", "set", "world", "up")
        self.balancer.run("ip", "address", "add", f"{BALANCER}/24", "dev", "world")
        self.balancer.run("ip", "link", "set", "world", "up")
        self.balancer.run("ip", "link", "add", "relays", "type", "bridge")
        self.balancer.run("ip", "address", "add", "10.0.0.10/24", "dev", "relays")
        self.balancer.run("ip", "link", "set", "relays", "up")
        for index, node in enumerate(self.nodes):
            ip("link", "add", f"r{index}", "netns", lb, "type", "veth",
               "peer", "name", "inside", "netns", node.name)
            self.balancer.run("ip", "link", "set", f"r{index}", "master", "relays", "up")
            node.run("ip", "address", "add", f"{node.address}/24", "dev", "inside")
            node.run("ip", "link", "set", "inside", "up")

    def start(self, **more):
        self.relays = [Relay(node, **more) for node in self.nodes]
        for relay in self.relays:
            self.addCleanup(lambda relay=relay: relay.stop() if relay.process.returncode is None else None)
        self.haproxy = subprocess.Popen(
            [*self.balancer.prefix, "haproxy", "-db", "-f", str(ROOT / "deploy/haproxy/haproxy.cfg")],
            stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.addCleanup(self.haproxy.wait)
        self.addCleanup(self.haproxy.kill)
        time.sleep(3)
        self.assertIsNone(self.haproxy.poll(), "the balancer runs")

    def load(self, disturb, count=8):
        clients = [Client(f"c{index}") for index in range(count)]
        for client in clients:
            client.start()
        time.sleep(1)
        disturb()
        time.sleep(4)
        for client in clients:
            client.is_stopped.set()
        for client in clients:
            client.join(10)
            self.assertFalse(
                client.is_alive(), f"a client that never got its 250: {client.errors[-3:]}")
        return clients

    def report(self, what, clients, stored):
        accepted = [subject for client in clients for subject in client.accepted]
        repeated = [entry for client in clients for entry in client.errors]
        slowest = max(seconds for client in clients for seconds in client.seconds)
        twice = len(stored) - len(set(stored))
        print(f"{what}: {len(accepted)} messages, {len(repeated)} tries that were repeated, "
              f"{twice} at the API twice, slowest {slowest * 1_000:.0f} ms", file=sys.stderr)
        return accepted, repeated, twice

    def check_addresses(self):
        """The relays see the clients' addresses; the balancer's checks are not sessions."""
        for relay in self.relays:
            peers = {
                event["peer"].rsplit(":", 1)[0] for event in relay.events()
                if event["event"] == "session-opened"}
            self.assertLessEqual(peers, {CLIENT})
            messages = {event["peer"] for event in relay.events() if event["event"] == "message"}
            self.assertEqual(messages, {CLIENT})

    def test_one_is_drained_and_comes_back(self):
        def drain():
            self.relays[0].stop()
            time.sleep(2)
            self.relays.append(Relay(self.nodes[0]))
            self.addCleanup(self.relays[-1].stop)

        self.start()
        clients = self.load(drain)
        stored = [subject for relay in self.relays for subject in relay.subjects()]
        accepted, repeated, twice = self.report("drained", clients, stored)
        self.assertEqual(repeated, [], "nobody notices")
        self.assertEqual(sorted(stored), sorted(accepted))
        self.assertEqual(twice, 0)
        self.check_addresses()

    def test_one_is_killed(self):
        self.start()
        clients = self.load(self.relays[0].kill)
        stored = [subject for relay in self.relays for subject in relay.subjects()]
        accepted, repeated, twice = self.report("killed", clients, stored)
        self.assertEqual(sorted(set(stored)), sorted(accepted), "nothing is lost")
        # Only messages in flight: at most one per client.
        self.assertLessEqual(len({subject for subject, _ in repeated}), len(clients))
        self.assertLessEqual(twice, len({subject for subject, _ in repeated}))
        self.check_addresses()

    def test_without_an_api_clients_hear_so_and_are_not_refused(self):
        """Then no relay is ready, and an unready one is better than none."""
        self.start(api=["--api-url", "http://127.0.0.1:9"])
        client = Client("c")
        for port, is_tls in client.ports:
            with self.assertRaises(smtplib.SMTPResponseException) as caught:
                client.send("s", port, is_tls)
            self.assertIn(caught.exception.smtp_code, (451, 454))


if __name__ == "__main__":
    unittest.main()
