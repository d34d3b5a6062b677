"""The package on Debian 13, which has OpenSSL 3.5, liburing 2.9 and newer clients.

It is the package of this machine, installed with apt in a fresh Debian 13: its whole life as in
test_deb.py, the end-to-end tests that depend on libraries and kernel with the relay in there, clients
of that Debian, the unit tests of TLS with its library, and an upgrade from Debian 12 in place.

PACKAGE is the package, TESTS_BINARY the built unit tests.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest
import urllib.request

import debian
import test_deb
from debian import FOLDER, PACKAGE, ROOT

import harness  # test_deb.py says where it is

SUITE = "trixie"
RELAY = FOLDER / "debian13-relay"
# What mail programs of that Debian speak TLS with: OpenSSL, or GnuTLS (msmtp, s-nail has OpenSSL).
CLIENTS = [
    "openssl", "swaks", "libio-socket-ssl-perl", "libnet-ssleay-perl", "msmtp", "curl", "s-nail",
    "python3"]
END_TO_END = """test_tls test_old_tls test_https_api test_handshakes test_pipelining test_chunking
    test_mapping test_large test_reload test_who_sent_what test_admin test_sandbox_http2""".split()
MESSAGE = (
    "From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: {}\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nhello\r\n")
HYBRID = "X25519MLKEM768"


class Life(test_deb.Package):
    """The whole life of the package, as on Debian 12."""

    suite = SUITE
    folder = FOLDER / "debian13"

    def test_it_needs_libraries_of_both_releases(self):
        depends = subprocess.run(
            ["dpkg-deb", "-f", PACKAGE, "Depends"], check=True, capture_output=True, text=True).stdout
        for library in ("libssl3", "liburing2", "libnghttp2-14", "libidn2-0", "libsqlite3-0"):
            self.assertRegex(depends, rf"\b{library}\b")
        self.assertRegex(self.inside("openssl", "version").stdout, r"^OpenSSL 3\.5\.")


@unittest.skipUnless(os.geteuid() == 0, "only root can make a Debian")
@unittest.skipUnless(PACKAGE.is_file(), "PACKAGE names no package")
class Relay(unittest.TestCase):
    """The relay in a Debian 13; its clients are there, or of this machine."""

    @classmethod
    def setUpClass(cls):
        debian.copy(debian.base(SUITE), RELAY)
        shutil.copy(PACKAGE, RELAY / "root/relay.deb")
        cls.toolchain = toolchain()
        cls.enterClassContext(debian.mounted(RELAY, "/tmp", ROOT, cls.toolchain))
        cls.inside("apt-get", "update", "-qq")
        cls.inside(
            "apt-get", "install", "-y", "-qq", "--no-install-recommends", "/root/relay.deb", "libstdc++6",
            *CLIENTS)
        # The tests start this instead of the relay; the process is the relay's own.
        cls.wrapper = FOLDER / "relay-on-debian13"
        cls.wrapper.write_text(f'#!/bin/sh\nexec chroot "{RELAY}" /usr/bin/postscale-relay "$@"\n')
        cls.wrapper.chmod(0o755)
        before, harness.BINARY = harness.BINARY, str(cls.wrapper)
        cls.addClassCleanup(setattr, harness, "BINARY", before)

    @classmethod
    def inside(cls, *command, **more):
        return debian.inside(RELAY, *command, **more)

    @contextlib.contextmanager
    def relay(self, *arguments, **more):
        relay = harness.Relay(*arguments, **more)
        try:
            yield relay
        finally:
            relay.stop()

    def end_to_end(self, backend):
        done = subprocess.run(
            [sys.executable, "-m", "unittest", *END_TO_END], cwd=ROOT / "Tests/EndToEnd",
            env={**os.environ, "RELAY_BINARY": str(self.wrapper), "RELAY_ARGUMENTS": f"--backend {backend}"},
            capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr[-5_000:])
        print(done.stderr.strip().splitlines()[-3:], end=" ", flush=True)

    def test_end_to_end_over_epoll(self):
        self.end_to_end("epoll")

    def test_end_to_end_over_io_uring(self):
        granted = subprocess.run([sys.executable, ROOT / "Tests/EndToEnd/uring.py", "granted"])
        if granted.returncode != 0:
            self.skipTest("this kernel does not allow io_uring")
        self.end_to_end("io_uring")

    def test_unit_tests_of_tls(self):
        """Among them the one that compares what the library can negotiate with what we do."""
        binary = os.environ.get("TESTS_BINARY", "")
        if not os.path.isfile(binary):
            self.skipTest("TESTS_BINARY names no tests")
        done = self.inside(
            binary, "--testing-library", "swift-testing", "--filter", "TLS|ClientHello|KeyDerivation",
            check=False, LD_LIBRARY_PATH=f"{self.toolchain}/usr/lib/swift/linux")
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr)[-5_000:])
        count = int(re.search(r"Test run with (\d+) tests", done.stdout + done.stderr)[1])
        self.assertGreater(count, 70)

    # MARK: Clients

    def groups(self, relay, name):
        """Handshakes by group, as the metrics have them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{relay.admin}/metrics") as answer:
            text = answer.read().decode()
        counts = {}
        for group, count in re.findall(rf'^postscale_relay_{name}{{.*group="([^"]+)".*}} (\d+)', text, re.M):
            counts[group] = counts.get(group, 0) + int(count)
        return {group: count for group, count in counts.items() if count}

    def commands(self, relay, key):
        """What each client does to send a message: a shell command, and its subject."""
        port, ca = relay.ports[0], relay.certificate
        message = os.path.join(relay.files, "message")
        auth = f"--auth PLAIN --auth-user postscale --auth-password {key}"
        ends = "-f a@yourdomain.com -t b@example.com"
        yield "swaks", (
            f"swaks --server localhost:{port} --tls {auth} {ends} --header 'Subject: swaks'")
        yield "curl", (
            f"curl -sS --ssl-reqd --cacert {ca} --url smtp://localhost:{port} --user postscale:{key} "
            f"--mail-from a@yourdomain.com --mail-rcpt b@example.com -T {message}.curl")
        yield "msmtp", (
            f"msmtp --host=localhost --port={port} --auth=plain --user=postscale --tls=on "
            f"--tls-trust-file={ca} --passwordeval='echo {key}' --from=a@yourdomain.com b@example.com "
            f"< {message}.msmtp")
        yield "s-nail", (
            f"echo hello | s-nail -:/ -Sv15-compat -Stls-ca-file={ca} -Ssmtp-auth=plain "
            f"-Smta=smtp://postscale:{key}@localhost:{port} -Ssmtp-use-starttls "
            "-Sfrom=a@yourdomain.com -s s-nail b@example.com")
        yield "python", (
            "python3 -c 'import smtplib, ssl; "
            f'c = smtplib.SMTP("localhost", {port}); '
            f'c.starttls(context=ssl.create_default_context(cafile="{ca}")); '
            f'c.login("postscale", "{key}"); '
            f'c.sendmail("a@yourdomain.com", "b@example.com", open("{message}.python").read())\'')

    def test_clients_of_debian_13(self):
        admin = harness.free_port()
        with self.relay("--admin", f"127.0.0.1:{admin}") as relay:
            relay.admin, before, seen = admin, {}, {}
            for name, command in self.commands(relay, harness.new_key()):
                pathlib.Path(relay.files, f"message.{name}").write_text(MESSAGE.format(name))
                done = self.inside("sh", "-c", command, check=False)
                self.assertEqual(done.returncode, 0, f"{name}: {done.stdout}{done.stderr}")
                after = self.groups(relay, "tls_handshakes_groups_total")
                seen[name] = [group for group in after if after[group] > before.get(group, 0)]
                before = after
            print(seen, end=" ", flush=True)
            subjects = {message["subject"] for message in relay.sandbox.list()}
            self.assertEqual(subjects, set(seen))
            # These have OpenSSL 3.5, whose own first choice it is.
            for name in ("swaks", "curl", "python", "s-nail"):
                self.assertEqual(seen[name], [HYBRID], name)

    def test_each_client_gets_the_best_group_that_it_has(self):
        """docs/security.md has these rows."""
        admin = harness.free_port()
        with self.relay("--admin", f"127.0.0.1:{admin}") as relay:
            relay.admin = admin

            def agreed(place, *arguments):
                """The group, and how many ClientHellos it took."""
                before = self.groups(relay, "tls_handshakes_groups_total")
                done = place(
                    "sh", "-c", "openssl s_client -connect $0 -trace $* </dev/null",
                    f"localhost:{relay.tls_port}", *arguments)
                after = self.groups(relay, "tls_handshakes_groups_total")
                new = [group for group in after if after[group] > before.get(group, 0)]
                self.assertEqual(len(new), 1, done.stdout[-2_000:] + done.stderr)
                return new[0], done.stdout.count("ClientHello, Length=")

            def here(*command):
                return subprocess.run(command, capture_output=True, text=True)

            def there(*command):
                return self.inside(*command, check=False)

            self.assertEqual(agreed(there), (HYBRID, 1))
            # An older OpenSSL, of this machine's Debian 12.
            self.assertEqual(agreed(here), ("x25519", 1))
            # It has the hybrid and sends no key share of it.
            self.assertEqual(agreed(there, "-groups", f"*X25519:{HYBRID}"), ("x25519", 1))
            self.assertEqual(agreed(there, "-groups", "P-256"), ("secp256r1", 1))
            self.assertEqual(agreed(there, "-groups", "P-521:P-384"), ("secp384r1", 2))
            self.assertEqual(agreed(there, "-tls1_2")[0], "x25519")

    def test_the_api_is_asked_with_the_hybrid(self):
        folder = harness.temporary_folder("api")
        certificate = os.path.join(folder, "certificate.pem")
        key = harness.make_certificate(folder, certificate)
        api = harness.Sandbox("--tls-cert", certificate, "--tls-key", key)
        self.addCleanup(api.stop)
        for flags, group in ([], HYBRID), (["--tls-groups", "X25519:P-256"], "x25519"):
            admin = harness.free_port()
            with self.relay(
                    "--admin", f"127.0.0.1:{admin}", "--api-ca", certificate, *flags,
                    api_url=f"https://localhost:{api.port}") as relay:
                relay.admin = admin
                with relay.login(harness.new_key()) as client:
                    client.sendmail("a@yourdomain.com", "b@example.com", MESSAGE.format("api"))
                self.assertEqual(list(self.groups(relay, "api_tls_handshakes_total")), [group])
                secured = [line for line in relay.events() if "api-connection-secured" in json.dumps(line)]
                self.assertTrue(secured and all(line["group"] == group for line in secured), secured)


class Upgrade(test_deb.Package):
    """Debian 12 with the package becomes Debian 13 in place."""

    folder = FOLDER / "debian12-to-13"

    def test_its_whole_life(self):
        """That of Debian 12: test_deb.py."""

    def test_an_upgrade_of_the_release(self):
        certificate = self.certificate()
        config = self.folder / "etc/postscale-relay/relay.conf"
        config.write_text(config.read_text() + "--max-errors 21\n")
        user = self.inside("getent", "passwd", "postscale-relay").stdout
        sources = self.folder / "etc/apt/sources.list"
        sources.write_text(sources.read_text().replace("bookworm", SUITE))
        self.inside("apt-get", "update", "-qq")
        self.inside(
            "apt-get", "full-upgrade", "-y", "-qq", "-o", "Dpkg::Options::=--force-confold",
            "-o", "APT::Install-Recommends=0")
        self.assertRegex(
            self.inside("dpkg-query", "-W", "-f=${Version}", "libssl3t64").stdout, r"^3\.5\.")
        self.assertIn("--max-errors 21", config.read_text())
        self.assertEqual(self.inside("getent", "passwd", "postscale-relay").stdout, user)
        api_port = harness.free_port()
        sandbox = subprocess.Popen(
            ["chroot", self.folder, "postscale-relay", "sandbox", "--listen", f"127.0.0.1:{api_port}"],
            stderr=subprocess.DEVNULL)
        self.addCleanup(sandbox.wait)
        self.addCleanup(sandbox.terminate)
        sockets = [(test_deb.service.listen(), "starttls"), (test_deb.service.listen(), "tls")]
        for made, _ in sockets:
            self.addCleanup(made.close)
        with self.relay(sockets, api_port):
            self.assertEqual(self.send(sockets[0][0].getsockname()[1], "upgraded"), certificate)
        # The package of Debian 13 replaces it like any newer version.
        self.upgrade()


def toolchain():
    """The folder of Swift's toolchain: the unit tests need its libraries."""
    text = subprocess.run(["swift", "-print-target-info"], check=True, capture_output=True, text=True).stdout
    return pathlib.Path(json.loads(text)["paths"]["runtimeResourcePath"]).parents[2]


if __name__ == "__main__":
    unittest.main()
