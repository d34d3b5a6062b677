"""A thousand slow clients beside a normal load: the load keeps its throughput.

The load is relay-perf's, on connections of a hundred messages; the crowd is crowd.py, at every
stage from the handshake to QUIT, each client twelve times as busy as one byte in 59 seconds. Runs
with and without the crowd take turns, in the opposite order each round, and a round is judged by
its own ratio, because the machine may have other work. SLOW_ROUNDS sets the number of rounds.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))

import harness  # noqa: E402 - found by the line above

PERF = os.environ.get("PERF_BINARY", str(ROOT / ".build/release/relay-perf"))
CLIENTS = 1_000
SECONDS_A_BYTE = 5
ROUNDS = int(os.environ.get("SLOW_ROUNDS", "7"))
SECONDS = float(os.environ.get("SLOW_SECONDS", "4"))
LEAST_RATIO = 0.9


class Crowd:
    def __init__(self, relay, key):
        self.process = subprocess.Popen(
            [sys.executable, str(pathlib.Path(__file__).with_name("crowd.py")), str(relay.tls_port),
             str(relay.ports[0]), str(CLIENTS), str(SECONDS_A_BYTE), key],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise AssertionError("no crowd")

    def state(self):
        """(connected, closed so far), of the last second."""
        return tuple(int(word) for word in self.process.stdout.readline().split())

    def close(self):
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.wait(30)
        self.process.stdout.close()


class SlowCrowd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        port = harness.free_port()
        cls.api = harness.Process(
            "sandbox", ["sandbox", "--listen", f"127.0.0.1:{port}", "--log-level", "warning"])
        cls.addClassCleanup(cls.api.stop)
        cls.api.wait_for_port(port)
        cls.relay = harness.Relay(
            "--log-level", "warning", "--max-connections-per-address", "100000",
            "--max-connections-per-prefix", "100000", "--max-handshakes-per-address", "1000000",
            "--max-handshakes-per-prefix", "1000000", api_port=port)
        cls.addClassCleanup(cls.relay.stop)

    def load(self):
        """(messages per second, microseconds of the relay's CPU per message) of one run."""
        with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
            result = subprocess.run(
                [PERF, "load", "--server", f"127.0.0.1:{self.relay.tls_port}", "--security", "tls",
                 "--ca", self.relay.certificate, "--password", harness.new_key("load"),
                 "--connections", "20", "--duration", str(SECONDS), "--warm-up", "200",
                 "--pid", str(self.relay.process.pid), "--output", file.name],
                capture_output=True, text=True, timeout=SECONDS + 60)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            run = json.loads(pathlib.Path(file.name).read_text().splitlines()[-1])
        self.assertEqual(run.get("failures") or {}, {})
        cost = run["server"]["userTime"] + run["server"]["systemTime"]
        return run["messages"] / run["seconds"], cost / run["messages"]

    def with_crowd(self, key):
        crowd = Crowd(self.relay, key)
        try:
            before = crowd.state()
            figures = self.load()
            after = crowd.state()
        finally:
            crowd.close()
        # The crowd was there all the time: clients that are closed come back.
        self.assertGreater(min(before[0], after[0]), CLIENTS * 0.8)
        return figures

    def test_throughput_holds(self):
        key = harness.new_key("crowd")
        self.load()
        ratios, cpu_ratios = [], []
        for number in range(ROUNDS):
            if number % 2:
                loud, quiet = self.with_crowd(key), self.load()
            else:
                quiet, loud = self.load(), self.with_crowd(key)
            ratios.append(loud[0] / quiet[0])
            cpu_ratios.append(loud[1] / quiet[1])
            print(f"round {number + 1}: {quiet[0]:.0f} messages/s alone, {loud[0]:.0f} with "
                  f"{CLIENTS} slow clients: {ratios[-1]:.2f}; CPU a message {cpu_ratios[-1]:.2f}",
                  file=sys.stderr)
        for name, values in (("throughput", ratios), ("CPU a message", cpu_ratios)):
            print(f"{name}: median ratio {statistics.median(values):.3f}, "
                  f"{min(values):.2f} to {max(values):.2f}", file=sys.stderr)
        self.assertGreaterEqual(statistics.median(ratios), LEAST_RATIO, ratios)
        # The relay's own cost per message varies less on a machine with other work.
        self.assertLessEqual(statistics.median(cpu_ratios), 2 - LEAST_RATIO, cpu_ratios)


if __name__ == "__main__":
    unittest.main()
