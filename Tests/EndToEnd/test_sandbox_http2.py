"""The sandbox over HTTP/2, with curl, whose HTTP/2 is not ours."""

import json
import os
import pathlib
import subprocess
import time
import unittest

import harness

MESSAGE = {"from": "a@yourdomain.com", "to": ["b@example.com"], "subject": "s", "text_body": "t"}
# What curl says of an answer; `num_connects` is 0 for one on a connection that was there already.
SHAPE = "\\n%{http_version} %{response_code} %{num_connects}\\n"
STREAM_ERROR, TIMEOUT = 92, 28


class HTTP2(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(harness.temporary_folder("http2"))
        cls.certificate = str(cls.folder / "api.pem")
        key = harness.make_certificate(cls.folder, cls.certificate)
        cls.sandbox = harness.Sandbox(
            "--tls-cert", cls.certificate, "--tls-key", key, "--slow", "500ms")
        cls.addClassCleanup(cls.sandbox.stop)

    def curl(self, *arguments):
        """(exit code, output) of curl."""
        done = subprocess.run(
            ["curl", "-sS", "--max-time", "30", "--cacert", self.certificate, *arguments],
            capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout

    def arguments(self, key, data=None, path="/v1/send", version="--http2"):
        """The request that sends `data`, else the message."""
        # The key is in a file, because the list of processes is for all to see.
        name = harness.temporary_folder("key") + "/key"
        pathlib.Path(name).write_text(f"Authorization: Bearer {key}\r\n")
        return [version, "-H", f"@{name}", "-H", "Content-Type: application/json", "-w", SHAPE,
                "--data-binary", data or json.dumps(MESSAGE),
                f"https://localhost:{self.sandbox.port}{path}"]

    def send(self, key, **options):
        """(curl's exit code, body, HTTP version, status)."""
        code, output = self.curl(*self.arguments(key, **options))
        body, _, last = output.rstrip("\n").rpartition("\n")
        version, status, _ = last.split()
        return code, body, version, int(status)

    def test_one_message(self):
        for version, name in [("--http2", "2"), ("--http1.1", "1.1"), ("--no-alpn", "1.1")]:
            with self.subTest(version):
                code, body, spoken, status = self.send(harness.new_key(), version=version)
                self.assertEqual((code, spoken, status), (0, name, 202))
                stored = json.loads(body)["message_id"] + ".json"
                self.assertIn(stored, self.sandbox.stored())

    def test_statuses_of_the_magic_keys(self):
        expected = {
            "revoked": 401, "forbidden": 403, "limited": 429, "down": 503, "gateway": 502,
            "invalid": 400, "created": 201, "closing": 202, "garbage": 202,
            "send_403_page": 403, "send_422_nested": 422,
        }  # fmt: skip
        for behaviour, status in expected.items():
            with self.subTest(behaviour):
                code, _, version, answered = self.send(harness.new_key(behaviour))
                self.assertEqual((code, version, answered), (0, "2", status))

    def test_ends_without_an_answer(self):
        before = len(self.sandbox.stored())
        self.assertEqual(self.send(harness.new_key("reset"))[0], STREAM_ERROR)
        self.assertEqual(len(self.sandbox.stored()), before)
        self.assertEqual(self.send(harness.new_key("lost"))[0], STREAM_ERROR)
        self.assertEqual(len(self.sandbox.stored()), before + 1)
        code, _ = self.curl("-m", "0.5", *self.arguments(harness.new_key("hang")))
        self.assertEqual(code, TIMEOUT)

    def test_streams_side_by_side_on_one_connection(self):
        key = harness.new_key("slow")
        first, *others = [self.arguments(key) for _ in range(20)]
        arguments = ["--parallel", "--parallel-max", "20", *first]
        for other in others:
            arguments += ["--next", "-sS", "--cacert", self.certificate, *other]
        start = time.monotonic()
        code, output = self.curl(*arguments)
        taken = time.monotonic() - start
        answers = [line.split() for line in output.splitlines() if line.startswith("2 ")]
        self.assertEqual((code, len(answers)), (0, 20))
        self.assertEqual({answer[1] for answer in answers}, {"202"})
        self.assertEqual(sum(int(answer[2]) for answer in answers), 1, "one connection")
        self.assertLess(taken, 5, "20 answers of 0.5 s each")

    def test_large_uploads(self):
        attachment = {
            "filename": "a.bin", "content": "QUJD" * 6_000_000, "content_type": "application/x"}
        name = self.folder / "large.json"
        name.write_text(json.dumps({**MESSAGE, "attachments": [attachment, attachment]}))
        self.addCleanup(os.unlink, name)
        code, body, version, status = self.send(harness.new_key(), data=f"@{name}")
        self.assertEqual((code, version, status), (0, "2", 202), body)
        # The answer comes early. curl 7.88 loses it when the stream is reset after it, as it should be.
        before = len(self.sandbox.stored())
        code, _, _, status = self.send(harness.new_key("toolarge"), data=f"@{name}")
        self.assertIn((code, status), [(0, 413), (STREAM_ERROR, 0)])
        self.assertEqual(len(self.sandbox.stored()), before)
        self.assertEqual(self.send(harness.new_key())[3], 202)

    def test_the_inbox_page(self):
        code, output = self.curl("--http2", "-w", SHAPE, f"https://localhost:{self.sandbox.port}/")
        self.assertEqual(code, 0)
        self.assertTrue(output.endswith("\n2 200 1\n"), output[-100:])
        self.assertIn("<html", output)


if __name__ == "__main__":
    unittest.main()
