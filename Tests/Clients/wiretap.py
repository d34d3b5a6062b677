"""Listens in between a client and the relay, with a certificate of its own that the client trusts.

It says nothing by itself: every byte of both sides is passed on, over TLS on both. So a test can
see what a client says after its handshake: which mechanism it logs in with, how it greets. One
thing it can keep back: that more than one mechanism is offered.
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
    """Accepts until `close`. `heard` is everything that clients have sent, over TLS and before;
    `connections` counts them. `ca` is what they are to trust; `certificate` and `key` are files,
    its own unless given. With `offered` the relay seems to have that mechanism alone."""

    def __init__(self, account, certificate=None, key=None, offered=""):
        self.relay, self.encryption = account.relay, account.encryption
        self.relay_port = account.port  # Once it is the account's tap, that is our own.
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
        # A blocked accept is woken by the end of its socket, not by its being closed.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.listener.close()

    @property
    def mechanisms(self):
        """Those of AUTH commands, in capitals, in the order in which they were heard."""
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
            pass  # Whoever ended the connection, the test sees it at its client.
        finally:
            client.close()
            server.close()

    def _until_starttls(self, client, server):
        """One line and one reply after the other, as clients speak before TLS."""
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
        """What each says, to the other, until one of them ends."""
        others = {client: server, server: client}
        while True:
            pending = [side for side in others if side.pending()]
            for side in pending or select.select(others, [], [])[0]:
                # A record may hold no data (a session ticket): then there is nothing to wait for.
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
                    # A reply is one write of the relay's, so it comes in one piece.
                    piece = piece.replace(b"PLAIN LOGIN", self.offered)
                others[side].settimeout(SEND_SECONDS)
                others[side].sendall(piece)
