"""A TLS 1.2 client whose records after the handshake are made by hand, so that it can do what no
library does: ask for renegotiation without end and read nothing (RFC 5246 sections 6.2 and 6.3, RFC
5288). Python's ssl does the handshake and tells the master secret; libcrypto does AES-GCM."""

import ctypes
import ctypes.util
import hashlib
import hmac
import os
import ssl
import struct
import tempfile

from hostile import no_verification

HANDSHAKE, DATA = 22, 23
CLIENT_HELLO = 1
GET_TAG = 0x10  # EVP_CTRL_AEAD_GET_TAG

crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
for name in ("EVP_CIPHER_CTX_new", "EVP_aes_128_gcm"):
    getattr(crypto, name).restype = ctypes.c_void_p


def expand(secret, label, seed, count):
    """PRF of TLS 1.2 with SHA-256."""
    seed, output, step = label + seed, b"", label + seed
    while len(output) < count:
        step = hmac.digest(secret, step, hashlib.sha256)
        output += hmac.digest(secret, step + seed, hashlib.sha256)
    return output[:count]


class Sealer:
    """Makes the client's records, from the first after its Finished on."""

    def __init__(self, key, salt):
        self.salt, self.sequence = salt, 1
        self.context = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
        cipher = ctypes.c_void_p(crypto.EVP_aes_128_gcm())
        assert crypto.EVP_EncryptInit_ex(self.context, cipher, None, key, None) == 1

    def seal(self, kind, plain):
        explicit = struct.pack("!Q", self.sequence)
        header = struct.pack("!BHH", kind, 0x0303, len(plain))
        self.sequence += 1
        length, context = ctypes.c_int(), self.context
        sealed, tag = ctypes.create_string_buffer(len(plain)), ctypes.create_string_buffer(16)
        crypto.EVP_EncryptInit_ex(context, None, None, None, self.salt + explicit)
        crypto.EVP_EncryptUpdate(context, None, ctypes.byref(length), explicit + header, 13)
        crypto.EVP_EncryptUpdate(context, sealed, ctypes.byref(length), plain, len(plain))
        crypto.EVP_EncryptFinal_ex(context, None, ctypes.byref(length))
        crypto.EVP_CIPHER_CTX_ctrl(context, GET_TAG, 16, tag)
        whole = explicit + sealed.raw + tag.raw
        return struct.pack("!BHH", kind, 0x0303, len(whole)) + whole


def handshake(sock):
    """A full handshake over a connected socket; the sealer of what this client says next."""
    context = no_verification(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    # Without tickets the server's first flight of records is all that it says.
    context.options |= ssl.OP_NO_TICKET
    with tempfile.TemporaryDirectory() as folder:
        context.keylog_filename = os.path.join(folder, "secrets")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        received = b""
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                piece = sock.recv(65_536)
                if not piece:
                    raise ConnectionError("closed in the handshake") from None
                received += piece
                incoming.write(piece)
        sock.sendall(outgoing.read())
        with open(context.keylog_filename, "rb") as secrets:
            line = next(l for l in secrets if l.startswith(b"CLIENT_RANDOM "))
    client_random, master = (bytes.fromhex(part.decode()) for part in line.split()[1:3])
    # The first record is the ServerHello: header 5, message header 4, version 2, random 32.
    server_random = received[11:43]
    block = expand(master, b"key expansion", server_random + client_random, 40)
    return Sealer(block[:16], block[32:36])


def renegotiation_request():
    """A ClientHello as a client sends it to ask for new keys; its content does not matter."""
    body = b"\x03\x03" + os.urandom(32) + b"\0" + b"\0\2\xc0\x2b" + b"\1\0"
    return bytes([CLIENT_HELLO]) + struct.pack("!I", len(body))[1:] + body
