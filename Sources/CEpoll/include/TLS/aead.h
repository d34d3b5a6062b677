/*
 * Authenticated encryption of TLS 1.3 records with the ciphers of OpenSSL's providers, called
 * through the provider interface (provider-cipher(7)). The EVP layer above it asks for the length
 * of the nonce and looks up the tag by name for each record, which costs as much as sealing a short
 * one.
 */
#ifndef CEPOLL_AEAD_H
#define CEPOLL_AEAD_H

#include <stddef.h>
#include <stdint.h>

enum { CT_TAG_BYTES = 16, CT_NONCE_BYTES = 12, CT_HEADER_BYTES = 5 };

/* What a provider offers for one cipher; found once, never freed. */
typedef struct ct_aead_cipher ct_aead_cipher;
/* One direction of one connection. */
typedef struct ct_aead ct_aead;

/*
 * The cipher of this name, such as "AES-128-GCM". NULL when no provider has it, or when its
 * provider does not allow its functions to be kept.
 */
ct_aead_cipher *_Nullable ct_aead_find(const char *_Nonnull name);

/* A direction that seals (1) or opens (0), without a key yet; NULL without memory. */
ct_aead *_Nullable ct_aead_new(const ct_aead_cipher *_Nonnull cipher, int is_sealing);
/* Wipes the key. */
void ct_aead_free(ct_aead *_Nonnull aead);
/* Sets or changes the key, which is copied. Returns 1 for success, as every function below. */
int ct_aead_set_key(ct_aead *_Nonnull aead, const uint8_t *_Nonnull key, size_t size);

/*
 * Begins a record. The nonce is 4 bytes `head` and 8 bytes `tail`, both big-endian; `header`
 * (CT_HEADER_BYTES) is authenticated. `tag` (CT_TAG_BYTES) when opening, NULL when sealing.
 */
int ct_aead_begin(
    ct_aead *_Nonnull aead, uint32_t head, uint64_t tail, const uint8_t *_Nonnull header,
    const uint8_t *_Nullable tag);
/* Transforms `size` bytes; `to` may be `from`, or apart from it. */
int ct_aead_update(
    ct_aead *_Nonnull aead, const uint8_t *_Nonnull from, size_t size, uint8_t *_Nonnull to);
/* Ends a record: writes the tag when sealing; when opening, 0 means that the record was changed. */
int ct_aead_seal(ct_aead *_Nonnull aead, uint8_t *_Nonnull tag);
int ct_aead_open(ct_aead *_Nonnull aead);

#endif
