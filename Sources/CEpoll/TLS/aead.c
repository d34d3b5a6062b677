/*
 * Finds a cipher's functions at its provider and keeps them, so that sealing and opening a record is a
 * few calls through pointers. What each function promises is in TLS/aead.h.
 */
#define _DEFAULT_SOURCE
#include "TLS/aead.h"

#include <endian.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct ct_aead_cipher {
    /* Keeps the provider loaded. */
    EVP_CIPHER *fetched;
    void *provider_context;
    OSSL_FUNC_cipher_newctx_fn *new_context;
    OSSL_FUNC_cipher_freectx_fn *free_context;
    OSSL_FUNC_cipher_encrypt_init_fn *encrypt_init;
    OSSL_FUNC_cipher_decrypt_init_fn *decrypt_init;
    OSSL_FUNC_cipher_update_fn *update;
    OSSL_FUNC_cipher_final_fn *final;
    OSSL_FUNC_cipher_get_ctx_params_fn *get_params;
};

struct ct_aead {
    const ct_aead_cipher *cipher;
    void *context;
    int is_sealing;
};

/* Whether `name` is one of `names`, which are separated by colons. */
static int is_among(const char *names, const char *name) {
    size_t size = strlen(name);
    while (names) {
        const char *end = strchr(names, ':');
        if ((end ? (size_t)(end - names) : strlen(names)) == size &&
            strncasecmp(names, name, size) == 0)
            return 1;
        names = end ? end + 1 : NULL;
    }
    return 0;
}

static int take_functions(ct_aead_cipher *c, const OSSL_DISPATCH *functions) {
    for (; functions->function_id; functions++) {
        switch (functions->function_id) {
        case OSSL_FUNC_CIPHER_NEWCTX: c->new_context = OSSL_FUNC_cipher_newctx(functions); break;
        case OSSL_FUNC_CIPHER_FREECTX:
            c->free_context = OSSL_FUNC_cipher_freectx(functions);
            break;
        case OSSL_FUNC_CIPHER_ENCRYPT_INIT:
            c->encrypt_init = OSSL_FUNC_cipher_encrypt_init(functions);
            break;
        case OSSL_FUNC_CIPHER_DECRYPT_INIT:
            c->decrypt_init = OSSL_FUNC_cipher_decrypt_init(functions);
            break;
        case OSSL_FUNC_CIPHER_UPDATE: c->update = OSSL_FUNC_cipher_update(functions); break;
        case OSSL_FUNC_CIPHER_FINAL: c->final = OSSL_FUNC_cipher_final(functions); break;
        case OSSL_FUNC_CIPHER_GET_CTX_PARAMS:
            c->get_params = OSSL_FUNC_cipher_get_ctx_params(functions);
            break;
        }
    }
    return c->new_context && c->free_context && c->encrypt_init && c->decrypt_init && c->update &&
           c->final && c->get_params;
}

ct_aead_cipher *ct_aead_find(const char *name) {
    EVP_CIPHER *fetched = EVP_CIPHER_fetch(NULL, name, NULL);
    ct_aead_cipher *c = fetched ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        EVP_CIPHER_free(fetched);
        return NULL;
    }
    c->fetched = fetched;
    const OSSL_PROVIDER *provider = EVP_CIPHER_get0_provider(fetched);
    c->provider_context = OSSL_PROVIDER_get0_provider_ctx(provider);
    int must_not_keep = 0, is_found = 0;
    const OSSL_ALGORITHM *all =
        OSSL_PROVIDER_query_operation(provider, OSSL_OP_CIPHER, &must_not_keep);
    for (const OSSL_ALGORITHM *a = all; a && a->algorithm_names && !is_found; a++)
        is_found = is_among(a->algorithm_names, name) && take_functions(c, a->implementation);
    if (all) OSSL_PROVIDER_unquery_operation(provider, OSSL_OP_CIPHER, all);
    if (is_found && !must_not_keep) return c;
    EVP_CIPHER_free(fetched);
    free(c);
    return NULL;
}

ct_aead *ct_aead_new(const ct_aead_cipher *cipher, int is_sealing) {
    ct_aead *a = malloc(sizeof *a);
    void *context = a ? cipher->new_context(cipher->provider_context) : NULL;
    if (!context) {
        free(a);
        return NULL;
    }
    *a = (ct_aead){cipher, context, is_sealing};
    return a;
}

void ct_aead_free(ct_aead *a) {
    a->cipher->free_context(a->context);
    free(a);
}

/* Both functions have the same type. */
static OSSL_FUNC_cipher_encrypt_init_fn *init_of(const ct_aead *a) {
    return a->is_sealing ? a->cipher->encrypt_init : a->cipher->decrypt_init;
}

int ct_aead_set_key(ct_aead *a, const uint8_t *key, size_t size) {
    return init_of(a)(a->context, key, size, NULL, 0, NULL) == 1;
}

static OSSL_PARAM tag_parameter(uint8_t *tag) {
    return (OSSL_PARAM){
        .key = OSSL_CIPHER_PARAM_AEAD_TAG,
        .data_type = OSSL_PARAM_OCTET_STRING,
        .data = tag,
        .data_size = CT_TAG_BYTES,
        .return_size = OSSL_PARAM_UNMODIFIED};
}

int ct_aead_begin(
    ct_aead *a, uint32_t head, uint64_t tail, const uint8_t *header, const uint8_t *tag) {
    uint8_t nonce[CT_NONCE_BYTES];
    head = htobe32(head);
    tail = htobe64(tail);
    memcpy(nonce, &head, sizeof head);
    memcpy(nonce + sizeof head, &tail, sizeof tail);
    /* The cipher only reads the tag, although the parameter's type allows writing. */
    OSSL_PARAM expected[2] = {tag_parameter((uint8_t *)tag), OSSL_PARAM_END};
    size_t size;
    return init_of(a)(a->context, NULL, 0, nonce, sizeof nonce, tag ? expected : NULL) == 1 &&
           a->cipher->update(a->context, NULL, &size, CT_HEADER_BYTES, header, CT_HEADER_BYTES) == 1;
}

int ct_aead_update(ct_aead *a, const uint8_t *from, size_t size, uint8_t *to) {
    size_t written = 0;
    return a->cipher->update(a->context, to, &written, size, from, size) == 1 && written == size;
}

int ct_aead_seal(ct_aead *a, uint8_t *tag) {
    OSSL_PARAM wanted[2] = {tag_parameter(tag), OSSL_PARAM_END};
    return ct_aead_open(a) && a->cipher->get_params(a->context, wanted) == 1;
}

int ct_aead_open(ct_aead *a) {
    uint8_t rest[CT_TAG_BYTES];
    size_t size = 0;
    return a->cipher->final(a->context, rest, &size, sizeof rest) == 1;
}
