"""The package, installed by docs/install.md on a machine with systemd: what its tests share.

The certificate is our own; the hook gives it to the relay, called as certbot would call it. The API
is the sandbox.
"""

import json
import os
import smtplib
import ssl
import sys
import time
import unittest
import urllib.request

import debian
import harness
import machine
import prometheus_text
import service

UNIT = "postscale-relay.service"
# The exit status if no machine boots.
NO_MACHINE = 77
LINEAGE = "etc/letsencrypt/live/smtp.example.com"


def boot():
    """One machine for all tests of a module: its setUpModule. Each test leaves the relay
    running."""
    try:
        Systemd.machine = machine.Machine()
    except machine.NoMachine as reason:
        print(reason, file=sys.stderr)
        sys.exit(NO_MACHINE)
    unittest.addModuleCleanup(Systemd.machine.close)
    Systemd.sandbox = harness.Sandbox()
    unittest.addModuleCleanup(Systemd.sandbox.stop)
    Systemd.install()


@unittest.skipUnless(os.environ.get("IN_OWN_NETWORK"), "runs inside Outside")
class Systemd(unittest.TestCase):
    @classmethod
    def run_inside(cls, *command, **more):
        return cls.machine.run(*command, **more)

    @classmethod
    def shell(cls, script, **more):
        return cls.machine.shell(script, **more)

    @classmethod
    def install(cls):
        """docs/install.md, command by command."""
        cls.shell(f"cd /root && apt-get install -y ./{debian.PACKAGE.name}")
        refused = cls.shell(
            "postscale-relay --config /etc/postscale-relay/relay.conf --check-config", check=False)
        assert "neither it nor a folder in it has fullchain.pem" in refused.stderr, refused
        Systemd.certificate = cls.renew()
        (cls.machine.root / "etc/default/postscale-relay").write_text(
            f'POSTSCALE_OPTIONS="--api-url http://127.0.0.1:{cls.sandbox.port}"\n')
        config = cls.machine.root / "etc/postscale-relay/relay.conf"
        config.write_text(config.read_text().replace("#--hostname", "--hostname"))
        checked = cls.shell("postscale-relay --config /etc/postscale-relay/relay.conf --check-config")
        assert "The configuration is valid." in checked.stdout, checked
        cls.shell(
            "systemctl enable --now postscale-relay.socket postscale-relay-tls.socket "
            "postscale-relay.service")

    @classmethod
    def renew(cls):
        """Gives the relay a new certificate, as certbot would; returns it (DER)."""
        folder = cls.machine.root / LINEAGE
        folder.mkdir(parents=True, exist_ok=True)
        os.chmod(folder.parent, 0o700)
        key = harness.make_certificate(str(folder), str(folder / "fullchain.pem"))
        os.replace(key, folder / "privkey.pem")
        cls.run_inside("/usr/lib/postscale-relay/certbot-deploy", RENEWED_LINEAGE=f"/{LINEAGE}")
        return ssl.PEM_cert_to_DER_cert((folder / "fullchain.pem").read_text())

    def setUp(self):
        self.assertEqual(self.state(), "active")
        self.before = set(self.subjects())

    # MARK: Looking

    def state(self, unit=UNIT):
        return self.machine.show(unit, "ActiveState")

    def main_process(self, unit=UNIT):
        return int(self.machine.show(unit, "MainPID"))

    def subjects(self):
        return [message["subject"] for message in self.sandbox.stored_messages()]

    def journal(self, *matches, unit=UNIT):
        """Entries of a unit as dictionaries."""
        self.run_inside("journalctl", "--sync")
        text = self.run_inside("journalctl", "-u", unit, "-o", "json", "--no-pager", *matches).stdout
        return [json.loads(line) for line in text.splitlines()]

    def wait_for_event(self, name, count=1, unit=UNIT):
        def find():
            found = self.journal(f"POSTSCALE_EVENT={name}", unit=unit)
            return found if len(found) >= count else None

        return harness.wait_until(find, 20, f"{name} in the journal")

    def scrape(self, port=9587):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
            return prometheus_text.parse(answer.read())

    # MARK: Talking

    def client(self, port=587, host="127.0.0.1"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if port == 465:
            client = smtplib.SMTP_SSL(host, port, "client.test", timeout=60, context=context)
        else:
            client = smtplib.SMTP(host, port, "client.test", timeout=60)
            client.starttls(context=context)
        self.addCleanup(client.close)
        client.login("postscale", harness.new_key())
        return client

    def send(self, client, subject):
        client.sendmail(
            "a@yourdomain.com", "b@example.com",
            f"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: {subject}\r\n\r\nx\r\n")

    def under_load(self, what, change, clients=4):
        """No client is refused or sent away, and no message is lost, during `change`."""
        loads = [service.Load(587, 465, f"{what}{index}") for index in range(clients)]
        for load in loads:
            load.start()
        time.sleep(1)
        change()
        time.sleep(1)
        for load in loads:
            load.is_stopped.set()
        for load in loads:
            load.join(60)
            self.assertFalse(load.is_alive())
        self.assertEqual([error for load in loads for error in load.errors], [])
        accepted = sorted(subject for load in loads for subject in load.accepted)
        self.assertEqual(sorted(set(self.subjects()) - self.before), accepted)
        self.assertEqual(len(self.subjects()), len(set(self.subjects())), "none of them twice")
        slowest = max(seconds for load in loads for seconds in load.seconds)
        print(f"{len(accepted)} messages, slowest {slowest * 1_000:.0f} ms ", end="", file=sys.stderr)
