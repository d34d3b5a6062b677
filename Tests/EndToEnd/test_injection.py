"""What the relay writes obeys the rules that it demands of others: no client can add a byte to an
HTTP head, to the framing, or to the structure of the JSON.

Random messages, envelopes, logins and EHLO names are put together from pieces that would break one
of these. The API reads by the letter and keeps every byte.
"""

import base64
import json
import os
import random
import re
import unittest

import harness
from recording_api import RecordingAPI

# Each piece ends something somewhere: a line, a string, an object, a chunk, a request, a message.
BREAKERS = [
    b"\r", b"\n", b"\0", b"\x0b", b"\x0c", b"\x1b[2J", b"\x7f", b"\xc2\x85", b"\xe2\x80\xa8",
    b"\xe2\x80\xa9", b"\xc0\x8a", b"\xc0\x8d", b"\xe0\x80\x8a", b"\xf0\x80\x80\x8a", b"\xff\xfe",
    b"\xed\xa0\x80", b'"', b"\\", b'\\"', b"\\u000a", b"\\u0000", b'"},"to":["victim@example.com"],"x":{"',
    b'"]}', b"0\r\n\r\n", b"\r\n0\r\n\r\nPOST /v1/send HTTP/1.1\r\nHost: evil\r\n\r\n",
    b"\nTransfer-Encoding: chunked", b"\r\n.\r", b"\n.\n", b"\r.\r", b"\n.\r\nMAIL FROM:<smuggled@example.org>",
    b"=?utf-8?q?=0d=0aX-Injected:_1?=", b"=?utf-8?b?DQpYLUluamVjdGVkOiAx?=",
    b"=?utf-8?q?=00=22=5c=e2=80=a8?=", b"=?utf-16be?b?AA0ACgAi?=", b"=?utf-8?q?=c0=8a?=",
    b"=?iso-2022-jp?b?GyRCDQo=?=", b"ffff\r\n", b";ext=1\r\n",
]
# As a field's value: line ends are taken out, because there they would only begin another field.
FIELDS = [
    b"Subject", b"Reply-To", b"X-Other", b"List-Id", b"X-Postscale-Tags", b"References",
    b"X-Postscale-Metadata-a", b"X-\"},{\"", b"Organization",
]
KEYS_OF_A_REQUEST = {
    "from", "to", "cc", "bcc", "subject", "text_body", "html_body", "headers", "attachments", "tags",
    "metadata",
}
SEEDS = int(os.environ.get("INJECTION_SEEDS", "150"))


def pick(source, most):
    return b"".join(source.choice(BREAKERS + [b"abc", b" "]) for _ in range(source.randint(0, most)))


def flat(source, most):
    """Breakers that do not end the line of the message itself."""
    text = pick(source, most).replace(b"\r\n", b" ").replace(b"\n", b" ")
    return text.replace(b"\r", b"\r ")


def message(source):
    """A message whose every part may hold breakers; one in four is large enough to be chunked."""
    lines = [b"From: " + flat(source, 3) + b" <a@example.org>", b"To: " + flat(source, 3) + b" <b@example.com>"]
    for _ in range(source.randint(0, 6)):
        lines.append(source.choice(FIELDS) + b": " + flat(source, 6))
    size = 400_000 if source.random() < 0.25 else 0
    filler = b"".join(pick(source, 5) + b"\r\n" for _ in range(20))
    body = pick(source, 12) + b"\r\n" + filler * (size // max(len(filler), 1))
    if source.random() < 0.5:
        edge = b"=_edge"
        lines.append(b'Content-Type: multipart/mixed; boundary="' + edge + b'"')
        name = flat(source, 3).replace(b'"', b'\\"')
        body = (
            b"--" + edge + b"\r\n\r\n" + body + b"\r\n--" + edge + b"\r\nContent-Type: application/x; name=\""
            + name + b"\"\r\nContent-Disposition: attachment; filename=\"" + name + b"\"\r\n"
            + source.choice([b"", b"Content-Transfer-Encoding: base64\r\n"])
            + b"\r\n" + pick(source, 8) + b"\r\n--" + edge + b"--\r\n"
        )
    content = b"\r\n".join(lines) + b"\r\n\r\n" + body
    # Dot-stuffing as a client does it: after CRLF, and at the start.
    content = re.sub(rb"(\A|\r\n)\.", rb"\1..", content)
    return content + b"\r\n.\r\n"


def strings(value):
    """All strings of a JSON value, including keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def unique(pairs):
    """Refuses an object that has a key twice."""
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), keys
    return dict(pairs)


class Injection(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.api = RecordingAPI()
        cls.addClassCleanup(cls.api.close)
        cls.relay = harness.Relay(
            "--max-errors", "1000", "--max-failed-logins-per-address", "1000", api_port=cls.api.port)
        cls.addClassCleanup(cls.relay.stop)

    def setUp(self):
        self.api.requests.clear()

    def tearDown(self):
        self.assertEqual(self.api.faults, [])

    def head(self, method, key):
        """The only head that the relay may write for this key."""
        path = b"/v1/send" if method == "POST" else rb"/v1/emails\?limit=1"
        framing = b""
        kind = b""
        if method == "POST":
            kind = b"Content-Type: application/json\r\n"
            framing = b"(?:Content-Length: [0-9]+|Transfer-Encoding: chunked)\r\n"
        return (
            method.encode() + b" " + path + b" HTTP/1\\.1\r\nHost: 127\\.0\\.0\\.1:[0-9]+\r\n"
            + b"User-Agent: postscale-relay/[0-9.a-z-]+ \\(\\+https://postscale\\.io\\)\r\n"
            + b"Connection: keep-alive\r\n"
            + b"Accept: application/json\r\n" + kind + b"Authorization: Bearer "
            + re.escape(key.encode()) + b"\r\n" + framing + b"\r\n"
        )

    def check(self, recorded, key):
        self.assertRegex(recorded.head, b"\\A" + self.head(recorded.method, key) + b"\\Z")
        if recorded.method == "GET":
            return
        body = recorded.body
        # Without control characters there is no line end, whatever a proxy takes for one.
        self.assertFalse(re.search(rb"[\x00-\x1f]", body), "a control in the JSON")
        request = json.loads(body.decode("utf-8", "strict"), object_pairs_hook=unique)
        self.assertLessEqual(set(request), KEYS_OF_A_REQUEST)
        recipients = request["to"] + request.get("cc", []) + request.get("bcc", [])
        self.assertEqual(len(recipients), 1)
        self.assertIn("b@example.com", recipients[0])
        self.assertIsInstance(request["from"], str)
        for name in ("from", "to", "cc", "bcc", "subject", "headers", "tags", "metadata"):
            for text in strings(request.get(name)):
                self.assertNotRegex(text, r"[\x00-\x1f]", name)
        for attachment in request.get("attachments", []):
            self.assertNotRegex(attachment["filename"], r"[\x00-\x1f/\\]")
            self.assertNotRegex(attachment.get("content_type", ""), r"[\x00-\x1f]")

    def test_random_messages_of_breakers(self):
        key = harness.new_key()
        replies = {}
        with self.relay.raw() as client:
            client.log_in(key)
            for seed in range(SEEDS):
                client.send(b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.com>\r\n")
                self.assertEqual([reply[:3] for reply in client.replies(2)], ["250", "250"])
                content = message(random.Random(seed))
                if seed % 3 == 0:
                    # By BDAT, dots and all: no content is the end of it.
                    client.send(b"BDAT %d LAST\r\n" % len(content) + content)
                else:
                    self.assertEqual(client.ask(b"DATA")[:3], "354")
                    client.send(content)
                reply = client.reply()
                self.assertIn(reply[:3], ("250", "554"), f"seed {seed}: {reply}")
                replies[reply[:3]] = replies.get(reply[:3], 0) + 1
            self.assertEqual(client.ask(b"QUIT")[:3], "221")
        self.assertGreater(replies["250"], SEEDS // 2, replies)
        self.assertEqual(self.api.count("POST"), replies["250"])
        chunked = 0
        for recorded in self.api.requests:
            self.check(recorded, key)
            chunked += b"chunked" in recorded.head
        self.assertGreater(chunked, SEEDS // 20)

    def test_names_in_ehlo_and_envelope(self):
        key = harness.new_key()
        names = [flat(random.Random(seed), 4).replace(b"\0", b"") for seed in range(60)]
        accepted = 0
        with self.relay.raw() as client:
            client.log_in(key)
            for name in names:
                client.ask(b"EHLO " + name.replace(b"\r", b""))
                for sender in (b"<%s@example.org>" % name, b'<"%s"@example.org>' % name,
                               b"<a@example.org> AUTH=<%s>" % name):
                    client.ask(b"MAIL FROM:" + sender.replace(b"\r", b""))
                    if not client.ask(b"RCPT TO:<b@example.com>").startswith("250"):
                        continue
                    client.ask(b"DATA")
                    client.send(b"From: a@example.org\r\nTo: b@example.com\r\n\r\nx\r\n.\r\n")
                    accepted += client.reply().startswith("250")
                    client.ask(b"RSET")
        self.assertGreater(accepted, 20)
        self.assertEqual(self.api.count("POST"), accepted)
        for recorded in self.api.requests:
            self.check(recorded, key)

    def test_recipients_stay_one_string_each(self):
        key = harness.new_key()
        with self.relay.raw() as client:
            client.log_in(key)
            for local in (b'"],\\"bcc\\":[\\"x"', b'"a\\\\\\"b"', b"a'b", b"a{}b", b'"a b"', b'"a,b@x"'):
                client.ask(b"MAIL FROM:<a@example.org>")
                if not client.ask(b"RCPT TO:<" + local + b"@example.com>").startswith("250"):
                    client.ask(b"RSET")
                    continue
                client.ask(b"DATA")
                client.send(b"From: a@example.org\r\n\r\nx\r\n.\r\n")
                client.reply()
                request = json.loads(self.api.requests[-1].body, object_pairs_hook=unique)
                self.assertEqual(request["to"], [(local + b"@example.com").decode()])
                self.assertLessEqual(set(request), KEYS_OF_A_REQUEST)

    def test_keys_that_would_break_the_head_never_reach_the_api(self):
        keys = [b"ps_test_x" + breaker for breaker in BREAKERS if not breaker.isascii() or
                re.search(rb"[\x00-\x20\x7f]", breaker)]
        keys += [b"ps_test_x y", b"ps_test_" + b"x" * 505, b"\tps_test_x", b"ps_test_x\r\nX-Injected: 1"]
        for key in keys:
            for username in (b"postscale", b"postscale\r\nX: 1", b"\xc0\x8apostscale"):
                with self.relay.raw() as client:
                    client.reply()
                    plain = base64.b64encode(b"\0" + username + b"\0" + key)
                    self.assertIn(client.ask(b"AUTH PLAIN " + plain)[:3], ("535", "501"), key)
        self.assertEqual(self.api.requests, [])


if __name__ == "__main__":
    unittest.main()
