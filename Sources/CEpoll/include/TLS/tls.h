/*
 * OpenSSL for a TLS engine without a descriptor: a port through which every engine of a loop reads
 * and writes memory, and OpenSSL's function-like macros and variadic functions as functions. It
 * decides nothing.
 */
#ifndef CEPOLL_TLS_H
#define CEPOLL_TLS_H

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where an engine finds ciphertext and leaves it. One per loop, because only one engine runs at a
 * time. The owner sets `in` and `sink` before each call into OpenSSL, and takes `out_count` bytes
 * at `out` afterwards. When `out_room` is used up, `refill` takes the bytes and provides new room,
 * at least one byte. `records` counts the TLS records that were written since the owner set it,
 * `record_left` and `header_count` to 0.
 */
struct ct_port {
    const uint8_t *_Nullable in;
    size_t in_count;
    uint8_t *_Nullable out;
    size_t out_room;
    size_t out_count;
    size_t records;
    size_t record_left;
    size_t header_count;
    void *_Nullable sink;
    void (*_Nullable refill)(struct ct_port *_Nonnull port);
};

/* An SSL that reads from and writes to `port`, which outlives it; NULL without memory. */
SSL *_Nullable ct_new(SSL_CTX *_Nonnull context, struct ct_port *_Nonnull port);

/* A new P-256 key pair, or NULL. */
EVP_PKEY *_Nullable ct_generate_p256(void);

/*
 * Sets up the contexts that seal (1) or open (0) a session ticket: AES-256-CBC and HMAC-SHA-256
 * (RFC 5077 section 4), keys of 32 bytes. Returns 1 for success.
 */
int ct_ticket_init(
    EVP_CIPHER_CTX *_Nonnull cipher, EVP_MAC_CTX *_Nonnull mac,
    const uint8_t *_Nonnull cipher_key, const uint8_t *_Nonnull mac_key,
    const uint8_t *_Nonnull iv, int seal);

/* The owner of an SSL, for callbacks. */
static inline void ct_set_owner(SSL *_Nonnull ssl, void *_Nullable owner) {
    SSL_set_app_data(ssl, owner);
}
static inline void *_Nullable ct_owner(const SSL *_Nonnull ssl) { return SSL_get_app_data(ssl); }

/* The errno inside an error code of OpenSSL, or 0 for an error of OpenSSL itself. */
static inline int ct_system_error(unsigned long code) {
    return ERR_SYSTEM_ERROR(code) ? (int)(code & ERR_SYSTEM_MASK) : 0;
}

static inline int ct_set_versions(SSL_CTX *_Nonnull context, int oldest, int newest) {
    return SSL_CTX_set_min_proto_version(context, oldest) &&
           SSL_CTX_set_max_proto_version(context, newest);
}
/*
 * No compression (CRIME), no renegotiation, the server's order of ciphers, and no encrypt_then_mac:
 * all our ciphers authenticate. No compressed certificates (RFC 8879): OpenSSL offers them from 3.2 on,
 * under two bits that older headers do not name and older libraries do not know. docs/security.md
 * lists what may be negotiated.
 */
static inline void ct_set_options(SSL_CTX *_Nonnull context) {
    const uint64_t no_compressed_certificates = (uint64_t)1 << 32 | (uint64_t)1 << 33;
    SSL_CTX_set_options(
        context,
        SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
            SSL_OP_NO_ENCRYPT_THEN_MAC | no_compressed_certificates);
}
/* OpenSSL overwrites plaintext in its read buffer before it frees it: a client may send a key. */
static inline void ct_wipe_plaintext(SSL_CTX *_Nonnull context) {
    SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
}
static inline int ct_set_groups(SSL_CTX *_Nonnull context, const char *_Nonnull names) {
    return SSL_CTX_set1_groups_list(context, names) == 1;
}
static inline void ct_set_mode(SSL_CTX *_Nonnull context, long mode) {
    SSL_CTX_set_mode(context, mode);
}
static inline void ct_set_session_cache(SSL_CTX *_Nonnull context, long mode) {
    SSL_CTX_set_session_cache_mode(context, mode);
}
/*
 * `choose` is called with the server name of each ClientHello that has one, during the handshake;
 * it returns whether we know the name. An unknown name is not acknowledged, and the handshake
 * continues.
 */
typedef int (*ct_choose)(SSL *_Nullable ssl, const char *_Nullable name);
void ct_set_server_name_callback(SSL_CTX *_Nonnull context, ct_choose _Nonnull choose);

/*
 * A server resumes a session only under the server name of the ClientHello that began it (RFC 6066
 * section 3); another name, or none, gets a whole handshake. Capitals do not matter.
 */
void ct_bind_sessions_to_names(SSL_CTX *_Nonnull context);

/*
 * The group of the key exchange, such as "x25519", as the library calls it; NULL when there was none
 * (a resumed session of TLS 1.2). It lives as long as the context.
 */
const char *_Nullable ct_group_name(SSL *_Nonnull ssl);

/* The DNS name at `index` of a certificate's subject alternative names, for free(); or NULL. */
char *_Nullable ct_certificate_name(X509 *_Nonnull certificate, int index);

/* 1 when the certificate of this context was signed by another one, and no chain goes with it. */
int ct_lacks_issuer(SSL_CTX *_Nonnull context);

/* 1 when this code of OpenSSL's queue of errors says that a callback gave no passphrase. */
int ct_is_of_passphrase(unsigned long code);

static inline int ct_set_server_name(SSL *_Nonnull ssl, const char *_Nonnull name) {
    return SSL_set_tlsext_host_name(ssl, name) == 1;
}

#endif
