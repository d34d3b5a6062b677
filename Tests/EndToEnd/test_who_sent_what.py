"""Who sent what: the log names the key of each login, refusal and message, and the admin listener's
calls forget limits and keys and follow sessions for some minutes."""

import hashlib
import json
import smtplib
import socket
import threading
import time
import unittest

import harness
from prometheus_text import total
from test_admin import AdminTestCase, CALL, get, scrape

PREFIX = "postscale_relay_"
MESSAGE = (b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: s\r\n"
           b"Message-ID: <one@client.test>\r\n\r\nvery-private-content\r\n")
HIDDEN = b"From: a@yourdomain.com\r\nSubject: s\r\n\r\nvery-private-content\r\n"


def name_of(key):
    """As operators name a key: printf %s KEY | sha256sum, the first 16 digits."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def named(relay, event, **fields):
    return [found for found in relay.events() if found["event"] == event
            and all(found.get(name) == value for name, value in fields.items())]


def first(relay, event, **fields):
    """The first event of this kind, once the relay has written it."""
    return harness.wait_until(lambda: named(relay, event, **fields), what=event)[0]


class WordyAPI:
    """Answers each send with what `answers` says for its recipient; 202 without an entry."""

    def __init__(self, answers):
        self.answers = answers
        self.checks = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        try:
            self._serve(connection)
        except OSError:
            pass  # The relay has ended.

    def _serve(self, connection):
        with connection, connection.makefile("rb") as reader:
            while line := reader.readline():
                length, chunked, head = 0, False, b""
                while (field := reader.readline()) not in (b"\r\n", b""):
                    head += field
                    name, value = field.split(b":", 1)
                    if name.lower() == b"content-length":
                        length = int(value)
                    chunked = chunked or name.lower() == b"transfer-encoding"
                body = self._chunks(reader) if chunked else reader.read(length)
                if line.startswith(b"GET"):
                    self.checks += 1
                    status, answer = 200, {"emails": [], "total": 0}
                else:
                    recipient = json.loads(body)["to"][0]
                    key = head.split(b"Bearer ", 1)[1].split(b"\r\n", 1)[0].decode()
                    status, answer = self.answers.get(
                        recipient, (202, {"message_id": "id-" + recipient}))
                    answer = json.loads(json.dumps(answer).replace("KEY", key))
                text = json.dumps(answer).encode()
                connection.sendall(
                    b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                    % (status, len(text)) + text)

    @staticmethod
    def _chunks(reader):
        body = b""
        while size := int(reader.readline(), 16):
            body += reader.read(size)
            reader.readline()
        reader.readline()
        return body


class Lines(AdminTestCase):
    def refused(self, key, user="postscale"):
        client = self.relay.connect()
        client.ehlo()
        client.user, client.password = user, key
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            client.auth("PLAIN", client.auth_plain)
        client.close()

    def test_a_login_and_a_message_name_the_key_as_the_admin_pages_do(self):
        key = harness.new_key()
        with self.relay.login(key) as client:
            client.sendmail("a@yourdomain.com", "b@example.com", MESSAGE)
            accounts = json.loads(get(self.port, "/debug/accounts")[2])["accounts"]
        self.assertIn(name_of(key), [account["key"] for account in accounts])
        first(self.relay, "login-accepted", key=name_of(key))
        line = first(self.relay, "message", key=name_of(key))
        self.assertEqual(line["outcome"], "accepted")
        # Nothing that is not asked for.
        for field in ("api_says", "ledger", "accepted", "message_ids", "from", "to",
                      "client_message_id"):
            self.assertNotIn(field, line)

    def test_a_refused_login_names_the_key_that_was_tried(self):
        for key in (harness.secret_key("nonsense_of_a_client"), harness.new_key("auth_down")):
            self.refused(key)
            event = "login-unavailable" if "down" in key else "login-refused"
            line = first(self.relay, event, key=name_of(key))
            if "down" in key:
                self.assertRegex(line["reason"], "^status 5..$")
        self.refused(harness.new_key(), user="somebody")
        self.assertNotIn("key", first(self.relay, "login-refused", reason="username"))

    def test_a_refused_command_names_the_key_of_the_login(self):
        key = harness.new_key()
        with self.relay.login(key) as client:
            client.docmd("MAIL FROM:<a@yourdomain.com> NONSENSE=1")
        first(self.relay, "refused", key=name_of(key), reply="555")
        with self.relay.connect() as client:
            client.ehlo()
            client.mail("a@yourdomain.com")
        self.assertNotIn("key", first(self.relay, "refused", reply="502"))

    def test_the_words_of_the_api_are_in_the_line_of_the_message(self):
        for behaviour, status in (("invalid", "400"), ("forbidden", "403"), ("limited", "429")):
            key = harness.new_key(behaviour)
            client = self.relay.login(key)
            with self.assertRaises(smtplib.SMTPResponseException):
                client.sendmail("a@yourdomain.com", "b@example.com", MESSAGE)
            client.close()
            words = first(self.relay, "message", key=name_of(key))["api_says"]
            self.assertRegex(words, f"^{status} [ -~]+$")

    def test_a_message_from_the_ledger_says_so(self):
        key = harness.new_key("slow")
        message = MESSAGE.replace(b"<one@", b"<%d@" % time.time_ns())
        with self.relay.raw() as client:
            client.log_in(key)
            client.ask(b"MAIL FROM:<a@yourdomain.com>")
            client.ask(b"RCPT TO:<b@example.com>")
            client.ask(b"DATA")
            client.send(message + b".\r\n")
            client.socket.shutdown(socket.SHUT_RDWR)
        harness.wait_until(lambda: self.sandbox.list(), what="the message")

        def is_accepted():
            try:
                with self.relay.login(key) as client:
                    client.sendmail("a@yourdomain.com", "b@example.com", message)
                return True
            except smtplib.SMTPDataError:
                return False

        harness.wait_until(is_accepted, what="the answer to the second try")
        line = first(self.relay, "message", key=name_of(key), ledger="message")
        self.assertEqual(line["outcome"], "accepted")
        self.assertEqual(line["message_id"], self.sandbox.list()[0]["message_id"])

    def test_a_refused_mail_is_logged_once_a_minute_and_key(self):
        key, before = harness.new_key("limited_hourly"), self.scrape()
        client = self.relay.login(key)
        with self.assertRaises(smtplib.SMTPDataError):
            client.sendmail("a@yourdomain.com", "b@example.com", MESSAGE)
        for _ in range(5):
            self.assertEqual(client.mail("a@yourdomain.com")[0], 452)
        client.close()
        line = first(self.relay, "mail-refused", key=name_of(key))
        self.assertEqual((line["level"], line["refused"], line["limit"]), ("info", "1", "hourly"))
        self.assertGreater(int(line["seconds"]), 60)
        self.assertEqual(len(named(self.relay, "mail-refused", key=name_of(key))), 1)
        self.assertEqual(self.difference(before, "mail_limited_total"), 5)


class Groups(unittest.TestCase):
    def relay(self, answers, *arguments):
        api = WordyAPI(answers)
        self.addCleanup(api.close)
        relay = harness.Relay(*arguments, api_port=api.port)
        self.addCleanup(relay.stop)
        return relay

    def send(self, relay, key, recipients):
        client = relay.login(key)
        try:
            client.sendmail("a@yourdomain.com", recipients, HIDDEN)
        except smtplib.SMTPResponseException:
            pass
        client.close()
        return harness.wait_until(lambda: named(relay, "message", key=name_of(key)), what="message")

    def test_every_message_id_is_told_with_how_many_were_accepted(self):
        relay = self.relay({})
        line = self.send(relay, harness.new_key(), ["x@example.com", "y@example.com", "z@example.com"])[0]
        self.assertEqual(line["accepted"], "3/3")
        self.assertEqual(
            sorted(line["message_ids"].split(" ")),
            ["id-x@example.com", "id-y@example.com", "id-z@example.com"])

    def test_refusals_of_some_are_told_in_the_apis_words(self):
        relay = self.relay({"y@example.com": (400, {"error": "bad", "message": "y is not welcome"})})
        key = harness.new_key()
        line = self.send(relay, key, ["x@example.com", "y@example.com", "z@example.com"])[0]
        self.assertEqual(line["accepted"], "2/3")
        self.assertEqual(line["api_says"], "400 y is not welcome")
        self.assertEqual(line["message_ids"], "id-x@example.com id-z@example.com")

    def test_words_that_repeat_the_key_are_not_shown(self):
        relay = self.relay({"b@example.com": (403, {"error": "KEY may not send"})})
        key = harness.new_key()
        line = self.send(relay, key, ["b@example.com"])[0]
        self.assertEqual(line["api_says"], "403 (words with a key, not shown)")


class Envelopes(unittest.TestCase):
    def setUp(self):
        self.relay = harness.Relay("--log-envelope")
        self.addCleanup(self.relay.stop)

    def line(self, key):
        return harness.wait_until(
            lambda: named(self.relay, "message", key=name_of(key)), what="message")[-1]

    def test_the_line_has_sender_recipients_and_message_id(self):
        key = harness.new_key()
        with self.relay.login(key) as client:
            client.sendmail("a@yourdomain.com", ["b@example.com", "c@example.com"], MESSAGE)
        line = self.line(key)
        self.assertEqual(line["from"], "a@yourdomain.com")
        self.assertEqual(line["to"], "b@example.com c@example.com")
        self.assertEqual(line["client_message_id"], "<one@client.test>")
        self.assertEqual(line["recipients"], "2")
        with self.relay.login(key) as client:
            client.sendmail("", "b@example.com", HIDDEN)
        harness.wait_until(lambda: self.line(key)["from"] == "<>", what="the null sender")
        self.assertNotIn("client_message_id", self.line(key))
        self.assertNotIn(b"very-private-content", self.relay.log)

    def test_many_recipients_are_cut_and_counted(self):
        key = harness.new_key()
        recipients = ["%03d%s@example.com" % (number, "x" * 60) for number in range(100)]
        with self.relay.login(key) as client:
            client.sendmail("a@yourdomain.com", recipients, MESSAGE)
        text = self.line(key)["to"]
        self.assertLessEqual(len(text), 8_192 + 32)
        self.assertTrue(text.startswith(recipients[0] + " " + recipients[1]))
        if not text.endswith(recipients[-1]):
            self.assertRegex(text, r" and \d+ more$")

    def test_a_client_that_sends_its_key_as_an_address_does_not_put_it_into_the_log(self):
        relay = harness.Relay("--log-envelope", "--log-level", "info")
        self.addCleanup(relay.stop)
        key = harness.new_key()
        message = MESSAGE.replace(b"<one@", b"<%s@" % key.encode())
        with relay.login(key) as client:
            client.sendmail(f"{key}@yourdomain.com", f"{key}@example.com", message)
        line = harness.wait_until(lambda: named(relay, "message"), what="message")[0]
        for field in ("from", "to", "client_message_id"):
            self.assertEqual(line[field], "(words with a key, not shown)", field)


class Calls(AdminTestCase):
    def call(self, path, fields, headers=CALL, method="POST"):
        status, _, body = get(self.port, path, method, json.dumps(fields), headers)
        return status, body

    def forgotten(self, path, fields):
        status, body = self.call(path, fields)
        self.assertEqual(status, 200, body)
        return json.loads(body)["forgotten"]

    def is_limited(self, key):
        with self.relay.login(key) as client:
            return client.mail("a@yourdomain.com")[0] == 452

    def test_a_web_page_cannot_make_a_call(self):
        key = name_of("x")
        bodies = {"/limits/forget": {"domain": "example.com"}, "/keys/forget": {"key": key},
                  "/trace": {"key": key}}
        before = self.scrape()
        for path, fields in bodies.items():
            for headers, wanted in (
                    ({}, 415), ({"Content-Type": "application/json"}, 403),
                    ({"Content-Type": "text/plain", "X-Requested-By": "x"}, 415),
                    ({**CALL, "Host": "evil.example"}, 421)):
                self.assertEqual(self.call(path, fields, headers)[0], wanted, (path, headers))
            for method in ("GET", "PUT", "DELETE", "OPTIONS"):
                status, headers, _ = get(self.port, path, method)
                self.assertEqual((status, headers["Allow"]), (405, "POST"), (path, method))
            self.assertEqual(self.call(path, {})[0], 400, path)
            self.assertEqual(self.call(path, fields)[0], 200, path)
            self.assertEqual(self.call(path, {**fields, "more": "x"})[0], 400, path)
            self.assertEqual(get(self.port, path, "POST", " " * 1_025, CALL)[0], 413, path)
        self.assertEqual(self.difference(before, "admin_calls_total"), 3)

    def test_the_limit_of_a_key_is_forgotten(self):
        key, before = harness.new_key("limited_hourly"), self.scrape()
        client = self.relay.login(key)
        with self.assertRaises(smtplib.SMTPDataError):
            client.sendmail("a@yourdomain.com", "b@example.com", MESSAGE)
        client.close()
        self.assertTrue(self.is_limited(key))
        self.assertEqual(self.forgotten("/limits/forget", {"key": name_of(harness.new_key())}), 0)
        self.assertTrue(self.is_limited(key))
        self.assertEqual(self.forgotten("/limits/forget", {"key": name_of(key)}), 1)
        self.assertFalse(self.is_limited(key))
        self.assertEqual(self.forgotten("/limits/forget", {"key": name_of(key)}), 0)
        self.assertEqual(self.forgotten("/limits/forget", {"domain": "nobody.example"}), 0)
        self.assertEqual(self.difference(before, "admin_calls_total", call="forget-limit"), 4)
        found = harness.wait_until(
            lambda: len(lines := named(self.relay, "limit-forgotten", key=name_of(key))) > 1 and lines,
            what="both calls in the log")
        self.assertEqual([event["was_known"] for event in found], ["yes", "no"])

    def test_a_forgotten_key_is_asked_about_again(self):
        key = harness.new_key()
        self.relay.login(key).quit()
        before = self.scrape()
        self.relay.login(key).quit()
        self.assertEqual(self.difference(before, "key_checks_total", source="api"), 0)
        self.assertEqual(self.forgotten("/keys/forget", {"key": name_of(key)}), 1)
        self.relay.login(key).quit()
        self.assertEqual(self.difference(before, "key_checks_total", source="api"), 1)
        self.assertEqual(self.forgotten("/keys/forget", {"key": name_of(harness.new_key())}), 0)
        self.assertEqual(first(self.relay, "key-forgotten")["was_known"], "yes")

    def transcript(self, **fields):
        return [(event["side"], event["text"]) for event in named(self.relay, "trace", **fields)]

    def test_a_key_is_followed_from_now_on_in_open_sessions_and_later_ones(self):
        key, other = harness.new_key(), harness.new_key()
        with self.relay.login(key) as client, self.relay.login(other) as stranger:
            client.noop()
            status, body = self.call("/trace", {"key": name_of(key), "minutes": 5})
            self.assertEqual((status, json.loads(body)), (200, {"minutes": 5, "open_sessions": 1}))
            client.sendmail("a@yourdomain.com", "b@example.com", MESSAGE)
            stranger.sendmail("stranger@yourdomain.com", "b@example.com", MESSAGE)
        with self.relay.login(key) as client:
            client.docmd("NOOP", "later")
        lines = harness.wait_until(
            lambda: (found := self.transcript(key=name_of(key))) and ("C", "NOOP later") in found
            and found, what="the transcript")
        self.assertEqual(lines[0], ("-", "an operator follows this session"))
        self.assertIn("250 Ok: queued as", "\n".join(text for _, text in lines))
        self.assertIn("the key matches", [text for _, text in self.transcript()])
        self.assertNotIn("stranger", repr(self.transcript()))
        self.assertNotIn(b"very-private-content", self.relay.log)
        self.assertEqual(named(self.relay, "trace-begun", key=name_of(key))[0]["minutes"], "5")
        self.assertGreaterEqual(total(self.scrape(), PREFIX + "traces"), 1)

    def test_an_address_is_followed(self):
        status, _ = self.call("/trace", {"address": "192.0.2.0/24", "minutes": 1})
        self.assertEqual(status, 200)
        with self.relay.raw() as client:
            client.ask(b"EHLO unseen.test")
        status, _ = self.call("/trace", {"address": "127.0.0.1", "minutes": 1})
        self.assertEqual(status, 200)
        with self.relay.raw() as client:
            client.ask(b"EHLO seen.test")
        harness.wait_until(lambda: ("C", "EHLO seen.test") in self.transcript(), what="the line")
        self.assertNotIn(("C", "EHLO unseen.test"), self.transcript())

    def test_a_key_given_by_mistake_is_not_repeated(self):
        key = harness.secret_key("ps_live_given_to_the_admin_listener")
        for path in ("/keys/forget", "/limits/forget", "/trace"):
            status, body = self.call(path, {"key": key})
            self.assertEqual(status, 400)
            self.assertNotIn(key.encode(), body)


class Bounds(AdminTestCase):
    def test_what_is_followed_is_bounded(self):
        answers = [get(self.port, "/trace", "POST", json.dumps({"key": name_of(str(number))}), CALL)[0]
                   for number in range(17)]
        self.assertEqual(answers, [200] * 16 + [409])
        self.assertEqual(total(scrape(self.port), PREFIX + "traces"), 16)


class Documents(unittest.TestCase):
    def test_every_new_field_is_in_the_operators_page(self):
        text = (harness.ROOT / "docs/operating.md").read_text()
        for field in ("api_says", "ledger", "accepted", "message_ids", "client_message_id",
                      "mail-refused", "limit-forgotten", "key-forgotten", "trace-begun",
                      "## Who sent this?"):
            self.assertIn(field, text)


if __name__ == "__main__":
    unittest.main()
