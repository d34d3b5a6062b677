"""deploy/kubernetes: valid by Kubernetes' own schemas, and the end of a pod carried out.

There is no cluster here. The relay runs with the manifest's settings as the first process of a
process namespace, as in a pod, and the preStop runs next to it.
"""

import os
import pathlib
import re
import smtplib
import ssl
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))

import harness  # noqa: E402

MANIFEST = ROOT / "deploy/kubernetes/relay.yaml"
RESOURCES = list(yaml.safe_load_all(MANIFEST.read_text()))
KINDS = {resource["kind"]: resource for resource in RESOURCES}
POD = KINDS["Deployment"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
SETTINGS = KINDS["ConfigMap"]["data"]["relay.conf"]


def seconds(flag):
    return int(re.search(rf"^{flag} (\d+)s$", SETTINGS, re.M)[1])


class Manifests(unittest.TestCase):
    def test_each_resource_is_what_its_schema_says(self):
        for resource in RESOURCES:
            with self.subTest(resource["kind"]):
                kubernetes_validate.validate(
                    resource, kubernetes_validate.latest_version(), strict=True)

    def test_probes_and_services_name_ports_that_the_settings_open(self):
        ports = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
        opened = {int(port) for port in re.findall(r"^--(?:listen|listen-tls|admin) \S+:(\d+)$",
                                                   SETTINGS, re.M)}
        self.assertEqual(set(ports.values()), opened)
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            self.assertEqual(CONTAINER[probe]["httpGet"]["port"], "admin")
        for port in KINDS["Service"]["spec"]["ports"]:
            self.assertIn(port["targetPort"], ports)

    def test_a_pod_has_time_to_drain_and_its_service_to_let_go(self):
        probe = CONTAINER["readinessProbe"]
        self.assertGreater(
            seconds("--drain-delay"), probe["periodSeconds"] * probe["failureThreshold"])
        self.assertGreater(
            POD["terminationGracePeriodSeconds"],
            seconds("--drain-delay") + seconds("--drain-timeout"))

    def test_labels_meet_their_selectors(self):
        labels = KINDS["Deployment"]["spec"]["template"]["metadata"]["labels"]
        self.assertEqual(KINDS["Deployment"]["spec"]["selector"]["matchLabels"], labels)
        self.assertEqual(KINDS["Service"]["spec"]["selector"], labels)
        self.assertEqual(
            KINDS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"], labels)


@unittest.skipUnless(os.geteuid() == 0, "only root can make a process namespace")
class TheEndOfAPod(unittest.TestCase):
    def setUp(self):
        folder = pathlib.Path(harness.temporary_folder("pod"))
        key = harness.make_certificate(str(folder), str(folder / "tls.crt"))
        self.port, self.admin = harness.free_port(), harness.free_port()
        settings = SETTINGS.replace("/etc/postscale-relay/tls/tls.crt", str(folder / "tls.crt"))
        settings = settings.replace("/etc/postscale-relay/tls/tls.key", key)
        settings = settings.replace("0.0.0.0:2525", f"127.0.0.1:{self.port}")
        settings = settings.replace("0.0.0.0:2465", f"127.0.0.1:{harness.free_port()}")
        settings = settings.replace("0.0.0.0:9587", f"127.0.0.1:{self.admin}")
        (folder / "relay.conf").write_text(settings)
        self.process = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", harness.BINARY,
             "--config", str(folder / "relay.conf"), "--sandbox",
             "--sandbox-listen", f"127.0.0.1:{harness.free_port()}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        harness.wait_until(lambda: self.ask("/readyz") == 200, what="the start")
        pid = self.process.pid
        self.first = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()

    def ask(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def client(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = smtplib.SMTP("127.0.0.1", self.port, timeout=30)
        self.addCleanup(client.close)
        client.starttls(context=context)
        client.login("postscale", harness.new_key())
        return client

    def test_the_pre_stop_drains_and_the_pod_ends_by_itself(self):
        slow = self.client()
        slow.mail("a@yourdomain.com")
        slow.rcpt("b@example.com")
        slow.docmd("DATA")
        slow.send(b"Subject: under way\r\n\r\n")
        start = time.monotonic()
        command = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
        hook = threading.Thread(
            target=subprocess.run,
            args=(["nsenter", "--target", self.first, "--pid", "--mount", *command],),
            kwargs={"stderr": subprocess.DEVNULL})
        hook.start()
        harness.wait_until(lambda: self.ask("/readyz") == 503, 2, "the word that it ends")
        self.assertEqual(self.ask("/healthz"), 200)
        # A client that comes before the Service has removed the pod is served.
        late = self.client()
        late.sendmail("a@yourdomain.com", "b@example.com", "Subject: late\r\n\r\nx\r\n")
        late.close()
        time.sleep(max(0, start + seconds("--drain-delay") + 0.5 - time.monotonic()))
        with self.assertRaises(OSError):
            smtplib.SMTP("127.0.0.1", self.port, timeout=5)
        slow.send(b"x\r\n.\r\n")
        self.assertEqual(slow.getreply()[0], 250)
        self.assertEqual(self.process.wait(20), 0)
        hook.join(5)
        self.assertFalse(hook.is_alive())
        self.assertLess(time.monotonic() - start, POD["terminationGracePeriodSeconds"])


if __name__ == "__main__":
    unittest.main()
