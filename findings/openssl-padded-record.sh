#!/usr/bin/env bash
# OpenSSL 3.0.22: a TLS 1.3 record whose padding makes it too long is taken; without padding it is not.
#
# RFC 8446 5.4: content, type and padding have at most 2^14 + 1 bytes together; a longer record ends the
# connection with record_overflow. OpenSSL counts what is left after the padding, so 239 bytes of padding
# more are taken (5.2 bounds the ciphertext at 2^14 + 256). The same with OpenSSL 3.5.9 of
# Debian 13. Seen 2026-11-30, content and zeros of one record:
#
#   16384 + 0: taken, 16385 + 0: refused, 16384 + 1: taken, 16384 + 239: taken, 16384 + 240: refused
#
# For a server: a record layer of one's own that refuses such records is stricter than OpenSSL's, and
# tests that take OpenSSL for the measure of section 5.4 show the wrong result.
packages="libssl3=3.0.22-1~deb12u2 openssl=3.0.22-1~deb12u2"
. "$(dirname "$0")/lib.sh"

openssl req -x509 -nodes -subj /CN=localhost -newkey rsa:2048 -keyout key -out pem 2>/dev/null
python3 - >seen <<'PROGRAM'
import ctypes, hashlib, hmac, socket, ssl, subprocess, time

crypto = ctypes.CDLL("libcrypto.so.3")
for name in ("EVP_CIPHER_CTX_new", "EVP_aes_256_gcm"):
    getattr(crypto, name).restype = ctypes.c_void_p


def expand(secret, label, count):
    """HKDF-Expand-Label with an empty context (RFC 8446 7.1)."""
    label = b"tls13 " + label
    info = count.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
    return hmac.digest(secret, info + b"\1", "sha384")[:count]


def sealed(secret, inner):
    """The first record under the secret."""
    header = b"\x17\3\3" + (len(inner) + 16).to_bytes(2, "big")
    context = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
    cipher = ctypes.c_void_p(crypto.EVP_aes_256_gcm())
    out, size = ctypes.create_string_buffer(len(inner) + 16), ctypes.c_int()
    tag = ctypes.create_string_buffer(16)
    crypto.EVP_EncryptInit_ex(
        context, cipher, None, expand(secret, b"key", 32), expand(secret, b"iv", 12))
    crypto.EVP_EncryptUpdate(context, None, ctypes.byref(size), header, 5)
    crypto.EVP_EncryptUpdate(context, out, ctypes.byref(size), inner, len(inner))
    crypto.EVP_EncryptFinal_ex(context, ctypes.byref(ctypes.create_string_buffer(16)), ctypes.byref(size))
    crypto.EVP_CIPHER_CTX_ctrl(context, 0x10, 16, tag)
    return header + out.raw[: len(inner)] + tag.raw


def outcome(content, zeros):
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:4433", "-key", "key", "-cert", "pem", "-naccept",
         "1", "-rev", "-quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    open("secrets", "w").close()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version, context.keylog_filename = ssl.TLSVersion.TLSv1_3, "secrets"
    for _ in range(100):
        try:
            plain = socket.create_connection(("127.0.0.1", 4433), timeout=10)
            break
        except OSError:
            time.sleep(0.1)
    client = context.wrap_socket(plain)
    secrets = dict(line.split()[::2] for line in open("secrets") if not line.startswith("#"))
    text = b"x" * (content - 1) + b"\n"
    record = sealed(bytes.fromhex(secrets["CLIENT_TRAFFIC_SECRET_0"]), text + b"\x17" + bytes(zeros))
    raw = socket.socket(fileno=client.detach())
    raw.settimeout(10)
    raw.sendall(record)
    received = b""
    while True:
        try:
            piece = raw.recv(65536)
        except ConnectionError:
            piece = b""
        received += piece
        if not piece or len(received) > content:
            break
    raw.close()
    server.kill()
    server.wait()
    return "taken" if len(received) > content else "refused"


print(*(f"{content} + {zeros}: {outcome(content, zeros)}" for content, zeros in (
    (16384, 0), (16385, 0), (16384, 1), (16384, 239), (16384, 240))), sep=", ")
PROGRAM
cat seen
diff -u - seen >&2 <<'EXPECTED' || changed "see above"
16384 + 0: taken, 16385 + 0: refused, 16384 + 1: taken, 16384 + 239: taken, 16384 + 240: refused
EXPECTED
