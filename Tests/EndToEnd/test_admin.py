"""The admin listener: it counts what happened, and answers only what it is asked."""

import http.client
import json
import os
import pathlib
import re
import smtplib
import socket
import ssl
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request

import harness
import prometheus_text
from prometheus_text import count, total, value

PREFIX = "postscale_relay_"
MESSAGE = b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: s\r\n\r\nHello\r\n"


CALL = {"Content-Type": "application/json", "X-Requested-By": "test"}


def get(port, path, method="GET", body=None, headers=None):
    """(status, header fields, body)"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def scrape(port):
    status, headers, body = get(port, "/metrics")
    assert status == 200, body
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return prometheus_text.parse(body)


class AdminTestCase(harness.RelayTestCase):
    @classmethod
    def setUpClass(cls):
        cls.port = harness.free_port()
        cls.arguments = ("--admin", str(cls.port), "--loops", "2", *cls.more_arguments)
        super().setUpClass()

    more_arguments = ()

    def scrape(self):
        return scrape(self.port)

    def difference(self, before, name, **labels):
        """How much a counter has grown since `before`."""
        return total(self.scrape(), PREFIX + name, **labels) - total(before, PREFIX + name, **labels)


class Counting(AdminTestCase):
    def test_every_family_is_documented_and_every_documented_one_is_there(self):
        with self.relay.login(harness.new_key()) as client:
            client.sendmail("a@yourdomain.com", "b@example.com", MESSAGE)
        page = set(self.scrape())
        text = (harness.ROOT / "docs/metrics.md").read_text()
        documented = {
            name if name.startswith("process_") else PREFIX + name
            for name in re.findall(r"^\| `([a-z_]+)` \|", text, re.M)}
        self.assertEqual(page - documented, set(), "not in docs/metrics.md")
        self.assertEqual(documented - page, set(), "not on the page")

    def test_a_message_is_counted_once_everywhere(self):
        before = self.scrape()
        with self.relay.login(harness.new_key()) as client:
            for _ in range(3):
                client.sendmail("a@yourdomain.com", ["b@example.com", "c@example.com"], MESSAGE)
        after = self.scrape()

        def grown(name, **labels):
            return (total(after, PREFIX + name, **labels)
                    - total(before, PREFIX + name, **labels))

        self.assertEqual(grown("messages_total", outcome="accepted"), 3)
        self.assertEqual(grown("messages_total"), 3)
        self.assertEqual(grown("message_bytes_total", outcome="accepted"), 3 * len(MESSAGE))
        self.assertEqual(grown("content_bytes_total"), 3 * len(MESSAGE))
        self.assertEqual(grown("logins_total", outcome="accepted"), 1)
        self.assertEqual(grown("logins_total"), 1)
        self.assertEqual(grown("commands_total", command="mail"), 3)
        self.assertEqual(grown("commands_total", command="rcpt"), 6)
        self.assertEqual(grown("commands_total", command="ehlo"), 2)
        self.assertEqual(grown("commands_total", command="quit"), 1)
        self.assertEqual(grown("replies_total", code="354"), 3)
        self.assertEqual(grown("replies_total", code="235"), 1)
        self.assertEqual(grown("replies_total", code="221"), 1)
        # The greeting and the reply to STARTTLS.
        self.assertEqual(grown("replies_total", code="220"), 2)
        # Two EHLOs; MAIL, two RCPTs and the message, three times.
        self.assertEqual(grown("replies_total", code="250"), 2 + 3 * 4)
        self.assertEqual(grown("connections_total", listener=f"127.0.0.1:{self.relay.ports[0]}"), 1)
        self.assertEqual(grown("connections_total"), 1)
        self.assertEqual(grown("api_responses_total", call="send", status="202"), 3)
        self.assertEqual(grown("api_responses_total", call="check", status="200"), 1)
        self.assertEqual(grown("api_calls_total"), 4)
        self.assertEqual(grown("key_checks_total", source="api"), 1)
        for name, times in (("handshake_seconds", 1), ("login_seconds", 1), ("data_seconds", 3),
                            ("answer_seconds", 3)):
            self.assertEqual(count(after, PREFIX + name) - count(before, PREFIX + name), times, name)
        for call, times in (("send", 3), ("check", 1)):
            grew = (count(after, PREFIX + "api_seconds", call=call)
                    - count(before, PREFIX + "api_seconds", call=call))
            self.assertEqual(grew, times, call)

    def test_outcomes_have_their_names(self):
        expected = {
            "limited": ("rate-limited", 452), "invalid": ("invalid", 554),
            "forbidden": ("forbidden", 550), "conflict": ("invalid", 554),
            "down": ("uncertain", 451), "garbage": ("uncertain", 451),
            "revoked_later": ("key-refused", 451),
        }
        for behaviour, (outcome, code) in expected.items():
            with self.subTest(behaviour):
                before = self.scrape()
                client = self.relay.login(harness.new_key(behaviour))
                with self.assertRaises(smtplib.SMTPDataError) as caught:
                    client.sendmail("a@yourdomain.com", "b@example.com", MESSAGE)
                client.close()
                self.assertEqual(caught.exception.smtp_code, code)
                self.assertEqual(self.difference(before, "messages_total", outcome=outcome), 1)
                self.assertEqual(self.difference(before, "messages_total"), 1)
                self.assertEqual(self.difference(before, "replies_total", code=str(code)), 1)

    def test_unparsable_and_suppressed(self):
        before = self.scrape()
        with self.relay.login(harness.new_key()) as client:
            with self.assertRaises(smtplib.SMTPDataError):
                client.sendmail("a@yourdomain.com", "b@suppressed.test", MESSAGE)
            with self.assertRaises(smtplib.SMTPDataError):
                client.sendmail("a@yourdomain.com", "b@example.com",
                                b"X-Postscale-Metadata: {\r\n" + MESSAGE)
        self.assertEqual(self.difference(before, "messages_total", outcome="suppressed"), 1)
        self.assertEqual(self.difference(before, "messages_total", outcome="unparsable"), 1)

    def test_a_client_that_leaves_in_the_middle_is_abandoned(self):
        before = self.scrape()
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            client.ask(b"MAIL FROM:<a@yourdomain.com>")
            client.ask(b"RCPT TO:<b@example.com>")
            client.ask(b"DATA")
            client.send(MESSAGE)
        harness.wait_until(
            lambda: self.difference(before, "messages_total", outcome="abandoned") == 1)
        self.assertEqual(self.difference(before, "messages_total"), 1)

    def test_logins(self):
        before = self.scrape()
        for user, key in (("postscale", "nonsense"), ("somebody", harness.new_key()),
                          ("postscale", harness.new_key("auth_down"))):
            client = self.relay.connect()
            # Each once, because smtplib would try another mechanism.
            client.ehlo()
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                client.user, client.password = user, key
                client.auth("PLAIN", client.auth_plain)
            client.close()
        for outcome in ("wrong-key", "wrong-username", "unavailable"):
            self.assertEqual(self.difference(before, "logins_total", outcome=outcome), 1, outcome)
        self.assertEqual(self.difference(before, "logins_total"), 3)

    def test_tls_versions_by_listener(self):
        before = self.scrape()
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            context = self.relay.context()
            context.maximum_version = version
            smtplib.SMTP_SSL("localhost", self.relay.tls_port, context=context, timeout=30).quit()
            self.assertEqual(self.difference(
                before, "tls_handshakes_total", version=name,
                listener=f"127.0.0.1:{self.relay.tls_port}"), 1)
        self.assertEqual(self.difference(before, "tls_handshakes_total"), 2)
        self.assertEqual(self.difference(before, "tls_handshakes_groups_total"), 2)
        # A client of this machine's OpenSSL may have the hybrid; TLS 1.2 has not.
        self.assertGreaterEqual(self.difference(before, "tls_handshakes_groups_total", group="x25519"), 1)

    def test_a_handshake_that_fails(self):
        before = self.scrape()
        with socket.create_connection(("127.0.0.1", self.relay.tls_port)) as plain:
            plain.sendall(b"this is no TLS\r\n")
            while plain.recv(4_096):
                pass
        harness.wait_until(lambda: self.difference(before, "tls_handshakes_failed_total") == 1)

    def test_what_was_lost(self):
        before = self.scrape()
        with self.relay.login(harness.new_key()) as client:
            client.sendmail("a@yourdomain.com", "b@example.com", b"Received: x\r\nX-Postscale-Odd: 1\r\n" + MESSAGE)
        self.assertEqual(self.difference(before, "message_losses_total", kind="headers_not_passed"), 1)
        self.assertEqual(
            self.difference(before, "message_losses_total", kind="postscale_headers_unknown"), 1)

    def test_a_duplicate_is_counted(self):
        key, before = harness.new_key("slow"), self.scrape()
        message = b"Message-ID: <%d@admin.test>\r\n" % time.time_ns() + MESSAGE
        with self.relay.raw() as client:
            client.log_in(key)
            client.ask(b"MAIL FROM:<a@yourdomain.com>")
            client.ask(b"RCPT TO:<b@example.com>")
            client.ask(b"DATA")
            client.send(message + b".\r\n")
            client.socket.shutdown(socket.SHUT_RDWR)
        harness.wait_until(lambda: self.sandbox.list(), what="the message")
        with self.relay.login(key) as client:
            harness.wait_until(
                lambda: self.accepts(client, message), what="the answer to the second try")
        self.assertEqual(self.difference(before, "duplicates_total", result="answered"), 1)
        self.assertEqual(len(self.sandbox.list()), 1)

    @staticmethod
    def accepts(client, message):
        try:
            client.sendmail("a@yourdomain.com", "b@example.com", message)
            return True
        except smtplib.SMTPDataError as error:
            assert error.smtp_code == 451, error
            return False

    def test_gauges_go_up_and_down(self):
        rest = total(self.scrape(), PREFIX + "sessions")
        with self.relay.login(harness.new_key()):
            page = self.scrape()
            self.assertEqual(total(page, PREFIX + "sessions"), rest + 1)
            self.assertEqual(total(page, PREFIX + "loop_sessions"), rest + 1)
            self.assertEqual(total(page, PREFIX + "loop_answered"), 2)
            self.assertEqual(total(page, PREFIX + "memory_budget_bytes", state="reserved"), 0)
            self.assertGreater(total(page, PREFIX + "loop_timers"), 0)
            self.assertGreaterEqual(total(page, PREFIX + "api_connections"), 1)
        harness.wait_until(lambda: total(self.scrape(), PREFIX + "sessions") == rest)

    def test_the_loops_account_for_the_time(self):
        def times():
            page = self.scrape()
            return [value(page, PREFIX + "loop_busy_seconds_total", loop=loop)
                    + value(page, PREFIX + "loop_idle_seconds_total", loop=loop) for loop in "01"]

        start, before = time.monotonic(), times()
        time.sleep(1)
        after, end = times(), time.monotonic()
        for one, other in zip(before, after):
            # A loop counts the time that it slept when it wakes up, and a scrape wakes it.
            self.assertGreater(other - one, 0.9)
            self.assertLess(other - one, end - start + 0.1)

    def test_the_process(self):
        page = self.scrape()
        pid = self.relay.process.pid
        self.assertAlmostEqual(
            value(page, "process_open_fds"), len(os.listdir(f"/proc/{pid}/fd")), delta=2)
        resident = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        self.assertAlmostEqual(
            value(page, "process_resident_memory_bytes"), resident, delta=resident / 4)
        self.assertAlmostEqual(value(page, "process_start_time_seconds"), time.time(), delta=300)
        self.assertGreater(value(page, PREFIX + "certificate_end_timestamp_seconds"), time.time())


class Pages(AdminTestCase):
    def test_status_json_says_what_metrics_say(self):
        with self.relay.login(harness.new_key()) as client:
            client.sendmail("a@yourdomain.com", "b@example.com", MESSAGE)
        status = json.loads(get(self.port, "/status.json")[2])
        page = self.scrape()
        self.assertEqual(status["messages"]["accepted"],
                         value(page, PREFIX + "messages_total", outcome="accepted"))
        self.assertEqual(sum(status["latency"]["answer"]), count(page, PREFIX + "answer_seconds"))
        self.assertEqual(len(status["bounds_us"]) + 1, len(status["latency"]["answer"]))
        self.assertTrue(status["ready"])
        self.assertEqual(len(status["loops"]), 2)
        self.assertEqual(len(status["listeners"]), 3)
        self.assertEqual(status["api"]["addresses"][0]["health"], "healthy")

    def test_the_status_page_needs_nothing_from_elsewhere(self):
        status, headers, body = get(self.port, "/status")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        text = body.decode()
        addresses = set(re.findall(r"https?://[^'\"\s]+", text))
        self.assertEqual(addresses, {"http://www.w3.org/2000/svg"})  # A namespace, never asked for.
        self.assertEqual(re.findall(r"<(?:link|img|iframe)\b|@import|src=", text), [])

    def test_sessions_show_who_is_here_and_no_secret(self):
        key = harness.new_key()
        with self.relay.raw() as client:
            client.log_in(key)
            client.ask(b"MAIL FROM:<secret-sender@yourdomain.com>")
            client.ask(b"RCPT TO:<secret-recipient@example.com>")
            client.ask(b"DATA")
            client.send(MESSAGE)
            own = "%s:%d" % client.socket.getsockname()

            def report():
                return json.loads(get(self.port, "/debug/sessions.json")[2])

            def mine():
                return next(entry for entry in report()["sessions"] if entry["peer"] == own)

            harness.wait_until(lambda: mine()["content_bytes"] == len(MESSAGE))
            entry = mine()
            self.assertEqual(
                (entry["state"], entry["logged_in"], entry["tls"], entry["listener"], entry["messages"]),
                ("data", True, "TLSv1.3", 2, 1))
            self.assertRegex(entry["session"], "^[0-9a-f]{16}$")
            text = get(self.port, "/debug/sessions")[2]
            self.assertIn(own.encode(), text)
            for body in (text, json.dumps(report()).encode()):
                self.assertNotIn(b"secret", body)
                self.assertEqual(harness.find_keys(body, [key]), [])
        harness.wait_until(
            lambda: own in [event.get("peer") for event in self.relay.events()
                            if event.get("session") == entry["session"]],
            what="the session in the log")

    def test_as_many_sessions_as_were_asked_for(self):
        clients = [self.relay.raw() for _ in range(6)]
        # The kernel chooses the loop by a hash of the addresses: six clients may all be on one.
        for _ in range(40):
            report = json.loads(get(self.port, "/debug/sessions.json?limit=1")[2])
            if report["total"] == len(clients) and len(report["sessions"]) == 2:
                break
            clients.append(self.relay.raw())
        self.assertEqual(report["total"], len(clients))
        self.assertEqual(len(report["sessions"]), 2)  # One per loop.
        for client in clients:
            client.__exit__()
        for limit in ("0", "10001", "x", "-1", ""):
            self.assertEqual(get(self.port, f"/debug/sessions?limit={limit}")[0], 400, limit)

    def test_the_log_level_changes_while_it_runs(self):
        def opened():
            return [event["event"] for event in self.relay.events()].count("session-opened")

        self.addCleanup(get, self.port, "/log-level?level=trace", "PUT")
        self.assertEqual(get(self.port, "/log-level")[2], b"trace\n")
        with self.relay.raw():
            pass
        harness.wait_until(lambda: opened() >= 1)
        self.assertEqual(get(self.port, "/log-level?level=warning", "PUT")[0], 200)
        self.assertEqual(get(self.port, "/log-level")[2], b"warning\n")
        before = opened()
        with self.relay.raw() as client:
            client.ask(b"QUIT")
        debug = json.dumps({"level": "debug"})
        self.assertEqual(get(self.port, "/log-level", "POST", debug, CALL)[2], b"debug\n")
        with self.relay.raw():
            pass
        harness.wait_until(lambda: opened() == before + 1)

        def levels():
            return [(event["was"], event["level"]) for event in self.relay.events()
                    if event["event"] == "log-level"]

        harness.wait_until(lambda: len(levels()) == 2, what="both changes in the log")
        for wrong in ("loud", "", "WARNING"):
            self.assertEqual(get(self.port, f"/log-level?level={wrong}", "PUT")[0], 400)
        self.assertEqual(get(self.port, "/log-level", "DELETE")[0], 405)
        self.assertEqual(get(self.port, "/log-level", "POST", "{}", CALL)[0], 400)
        self.assertEqual(get(self.port, "/log-level", "POST", " " * 1_025, CALL)[0], 413)

    def test_a_web_page_cannot_use_the_listener(self):
        for host, is_known in (
                ("evil.example", False), (f"evil.example:{self.port}", False), ("", False),
                ("127.0.0.1.evil.example", False), ("127.0.0.1", True), ("[::1]:1", True),
                (f"LocalHost:{self.port}", True)):
            for path in ("/", "/status.json", "/metrics", "/healthz", "/log-level"):
                got = get(self.port, path, headers={"Host": host})[0]
                self.assertEqual(got, 200 if is_known else 421, (host, path))
        level = get(self.port, "/log-level")[2]
        for headers, wanted in (
                ({}, 415), ({"Content-Type": "text/plain", "X-Requested-By": "test"}, 415),
                ({"Content-Type": "application/json"}, 403), ({"X-Requested-By": "test"}, 415),
                ({**CALL, "Host": "evil.example"}, 421)):
            got = get(self.port, "/log-level", "POST", json.dumps({"level": "error"}), headers)[0]
            self.assertEqual(got, wanted, headers)
        self.assertEqual(get(self.port, "/log-level")[2], level)

    def test_the_listener_answers_to_the_hostname(self):
        port = harness.free_port()
        relay = harness.Relay("--admin", str(port), "--hostname", "relay.example")
        self.addCleanup(relay.stop)
        for host, wanted in (("Relay.Example:9587", 200), ("x.relay.example", 421)):
            self.assertEqual(get(port, "/healthz", headers={"Host": host})[0], wanted)


class HTTP(AdminTestCase):
    def talk(self, *pieces, ends=True):
        """Sends raw pieces and reads until the listener closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                plain.sendall(piece)
            if ends:
                plain.shutdown(socket.SHUT_WR)
            answer = b""
            while data := plain.recv(65_536):
                answer += data
            return answer

    def test_other_methods_paths_and_bodies(self):
        for method, path, wanted in (
                ("POST", "/metrics", 405), ("DELETE", "/status", 405), ("GET", "/nothing", 404),
                ("POST", "/nothing", 404), ("GET", "/metrics/", 404), ("HEAD", "/healthz", 200),
                ("GET", "/", 200), ("GET", "/healthz", 200), ("GET", "/readyz", 200),
                ("PATCH", "/log-level", 405)):
            status, headers, body = get(self.port, path, method)
            self.assertEqual(status, wanted, (method, path))
            self.assertEqual(headers["Cache-Control"], "no-store")
            self.assertEqual("Allow" in headers, wanted == 405)
            if method == "HEAD":
                self.assertEqual(body, b"")

    def test_what_is_no_request(self):
        for request, wanted in (
                (b"nonsense\r\n\r\n", b"400"), (b"GET / HTTP/2.0\r\n\r\n", b"505"),
                (b"GET / HTTP/1.1\r\n\r\n", b"400"),  # No Host.
                (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", b"413"),
                (b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"413"),
                (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 1_000 + b"\r\n", b"431"),
                (b"G" * 5_000, b"431"), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\n\r\n", b"400")):
            answer = self.talk(request, ends=False)
            self.assertEqual(answer[:12], b"HTTP/1.1 " + wanted, request[:60])
            self.assertIn(b"Connection: close\r\n", answer)
            self.assertEqual(answer.count(b"HTTP/1.1"), 1)

    def test_however_a_request_is_cut_the_answer_is_the_same(self):
        request = b"\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        whole = self.talk(request)
        self.assertTrue(whole.startswith(b"HTTP/1.1 200"))
        self.assertEqual(self.talk(*[request[i:i + 1] for i in range(len(request))]), whole)

    def test_pipelined_requests_are_answered_in_order(self):
        head = b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        answer = self.talk(
            b"GET /healthz" + head + b"GET /log-level" + head + b"GET /nothing" + head
            + b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nGET /metrics" + head)
        self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", answer), [b"200", b"200", b"404", b"200"])
        self.assertTrue(answer.endswith(b"\r\n\r\nready\n"))

    def test_a_connection_is_used_again(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        for _ in range(5):
            connection.request("GET", "/metrics")
            prometheus_text.parse(connection.getresponse().read())
        connection.close()

    def test_many_connections_and_slow_requests(self):
        idle = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(32)]
        for connection in idle[:31]:
            connection.sendall(b"GET /metr")
        more = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        self.assertEqual(more.recv(1), b"")  # One too many.
        more.close()
        with self.relay.login(harness.new_key()) as client:  # Clients notice nothing.
            client.sendmail("a@yourdomain.com", "b@example.com", MESSAGE)
        start = time.monotonic()
        for connection in idle[:31]:
            connection.settimeout(30)
            try:
                self.assertEqual(connection.recv(1), b"")
            except ConnectionResetError:
                pass
        self.assertLess(time.monotonic() - start, 20)
        for connection in idle:
            connection.close()
        harness.wait_until(lambda: self.answers(), what="room for a request")

    def answers(self):
        try:
            return get(self.port, "/healthz")[0] == 200
        except OSError:
            return False

    def test_scrapes_are_answered_under_load(self):
        stop = threading.Event()

        def load():
            with self.relay.login(harness.new_key()) as client:
                while not stop.is_set():
                    client.sendmail("a@yourdomain.com", "b@example.com", MESSAGE * 100)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            last = None
            for _ in range(20):
                page = self.scrape()
                if last is not None:
                    for name, family in page.items():
                        if family.kind == "counter":
                            for key, text in family.samples.items():
                                was = last[name].samples.get(key, "0")
                                self.assertGreaterEqual(float(text), float(was), (name, key))
                last = page
        finally:
            stop.set()
            for thread in threads:
                thread.join()


class Readiness(unittest.TestCase):
    def relay(self, *arguments, **keywords):
        port = harness.free_port()
        relay = harness.Relay("--admin", f"127.0.0.1:{port}", *arguments, **keywords)
        self.addCleanup(relay.stop)
        harness.wait_until(lambda: get_or_none(port, "/healthz"), what="the admin listener")
        return relay, port

    def test_without_the_flag_nobody_listens(self):
        relay = harness.Relay()
        self.addCleanup(relay.stop)
        harness.wait_until(lambda: any(event["event"] == "ready" for event in relay.events()))
        self.assertNotIn("admin-listening", [event["event"] for event in relay.events()])

    def test_not_ready_while_no_address_of_the_api_is_usable(self):
        relay, port = self.relay(api_port=harness.free_port())
        client = relay.connect()
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            client.login("postscale", harness.new_key())
        status, _, body = harness.wait_until(
            lambda: (answer := get(port, "/readyz")) and answer[0] == 503 and answer, seconds=30)
        self.assertEqual(body, b"no address of the API is usable\n")
        self.assertEqual(get(port, "/healthz")[0], 200)
        page = scrape(port)
        self.assertGreaterEqual(total(page, PREFIX + "api_connections_failed_total"), 1)
        self.assertGreaterEqual(total(page, PREFIX + "api_not_sent_total"), 1)
        self.assertEqual(total(page, PREFIX + "api_address_up"), 0)

    def test_ready_again_when_the_api_is_back_though_no_client_came(self):
        api_port = harness.free_port()
        relay, port = self.relay(api_port=api_port)
        # A readiness request is enough to find out.
        harness.wait_until(lambda: get(port, "/readyz")[0] == 503, seconds=30)
        api = subprocess.Popen(
            [harness.BINARY, "sandbox", "--listen", f"127.0.0.1:{api_port}", "--log-level", "error"])
        try:
            harness.wait_until(lambda: get(port, "/readyz")[0] == 200, seconds=40)
        finally:
            api.terminate()
            api.wait()

    def test_not_ready_when_the_certificate_ends_within_a_day(self):
        api = harness.Sandbox()
        self.addCleanup(api.stop)
        folder = harness.temporary_folder("certificate")
        certificate, key = os.path.join(folder, "c.pem"), os.path.join(folder, "k.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-days", "1", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
            check=True, capture_output=True)
        port = harness.free_port()
        process = harness.Process("relay", [
            "--hostname", "localhost", f"--listen=127.0.0.1:{harness.free_port()}", "--admin", str(port),
            "--api-url", f"http://127.0.0.1:{api.port}", "--tls-cert", certificate, "--tls-key", key,
            *harness.RELAY_ARGUMENTS])
        self.addCleanup(process.stop)
        process.wait_for_port(port)
        _, _, body = harness.wait_until(
            lambda: (answer := get(port, "/readyz")) and answer[0] == 503 and answer)
        self.assertEqual(body, b"the certificate ends within a day\n")

    def test_not_ready_while_it_drains_and_still_counting(self):
        relay, port = self.relay("--sandbox-slow", "3s")
        key = harness.new_key("slow")
        client = relay.raw()
        client.log_in(key)
        client.ask(b"MAIL FROM:<a@yourdomain.com>")
        client.ask(b"RCPT TO:<b@example.com>")
        client.ask(b"DATA")
        client.send(MESSAGE + b".\r\n")
        harness.wait_until(lambda: relay.sandbox.list(), what="the call")
        self.assertEqual(get(port, "/readyz")[0], 200)
        relay.terminate()
        status, _, body = harness.wait_until(
            lambda: (answer := get(port, "/readyz")) and answer[0] == 503 and answer)
        self.assertIn(b"draining", body)
        self.assertEqual(get(port, "/healthz")[0], 200)
        self.assertEqual(value(scrape(port), PREFIX + "draining"), 1)
        self.assertTrue(client.reply().startswith("250"))
        client.__exit__()
        relay.stop()

    def test_addresses_that_are_none_are_refused(self):
        for text in ("nowhere", "127.0.0.1:0", "127.0.0.1", "70000", ""):
            result = subprocess.run(
                [harness.BINARY, "--sandbox", "--check-config", "--admin", text],
                capture_output=True, text=True, timeout=30)
            self.assertNotEqual(result.returncode, 0, text)
            self.assertIn("--admin", result.stderr)

    def test_a_port_that_is_taken_by_somebody_else(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            result = subprocess.run(
                [harness.BINARY, "--sandbox", "--sandbox-listen", f"127.0.0.1:{harness.free_port()}",
                 "--listen", f"127.0.0.1:{harness.free_port()}", "--admin", str(port),
                 "--log-level", "error"],
                capture_output=True, text=True, timeout=30)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(f"--admin: bind 127.0.0.1:{port}: Address already in use", result.stderr)

    def test_two_relays_do_not_share_an_admin_port(self):
        port = harness.free_port()
        relay = harness.Relay("--admin", str(port))
        self.addCleanup(relay.stop)
        result = subprocess.run(
            [harness.BINARY, "--sandbox", "--sandbox-listen", f"127.0.0.1:{harness.free_port()}",
             "--listen", f"127.0.0.1:{relay.ports[0]}", "--admin", str(port), "--log-level", "error"],
            capture_output=True, text=True, timeout=30)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(f"--admin: bind 127.0.0.1:{port}: Address already in use", result.stderr)
        self.assertIn("Each relay of a host needs one of its own.", result.stderr)

    def test_two_sandboxes_do_not_share_a_port(self):
        sandbox = harness.Sandbox()
        self.addCleanup(sandbox.stop)
        result = subprocess.run(
            [harness.BINARY, "--sandbox", "--sandbox-listen", f"127.0.0.1:{sandbox.port}",
             "--listen", f"127.0.0.1:{harness.free_port()}", "--log-level", "error"],
            capture_output=True, text=True, timeout=30)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(
            f"--sandbox-listen: bind 127.0.0.1:{sandbox.port}: Address already in use",
            result.stderr)


def get_or_none(port, path):
    try:
        return get(port, path)
    except OSError:
        return None


if __name__ == "__main__":
    unittest.main()
