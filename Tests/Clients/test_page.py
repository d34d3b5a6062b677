"""The examples of the product's page, run as printed (the files in page/ are its text).

Only the host, the port and the key are replaced. Two examples lack what surrounds them in a
program: Nodemailer's `await` is not in an async function, and nothing loads PHPMailer's classes.
"""

import os
import subprocess
import unittest

import composers
import support
from support import harness

PAGE = support.HERE / "page"
AUTOLOAD = "/usr/share/php/libphp-phpmailer/autoload.php"
CLIENTS = {client.name: client for client in composers.COMPOSERS}


class Page(support.ClientTestCase):
    def run_example(self, name, client, *command, around="{}", environment=None):
        """Writes the example with our host, port and key, and runs `command` on it."""
        CLIENTS[client].require(self)
        folder = support.new_folder("page")
        text = (PAGE / name).read_text(encoding="utf-8")
        text = text.replace("587", str(self.relay.ports[0]))
        text = text.replace("smtp.postscale.io", "localhost")
        text = text.replace("YOUR_API_KEY", harness.new_key())
        file = folder / name
        file.write_text(around.replace("{}", text), encoding="utf-8")
        result = subprocess.run(
            [*command, str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            timeout=120,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8",
                 "SSL_CERT_FILE": self.relay.certificate,
                 "NODE_EXTRA_CA_CERTS": self.relay.certificate, **(environment or {})},
        )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stdout)
        return self.sandbox.only_message()

    def check(self, sent, subject="Test email", text="Hello from Postscale SMTP!"):
        self.assertEqual(sent["from"], "sender@yourdomain.com")
        self.assertEqual(sent["to"], ["recipient@example.com"])
        self.assertEqual(sent["subject"], subject)
        self.assertEqual(sent["text_body"].rstrip("\n"), text)
        for absent in ("cc", "bcc", "html_body", "attachments"):
            self.assertFalse(sent.get(absent), absent)
        self.assertNotIn("x-postscale", " ".join(sent.get("headers") or {}).lower())

    def test_swaks(self):
        sent = self.run_example("hello.sh", "swaks", "sh")
        self.check(sent, "Hello from Postscale", "Sent via SMTP relay!")

    def test_swaks_with_custom_headers(self):
        sent = self.run_example("headers.sh", "swaks", "sh")
        self.check(sent, "Welcome", "Welcome to the platform!")
        self.assertEqual(sent["tags"], ["welcome", "onboarding"])
        self.assertEqual(sent["metadata"], {"user_id": "42", "campaign": "launch"})

    def test_smtplib(self):
        self.check(self.run_example("smtplib.txt", "Python email", "python3"))

    def test_nodemailer(self):
        modules = {"NODE_PATH": "/usr/share/nodejs"}
        around = "(async () => {\n{}\n})();\n"
        self.check(
            self.run_example(
                "nodemailer.js", "Nodemailer", "node", around=around, environment=modules
            )
        )

    def test_go(self):
        modules = {"GO111MODULE": "off", "GOFLAGS": "", "GOCACHE": str(composers.go_cache())}
        self.check(
            self.run_example("main.go", "Go net/smtp", "go", "run", environment=modules)
        )

    def test_phpmailer(self):
        prepend = f"auto_prepend_file={AUTOLOAD}"
        self.check(self.run_example("phpmailer.php", "PHPMailer", "php", "-d", prepend))

    def test_ruby_mail(self):
        self.check(self.run_example("mail.rb", "Ruby mail", "ruby"))


if __name__ == "__main__":
    unittest.main()
