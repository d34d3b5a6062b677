"""TLS as old and odd clients start it: TLS 1.2 with the suites of old Windows, a client certificate
that the relay has not asked for, no server name or a wrong one.

The suites are those of Schannel, which Outlook, .NET Framework, IIS and Exchange use, in Windows
8.1 and Server 2012 R2: Microsoft's "Supported Cipher Suites and Protocols in the Schannel SSP"
(dn786419), and the list that its SchannelPolicyDsc module orders.
"""

import os
import smtplib
import ssl
import subprocess
import unittest

import harness

# TLS 1.2 there has GCM with an ECDSA certificate and with DHE only; with RSA and ECDHE it has CBC.
WINDOWS_8_1 = (
    "ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA:ECDHE-RSA-AES128-SHA:"
    "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:"
    "AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-SHA256:AES128-SHA256:AES256-SHA:AES128-SHA:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-SHA384:"
    "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA:ECDHE-ECDSA-AES128-SHA"
)
MESSAGE = "From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: %s\r\n\r\nHello.\r\n"


def schannel(relay):
    context = relay.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(WINDOWS_8_1)
    return context


class OldTLS(harness.RelayTestCase):
    def send_message(self, context, port, subject, name="localhost"):
        """Connects over either kind of port, to `name`; returns the socket's suite."""
        # smtplib names the host that it was given, and checks the certificate for it.
        if port == self.relay.tls_port:
            client = smtplib.SMTP_SSL(name, port, "client.test", timeout=30, context=context)
        else:
            client = smtplib.SMTP(name, port, "client.test", timeout=30)
            client.starttls(context=context)
        with client:
            client.login("postscale", harness.new_key())
            suite = client.sock.cipher()[0]
            client.sendmail("a@yourdomain.com", ["b@example.com"], MESSAGE % subject)
        self.assertEqual(self.sandbox.only_message()["subject"], subject)
        self.sandbox.clear()
        return suite

    def test_tls_1_2_with_the_suites_of_windows_8_1(self):
        for port in (self.relay.ports[0], self.relay.tls_port):
            with self.subTest(port=port):
                suite = self.send_message(schannel(self.relay), port, "old suites")
                self.assertEqual(suite, "ECDHE-ECDSA-AES128-GCM-SHA256")

    def test_with_an_rsa_certificate_those_have_no_suite_in_common(self):
        """docs/operating.md says so: an ECDSA certificate serves them."""
        folder = harness.temporary_folder("rsa")
        certificate, key = os.path.join(folder, "rsa.pem"), os.path.join(folder, "rsa.key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
             "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
             certificate], check=True, capture_output=True)  # fmt: skip
        relay = harness.Relay("--tls-cert", certificate, "--tls-key", key)
        self.addCleanup(relay.stop)
        relay.certificate = certificate
        with relay.connect() as client:
            self.assertEqual(client.noop()[0], 250)
        old = schannel(relay)
        with self.assertRaisesRegex(ssl.SSLError, "HANDSHAKE_FAILURE"):
            smtplib.SMTP_SSL("localhost", relay.tls_port, context=old)

    def test_a_client_certificate_is_not_asked_for_and_does_no_harm(self):
        folder = harness.temporary_folder("client")
        certificate = os.path.join(folder, "client.pem")
        key = harness.make_certificate(folder, certificate, "client.test")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for port in (self.relay.ports[0], self.relay.tls_port):
                with self.subTest(version=version, port=port):
                    context = self.relay.context()
                    context.minimum_version = context.maximum_version = version
                    context.load_cert_chain(certificate, key)
                    self.send_message(context, port, "a certificate")

    def test_no_request_for_a_certificate_is_in_the_handshake(self):
        output = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.relay.tls_port}", "-CAfile",
             self.relay.certificate],
            input=b"", capture_output=True, timeout=30).stdout  # fmt: skip
        self.assertIn(b"No client certificate CA names sent", output)
        self.assertIn(b"Verify return code: 0 (ok)", output)

    def test_without_a_server_name(self):
        """An address is not a server name, so smtplib sends none; the certificate also names the
        address."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for port in (self.relay.ports[0], self.relay.tls_port):
                with self.subTest(version=version, port=port):
                    context = self.relay.context()
                    context.check_hostname = False
                    context.minimum_version = context.maximum_version = version
                    self.send_message(context, port, "no name", "127.0.0.1")

    def test_with_another_server_name(self):
        """A client that uses an alias gets the same certificate, and decides whether to accept
        it."""
        context = self.relay.context()
        context.check_hostname = False
        with self.relay.plain() as client:
            client.reply()
            self.assertEqual(client.ask(b"STARTTLS"), "220 Ready to start TLS")
            with context.wrap_socket(client.socket, server_hostname="alias.example") as wrapped:
                wrapped.sendall(b"NOOP\r\n")
                self.assertEqual(wrapped.recv(100), b"250 Ok\r\n")


if __name__ == "__main__":
    unittest.main()
