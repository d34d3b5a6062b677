"""Clients that leave at bad moments: after the final dot, with a half-close, during a pause."""

import socket
import struct
import threading
import time
import unittest

import faults
from faults import LINE, begin, harness, message, over_both_backends
from scripted_api import answer


class Leaving:
    """The API holds its answer until the client has gone."""

    def send_and_hold(self):
        """A client whose message is at the API, unanswered: (client, message, release)."""
        client = self.client()
        arrived, release = threading.Event(), threading.Event()

        def fault(connection):
            connection.read_rest()
            arrived.set()
            release.wait(5)
            connection.send(answer())

        self.api.on_post(fault)
        halves = message()
        self.assertIsNone(begin(client, halves[0]))
        client.send(halves[1])
        self.assertTrue(arrived.wait(5))
        return client, halves, release

    def check_guarded(self, key, halves):
        """The relay answers the same message with the first one's id and does not send it again."""
        with self.relay.raw() as again:
            again.log_in(key)

            def has_its_answer():
                self.assertIsNone(begin(again, halves[0]))
                again.send(halves[1])
                reply = again.reply()
                if reply == faults.UNAVAILABLE:  # The first try is still under way.
                    return False
                self.assertEqual(reply, "250 Ok: queued as m@api.test")
                return True

            harness.wait_until(has_its_answer, 5, "the first one's answer")
        self.assertEqual(len(self.api.posts()), 1)

    def client(self):
        self.key = harness.new_key()
        client = self.relay.raw()
        self.addCleanup(client.__exit__)
        client.log_in(self.key)
        return client

    def test_a_reset_behind_the_final_dot(self):
        """Nobody reads the client while the API is asked: the reset is noticed with the answer."""
        client, halves, release = self.send_and_hold()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.file.close()
        client.socket.close()
        time.sleep(0.1)
        release.set()
        self.check_guarded(self.key, halves)

    def test_a_close_behind_the_final_dot(self):
        client, halves, release = self.send_and_hold()
        client.file.close()
        client.socket.close()
        time.sleep(0.1)
        release.set()
        self.check_guarded(self.key, halves)

    def test_a_half_close_behind_the_final_dot(self):
        """A client that has closed its sending side and still reads gets its 250."""
        client, _, release = self.send_and_hold()
        socket.socket.shutdown(client.socket, socket.SHUT_WR)
        time.sleep(0.1)
        release.set()
        self.assertEqual(client.reply(), "250 Ok: queued as m@api.test")
        self.assertEqual(client.line(), "")

    def test_a_reset_while_its_upload_is_paused(self):
        """The API has stopped reading: the upload ends with the pause, never as complete."""
        client = self.client()
        begun, left, ended = threading.Event(), threading.Event(), threading.Event()

        def fault(connection):
            connection.read_head()
            begun.set()
            left.wait(10)
            try:
                connection.read_chunks()
            finally:
                ended.set()

        self.api.on_post(fault)
        self.assertIsNone(begin(client, message(faults.CHUNKED)[0]))
        self.assertTrue(begun.wait(5))
        client.socket.settimeout(1)
        with self.assertRaises(OSError):
            for _ in range(700):  # Smaller than the largest message, larger than all buffers.
                client.send(LINE * 1_000)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.file.close()
        client.socket.close()
        left.set()
        self.assertTrue(ended.wait(10), "the relay broke the request off")
        self.assertEqual(self.api.complete_posts(), [])
        self.recover()


over_both_backends(globals(), Leaving)

if __name__ == "__main__":
    unittest.main()
