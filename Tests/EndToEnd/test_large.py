"""Messages of the greatest size: every byte arrives, and the relay's memory does not grow."""

import base64
import hashlib
import os
import pathlib
import unittest

import harness

MEGABYTE = 1_048_576
MESSAGE_BYTES_MAX = 50 * MEGABYTE


def message(size):
    """(message as it goes over the wire, SHA-256 of each attachment): two random attachments and
    as many bytes as fit into `size`."""
    parts = []
    digests = []
    room = (size - 2_000) // 2
    for number in (1, 2):
        content = os.urandom(room // 78 * 57)
        digests.append(hashlib.sha256(content).hexdigest())
        text = base64.b64encode(content)
        lines = [text[i : i + 76] for i in range(0, len(text), 76)]
        parts.append(
            b"--frontier\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Transfer-Encoding: base64\r\n"
            b'Content-Disposition: attachment; filename="part%d.bin"\r\n\r\n' % number
            + b"\r\n".join(lines)
            + b"\r\n"
        )
    head = (
        b"From: a@yourdomain.com\r\nTo: b@example.com\r\nSubject: large\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=frontier\r\n\r\n"
        b"--frontier\r\nContent-Type: text/plain\r\n\r\nSee attachments.\r\n"
    )
    whole = head + b"".join(parts) + b"--frontier--\r\n"
    assert size - 4_000 < len(whole) <= size
    return whole, digests


def submit(client, content):
    """Sends without smtplib's copies of the content; no line of it begins with a dot."""
    assert client.mail("a@yourdomain.com", [f"SIZE={len(content)}"])[0] == 250
    assert client.rcpt("b@example.com")[0] == 250
    assert client.docmd("DATA")[0] == 354
    client.sock.sendall(content)
    client.sock.sendall(b".\r\n")
    code, text = client.getreply()
    assert code == 250, (code, text)
    return text.decode().removeprefix("Ok: queued as ")


def sha256_of(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


class Large(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.small, _ = message(MEGABYTE)
        cls.large, cls.digests = message(MESSAGE_BYTES_MAX)

    def setUp(self):
        self.sandbox = harness.Sandbox()
        self.addCleanup(self.sandbox.stop)
        self.relay = harness.Relay(api_port=self.sandbox.port)
        self.addCleanup(self.relay.stop)

    def check_arrived(self, message_id):
        folder = pathlib.Path(self.sandbox.store) / message_id
        for number, digest in enumerate(self.digests, start=1):
            self.assertEqual(sha256_of(folder / f"{number}-part{number}.bin"), digest)

    def warm_up(self, at_once=1):
        """The peak of memory after one megabyte on every listener."""
        key = harness.new_key()
        for port in self.relay.ports + [self.relay.tls_port]:
            clients = [self.relay.login(key, port) for _ in range(at_once)]
            harness.in_threads(at_once, lambda i: submit(clients[i], self.small))
            for client in clients:
                client.quit()
        return self.relay.peak_kilobytes()

    def test_50_megabytes_on_each_listener(self):
        before = self.warm_up()
        for port in (self.relay.ports[1], self.relay.tls_port):
            with self.relay.login(harness.new_key(), port) as client:
                message_id = submit(client, self.large)
            self.check_arrived(message_id)
        growth = self.relay.peak_kilobytes() - before
        print(f"\n50 MB: peak {before} kB, {growth} kB above that of 1 MB ", end="")
        self.assertLessEqual(growth, harness.cost_bound(4_096))

    def test_ten_at_once(self):
        # A sanitizer takes several times as long, and the API's deadline stays the same.
        count = 3 if harness.SANITIZED else 10
        before = self.warm_up()
        key = harness.new_key()
        clients = [self.relay.login(key, self.relay.tls_port) for _ in range(count)]
        ids = [""] * count

        def send(index):
            with clients[index] as client:
                ids[index] = submit(client, self.large)

        harness.in_threads(count, send)
        growth = self.relay.peak_kilobytes() - before
        print(f"\n{count} x 50 MB: peak {before} kB, {growth} kB above that of 1 MB ", end="")
        self.assertEqual(len(set(ids)), count)
        for message_id in ids:
            self.check_arrived(message_id)
        self.assertLessEqual(growth, harness.cost_bound(16_384))

    def test_a_byte_too_many(self):
        with self.relay.login(harness.new_key()) as client:
            client.mail("a@yourdomain.com")
            client.rcpt("b@example.com")
            client.docmd("DATA")
            client.sock.sendall(self.large)
            client.sock.sendall(b"x" * (MESSAGE_BYTES_MAX - len(self.large) + 1) + b"\r\n.\r\n")
            self.assertEqual(client.getreply()[0], 552)
            self.assertEqual(client.noop()[0], 250, "the session lives on")
        self.assertEqual(self.sandbox.client.list(), [])
        self.assertEqual(self.sandbox.stored(), [])

    def test_an_early_answer_of_the_api(self):
        answers = [("toolarge", 552), ("revoked_later", 451)]
        for behaviour, expected in answers:
            with self.subTest(behaviour), self.relay.login(harness.new_key(behaviour)) as client:
                client.mail("a@yourdomain.com")
                client.rcpt("b@example.com")
                client.docmd("DATA")
                client.sock.sendall(self.large)
                client.sock.sendall(b".\r\n")
                self.assertEqual(client.getreply()[0], expected)


if __name__ == "__main__":
    unittest.main()
