"""What public scanners find in the relay's TLS, on a port for TLS and on one for STARTTLS.

testssl.sh and sslscan are Debian's, sslyze is from PyPI (`make check-tls` installs them). Any
finding that would cost the best grade fails. Certificates are not judged, because operators have
their own.
"""

import json
import os
import pathlib
import subprocess
import sys
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))

import harness  # noqa: E402 - found by the line above

SSLYZE = os.environ.get("SSLYZE", str(ROOT / ".build/sslyze/bin/sslyze"))
SUITES = {
    "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305",
}
CURVES = {"X25519", "secp256r1", "secp384r1", "prime256v1"}
# testssl.sh's marks for what is fine. Its others (LOW, MEDIUM, HIGH, CRITICAL) are not.
FINE = {"OK", "INFO", "DEBUG"}
# About the certificate or this machine's openssl, not about the relay. Resumption is not judged
# here, because its s_client closes before it has read a ticket after STARTTLS; TLSStreamTests cover
# it.
NOT_OURS = (
    "cert", "DNS_CAArecord", "OCSP", "engine_problem", "service", "scanTime", "sessionresumption")
# What testssl.sh must have looked at, and found well.
LOOKED_AT = {
    "SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "cipherlist_NULL", "cipherlist_aNULL",
    "cipherlist_EXPORT", "cipherlist_LOW", "cipherlist_3DES_IDEA", "cipherlist_AVERAGE", "PFS",
    "heartbleed", "CCS", "ROBOT", "secure_renego", "secure_client_renego", "CRIME_TLS", "POODLE_SSL",
    "SWEET32", "FREAK", "DROWN", "LOGJAM", "BEAST", "LUCKY13", "RC4",
}


class Scanners(unittest.TestCase):
    """One relay; scans of both kinds of port run at the same time, because they mostly wait."""

    @classmethod
    def setUpClass(cls):
        cls.relay = harness.Relay(
            "--max-handshakes-per-address", "1000000", "--max-handshakes-per-prefix", "1000000",
            "--max-errors", "1000")
        cls.addClassCleanup(cls.relay.stop)
        cls.folder = pathlib.Path(harness.temporary_folder("scanners"))

    def scan(self, name, starttls_flags, command):
        """Runs `command(flags, file)` for both ports and returns the two files."""
        runs = []
        for kind, port, flags in (("tls", self.relay.tls_port, []),
                                  ("starttls", self.relay.ports[0], starttls_flags)):
            file = self.folder / f"{name}-{kind}"
            runs.append((file, subprocess.Popen(
                [*command(flags, str(file)), f"127.0.0.1:{port}"], stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, cwd=self.folder)))
        for file, process in runs:
            output, _ = process.communicate(timeout=220)
            self.assertTrue(file.exists(), output[-3_000:])
        return [file for file, _ in runs]

    def test_testssl(self):
        files = self.scan("testssl", ["--starttls", "smtp"], lambda flags, file: [
            "testssl", "--quiet", "--color", "0", "--warnings", "off", "--jsonfile", file,
            "-p", "-s", "-f", "-S", "-U", *flags])
        for file in files:
            findings = json.loads(file.read_text())
            with self.subTest(file.name):
                self.assertLessEqual(LOOKED_AT, {finding["id"] for finding in findings})
                for finding in findings:
                    if not finding["id"].startswith(NOT_OURS):
                        self.assertIn(finding["severity"], FINE, finding)
                by_id = {finding["id"]: finding["finding"] for finding in findings}
                for old in ("SSLv2", "SSLv3", "TLS1", "TLS1_1"):
                    self.assertEqual(by_id[old], "not offered")
                for weak in ("cipherlist_3DES_IDEA", "cipherlist_AVERAGE"):
                    self.assertEqual(by_id[weak], "not offered")
                self.assertLessEqual(set(by_id["PFS_ciphers"].split()), SUITES)

    def test_sslscan(self):
        files = self.scan("sslscan", ["--starttls-smtp"], lambda flags, file: [
            "sslscan", f"--xml={file}", "--no-colour", *flags])
        for file in files:
            test = xml.etree.ElementTree.parse(file).getroot().find("ssltest")
            with self.subTest(file.name):
                enabled = {
                    (protocol.get("type"), protocol.get("version"))
                    for protocol in test.findall("protocol") if protocol.get("enabled") == "1"}
                self.assertEqual(enabled, {("tls", "1.2"), ("tls", "1.3")})
                ciphers = [cipher.get("cipher") for cipher in test.findall("cipher")]
                self.assertEqual(len(ciphers), 6)
                self.assertLessEqual(set(ciphers), SUITES)
                self.assertEqual(ciphers[0], "TLS_AES_128_GCM_SHA256")
                for heartbleed in test.findall("heartbleed"):
                    self.assertEqual(heartbleed.get("vulnerable"), "0")

    def test_sslyze(self):
        files = self.scan("sslyze", ["--starttls", "smtp"], lambda flags, file: [
            SSLYZE, f"--json_out={file}", "--quiet", *flags])
        for file in files:
            server = json.loads(file.read_text())["server_scan_results"][0]
            with self.subTest(file.name):
                self.assertEqual(server["scan_status"], "COMPLETED")
                self.check_sslyze(server["scan_result"])

    def check_sslyze(self, scans):
        done = {name: scan["result"] for name, scan in scans.items() if scan["status"] == "COMPLETED"}
        for name in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
            self.assertEqual(done[f"{name}_cipher_suites"]["accepted_cipher_suites"], [], name)
        for name in ("tls_1_2", "tls_1_3"):
            accepted = done[f"{name}_cipher_suites"]["accepted_cipher_suites"]
            self.assertEqual(len(accepted), 3)
            for suite in accepted:
                self.assertIn(suite["cipher_suite"]["openssl_name"], SUITES)
                self.assertTrue(suite["ephemeral_key"], "no forward secrecy")
        self.assertFalse(done["tls_compression"]["supports_compression"])
        self.assertFalse(done["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"])
        self.assertFalse(done["heartbleed"]["is_vulnerable_to_heartbleed"])
        self.assertTrue(done["robot"]["robot_result"].startswith("NOT_VULNERABLE"))
        renegotiation = done["session_renegotiation"]
        self.assertFalse(renegotiation["is_vulnerable_to_client_renegotiation_dos"])
        self.assertEqual(renegotiation["client_renegotiations_success_count"], 0)
        self.assertTrue(done["tls_fallback_scsv"]["supports_fallback_scsv"])
        self.assertTrue(done["tls_extended_master_secret"]["supports_ems_extension"])
        curves = {curve["name"] for curve in done["elliptic_curves"]["supported_curves"]}
        self.assertLessEqual(curves, CURVES)

    def test_zz_the_relay_has_gone_on(self):
        with self.relay.login(harness.new_key()) as client:
            client.sendmail("a@yourdomain.com", "b@example.com", b"Subject: s\r\n\r\nx\r\n")
        self.assertEqual(len(self.relay.sandbox.list()), 1)


if __name__ == "__main__":
    unittest.main()
