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
        self.assertNotEqual("X-Request-ID" in headers, "Server" in headers)
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
            "limited_brief": 429, "limited_key": 429, "send_402_coded": 402,
            "send_403-plan_nested": 403, "send_404_text": 404, "send_422_page": 422,
            "auth_403_page": 202,
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

    def send_to(self, address, sender="a@yourdomain.com", key=None):
        message = {**MESSAGE, "from": sender, "to": [address]}
        return self.send(key or harness.new_key(), message)

    def test_errors_by_name_in_each_shape(self):
        shapes = {
            "text": lambda body: isinstance(body["error"], str) and len(body) == 1,
            "coded": lambda body: isinstance(body["error"], str) and body["message"],
            "nested": lambda body: body["error"]["code"] and body["error"]["message"],
            "foreign": lambda body: "error" not in body and body["message"],
        }
        names = (
            "400 401 402 403 403-plan 403-domain 404 408 409 413 422 429 500 502 503"
        ).split()
        for name in names:
            for shape, holds in shapes.items():
                with self.subTest(name=name, shape=shape):
                    status, headers, body = self.send_to(f"b@{name}.{shape}.test")
                    self.assertEqual(status, int(name[:3]))
                    self.assertEqual(headers["Content-Type"], "application/json")
                    self.assertTrue(holds(json.loads(body)), body)
                    self.assertEqual(headers["Server"], "nginx" if shape == "foreign" else None)
            with self.subTest(name=name, shape="page"):
                status, headers, body = self.send_to(f"b@{name}.page.test")
                self.assertEqual((status, headers["Content-Type"]), (int(name[:3]), "text/html"))
                self.assertEqual(headers["Server"], "nginx")
                self.assertIn(b"<html>", body)
        self.assertEqual(self.client.list(), [])

    def test_the_words_of_the_kinds_of_403(self):
        for name, words in (
            ("403", b"not permitted"), ("403-plan", b"plan limit reached"),
            ("403-domain", b"not verified"),
        ):  # fmt: skip
            for shape in ("text", "coded", "nested"):
                self.assertIn(words, self.send_to(f"b@{name}.{shape}.test")[2])

    def test_pages_in_front_of_the_key_check(self):
        for name in ("auth_401_page", "auth_403_page", "auth_429_page", "auth_503_page"):
            key = harness.new_key(name + "_for_1")
            statuses = [
                self.client.request("GET", "/v1/emails?limit=1", headers=self.headers(key))[0]
                for _ in range(2)]
            self.assertEqual(statuses, [int(name[5:8]), 200])

    def test_a_warming_domain_meets_its_limit_and_no_other_does(self):
        name = f"x{os.getpid()}.minute2-2s.warming.test"
        key = harness.new_key()
        statuses, last = [], None
        for _ in range(3):
            status, last, body = self.send_to("b@c.test", f"a@{name}", key)
            statuses.append(status)
        self.assertEqual(statuses, [202, 202, 429])
        answer = json.loads(body)
        wait = answer.pop("retry_after_seconds")
        self.assertEqual(answer, {
            "error": "rate_limit_exceeded", "message": "per_minute sending limit exceeded",
            "limit_type": "per_minute", "limit": 2, "used": 2, "warming_phase": "phase_1"})
        self.assertIn(wait, (1, 2))
        self.assertEqual(last["Retry-After"], str(wait))
        self.assertEqual(self.send_to("b@c.test", "a@warmed.example", key)[0], 202)
        self.assertEqual(self.send_to("b@c.test", f"a@y{name}", key)[0], 202)
        time.sleep(wait)
        self.assertEqual(self.send_to("b@c.test", f"a@{name}", key)[0], 202)
        self.assertEqual(self.send_to("b@c.test", "a@minut2.warming.test", key)[0], 403)

    def test_limits_by_call_need_json_and_the_call_field(self):
        def post(body, headers):
            return self.client.request("POST", "/sandbox/limits", body, headers)[0]

        order = json.dumps({"domain": "shop.example", "limit_type": "daily", "limit": 1})
        json_type = {"Content-Type": "application/json"}
        field = {"X-Requested-By": "test"}
        self.addCleanup(self.client.request, "DELETE", "/sandbox/limits")
        for headers, status in (
            ({}, 415), (json_type, 403), (field, 415),
            ({**field, "Content-Type": "text/plain"}, 415), ({**field, **json_type}, 200),
        ):  # fmt: skip
            with self.subTest(headers=headers):
                self.assertEqual(post(order, headers), status)
        self.assertEqual(post("{}", {**field, **json_type}), 400)
        sent = [self.send_to("b@c.test", "a@shop.example")[0] for _ in range(2)]
        self.assertEqual(sent, [202, 429])
        limits = json.loads(self.client.get("/sandbox/limits"))["limits"]
        self.assertIn({
            "domain": "shop.example", "limit_type": "daily", "limit": 1, "used": 1,
            "window_seconds": 86_400}, limits)
        self.assertEqual(self.client.request("DELETE", "/sandbox/limits")[0], 200)
        self.assertEqual(self.send_to("b@c.test", "a@shop.example")[0], 202)

    def test_a_key_that_is_revoked_in_the_middle(self):
        key = harness.new_key("revoked_after_3")
        check = lambda: self.client.request(  # noqa: E731
            "GET", "/v1/emails?limit=1", headers=self.headers(key))[0]
        self.assertEqual(check(), 200)
        self.assertEqual([self.send(key)[0] for _ in range(5)], [202, 202, 202, 401, 401])
        self.assertEqual(check(), 401)
        self.assertEqual(self.send(harness.new_key("revoked_after_3"))[0], 202)

    def test_a_fault_for_some_messages(self):
        key = harness.new_key("limited_brief_after_1_for_2")
        statuses = [self.send(key)[0] for _ in range(5)]
        self.assertEqual(statuses, [202, 429, 429, 202, 202])

    def test_a_lost_and_a_late_answer(self):
        for send in (
            lambda: self.send(harness.new_key("lost")), lambda: self.send_to("b@lost.test"),
        ):  # fmt: skip
            with self.assertRaises(ConnectionResetError):
                send()
        self.assertEqual(len(self.client.list()), 2)
        start = time.monotonic()
        self.assertEqual(self.send_to("b@1s.late.test")[0], 202)
        self.assertGreater(time.monotonic() - start, 0.9)

    def test_an_unknown_template(self):
        message = {"from": "a@yourdomain.com", "to": ["b@c.test"]}
        for field, status in (
            ({"template": "welcome"}, 202), ({"template": "unknown-welcome"}, 404),
            ({"template_id": "unknown"}, 404),
        ):  # fmt: skip
            got, headers, body = self.send(harness.new_key(), {**message, **field})
            self.assertEqual(got, status)
            self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(json.loads(body)["error"]["code"], "template_not_found")

    def test_a_web_page_cannot_use_the_sandbox(self):
        port = self.sandbox.port
        key = harness.new_key()
        for host, isKnown in (
            ("evil.example", False), (f"evil.example:{port}", False), ("", False),
            ("127.0.0.1.evil.example", False), ("localhost.evil.example", False),
            ("127.0.0.1", True), (f"127.0.0.1:{port}", True), (f"LOCALHOST:{port}", True),
            ("[::1]", True), ("10.2.3.4:5", True),
        ):  # fmt: skip
            for method, path in (
                ("GET", "/"), ("GET", "/sandbox/messages"), ("GET", "/v1/emails"),
                ("GET", "/sandbox/stats"), ("POST", "/v1/send"),
            ):  # fmt: skip
                body = json.dumps(MESSAGE) if method == "POST" else None
                with self.subTest(host=host, path=path):
                    status = self.client.request(
                        method, path, body, {**self.headers(key), "Host": host})[0]
                    wanted = 202 if method == "POST" else 200
                    self.assertEqual(status, wanted if isKnown else 421)
        sandbox = harness.Sandbox("--hostname", "api.example")
        self.addCleanup(sandbox.stop)
        for host, status in (("api.example", 200), ("API.example:1", 200), ("x.example", 421)):
            got = sandbox.client.request("GET", "/sandbox/stats", headers={"Host": host})[0]
            self.assertEqual(got, status)

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
            f"POST /v1/send HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {harness.new_key()}\r\n"
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
                f"POST /v1/send HTTP/1.1\r\nHost: localhost\r\nContent-Length: {80 * 1_048_576 + 1}\r\n"
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
                f"POST /v1/send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
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
