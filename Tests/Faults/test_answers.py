"""Answers that are not what they should be: framing, bodies, statuses, time."""

import time
import unittest

from faults import (HELD, UNAVAILABLE, accepted, answered, over_both_backends, submit,
                    table, uncertain)
from scripted_api import answer

OK = b'{"message_id":"m@api.test","status":"queued"}'
HEAD = b"HTTP/1.1 202 Accepted\r\nX-Request-ID: req-1\r\n"


def after_request(data, then="close"):
    """Reads the whole request, sends `data`, and then ends the connection as told, or serves what
    comes next."""
    def fault(connection):
        connection.read_rest()
        connection.send(data)
        if then == "close":
            connection.close()
        elif then == "reset":
            connection.reset()
    return fault


def slowly(data, seconds):
    """Sends `data` in forty pieces over so many seconds."""
    step = len(data) // 40 + 1

    def fault(connection):
        connection.read_rest()
        for start in range(0, len(data), step):
            connection.send(data[start:start + step])
            time.sleep(seconds / 40)
    return fault


def never(connection):
    connection.read_rest()
    connection.wait_for_end()


def endless_interim(connection):
    connection.read_rest()
    while True:
        connection.send(b"HTTP/1.1 102 Processing\r\n\r\n")


def chunked(body):
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body


def length(value, body=OK):
    return HEAD + b"Content-Length: " + value + b"\r\n\r\n" + body


CUT = "closed by the API"

HEADS = [
    uncertain("closed in front of the status line", after_request(b""), "closed"),
    uncertain("reset in front of the status line", after_request(b"", "reset"), "reset"),
    uncertain("half a status line", after_request(b"HTTP/1."), CUT),
    uncertain("half a head, then a reset", after_request(HEAD, "reset"), "reset"),
    uncertain("not HTTP at all", after_request(b"SSH-2.0-x\r\n", "go on"), "not HTTP/1"),
    uncertain("a TLS record", after_request(b"\x15\x03\x03\x00\x02\x02\x28"), "not HTTP/1"),
    uncertain("HTTP/2", after_request(b"HTTP/2 202\r\n\r\n", "go on"), "not HTTP/1"),
    uncertain("a status of four digits", after_request(b"HTTP/1.1 2022 X\r\n\r\n", "go on"), "bad"),
    uncertain("a status of no class", after_request(answer(600), "go on"), "bad status line"),
    uncertain("a folded field", after_request(
        b"HTTP/1.1 202 X\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n", "go on"), "folded"),
    uncertain("a line feed alone", after_request(
        b"HTTP/1.1 202 X\r\nA: b\nB: c\r\nContent-Length: 0\r\n\r\n", "go on"), "bad"),
    uncertain("a head without end", after_request(HEAD + b"X: " + b"x" * 20_000, "go on"),
              "head too large"),
    accepted("a large head within the limit", after_request(
        HEAD + b"X: " + b"x" * 15_000 + b"\r\n" + length(b"%d" % len(OK))[len(HEAD):], "go on")),
    uncertain("1xx without end", endless_interim, "too many interim"),
    accepted("100 first", after_request(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(), "go on")),
    accepted("103 first", after_request(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + answer(), "go on")),
    uncertain("101", after_request(b"HTTP/1.1 101 Switching\r\n\r\n" + answer(), "go on"),
              "protocol switch"),
    accepted("a slow head", slowly(answer(), 0.5)),
    uncertain("a head too slow", slowly(HEAD + b"X: " + b"x" * 100, 4), "no answer in time"),
    uncertain("no answer at all", never, "no answer in time"),
]

FRAMING = [
    accepted("Content-Length twice, the same", after_request(
        length(b"%d\r\nContent-Length: %d" % (len(OK), len(OK))), "go on")),
    uncertain("Content-Length twice, different", after_request(
        length(b"%d\r\nContent-Length: 4" % len(OK)), "go on"), "bad framing"),
    *[uncertain(f"Content-Length {value!r}", after_request(length(value), "go on"), "bad framing")
      for value in (b"12x", b"-1", b"+45", b"", b"0x2d", b"45, 45", b"9" * 30)],
    uncertain("both framings", after_request(
        HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "go on"),
        "ambiguous"),
    uncertain("an unknown coding", after_request(
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "go on"), "bad framing"),
    uncertain("a body cut short", after_request(length(b"%d" % (len(OK) + 1))), CUT),
    uncertain("a body reset", after_request(length(b"%d" % (len(OK) + 1)), "reset"), "reset"),
    uncertain("a body of another's length", after_request(length(b"4"), "go on"),
              "a success that can't be read"),
    accepted("chunks", after_request(chunked(b"2d\r\n" + OK + b"\r\n0\r\n\r\n"), "go on")),
    accepted("chunks of one byte", after_request(
        chunked(b"".join(b"1\r\n%c\r\n" % c for c in OK) + b"0\r\n\r\n"), "go on")),
    accepted("an extension and trailers", after_request(
        chunked(b"2d;a=b\r\n" + OK + b"\r\n0\r\nX-T: 1\r\nMessage-Id: evil\r\n\r\n"), "go on")),
    uncertain("a chunk's size that is none", after_request(
        chunked(b"zz\r\n" + OK + b"\r\n0\r\n\r\n"), "go on")),
    uncertain("a chunk longer than it says", after_request(
        chunked(b"2c\r\n" + OK + b"\r\n0\r\n\r\n"), "go on")),
    uncertain("a chunk's size beyond all bounds", after_request(
        chunked(b"f" * 20 + b"\r\n" + OK), "go on")),
    uncertain("chunks without their end", after_request(chunked(b"2d\r\n" + OK + b"\r\n")), CUT),
    uncertain("chunks reset before their end", after_request(
        chunked(b"2d\r\n" + OK + b"\r\n"), "reset"), "reset"),
    accepted("a body until the close", after_request(HEAD + b"\r\n" + OK)),
    accepted("HTTP/1.0", after_request(b"HTTP/1.0 202 X\r\n\r\n" + OK)),
    uncertain("a body until the close, reset instead", after_request(HEAD + b"\r\n" + OK, "reset"),
              "reset"),
    uncertain("a body without end", after_request(HEAD + b"\r\n" + b" " * 70_000, "go on"),
              "too large"),
    accepted("Connection: close", after_request(answer(headers=[b"Connection: close"]))),
    accepted("bytes behind the answer", after_request(answer() + answer(), "go on")),
    accepted("a slow body", slowly(answer(body=OK + b" " * 20), 0.5)),
    accepted("a large request", after_request(answer(), "go on"), kind=HELD),
]

READ = "a success that can't be read"
BODIES = [
    uncertain("an empty body", after_request(answer(body=b""), "go on"), READ),
    uncertain("204", after_request(b"HTTP/1.1 204 No Content\r\n\r\n", "go on"), READ),
    uncertain("HTML", after_request(answer(200, b"<html>Welcome</html>"), "go on"), READ),
    uncertain("an array", after_request(answer(body=b"[1]"), "go on"), READ),
    uncertain("half an object", after_request(answer(body=OK[:-1]), "go on"), READ),
    uncertain("an object and more", after_request(answer(body=OK + b"}"), "go on"), READ),
    uncertain("no UTF-8", after_request(answer(body=b'{"message_id":"\xff\xfe'), "go on"), READ),
    uncertain("nested without end", after_request(answer(body=b'{"a":' * 9_000), "go on"), READ),
    uncertain("too large", after_request(answer(body=b'{"a":"' + b"x" * 70_000 + b'"}'), "go on"),
              "too large"),
    accepted("200", after_request(answer(200), "go on")),
    accepted("201", after_request(answer(201), "go on")),
    accepted("no message_id", after_request(answer(body=b"{}"), "go on"), "250 Ok: queued"),
    accepted("a message_id with line ends", after_request(
        answer(body=b'{"message_id":"a\\r\\n250 b"}'), "go on"), "250 Ok: queued as a 250 b"),
]


def message_of(status):
    return answer(status, b'{"error":"code","message":"words of the API"}')


REDIRECT = [b"Location: /v1/send"]
PLAIN_4XX = (404, 405, 406, 407, 409, 410, 411, 412, 414, 415, 416, 417, 418, 421, 423,
             424, 425, 426, 428, 431, 451, 499)
EVERY_5XX = (500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511, 520, 599)

STATUSES = [
    *[answered(f"{status} is not followed", after_request(
        answer(status, headers=REDIRECT), "go on"), UNAVAILABLE, "unavailable")
      for status in (300, 301, 302, 303, 305, 307, 308)],
    answered("304", after_request(b"HTTP/1.1 304 Not Modified\r\n\r\n", "go on"), UNAVAILABLE,
             "unavailable"),
    answered("400, a text", after_request(answer(400, b'{"error":"to is required"}'), "go on"),
             "554 to is required", "invalid"),
    answered("400, code and message", after_request(message_of(400), "go on"),
             "554 words of the API", "invalid"),
    answered("400, nested", after_request(
        answer(400, b'{"error":{"code":"c","message":"m"}}'), "go on"), "554 m", "invalid"),
    answered("400 with HTML", after_request(answer(400, b"<html>"), "go on"),
             UNAVAILABLE, "unavailable"),
    answered("429 with HTML", after_request(answer(429, b"<html>"), "go on"),
             UNAVAILABLE, "unavailable"),
    answered("400 with the JSON of something else", after_request(
        answer(400, b'{"message":"forbidden"}'), "go on"), UNAVAILABLE, "unavailable"),
    answered("401", after_request(message_of(401), "go on"),
             "451 Authentication failed, log in again", "key-refused"),
    answered("402", after_request(message_of(402), "go on"), "452 words of the API", "plan-limit"),
    answered("403 of a plan", after_request(
        answer(403, b'{"error":"plan limit reached"}'), "go on"), "452 plan limit reached",
        "plan-limit"),
    uncertain("408", after_request(message_of(408), "go on"), "408 for a request"),
    answered("403", after_request(message_of(403), "go on"), "550 words of the API", "forbidden"),
    answered("413", after_request(message_of(413), "go on"), "552 Message size exceeds maximum",
             "too-large"),
    answered("422", after_request(message_of(422), "go on"), "550 All recipients suppressed",
             "suppressed"),
    answered("429", after_request(message_of(429), "go on"),
             "452 Rate limit exceeded, try again later", "rate-limited"),
    *[answered(f"{status}", after_request(message_of(status), "go on"), "554 words of the API",
               "invalid") for status in PLAIN_4XX],
    *[answered(f"{status} with HTML", after_request(answer(status, b"<html>"), "go on"),
               UNAVAILABLE, "unavailable") for status in PLAIN_4XX],
    *[answered(f"{status}", after_request(message_of(status), "go on"), UNAVAILABLE, "uncertain")
      for status in EVERY_5XX],
    answered("503 with a body without end", after_request(
        answer(503, b"x" * 70_000), "go on"), UNAVAILABLE, "uncertain"),
]


class Answers:
    test_heads = table(HEADS)
    test_framing = table(FRAMING)
    test_bodies = table(BODIES)
    test_statuses = table(STATUSES)

    def test_a_connection_whose_answer_had_bytes_behind_it_is_not_used_again(self):
        self.api.on_post(after_request(answer() + answer(503), "go on"))
        client = self.client()
        before = self.api.accepted_connections
        self.assertEqual(submit(client), "250 Ok: queued as m@api.test")
        self.assertRegex(submit(client), "^250 Ok: queued as m[0-9]+@api.test$")
        self.assertEqual(self.api.accepted_connections, before + 1)

    def test_nothing_follows_a_redirect(self):
        self.api.on_post(after_request(answer(307, headers=[b"Location: /elsewhere"]), "go on"))
        self.assertEqual(submit(self.client()), UNAVAILABLE)
        self.assertNotIn(b"/elsewhere", b"".join(r.raw for r in self.api.requests))


over_both_backends(globals(), Answers)

if __name__ == "__main__":
    unittest.main()
