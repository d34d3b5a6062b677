"""TLS as other implementations speak it: every version and suite, and keys that change on the way.

The peer is the openssl command: s_client in front of the relay, s_server in the API's place. Both
change keys when a line begins with K (and ask for the same in return) or k (and do not).
"""

import base64
import os
import subprocess
import threading
import unittest

import harness

MESSAGE = b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: %s\r\n\r\nx\r\n.\r\n"


class Tool:
    """An openssl command whose output is gathered while lines are written to it."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", "openssl", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.output = b""
        self.seen = 0
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            piece = os.read(self.process.stdout.fileno(), 65536)
            if not piece:
                return
            self.output += piece

    def send(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def expect(self, text):
        """Waits for `text` after what was expected before."""
        def place():
            if self.process.poll() is not None:
                self.reader.join(5)  # Its last output may not have been read yet.
                if text not in self.output[self.seen:]:
                    raise AssertionError(f"ended without {text}: {self.output[-2000:]}")
            return self.output.find(text, self.seen) + 1

        try:
            self.seen = harness.wait_until(place, 15, repr(text)) - 1 + len(text)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.output[-2000:]}") from None

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # It ended before it had read everything.
        self.process.terminate()
        self.process.wait()
        self.reader.join(5)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def plain(key):
    return base64.b64encode(f"\0postscale\0{key}".encode())


class Versions(harness.RelayTestCase):
    def client(self, *flags):
        return Tool(
            "s_client", "-connect", f"127.0.0.1:{self.relay.tls_port}", "-servername",
            "localhost", "-CAfile", self.relay.certificate, "-verify_return_error", "-crlf",
            *flags)

    def send_message(self, client, subject):
        client.send(b"EHLO client.test\n")
        client.expect(b"AUTH PLAIN LOGIN\r\n")
        client.send(b"AUTH PLAIN " + plain(harness.new_key()) + b"\n")
        client.expect(b"235 Authentication successful")
        client.send(b"MAIL FROM:<a@yourdomain.com>\n")
        client.expect(b"250")
        # s_client takes a line that begins with R for a command, but only as the first line.
        client.send(b"NOOP\nRCPT TO:<b@example.com>\n")
        client.expect(b"250")
        client.expect(b"250")
        client.send(b"DATA\n")
        client.expect(b"354")
        client.send((MESSAGE % subject).replace(b"\r\n", b"\n"))
        client.expect(b"250 Ok: queued as")

    def test_every_version_and_suite(self):
        for flags in (
            ["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"],
            ["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"],
            ["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
            ["-tls1_3", "-groups", "P-256"],
            ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
            ["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"],
        ):
            with self.subTest(flags=flags), self.client(*flags) as client:
                client.expect(b"220 localhost ESMTP")
                self.send_message(client, flags[2].encode())
        self.assertEqual(len(self.sandbox.list()), 6)

    def test_old_versions_and_weak_suites_are_refused(self):
        for flags in (
            # With the default security level the client would not even ask for it.
            ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"],
            ["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
        ):
            with self.subTest(flags=flags), self.client(*flags) as client:
                client.expect(b"alert ")
                client.process.wait(15)
                self.assertNotIn(b"220 localhost", client.output)

    def test_a_client_changes_keys_and_asks_for_new_ones(self):
        with self.client("-tls1_3") as client:
            client.expect(b"220 localhost ESMTP")
            for command in (b"K\n", b"k\n", b"K\n", b"K\n", b"k\n"):
                client.send(command)
                client.expect(b"KEYUPDATE")
                client.send(b"NOOP\n")
                client.expect(b"250 ")
            self.send_message(client, b"new keys")
        self.assertEqual(self.sandbox.only_message()["subject"], "new keys")

    def test_a_client_that_only_changes_keys_is_cut_off(self):
        with self.client("-tls1_3") as client:
            client.expect(b"220 localhost ESMTP")

            def is_cut_off():
                try:
                    client.send(b"k\n")
                except BrokenPipeError:
                    pass
                return client.process.poll() is not None

            harness.wait_until(is_cut_off, 30, "the end of the connection")
        harness.wait_until(
            lambda: any("key updates" in str(event) for event in self.relay.events()),
            what="the reason in the log")


class ProvidersOfTheSystem(Versions):
    """The same where OpenSSL's configuration lists providers."""

    providers = "legacy = on\ndefault = on\n[on]\nactivate = 1\n"

    @classmethod
    def setUpClass(cls):
        path = os.path.join(harness.temporary_folder("openssl"), "openssl.cnf")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"openssl_conf = all\n[all]\nproviders = list\n[list]\n{cls.providers}")
        cls.relay = harness.Relay(*cls.arguments, wrapper=("env", f"OPENSSL_CONF={path}"))
        cls.addClassCleanup(cls.relay.stop)
        cls.sandbox = cls.relay.sandbox


class AnotherProviderOfOurName(ProvidersOfTheSystem):
    """The same where OpenSSL cannot choose our key derivation, and the key log tells the secrets.

    Any provider's module will do that has no TLS13-KDF.
    """

    providers = "default = on\npostscale-relay = other\n[on]\nactivate = 1\n"

    @classmethod
    def setUpClass(cls):
        told = subprocess.run(["openssl", "version", "-m"], check=True, capture_output=True, text=True).stdout
        module = os.path.join(told.split('"')[1], "legacy.so")
        if not os.path.exists(module):
            raise unittest.SkipTest(f"there is no {module}")
        cls.providers += f"[other]\nmodule = {module}\nactivate = 1\n"
        super().setUpClass()


class KeysOfTheAPI(unittest.TestCase):
    def test_an_api_server_changes_keys_and_asks_for_new_ones(self):
        folder = harness.temporary_folder("api")
        certificate = os.path.join(folder, "api.pem")
        key_file = harness.make_certificate(folder, certificate)
        port = harness.free_port()
        with Tool("s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate, "-key",
                  key_file, "-tls1_3", "-crlf") as api:
            api.expect(b"ACCEPT")
            relay = harness.Relay(
                "--api-ca", certificate, api_url=f"https://localhost:{port}")
            self.addCleanup(relay.stop)
            with relay.raw() as client:
                client.reply()
                client.send(b"EHLO client.test\r\n")
                client.reply()
                client.send(b"AUTH PLAIN " + plain(harness.new_key()) + b"\r\n")
                api.expect(b"GET /v1/emails?limit=1 HTTP/1.1\r\n")
                api.expect(b"\r\n\r\n")
                api.send(b"K\n")
                api.expect(b"SSL_do_handshake -> 1")
                api.send(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n")
                self.assertTrue(client.reply().startswith("235"))
                for command in (b"MAIL FROM:<a@yourdomain.com>", b"RCPT TO:<b@example.com>",
                                b"DATA"):
                    client.send(command + b"\r\n")
                    client.reply()
                client.send(MESSAGE % b"under a new key")
                api.expect(b"POST /v1/send HTTP/1.1\r\n")
                api.expect(b"under a new key")
                api.expect(b"}")
                api.send(b"k\n")
                api.expect(b"SSL_do_handshake -> 1")
                api.send(b'HTTP/1.1 202 Accepted\nContent-Length: 34\n\n'
                         b'{"message_id":"m1","status":"ok"} ')
                self.assertEqual(client.reply().strip(), "250 Ok: queued as m1")


if __name__ == "__main__":
    unittest.main()
