"""BDAT and BINARYMIME (RFC 3030): each chunk has its reply, every byte arrives, and whatever a client
does with sizes, its payload is never a command."""

import base64
import hashlib
import os
import pathlib
import unittest

import harness
import test_large

ENVELOPE = b"MAIL FROM:<a@yourdomain.com>%s\r\nRCPT TO:<b@example.com>\r\n"
HEAD = b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: chunks\r\n"


def chunk(payload, last=False):
    return b"BDAT %d%s\r\n" % (len(payload), b" LAST" if last else b"") + payload


def chunks(content, size):
    """A message in chunks of `size` bytes."""
    pieces = [content[at : at + size] for at in range(0, len(content), size)] or [b""]
    return [chunk(piece, last=index == len(pieces) - 1) for index, piece in enumerate(pieces)]


def binary(content, name=b"data.bin"):
    """A message with one binary part."""
    return (
        HEAD + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=frontier\r\n\r\n"
        b"--frontier\r\nContent-Type: text/plain\r\n\r\nSee the attachment.\r\n"
        b"--frontier\r\nContent-Type: application/octet-stream\r\n"
        b"Content-Transfer-Encoding: binary\r\n"
        b'Content-Disposition: attachment; filename="' + name + b'"\r\n\r\n'
        + content + b"\r\n--frontier--\r\n"
    )


class Chunks(harness.RelayTestCase):
    def begin(self, client, parameters=b""):
        client.send(ENVELOPE % parameters)
        self.assertEqual([reply[:3] for reply in client.replies(2)], ["250", "250"])

    def test_both_listeners_offer_it(self):
        for port in (self.relay.ports[0], self.relay.tls_port):
            with self.relay.login(harness.new_key(), port) as client:
                self.assertIn("chunking", client.esmtp_features)
                self.assertIn("binarymime", client.esmtp_features)

    def test_each_chunk_has_its_reply(self):
        content = HEAD + b"\r\n.\r\n..two dots\r\nQUIT\r\nthe end, without a line end"
        for size in (1, 7, 50, len(content)):
            self.sandbox.clear()
            with self.relay.raw() as client:
                client.log_in(harness.new_key())
                self.begin(client)
                pieces = chunks(content, size)
                for piece in pieces[:-1]:
                    client.send(piece)
                    self.assertEqual(client.reply(), "250 Ok")
                client.send(pieces[-1])
                self.assertRegex(client.reply(), r"^250 Ok: queued as \S+$")
                self.assertEqual(client.ask(b"QUIT"), "221 Bye")
            text = self.sandbox.only_message()["text_body"]
            self.assertEqual(
                text.replace("\r\n", "\n"), ".\n..two dots\nQUIT\nthe end, without a line end")

    def test_a_hundred_messages_in_one_write(self):
        key = harness.new_key()
        with self.relay.raw() as client:
            client.log_in(key)
            one = ENVELOPE % b"" + chunk(HEAD) + chunk(b"\r\nMAIL FROM:<x@y.z>\r\n.\r\n", last=True)
            client.send(one * 100 + b"QUIT\r\n")
            replies = client.replies(401)
        self.assertEqual([reply[:3] for reply in replies], ["250"] * 400 + ["221"])
        self.assertEqual(len(self.sandbox.list()), 100)

    def test_any_bytes_arrive(self):
        every = bytes(range(256)) * 40
        # Beginnings and ends that a reader of lines could change, and what looks like a boundary.
        contents = [
            every, b"\r\n" + every, every + b"\r\n", every + b"\r", b"\n" + every + b"\n\n", b"\0",
            b"\r\n.\r\n" * 1_000, b"\n--frontie\n-frontier" * 20, b"\r" * 5_000, b"\0" * 5_000,
            b"x" * 3_000_000, os.urandom(3_000_000),
        ]
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            for number, content in enumerate(contents):
                for size in (100_003, 1 << 30):
                    self.sandbox.clear()
                    self.begin(client, b" BODY=BINARYMIME")
                    for piece in chunks(binary(content), size):
                        client.send(piece)
                        reply = client.reply()
                        self.assertEqual(reply[:3], "250", reply)
                    with self.subTest(number=number, size=size):
                        attachment = self.sandbox.only_message()["attachments"][0]
                        if "content" in attachment:
                            arrived = base64.b64decode(attachment["content"])
                        else:
                            arrived = self.sandbox.attachment(reply.split()[-1], 1)
                        self.assertEqual(
                            hashlib.sha256(arrived).digest(), hashlib.sha256(content).digest())

    def test_binarymime_needs_bdat(self):
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            self.begin(client, b" BODY=BINARYMIME")
            self.assertEqual(client.ask(b"DATA")[:3], "503")
            client.send(chunk(HEAD + b"\r\nx", last=True))
            self.assertEqual(client.reply()[:3], "250")

    def test_a_refusal_is_given_to_every_chunk_until_the_last(self):
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            self.begin(client)
            client.send(chunk(HEAD + b"X-Postscale-Metadata: {oops\r\n\r\n"))
            refusal = client.reply()
            self.assertRegex(refusal, "^554 Failed to parse message: ")
            client.send(chunk(b"MAIL FROM:<a@b.c>\r\n") + chunk(b"x" * 500_000) + chunk(b"", last=True))
            self.assertEqual(client.replies(3), [refusal] * 3)
            self.begin(client)
            client.send(chunk(HEAD, last=True))
            self.assertEqual(client.reply()[:3], "250")
        self.assertEqual(len(self.sandbox.list()), 1)

    def test_payloads_that_nobody_asked_for(self):
        with self.relay.raw() as client:
            client.log_in(harness.new_key())
            for payload in (b"", b"QUIT\r\n", b"x" * 65_536):
                client.send(chunk(payload, last=True))
                self.assertEqual(client.reply()[:3], "503")
            client.send(ENVELOPE.replace(b"b@example.com", b"nobody") % b"" + chunk(b"QUIT\r\n", last=True))
            self.assertEqual([reply[:3] for reply in client.replies(3)], ["250", "501", "503"])
            client.send(b"RSET\r\n" + chunk(b"x" * 65_537))
            self.assertEqual(client.reply()[:3], "250")
            self.assertEqual(client.reply()[:3], "503")
            self.assertEqual(client.line(), "", "closed")

    def test_wrong_sizes_end_the_session(self):
        key = harness.new_key()
        for size in ("", "-1", "+5", "005", "0x5", "5.", "99999999999999999999", "5 FIRST", "LAST"):
            with self.subTest(size), self.relay.raw() as client:
                client.log_in(key)
                self.begin(client)
                client.send(f"BDAT {size}\r\n".encode() + b"RSET\r\nNOOP\r\n")
                self.assertEqual(client.reply(), "501 Bad chunk size, closing connection")
                self.assertEqual(client.line(), "", "closed")
        self.assertEqual(self.sandbox.list(), [])


class NotOffered(harness.RelayTestCase):
    arguments = ("--no-chunking",)

    def test_neither_is_offered_or_taken(self):
        with self.relay.login(harness.new_key()) as client:
            self.assertNotIn("chunking", client.esmtp_features)
            self.assertNotIn("binarymime", client.esmtp_features)
            self.assertEqual(client.mail("a@yourdomain.com", ["BODY=BINARYMIME"])[0], 555)
            client.mail("a@yourdomain.com")
            client.rcpt("b@example.com")
            client.send(chunk(HEAD, last=True))
            self.assertEqual(client.getreply()[0], 503)


class LargeChunks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.small, _ = test_large.message(test_large.MEGABYTE)
        cls.large, cls.digests = test_large.message(test_large.MESSAGE_BYTES_MAX)

    def setUp(self):
        self.sandbox = harness.Sandbox()
        self.addCleanup(self.sandbox.stop)
        self.relay = harness.Relay(api_port=self.sandbox.port)
        self.addCleanup(self.relay.stop)

    def submit(self, client, content, size):
        assert client.mail("a@yourdomain.com")[0] == 250
        assert client.rcpt("b@example.com")[0] == 250
        for piece in chunks(content, size):
            client.sock.sendall(piece)
            code, text = client.getreply()
            assert code == 250, (code, text)
        return text.decode().removeprefix("Ok: queued as ")

    def test_50_megabytes_on_each_listener(self):
        key = harness.new_key()
        for port in self.relay.ports + [self.relay.tls_port]:
            with self.relay.login(key, port) as client:
                self.submit(client, self.small, 100_000)
        before = self.relay.peak_kilobytes()
        for port in (self.relay.ports[1], self.relay.tls_port):
            for size in (1_000_000, 1 << 30):
                with self.relay.login(key, port) as client:
                    message_id = self.submit(client, self.large, size)
                folder = pathlib.Path(self.sandbox.store) / message_id
                for number, digest in enumerate(self.digests, start=1):
                    self.assertEqual(
                        test_large.sha256_of(folder / f"{number}-part{number}.bin"), digest)
        growth = self.relay.peak_kilobytes() - before
        print(f"\n50 MB by BDAT: peak {before} kB, {growth} kB above that of 1 MB ", end="")
        self.assertLessEqual(growth, harness.cost_bound(4_096))

    def test_a_byte_too_many(self):
        excess = b"x" * (test_large.MESSAGE_BYTES_MAX - len(self.large) + 1)
        with self.relay.login(harness.new_key()) as client:
            client.mail("a@yourdomain.com")
            client.rcpt("b@example.com")
            client.sock.sendall(chunk(self.large))
            self.assertEqual(client.getreply()[0], 250)
            for piece in (chunk(excess), chunk(self.large), chunk(b"", last=True)):
                client.sock.sendall(piece)
                self.assertEqual(client.getreply()[0], 552)
            self.assertEqual(client.noop()[0], 250, "the session lives on")
        self.assertEqual(self.sandbox.client.list(), [])
        self.assertEqual(self.sandbox.stored(), [])

    def test_an_early_answer_of_the_api(self):
        for behaviour, expected in (("toolarge", 552), ("revoked_later", 451)):
            with self.subTest(behaviour), self.relay.login(harness.new_key(behaviour)) as client:
                client.mail("a@yourdomain.com")
                client.rcpt("b@example.com")
                codes = []
                for piece in chunks(self.large, 1_000_000):
                    client.sock.sendall(piece)
                    codes.append(client.getreply()[0])
                self.assertEqual(codes[-1], expected)
                # Once refused, refused until the last.
                self.assertEqual(codes, sorted(codes))
                self.assertLessEqual(set(codes), {250, expected})


if __name__ == "__main__":
    unittest.main()
