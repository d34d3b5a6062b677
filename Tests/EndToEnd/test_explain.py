"""`postscale-relay explain`: what a message would become, without a server."""

import hashlib
import json
import os
import subprocess
import tempfile
import unittest

from harness import BINARY

MESSAGE = (
    b"From: Ada <ada@example.com>\r\nTo: Bob <bob@example.com>, cy@example.com\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nTea?\r\n"
    b"--b\r\nContent-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"AAEC\r\n--b--\r\n")


def explain(*arguments, message=b""):
    """(status, output, errors) of the command."""
    done = subprocess.run(
        [BINARY, "explain", *arguments], input=message, capture_output=True, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Explain(unittest.TestCase):
    def test_a_message_on_standard_input_is_shown_for_people(self):
        status, output, _ = explain("-", message=MESSAGE)
        self.assertEqual(status, 0)
        self.assertIn('image/png "a.png" base64 3 bytes', output)
        self.assertIn('"subject": "Grüße"', output)
        self.assertIn("lost: headers_not_passed=1 (header not passed on)", output)

    def test_json_holds_structure_hashes_losses_and_the_whole_request(self):
        status, output, _ = explain("--json", "-", message=MESSAGE)
        self.assertEqual(status, 0)
        line = json.loads(output)
        self.assertEqual([node["type"] for node in line["structure"]],
                         ["multipart/mixed", "text/plain", "image/png"])
        self.assertEqual(
            line["structure"][2]["sha256"], hashlib.sha256(b"\0\1\2").hexdigest())
        self.assertEqual(line["losses"], {"headers_not_passed": 1})
        self.assertEqual(line["lost"], ["header not passed on"])
        self.assertEqual(line["request"]["to"], ["Bob <bob@example.com>", "cy@example.com"])
        self.assertEqual(line["request"]["attachments"][0]["content"], "AAEC")

    def test_a_file_is_counted_as_it_is_sent_and_a_text_with_what_follows_its_base64(self):
        def structure(kind, body):
            head = f"From: a@example.com\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n"
            _, output, _ = explain("--json", "-", message=f"{head}\r\n{body}".encode())
            line = json.loads(output)
            return line["structure"][0], line["request"]

        for kind in "image/png", "text/plain\r\nContent-Disposition: attachment":
            # The line after the padding is text: a sign that is no letter of base64 (RFC 2045 6.8).
            for body in "AA=*\r\n-=\r\n", "AA==\r\nOur list\r\n", "AA=\r\n=\r\n":
                leaf, request = structure(kind, body)
                self.assertEqual(request["attachments"][0]["content"], "AA==")
                self.assertEqual((leaf["bytes"], leaf["sha256"]), (1, hashlib.sha256(b"\0").hexdigest()))
        leaf, request = structure("text/plain", "SGk=\r\n_____\r\nOur list\r\n")
        text = "Hi\r\n_____\r\nOur list\r\n"
        self.assertEqual(request["text_body"], text.replace("\r", ""))
        self.assertEqual((leaf["bytes"], leaf["sha256"]), (len(text), hashlib.sha256(text.encode()).hexdigest()))

    def test_signed_mail_is_explained_or_refused(self):
        message = (b"From: a@example.com\r\nContent-Type: multipart/signed; boundary=b;"
                   b" protocol=\"application/pgp-signature\"\r\n\r\n--b\r\n\r\nHello\r\n--b--\r\n")
        _, output, _ = explain("--json", "-", message=message)
        self.assertEqual(json.loads(output)["losses"], {"signature": 1})
        self.assertEqual(json.loads(output)["lost"], ["signature not kept"])
        _, output, _ = explain("--json", "--refuse-encrypted", "-", message=message)
        self.assertEqual(
            json.loads(output)["refused"],
            "554 Signed message refused, because its signature would be lost")

    def test_the_envelope_and_the_mapping_flags_count(self):
        status, output, _ = explain(
            "--json", "--rcpt", "bob@example.com", "--rcpt", "dee@example.com",
            "--bare-recipients", "--pass-header", "Date", "-", message=MESSAGE)
        request = json.loads(output)["request"]
        self.assertEqual(status, 0)
        self.assertEqual(request["to"], ["bob@example.com"])
        self.assertEqual(request["bcc"], ["dee@example.com"])
        self.assertIn("Date", request["headers"])

    def test_hidden_recipients_get_a_call_each(self):
        _, output, _ = explain(
            "--json", "--rcpt", "x@example.com", "--rcpt", "y@example.com", "-", message=MESSAGE)
        line = json.loads(output)
        self.assertTrue(line["group"])
        self.assertNotIn("to", line["request"])

    def test_a_refused_message_shows_the_reply(self):
        bad = b"From: a@example.com\r\nX-Postscale-Metadata: [1]\r\n\r\nx\r\n"
        status, output, _ = explain("--json", "-", message=bad)
        self.assertEqual(status, 0)
        self.assertRegex(json.loads(output)["refused"], "^554 Failed to parse message: ")

    def test_folders_and_lists_of_files_are_read(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "sub"))
            for name in ("b.eml", "sub/a.eml", "c.txt"):
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(MESSAGE)
            _, output, _ = explain("--json", folder)
            files = [json.loads(line)["file"] for line in output.splitlines()]
            self.assertEqual(
                files, [os.path.join(folder, name) for name in ("b.eml", "sub/a.eml")])
            names = os.path.join(folder, "c.txt") + "\n"
            _, output, _ = explain("--json", "--files-from-input", message=names.encode())
            self.assertEqual(len(output.splitlines()), 1)

    def test_a_file_that_cannot_be_read_is_named_and_the_others_are_read(self):
        with tempfile.NamedTemporaryFile(suffix=".eml") as file:
            file.write(MESSAGE)
            file.flush()
            status, output, errors = explain("--json", "/nonexistent.eml", file.name)
        self.assertEqual(status, 1)
        self.assertEqual(errors, "postscale-relay: /nonexistent.eml: No such file or directory\n")
        self.assertEqual(len(output.splitlines()), 1)

    def test_nothing_to_read_is_a_usage_error(self):
        status, _, errors = explain()
        self.assertEqual(status, 64)
        self.assertIn("--files-from-input", errors)


if __name__ == "__main__":
    unittest.main()
