"""The metrics, the alerts and the board against a real Prometheus that scrapes a real relay.

Needs Debian's `prometheus` (prometheus and promtool). Everything is on loopback and in a temporary
folder."""

import json
import pathlib
import re
import subprocess
import sys
import time
import unittest
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))

import harness  # noqa: E402
import prometheus_text  # noqa: E402

ALERTS = ROOT / "deploy/prometheus"
BOARD = ROOT / "deploy/grafana/postscale-relay.json"
MESSAGE = b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: s\r\n\r\nHello\r\n"
NAME = re.compile(r"\b(postscale_relay_[a-z_]+|process_[a-z_]+)\b")


def promtool(*arguments, **options):
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, **options)


class Prometheus:
    """A Prometheus that scrapes one relay every second and has our alerts."""

    def __init__(self, target):
        self.folder = pathlib.Path(harness.temporary_folder("prometheus"))
        self.port = harness.free_port()
        configuration = (ALERTS / "prometheus.yml").read_text()
        configuration = configuration.replace("127.0.0.1:9587", target).replace("15s", "1s")
        configuration = configuration.replace(
            "postscale-relay.rules.yml", str(ALERTS / "postscale-relay.rules.yml"))
        (self.folder / "prometheus.yml").write_text(configuration)
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={self.folder / 'prometheus.yml'}",
             f"--storage.tsdb.path={self.folder / 'data'}",
             f"--web.listen-address=127.0.0.1:{self.port}"],
            stdout=self.log, stderr=self.log)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()

    def api(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}", timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # It is still starting.
                return None
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None
        except OSError:
            return None

    def query(self, expression):
        return self.api("query", query=expression)["result"]

    def value(self, expression):
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else None


def board_expressions():
    board = json.loads(BOARD.read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


class WithPrometheus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.admin = harness.free_port()
        cls.relay = harness.Relay("--admin", str(cls.admin))
        cls.addClassCleanup(cls.relay.stop)
        cls.prometheus = Prometheus(f"127.0.0.1:{cls.admin}")
        cls.addClassCleanup(cls.prometheus.stop)
        harness.wait_until(
            lambda: (cls.prometheus.api("targets") or {}).get("activeTargets"), 60, "Prometheus")

    def page(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=10) as answer:
            return answer.read()

    def send(self, messages, key=None):
        with self.relay.login(key or harness.new_key()) as client:
            for _ in range(messages):
                client.sendmail("a@yourdomain.com", "b@example.com", MESSAGE)

    def test_it_takes_the_page(self):
        def target():
            found = self.prometheus.api("targets")["activeTargets"][0]
            return found if found["health"] != "unknown" else None

        found = harness.wait_until(target, 30, "the first scrape")
        self.assertEqual((found["health"], found["lastError"]), ("up", ""))
        checked = promtool("check", "metrics", input=self.page().decode())
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, "", ""))

    def test_it_sees_what_was_sent(self):
        accepted = 'sum(postscale_relay_messages_total{outcome="accepted"})'
        before = prometheus_text.total(
            prometheus_text.parse(self.page()), "postscale_relay_messages_total", outcome="accepted")
        self.send(7)
        harness.wait_until(
            lambda: self.prometheus.value(accepted) == before + 7, 30, "seven messages")
        quantile = harness.wait_until(lambda: self.prometheus.value(
            "histogram_quantile(0.99, sum by (le) (postscale_relay_answer_seconds_bucket))"), 30)
        self.assertTrue(0 < quantile < 60, quantile)
        # Prometheus has the type and the help too.
        metadata = self.prometheus.api("metadata", metric="postscale_relay_answer_seconds")
        self.assertEqual(metadata["postscale_relay_answer_seconds"][0]["type"], "histogram")

    def test_every_name_of_alerts_and_board_exists(self):
        self.send(1)
        there = set()
        for name, family in prometheus_text.parse(self.page()).items():
            there |= {name + suffix for suffix, _ in family.samples}
        rules = (ALERTS / "postscale-relay.rules.yml").read_text()
        texts = [line for line in rules.splitlines() if not line.lstrip().startswith("#")]
        texts += [expression for _, expression in board_expressions()]
        used = set()
        for text in texts:
            used |= set(NAME.findall(text))
        self.assertGreater(len(used), 30)
        self.assertEqual(used - there, set())

    def test_every_expression_of_the_board_is_understood_and_shows_something(self):
        # Some panels show only errors, and there are none here.
        quiet = {"Connections by listener", "Lost on the way"}

        def empty():
            with self.relay.login(harness.new_key()) as client:
                client.sendmail("a@yourdomain.com", "b@example.com", MESSAGE)
                client.docmd("NONSENSE")
            time.sleep(1)
            found = set()
            for title, expression in board_expressions():
                expression = expression.replace("$__rate_interval", "1m").replace("$instance", ".+")
                if not self.prometheus.query(expression):
                    found.add(title)
            return found - quiet

        # A rate needs two scrapes.
        harness.wait_until(lambda: not empty(), 40, "something in every panel")

    def test_the_alerts_are_loaded_and_quiet(self):
        def rules():
            groups = (self.prometheus.api("rules") or {}).get("groups", [])
            found = [rule for group in groups for rule in group["rules"]]
            return found if found and all(rule["health"] != "unknown" for rule in found) else None

        found = harness.wait_until(rules, 60, "the rules")
        self.assertEqual({rule["health"] for rule in found}, {"ok"})
        self.assertEqual([rule["name"] for rule in found if rule["state"] == "firing"], [])

    # Runs after the test that requires all alerts to be quiet.
    def test_z_an_uncertain_message_raises_an_alert(self):
        client = self.relay.login(harness.new_key("garbage"))
        # A counter's growth is visible from the second scrape on.
        time.sleep(2)
        for _ in range(2):
            code = client.docmd("MAIL FROM:<a@yourdomain.com>")[0]
            self.assertEqual(code, 250)
            client.docmd("RCPT TO:<b@example.com>")
            client.docmd("DATA")
            client.send(MESSAGE + b".\r\n")
            self.assertEqual(client.getreply()[0], 451)
        client.close()

        def firing():
            alerts = (self.prometheus.api("alerts") or {}).get("alerts", [])
            return [alert for alert in alerts if alert["labels"]["alertname"] == "RelayUncertain"]

        alert = harness.wait_until(firing, 30, "the alert")[0]
        self.assertEqual(alert["state"], "firing")
        self.assertIn("nobody knows", alert["annotations"]["summary"])


class Files(unittest.TestCase):
    def test_promtool_takes_rules_and_configuration(self):
        for command in (("check", "rules", "postscale-relay.rules.yml"),
                        ("check", "config", "prometheus.yml"),
                        ("test", "rules", "postscale-relay.test.yml")):
            result = promtool(*command, cwd=ALERTS)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_every_alert_has_its_lines_in_the_runbook(self):
        alerts = re.findall(r"- alert: (\w+)", (ALERTS / "postscale-relay.rules.yml").read_text())
        runbook = re.findall(r"^\| `(Relay\w+)` \|", (ROOT / "docs/operating.md").read_text(), re.M)
        self.assertEqual(sorted(alerts), sorted(runbook))
        self.assertEqual(len(alerts), len(set(alerts)))

    def test_the_board_is_whole(self):
        board = json.loads(BOARD.read_text())
        panels = board["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        taken = set()
        for panel in panels:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24)
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            self.assertEqual(taken & cells, set(), panel["title"])
            taken |= cells


if __name__ == "__main__":
    unittest.main()
