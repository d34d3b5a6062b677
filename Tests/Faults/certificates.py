"""The certificates of an API: a good one, and each kind of bad one."""

import os
import ssl
import subprocess

from faults import harness


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Certificates:
    """A good certificate for `localhost`, and the bad ones."""

    def __init__(self):
        self.folder = harness.temporary_folder("certificates")
        self.key = self.path("key")
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key)
        self.good = self.make("good", "localhost", "2")
        self.wrong_name = self.make("wrong-name", "elsewhere.test", "2")
        self.expired = self.make("expired", "localhost", "-1")
        self.unknown = self.make("unknown", "localhost", "2")
        # What the relay trusts: all but the unknown one.
        self.trusted = self.path("trusted")
        with open(self.trusted, "wb") as file:
            for name in (self.good, self.wrong_name, self.expired):
                with open(name, "rb") as certificate:
                    file.write(certificate.read())

    def path(self, name):
        return os.path.join(self.folder, name + ".pem")

    def make(self, name, host, days):
        path, request = self.path(name), self.path(name + ".request")
        openssl("req", "-new", "-key", self.key, "-subj", f"/CN={host}/O={name}", "-out", request)
        extensions = self.path(name + ".extensions")
        with open(extensions, "w") as file:
            file.write(f"subjectAltName=DNS:{host}\nbasicConstraints=CA:TRUE\n")
        openssl("x509", "-req", "-in", request, "-signkey", self.key, "-days", days,
                "-extfile", extensions, "-out", path)
        return path

    def context(self, certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, self.key)
        return context


class OverTLS:
    """For a test case: the API speaks TLS, and the relay trusts it."""

    host, scheme = "localhost", "https"

    @classmethod
    def setUpClass(cls):
        certificates = Certificates()
        cls.tls = certificates.context(certificates.good)
        cls.arguments = ("--api-ca", certificates.trusted)
        super().setUpClass()
        cls.api.certificates = certificates
