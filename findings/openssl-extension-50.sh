#!/usr/bin/env bash
# OpenSSL 3.0.22: SSL_extension_supported(50) is 0, though its servers act on that extension.
#
# SSL_extension_supported(3) says 1 for an extension that OpenSSL handles itself. It says 0 for
# signature_algorithms_cert (50, RFC 8446 4.2.3), so that a program may register it as its own. Yet
# a server chooses its certificate by it. Here a client adds the extension with rsa_pkcs1_sha256
# alone; a server that has an ECDSA and an RSA certificate, each signed by itself, then shows
# another one. Seen 2026-11-30:
#
#   SSL_extension_supported(13) 1, (50) 0
#   a plain client: EC; with the extension: RSA
#
# For a server: a list of extensions made with SSL_extension_supported lacks one that decides which
# certificate a client gets; look in OpenSSL's own table.
packages="libssl3=3.0.22-1~deb12u2 openssl=3.0.22-1~deb12u2"
. "$(dirname "$0")/lib.sh"

certificate() {
  openssl req -x509 -nodes -subj /CN=localhost -keyout "$1.key" -out "$1.pem" "${@:2}" 2>/dev/null
}
certificate ec -newkey ec -pkeyopt ec_paramgen_curve:P-256
certificate rsa -newkey rsa:2048
python3 - >seen <<'PROGRAM'
import ctypes

ssl, crypto = ctypes.CDLL("libssl.so.3"), ctypes.CDLL("libcrypto.so.3")
pointer, size = ctypes.c_void_p, ctypes.c_size_t
for library, names in (
    (ssl, "TLS_method SSL_CTX_new SSL_new SSL_get1_peer_certificate"),
    (crypto, "BIO_new BIO_s_mem X509_get0_pubkey EVP_PKEY_get0_type_name"),
):
    for name in names.split():
        getattr(library, name).restype = pointer
crypto.EVP_PKEY_get0_type_name.restype = ctypes.c_char_p
SSL_EXT_CLIENT_HELLO, SIGNATURE_ALGORITHMS_CERT = 0x0080, 50
CONTENT = ctypes.create_string_buffer(b"\x00\x02\x04\x01", 4)  # One algorithm: rsa_pkcs1_sha256.


@ctypes.CFUNCTYPE(
    ctypes.c_int, pointer, ctypes.c_uint, ctypes.c_uint, ctypes.POINTER(pointer),
    ctypes.POINTER(size), pointer, size, pointer, pointer,
)  # fmt: skip
def add(_, number, context, out, length, x509, index, alert, argument):
    out[0], length[0] = ctypes.addressof(CONTENT), 4
    return 1


def new_context():
    return pointer(ssl.SSL_CTX_new(pointer(ssl.TLS_method())))


def shown(client_context, server_context):
    """The type of the key in the certificate that the server shows."""
    client, server = pointer(ssl.SSL_new(client_context)), pointer(ssl.SSL_new(server_context))
    memory = [pointer(crypto.BIO_new(pointer(crypto.BIO_s_mem()))) for _ in range(2)]
    for bio in memory:
        crypto.BIO_up_ref(bio)
    ssl.SSL_set_bio(client, memory[0], memory[1])
    ssl.SSL_set_bio(server, memory[1], memory[0])
    ssl.SSL_set_connect_state(client)
    ssl.SSL_set_accept_state(server)
    for _ in range(4):
        ssl.SSL_do_handshake(client)
        ssl.SSL_do_handshake(server)
    certificate = ssl.SSL_get1_peer_certificate(client)
    if not certificate:
        return "none"
    key = pointer(crypto.X509_get0_pubkey(pointer(certificate)))
    return crypto.EVP_PKEY_get0_type_name(key).decode()


server, plain, extended = new_context(), new_context(), new_context()
for name in (b"ec", b"rsa"):
    assert ssl.SSL_CTX_use_certificate_file(server, name + b".pem", 1) == 1
    assert ssl.SSL_CTX_use_PrivateKey_file(server, name + b".key", 1) == 1
print("supported:", *(ssl.SSL_extension_supported(number) for number in (13, 50)))
print("registered:", ssl.SSL_CTX_add_custom_ext(
    extended, SIGNATURE_ALGORITHMS_CERT, SSL_EXT_CLIENT_HELLO, add, None, None, None, None
))  # fmt: skip
print("plain:", shown(plain, server))
print("extended:", shown(extended, server))
PROGRAM
cat seen
diff -u - seen >&2 <<'EXPECTED' || changed "see above"
supported: 1 0
registered: 1
plain: EC
extended: RSA
EXPECTED
