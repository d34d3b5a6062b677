"""The Debian package as its user sees it: in a fresh Debian (debootstrap).

It is installed with apt, gets a certificate from the certbot hook, is started by its unit's command
line with sockets as systemd passes them, gets a message and another certificate, is upgraded and
purged. PACKAGE is the package; the folder of the fresh Debian is kept for the next run.
"""

import contextlib
import os
import pathlib
import re
import shlex
import shutil
import signal
import smtplib
import ssl
import subprocess
import sys
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "EndToEnd"))

import debian  # noqa: E402
import harness  # noqa: E402
import service  # noqa: E402
from debian import FOLDER, PACKAGE  # noqa: E402

UNIT = "usr/lib/systemd/system/postscale-relay.service"


@unittest.skipUnless(os.geteuid() == 0, "only root can make a Debian")
@unittest.skipUnless(PACKAGE.is_file(), "PACKAGE names no package")
class Package(unittest.TestCase):
    # The release, and its folder.
    suite = None
    folder = FOLDER / "debian"

    @classmethod
    def setUpClass(cls):
        debian.copy(debian.base(cls.suite), cls.folder)
        # Swift reads the command line from /proc.
        cls.enterClassContext(debian.mounted(cls.folder))
        cls.inside("apt-get", "update", "-qq")
        shutil.copy(PACKAGE, cls.folder / "tmp/relay.deb")
        cls.inside("apt-get", "install", "-y", "-qq", "/tmp/relay.deb")

    @classmethod
    def inside(cls, *command, **more):
        return debian.inside(cls.folder, *command, **more)

    @contextlib.contextmanager
    def relay(self, sockets, api_port):
        """Starts it by the unit's command line, as the unit's user, with the unit's sockets."""
        unit = (self.folder / UNIT).read_text()
        command = re.search(r"^ExecStart=(.*)$", unit, re.M)[1]
        options = f"--api-url http://127.0.0.1:{api_port} --admin {harness.free_port()}"
        command = command.replace("$POSTSCALE_OPTIONS", options)
        user, group = (re.search(rf"^{key}=(.*)$", unit, re.M)[1] for key in ("User", "Group"))
        numbers = [made.fileno() for made, _ in sockets]
        names = ":".join(name for _, name in sockets)
        log = open(FOLDER / "relay.log", "ab")
        before = (FOLDER / "relay.log").read_bytes().count(b" notice ready ")
        process = subprocess.Popen(
            [sys.executable, "-c", service._ACTIVATE, str(len(sockets)), names]
            + [str(number) for number in numbers]
            + [shutil.which("chroot"), f"--userspec={user}:{group}", str(self.folder)] + shlex.split(command),
            pass_fds=numbers, stdout=log, stderr=log, env={"PATH": os.environ["PATH"]})
        harness.wait_until(
            lambda: (FOLDER / "relay.log").read_bytes().count(b" notice ready ") > before,
            what="the start")
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(40), 0)
            log.close()

    def certificate(self, hook=True):
        """Gives the relay a new certificate through the certbot hook; returns it."""
        lineage = self.folder / "etc/letsencrypt/live/localhost"
        lineage.mkdir(parents=True, exist_ok=True)
        os.chmod(lineage.parent, 0o700)
        key = harness.make_certificate(str(lineage), str(lineage / "fullchain.pem"))
        os.replace(key, lineage / "privkey.pem")
        self.inside(
            "/usr/lib/postscale-relay/certbot-deploy",
            RENEWED_LINEAGE="/etc/letsencrypt/live/localhost")
        return ssl.PEM_cert_to_DER_cert((lineage / "fullchain.pem").read_text())

    def send(self, port, subject, count=1):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = smtplib.SMTP("127.0.0.1", port, timeout=20)
        try:
            client.starttls(context=context)
            presented = client.sock.getpeercert(binary_form=True)
            client.login("postscale", "ps_test_key")
            client.sendmail(
                "a@yourdomain.com", "b@example.com",
                f"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: {subject}\r\n\r\nx\r\n")
        finally:
            client.close()  # A draining relay sends 421 after the message.
        return presented

    def test_its_whole_life(self):
        user = self.inside("getent", "passwd", "postscale-relay").stdout.split(":")
        self.assertEqual(user[5:], ["/nonexistent", "/usr/sbin/nologin\n"])
        folder = (self.folder / "etc/postscale-relay/tls").stat()
        self.assertEqual((folder.st_uid, folder.st_mode & 0o777), (0, 0o750))
        self.assertEqual(folder.st_gid, int(user[3]))
        self.assertIn(b"SIGHUP", subprocess.run(
            ["zcat", self.folder / "usr/share/man/man1/postscale-relay.1.gz"], capture_output=True).stdout)
        for path in ("bash-completion/completions/postscale-relay",
                     "zsh/vendor-completions/_postscale-relay",
                     "fish/vendor_completions.d/postscale-relay.fish"):
            self.assertIn("proxy-from", (self.folder / "usr/share" / path).read_text())
        command = ["postscale-relay", "--config", "/etc/postscale-relay/relay.conf", "--check-config"]
        refused = self.inside(*command, check=False)
        self.assertEqual(refused.returncode, 64)
        self.assertIn("neither it nor a folder in it has fullchain.pem", refused.stderr)

        first = self.certificate()
        self.assertIn("The configuration is valid.", self.inside(*command).stdout)
        api_port = harness.free_port()
        sandbox = subprocess.Popen(
            ["chroot", self.folder, "postscale-relay", "sandbox", "--listen", f"127.0.0.1:{api_port}"],
            stderr=subprocess.DEVNULL)
        self.addCleanup(sandbox.wait)
        self.addCleanup(sandbox.terminate)
        harness.wait_until(
            lambda: subprocess.run(["bash", "-c", f": </dev/tcp/127.0.0.1/{api_port}"],
                                   stderr=subprocess.DEVNULL).returncode == 0)
        sockets = [(service.listen(), "starttls"), (service.listen(), "tls")]
        for made, _ in sockets:
            self.addCleanup(made.close)
        port = sockets[0][0].getsockname()[1]
        with self.relay(sockets, api_port) as process:
            self.assertEqual(self.send(port, "first"), first)
            second = self.certificate()
            process.send_signal(signal.SIGHUP)
            time.sleep(0.5)
            self.assertEqual(self.send(port, "renewed"), second)
            self.upgrade()
            with self.relay(sockets, api_port):
                process.send_signal(signal.SIGTERM)
                self.assertEqual(self.send(port, "upgraded"), second)
        with urllib.request.urlopen(f"http://127.0.0.1:{api_port}/sandbox/messages") as answer:
            text = answer.read().decode()
        for subject in ("first", "renewed", "upgraded"):
            self.assertIn(f'"{subject}"', text)

        self.inside("apt-get", "remove", "-y", "-qq", "postscale-relay")
        self.assertFalse((self.folder / "usr/bin/postscale-relay").exists())
        self.assertTrue((self.folder / "etc/postscale-relay/relay.conf").exists())
        self.inside("apt-get", "purge", "-y", "-qq", "postscale-relay")
        self.assertEqual(self.inside("getent", "passwd", "postscale-relay", check=False).returncode, 2)
        left = subprocess.run(
            ["find", self.folder, "-xdev", "-name", "*postscale*", "-not", "-path", "*/var/log/*",
             "-not", "-path", "*/var/cache/*", "-not", "-path", f"{self.folder}/tmp/*"], capture_output=True, text=True).stdout
        self.assertEqual(left, "")

    def upgrade(self):
        """The same program as a newer version; the operator's changes stay."""
        config = self.folder / "etc/postscale-relay/relay.conf"
        config.write_text(config.read_text() + "--max-errors 21\n")
        name = debian.newer_package(self.folder / "tmp")
        self.inside("apt-get", "install", "-y", "-qq", f"/tmp/{name}")
        self.assertIn("--max-errors 21", config.read_text())
        version = self.inside("dpkg-query", "-W", "-f=${Version}", "postscale-relay").stdout
        self.assertEqual(version, "9.9.9")


if __name__ == "__main__":
    unittest.main()
