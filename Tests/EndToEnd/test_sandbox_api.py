"""The sandbox as the API's clients see it, over real sockets."""

import base64
import http.client
import json
import os
import socket
import time
import unittest

import harness

MESSAGE = {
    "from": "a@yourdomain.com",
    "to": ["b@example.com"],
    "subject": "s",
    "text_body": "t",
}


class SandboxAPI(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sandbox = harness.Sandbox("--slow", "400ms")
        cls.addClassCleanup(cls.sandbox.stop)
        cls.client = cls.sandbox.client

    def setUp(self):
        self.client.clear()

    def headers(self, key):
        return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def send(self, key, message=None):
        status, headers, body = self.client.request(
            "POST", "/v1/send", json.dumps(message or MESSAGE), self.headers(key)
        )
        self.assertTrue(headers["X-Request-ID"])
        return status, headers, body

    def test_accepted(self):
        status, _, body = self.send(harness.new_key())
        answer = json.loads(body)
        self.assertEqual(status, 202)
        self.assertEqual((answer["status"], answer["environment"]), ("simulated", "test"))
        self.assertEqual(self.client.message(answer["message_id"]), MESSAGE)
        status, _, body = self.send(harness.new_key(kind="live"))
        answer = json.loads(body)
        self.assertEqual((status, answer["status"]), (202, "queued"))
        self.assertNotIn("environment", answer)
        self.assertIn(f"{answer['message_id']}.json", self.sandbox.stored())

    def test_statuses_of_the_magic_keys(self):
        expected = {
            "revoked": 401, "revoked_later": 401, "forbidden": 403, "limited": 429, "down": 503,
            "gateway": 502, "invalid": 400, "conflict": 409, "toolarge": 413, "created": 201,
            "closing": 202, "garbage": 202, "auth_down": 503, "sendonly": 202,
        }  # fmt: skip
        for behaviour, status in expected.items():
            with self.subTest(behaviour):
                self.assertEqual(self.send(harness.new_key(behaviour))[0], status)

    def test_slow_reset_and_hang(self):
        start = time.monotonic()
        self.assertEqual(self.send(harness.new_key("slow"))[0], 202)
        self.assertGreater(time.monotonic() - start, 0.35)
        with self.assertRaises(ConnectionResetError):
            self.send(harness.new_key("reset"))
        connection = http.client.HTTPConnection("127.0.0.1", self.sandbox.port, timeout=0.3)
        connection.request(
            "POST", "/v1/send", json.dumps(MESSAGE), self.headers(harness.new_key("hang"))
        )
        with self.assertRaises(TimeoutError):
            connection.getresponse()
        connection.close()
        self.assertEqual(len(self.client.list()), 1)

    def test_one_connection_many_requests(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.sandbox.port, timeout=10)
        before = self.client.stats()["connections"]
        for behaviour in ("", "limited", "revoked", "down", ""):
            key = harness.new_key(behaviour)
            connection.request("POST", "/v1/send", json.dumps(MESSAGE), self.headers(key))
            connection.getresponse().read()
            connection.request("GET", "/v1/emails?limit=1", headers=self.headers(key))
            connection.getresponse().read()
        self.assertLessEqual(self.client.stats()["connections"] - before, 2)
        connection.close()

    def test_chunked_and_pipelined(self):
        head = (
            f"POST /v1/send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {harness.new_key()}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        body = json.dumps(MESSAGE).encode()
        request = head.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        with socket.create_connection(("127.0.0.1", self.sandbox.port)) as sock:
            sock.sendall(request * 5)
            answers = b""
            while answers.count(b"HTTP/1.1 202 ") < 5:
                got = sock.recv(65_536)
                self.assertTrue(got, answers)
                answers += got
        self.assertEqual(len(self.client.list()), 5)

    def test_the_limits_of_attachments(self):
        limit = 25 * 1_048_576
        content = os.urandom(limit)

        def attachment(data):
            return {"filename": "f", "content": base64.b64encode(data).decode()}

        key = harness.new_key()
        cases = [
            ([content, content[::-1]], 202), ([content + b"x"], 413),
            ([content, content, b"x"], 413), ([b"x"] * 10, 202), ([b"x"] * 11, 400),
        ]  # fmt: skip
        for contents, status in cases:
            message = {**MESSAGE, "attachments": [attachment(data) for data in contents]}
            with self.subTest(count=len(contents), status=status):
                self.assertEqual(self.send(key, message)[0], status)
        message_id = self.client.list()[0]["message_id"]
        self.assertEqual(self.client.attachment(message_id, 2), content[::-1])

    def test_an_announced_body_that_is_too_large_is_refused_by_its_head(self):
        with socket.create_connection(("127.0.0.1", self.sandbox.port), timeout=10) as sock:
            sock.sendall(
                f"POST /v1/send HTTP/1.1\r\nHost: x\r\nContent-Length: {80 * 1_048_576 + 1}\r\n"
                f"Authorization: Bearer {harness.new_key()}\r\n"
                "Content-Type: application/json\r\n\r\n".encode()
            )
            self.assertTrue(sock.recv(1_024).startswith(b"HTTP/1.1 413 "))

    def test_what_is_not_http_is_answered_and_closed(self):
        for start in (b"\x16\x03\x01\x00\xff\r\n\r\n", b"EHLO x\r\n\r\n", b"\x00" * 20_000):
            with socket.create_connection(("127.0.0.1", self.sandbox.port), timeout=10) as sock:
                sock.sendall(start)
                answer = b""
                try:
                    while got := sock.recv(1_024):
                        answer += got
                except ConnectionResetError:
                    pass
                self.assertTrue(answer.startswith(b"HTTP/1.1 4"), answer)

    def test_an_incomplete_upload_is_counted_and_not_kept(self):
        before = self.client.stats()["incomplete"]
        with socket.create_connection(("127.0.0.1", self.sandbox.port)) as sock:
            sock.sendall(
                f"POST /v1/send HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n"
                f"Authorization: Bearer {harness.new_key()}\r\n"
                "Content-Type: application/json\r\n\r\n{".encode()
            )
        harness.wait_until(lambda: self.client.stats()["incomplete"] == before + 1)
        self.assertEqual(self.client.list(), [])

    def test_chaos_by_call_and_by_flag(self):
        def put(shares):
            return self.client.request("PUT", "/sandbox/chaos", json.dumps(shares))[0]

        self.assertEqual(put({"500": 100}), 200)
        try:
            self.assertEqual(self.send(harness.new_key())[0], 500)
            refusals = json.loads(self.client.get("/sandbox/refusals"))["refusals"]
            self.assertEqual(refusals[-1]["status"], 500)
            self.assertEqual(put({"500": 101}), 400)
        finally:
            self.assertEqual(put({}), 200)
        self.assertEqual(self.send(harness.new_key())[0], 202)
        sandbox = harness.Sandbox("--chaos", "503=100")
        self.addCleanup(sandbox.stop)
        self.assertEqual(json.loads(sandbox.client.get("/sandbox/chaos"))["503"], 100)


if __name__ == "__main__":
    unittest.main()
