/*
 * The key derivation of TLS 1.3 (RFC 8446 section 7.1; HKDF, RFC 5869) over the hash functions of
 * OpenSSL's providers, and the way by which an engine learns its traffic secrets.
 *
 * OpenSSL's handshake derives its secrets with the algorithm "TLS13-KDF" of a provider
 * (provider-kdf(7)). The provider in here, which is inside this program, has that one algorithm. A
 * context made with the properties CT_KDF_PROPERTIES uses it and takes everything else where it took it
 * before. So the two secrets of application data are seen when they are derived. The other way to
 * them is the key log, for which OpenSSL prints five secrets in hexadecimal.
 */
#ifndef CEPOLL_KDF_H
#define CEPOLL_KDF_H

#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the longest hash, SHA-384, and so of a secret. */
enum { CT_SECRET_BYTES_MAX = 48 };

/* Prefers the provider where it has an algorithm (property(7)). */
#define CT_KDF_PROPERTIES "?provider=postscale-relay"

/* The newest OpenSSL 3 that the provider was tried with. */
enum { CT_KDF_MINOR_MAX = 5 };

/*
 * Loads the provider, once per process, unless OpenSSL is newer than those it was tried with. Returns whether
 * OpenSSL chooses it for CT_KDF_PROPERTIES; it does not where the system's configuration demands other
 * properties, such as fips=yes.
 */
int ct_kdf_load(void);

/* A new SSL_CTX whose key derivation is the provider's, or NULL. */
SSL_CTX *_Nullable ct_kdf_context(const SSL_METHOD *_Nonnull method);

/* Hears a traffic secret of application data: the client's (1) or the server's (0). */
typedef void (*ct_hear)(
    void *_Nonnull owner, int is_clients, const uint8_t *_Nonnull secret, size_t size);

/*
 * SSL_do_handshake; `hear` is called, with `owner`, during the call, when a traffic secret of application
 * data is derived by the provider. A server derives its own with its Finished, and the client's when
 * the client's Finished has come, so these may be two calls.
 */
int ct_kdf_handshake(SSL *_Nonnull ssl, ct_hear _Nonnull hear, void *_Nonnull owner);

/*
 * HKDF-Expand-Label with an empty context: `size` bytes, at most 255 times those of the hash, into `out`.
 * `is_sha384` chooses the hash, SHA-256 otherwise; the secret is as long as the hash. The label is
 * given without "tls13 ", at most 249 bytes. Returns 1 for success.
 */
int ct_expand_label(
    int is_sha384, const uint8_t *_Nonnull secret, const char *_Nonnull label,
    uint8_t *_Nonnull out, size_t size);

#endif
