"""Faults during the request: resets at every boundary, answers before the end, reuse of
connections.

The relay hands a small or held request to the kernel in one go, so wherever the API stops reading,
the relay cannot know what the API has seen: the result is uncertain, and the request is never sent
again. An upload that the client has not finished is different: the relay never wrote its end, so
the API cannot have acted on it.
"""

import re
import threading
import time
import unittest

from certificates import OverTLS
from faults import (CHUNKED, HELD, SMALL, UNAVAILABLE, accepted, answered, begin, harness, message,
                    not_sent, over_both_backends, submit, table, uncertain)
from scripted_api import answer


def cut(read_up_to, how="reset"):
    """Reads up to a place in the request, then resets or closes."""
    def fault(connection):
        read_up_to(connection)
        if how == "close":
            connection.end_sending()
            return connection.wait_for_end
        connection.reset()
    return fault


# Places in a request with Content-Length; the first byte has already been read.


def at_its_first_byte(connection):
    pass


def inside_its_head(connection):
    connection.read(60)


def before_the_last_byte_of_its_head(connection):
    while not connection.request.raw.endswith(b"\r\n\r"):
        connection.read(1)


def behind_its_head(connection):
    connection.read_head()


def content_length(connection):
    connection.read_head()
    return int(re.search(rb"Content-Length: (\d+)", connection.request.raw).group(1))


def behind_the_first_byte_of_its_body(connection):
    connection.read_head()
    connection.read(1)


def in_the_middle_of_its_body(connection):
    connection.read(content_length(connection) // 2)


def before_the_last_byte_of_its_body(connection):
    connection.read(content_length(connection) - 1)


def behind_its_last_byte(connection):
    connection.read_rest()


# Places in a chunked one.


def inside_the_first_size(connection):
    connection.read_head()
    connection.read(2)


def behind_the_first_size(connection):
    connection.read_head()
    while not connection.request.raw.endswith(b"\r\n", connection.request.head_length):
        connection.read(1)


def inside_the_first_chunk(connection):
    behind_the_first_size(connection)
    connection.read(5_000)


def behind_the_first_chunk(connection):
    connection.read_head()
    connection.read_chunk()


def behind_the_tenth_chunk(connection):
    connection.read_head()
    for _ in range(10):
        connection.read_chunk()


def behind_the_last_byte_of_content(connection):
    connection.read_head()
    while not connection.request.raw.endswith(b"}\r\n"):
        connection.read_chunk()


def behind_the_last_size(connection):
    behind_the_last_byte_of_content(connection)
    connection.read(3)


def before_the_last_byte(connection):
    behind_the_last_byte_of_content(connection)
    connection.read(4)


IN_BOTH = (at_its_first_byte, inside_its_head, before_the_last_byte_of_its_head, behind_its_head)
IN_BODIES = IN_BOTH + (behind_the_first_byte_of_its_body, in_the_middle_of_its_body,
                       before_the_last_byte_of_its_body, behind_its_last_byte)
IN_UPLOADS = IN_BOTH + (inside_the_first_size, behind_the_first_size, inside_the_first_chunk,
                        behind_the_first_chunk, behind_the_tenth_chunk)
AT_THE_END = (behind_the_last_byte_of_content, behind_the_last_size, before_the_last_byte,
              behind_its_last_byte)


def words(place):
    return place.__name__.replace("_", " ")


def is_whole(place):
    return int(place is behind_its_last_byte)


CUTS = [
    uncertain(f"{kind}, {how} {words(place)}", cut(place, how), kind=kind, complete=is_whole(place))
    for kind in (SMALL, HELD) for how in ("reset", "close") for place in IN_BODIES
]
CUT_UPLOADS = [
    not_sent(f"an upload, {how} {words(place)}", cut(place, how), kind=CHUNKED, waits=True)
    for how in ("reset", "close") for place in IN_UPLOADS
]
ENDS_OF_UPLOADS = [
    uncertain(f"an upload, {how} {words(place)}", cut(place, how), kind=CHUNKED,
              complete=is_whole(place))
    for how in ("reset", "close") for place in AT_THE_END
]


def early(data, then=None):
    """Answers after the head and a piece of the body have arrived."""
    def fault(connection):
        connection.read_head()
        connection.read_chunk()
        connection.send(data)
        if then == "reset":
            time.sleep(0.05)  # An immediate reset would discard the answer.
            connection.reset()
        elif then == "close":
            connection.end_sending()
            return connection.wait_for_end
    return fault


def refusal(status):
    return answer(status, b'{"error":"code","message":"words of the API"}')


EARLY = [
    answered(f"{status} while uploading, then {then}", early(refusal(status), then), reply, outcome,
             kind=CHUNKED, complete=0, waits=True)
    for then in (None, "close", "reset")
    for status, reply, outcome in (
        (400, "554 words of the API", "invalid"),
        (401, "451 Authentication failed, log in again", "key-refused"),
        (403, "550 words of the API", "forbidden"),
        (413, "552 Message size exceeds maximum", "too-large"),
        (422, "550 All recipients suppressed", "suppressed"),
        (429, "452 Rate limit exceeded, try again later", "rate-limited"),
        (503, UNAVAILABLE, "uncertain"),
    )
] + [
    uncertain("202 while uploading", early(answer()), "accepted before the end", kind=CHUNKED,
              complete=0, waits=True),
    accepted("100 while uploading", lambda connection: (
        early(b"HTTP/1.1 100 Continue\r\n\r\n")(connection), connection.read_chunks(),
        connection.send(answer())), kind=CHUNKED),
]


class Requests:
    test_cuts = table(CUTS)
    test_cut_uploads = table(CUT_UPLOADS)
    test_ends_of_uploads = table(ENDS_OF_UPLOADS)
    test_early_answers = table(EARLY)

    def test_a_server_that_closes_behind_every_answer_costs_no_message(self):
        closed = threading.Semaphore(0)

        def closing(connection):
            """Right after its answer, without announcing it."""
            connection.read_rest()
            connection.accept()
            connection.close()
            closed.release()

        self.api.on_post(closing, times=20)
        client = self.client()
        for _ in range(20):
            self.assertRegex(submit(client), "^250 Ok: queued as m[0-9]+@api.test$")
            # On a busy machine the next message could come first: it would be under way at the end, and uncertain.
            self.assertTrue(closed.acquire(timeout=30))
        self.assertEqual(len(self.api.posts()), 20)
        self.assertEqual(len({post.body for post in self.api.complete_posts()}), 20)

    def test_a_server_that_resets_idle_connections_costs_no_message(self):
        client = self.client()
        for _ in range(10):
            self.assertRegex(submit(client), "^250 Ok: queued as m[0-9]+@api.test$")
            with self.api.lock:
                connections = list(self.api.connections)
            for connection in connections:
                connection.reset_from_outside()
            time.sleep(0.02)
        self.assertEqual(len(self.api.posts()), 10)

    def test_a_reset_at_the_first_byte_on_a_used_connection_is_uncertain(self):
        client = self.client()
        self.assertRegex(submit(client), "^250 ")
        before = self.api.accepted_connections
        self.api.on_post(cut(at_its_first_byte))
        self.assertEqual(submit(client), UNAVAILABLE)
        self.assertEqual(self.api.accepted_connections, before, "the request was on a used one")
        self.assertEqual(len(self.api.posts()), 2, "and was not sent again")
        self.assertRegex(submit(client), "^250 ")

    def test_a_pause_of_a_client_is_no_silence_at_the_api(self):
        """An API, or what is in front of it, that ends an upload after five seconds of silence."""
        def impatient(connection):
            connection.socket.settimeout(5)
            connection.read_rest()
            connection.socket.settimeout(None)
            connection.accept()

        self.api.on_post(impatient)
        client = self.client()
        first, second = message(CHUNKED)
        self.assertIsNone(begin(client, first))
        time.sleep(12)
        self.assertRegex(client.ask(second[:-2]), "^250 ")
        self.assertEqual(len(self.api.complete_posts()), 1)

    def test_a_client_that_leaves_during_an_upload_leaves_nothing_complete(self):
        client = self.client()
        reached, ended = threading.Event(), threading.Event()

        def fault(connection):
            connection.read_head()
            connection.read_chunk()
            reached.set()
            try:
                connection.read_chunks()
            finally:
                ended.set()

        self.api.on_post(fault)
        begin(client, message(CHUNKED)[0])
        self.assertTrue(reached.wait(5))
        client.socket.close()
        client.file.close()
        self.assertTrue(ended.wait(5), "the relay broke the request off")
        self.assertEqual(len(self.api.complete_posts()), 0)
        self.recover()


class RequestsOverTLS(OverTLS):
    """The same boundaries when what breaks is a TLS connection, with records between them."""

    test_cuts = table(CUTS)
    test_cut_uploads = table(CUT_UPLOADS)
    test_ends_of_uploads = table(ENDS_OF_UPLOADS)


class KeyChecks:
    """A read may be repeated (RFC 9110 9.2.2): a login survives faults that a message may not
    survive."""

    def log_in(self):
        with self.relay.raw() as client:
            client.reply()
            client.ask(b"EHLO client.test")
            plain = harness.base64.b64encode(f"\0postscale\0{harness.new_key()}".encode())
            return client.ask(b"AUTH PLAIN " + plain)

    def test_one_reset_is_not_noticed(self):
        for place in (at_its_first_byte, inside_its_head, behind_its_last_byte):
            with self.subTest(words(place)):
                self.api.forget()
                self.api.on_request(cut(place), times=1)
                self.assertEqual(self.log_in(), "235 Authentication successful")
                self.assertEqual(len(self.api.requests), 2)

    def test_more_than_that_is_an_outage_and_no_failed_login(self):
        self.api.on_request(cut(behind_its_last_byte))
        for _ in range(5):
            self.assertEqual(self.log_in(), "451 Authentication service unavailable")
        self.api.calm()
        self.recover()

    def test_answers_that_say_nothing_about_the_key(self):
        for status in (404, 500, 502, 503, 307):
            with self.subTest(status):
                self.api.on_request(lambda connection, status=status: (
                    connection.read_rest(), connection.send(refusal(status))))
                self.assertEqual(self.log_in(), "451 Authentication service unavailable")
        self.api.calm()
        self.recover()

    def test_no_answer_at_all(self):
        self.api.on_request(lambda connection: connection.wait_for_end())
        start = time.monotonic()
        self.assertEqual(self.log_in(), "451 Authentication service unavailable")
        self.assertLess(time.monotonic() - start, 4)
        self.api.calm()
        self.recover()


over_both_backends(globals(), Requests, RequestsOverTLS, KeyChecks)

if __name__ == "__main__":
    unittest.main()
