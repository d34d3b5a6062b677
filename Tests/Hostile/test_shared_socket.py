"""An io_uring relay and an epoll relay on one listening socket that both inherited: as when one
replaces the other."""

import fcntl
import os
import time
import unittest

import hostile
import service
from hostile import HostileTestCase, harness, uring


def is_nonblocking(sock):
    """Of the open file description, which all processes share."""
    return bool(fcntl.fcntl(sock.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK)


@unittest.skipUnless(uring.is_granted(), "this kernel does not allow io_uring")
class SharedSocket(HostileTestCase):
    def start_both(self, order, blocking):
        self.api = self.make_api()
        self.listener = service.listen()
        self.addCleanup(self.listener.close)
        self.listener.setblocking(blocking)
        self.before = is_nonblocking(self.listener)
        self.relays = {}
        for backend in order:
            relay = service.Service(
                [(self.listener, "tls")], self.api.port, "--backend", backend, "--loops", "1",
                "--log-level", "info", "--hostname", f"{backend.replace('_', '')}.test",
                "--drain-timeout", "1s")
            self.addCleanup(relay.stop)
            self.relays[backend] = relay
            self.check_flag(f"after the start of {backend}")

    def check_flag(self, when):
        with self.subTest(f"O_NONBLOCK {when}"):
            self.assertEqual(is_nonblocking(self.listener), self.before,
                             f"O_NONBLOCK of the shared socket {when}")

    def open(self):
        """A logged-in client, and the name of the relay that took it."""
        client = hostile.connect(
            None, port=self.listener.getsockname()[1], context=hostile.no_verification())
        try:
            name = client.reply().split()[1]
            client.send(b"EHLO client.test\r\n")
            client.reply()
            return client, name
        except BaseException:
            client.__exit__()
            raise

    def check(self, order, blocking):
        self.start_both(order, blocking)
        clients = {}
        seconds = []
        # Sessions on both, from connections that come at once and one by one.
        for _ in range(15):
            found = []
            harness.in_threads(6, lambda _: found.append(self.open()))
            for client, name in found:
                self.addCleanup(client.__exit__)
                clients.setdefault(name, []).append(client)
            # Neither loop sleeps in accept4: all that are there are answered.
            for client in [some for group in clients.values() for some in group]:
                start = time.monotonic()
                reply = client.ask(b"NOOP")
                seconds.append(time.monotonic() - start)
                self.assertTrue(reply.startswith("250 "), reply)
        counts = {name: len(group) for name, group in clients.items()}
        self.figure(f"{' and '.join(order)}, {'blocking' if blocking else 'non-blocking'} socket: "
                    f"connections {counts}, slowest NOOP {max(seconds):.3f} s")
        self.assertEqual(len(counts), 2, f"both serve: {counts}")
        self.assertLess(max(seconds), 1, "the slowest NOOP of any session")
        # Alone, the other one serves all that come.
        self.relays[order[0]].stop()
        self.check_flag(f"after the end of {order[0]}")
        for _ in range(10):
            client, name = self.open()
            client.__exit__()
            self.assertEqual(name, f"{order[1].replace('_', '')}.test")
        self.relays[order[1]].stop()
        self.check_flag("at the end")

    def test_epoll_then_io_uring_on_a_socket_that_blocks(self):
        self.check(("epoll", "io_uring"), True)

    def test_io_uring_then_epoll_on_a_socket_that_blocks(self):
        self.check(("io_uring", "epoll"), True)

    def test_epoll_then_io_uring_on_a_socket_that_does_not_block(self):
        self.check(("epoll", "io_uring"), False)

    def test_io_uring_then_epoll_on_a_socket_that_does_not_block(self):
        self.check(("io_uring", "epoll"), False)


if __name__ == "__main__":
    unittest.main()
