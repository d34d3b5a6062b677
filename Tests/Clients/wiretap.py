"""Listens between a client and the relay, with its own certificate, which the client trusts.

It adds nothing: it passes on every byte of both sides, over TLS on both. So a test can see what a
client sends after its handshake: how it logs in, how it greets. It can hide one thing from the
client: that the relay offers more than one mechanism.
"""

import os
import re
import select
import socket
import ssl
import threading

import support
from support import harness

SEND_SECONDS = 60


class Wiretap:
    """Accepts until `close`. `heard` is everything that clients have sent, before TLS and over it;
    `connections` counts the clients. They have to trust `ca`; `certificate` and `key` are files,
    its own by default. With `offered` the relay seems to have only that mechanism."""

    def __init__(self, account, certificate=None, key=None, offered=""):
        self.relay, self.encryption = account.relay, account.encryption
        self.relay_port = account.port  # When this is the account's tap, that is our own.
        if not certificate:
            folder = support.new_folder("wiretap")
            certificate = os.path.join(folder, "certificate.pem")
            key = harness.make_certificate(str(folder), certificate)
        self.ca = certificate
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(certificate, key)
        self.offered = offered.encode()
        self.heard = bytearray()
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        # A shutdown of the socket wakes a blocked accept; closing it does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.listener.close()

    @property
    def mechanisms(self):
        """The mechanisms of AUTH commands, in capitals, in the order in which they arrived."""
        commands = re.findall(rb"^AUTH ([A-Z0-9-]+)", bytes(self.heard), re.I | re.M)
        return [name.decode().upper() for name in commands]

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        server = socket.create_connection(("127.0.0.1", self.relay_port))
        try:
            if self.encryption == "starttls":
                self._until_starttls(client, server)
            client = self.context.wrap_socket(client, server_side=True)
            server = self.relay.context().wrap_socket(server, server_hostname="localhost")
            self._pass_on(client, server)
        except OSError:
            pass  # Whichever side ended the connection, the test sees it at its client.
        finally:
            client.close()
            server.close()

    def _until_starttls(self, client, server):
        """One line, then one reply, as clients speak before TLS."""
        replies = server.makefile("rb")
        lines = client.makefile("rb", buffering=0)
        line = b""
        while True:
            reply = replies.readline()
            while reply[3:4] == b"-":
                client.sendall(reply)
                reply = replies.readline()
            client.sendall(reply)
            if line.strip().upper() == b"STARTTLS":
                return
            line = lines.readline()
            if not line:
                raise ConnectionError("ended before TLS")
            self.heard += line
            server.sendall(line)

    def _pass_on(self, client, server):
        """Passes the bytes of each to the other, until one of them ends."""
        others = {client: server, server: client}
        while True:
            pending = [side for side in others if side.pending()]
            for side in pending or select.select(others, [], [])[0]:
                # A record may hold no data (a session ticket); then there is nothing to pass on.
                side.settimeout(0)
                try:
                    piece = side.recv(65536)
                except ssl.SSLWantReadError:
                    continue
                if not piece:
                    return
                if side is client:
                    self.heard += piece
                elif self.offered:
                    # The relay writes a reply at once, so it comes in one piece.
                    piece = piece.replace(b"PLAIN LOGIN", self.offered)
                others[side].settimeout(SEND_SECONDS)
                others[side].sendall(piece)
