"""Strangers who send a command without end, before TLS: a program of its own, so that it takes
nothing from the clients that a test measures.

    strangers.py PORT COUNT COMMAND [deaf-to-the-end]

Each reads its replies and throws them away, and comes again when it is cut off; one that is deaf to
the end sends on until the relay takes no more. They have ten
addresses of 127.0.1.0/24. Strangers bring processors of their own, so this one is nice to the
relay's. Ends when its standard input does, with one line: connections made, and replies of 250 that
were seen.
"""

import os
import selectors
import socket
import sys

BLOCK = 65_536


class Strangers:
    def __init__(self, port, count, command, is_deaf_to_end):
        self.port, self.is_deaf_to_end = port, is_deaf_to_end
        self.block = (command + b"\r\n") * (BLOCK // (len(command) + 2))
        self.selector = selectors.DefaultSelector()
        self.connections = self.accepted = 0
        for number in range(count):
            self.come(number)

    def come(self, number):
        sock = socket.socket()
        sock.bind((f"127.0.1.{1 + number % 10}", 0))
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", self.port))
        self.connections += 1
        self.selector.register(
            sock, selectors.EVENT_READ | selectors.EVENT_WRITE, [number, self.block])

    def go_on(self, sock, state, events):
        number, rest = state
        try:
            if events & selectors.EVENT_READ:
                piece = sock.recv(BLOCK)
                if not piece and self.is_deaf_to_end:
                    self.selector.modify(sock, selectors.EVENT_WRITE, state)
                elif not piece:
                    raise ConnectionError
                self.accepted += piece.count(b"250 ")
            if events & selectors.EVENT_WRITE:
                # Whole commands one after the other, however they are cut.
                state[1] = rest[sock.send(rest):] or self.block
        except BlockingIOError:
            pass
        except OSError:
            self.selector.unregister(sock)
            sock.close()
            self.come(number)

    def run(self):
        self.selector.register(sys.stdin, selectors.EVENT_READ, None)
        while True:
            for key, events in self.selector.select():
                if key.data is None:
                    print(self.connections, self.accepted, flush=True)
                    return
                self.go_on(key.fileobj, key.data, events)


if __name__ == "__main__":
    os.nice(19)
    port, count, command, *more = sys.argv[1:]
    Strangers(int(port), int(count), command.encode(), bool(more)).run()
