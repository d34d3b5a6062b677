/*
 * HMAC, HKDF and the provider that offers them to OpenSSL's handshake as TLS13-KDF. What each function
 * promises is in TLS/kdf.h. Secrets on the stack are wiped before a function returns.
 */
#define _DEFAULT_SOURCE
#include "TLS/kdf.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME "postscale-relay"
/* Of the block that SHA-384 works on; SHA-256's has 64. */
enum { BLOCK_BYTES_MAX = 128 };

/* Some bytes that are someone else's. */
struct octets {
    const uint8_t *bytes;
    size_t size;
};

/* A hash function of a provider; found once, and kept until the process ends. */
struct hash {
    size_t size, block;
    /* Keeps the provider loaded. */
    EVP_MD *fetched;
    void *provider_context;
    OSSL_FUNC_digest_newctx_fn *new_context;
    OSSL_FUNC_digest_freectx_fn *free_context;
    OSSL_FUNC_digest_init_fn *init;
    OSSL_FUNC_digest_update_fn *update;
    OSSL_FUNC_digest_final_fn *final;
};

static struct hash sha256 = {.size = 32, .block = 64}, sha384 = {.size = 48, .block = 128};
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int has_hashes, is_chosen;
/* Ours; kept until the process ends. */
static OSSL_PROVIDER *loaded;

/* Whether `name` is one of `names`, which are separated by colons. */
static int is_among(const char *names, const char *name) {
    size_t size = strlen(name);
    for (const char *end; names; names = end ? end + 1 : NULL) {
        end = strchr(names, ':');
        if ((end ? (size_t)(end - names) : strlen(names)) == size &&
            strncasecmp(names, name, size) == 0)
            return 1;
    }
    return 0;
}

static int take_functions(struct hash *h, const OSSL_DISPATCH *f) {
    for (; f->function_id; f++) {
        switch (f->function_id) {
        case OSSL_FUNC_DIGEST_NEWCTX: h->new_context = OSSL_FUNC_digest_newctx(f); break;
        case OSSL_FUNC_DIGEST_FREECTX: h->free_context = OSSL_FUNC_digest_freectx(f); break;
        case OSSL_FUNC_DIGEST_INIT: h->init = OSSL_FUNC_digest_init(f); break;
        case OSSL_FUNC_DIGEST_UPDATE: h->update = OSSL_FUNC_digest_update(f); break;
        case OSSL_FUNC_DIGEST_FINAL: h->final = OSSL_FUNC_digest_final(f); break;
        }
    }
    return h->new_context && h->free_context && h->init && h->update && h->final;
}

static int find_hash(struct hash *h, const char *name) {
    h->fetched = EVP_MD_fetch(NULL, name, NULL);
    if (!h->fetched) return 0;
    const OSSL_PROVIDER *provider = EVP_MD_get0_provider(h->fetched);
    h->provider_context = OSSL_PROVIDER_get0_provider_ctx(provider);
    int must_not_keep = 0, is_found = 0;
    const OSSL_ALGORITHM *all =
        OSSL_PROVIDER_query_operation(provider, OSSL_OP_DIGEST, &must_not_keep);
    for (const OSSL_ALGORITHM *a = all; a && a->algorithm_names && !is_found; a++)
        is_found = is_among(a->algorithm_names, name) && take_functions(h, a->implementation);
    if (all) OSSL_PROVIDER_unquery_operation(provider, OSSL_OP_DIGEST, all);
    if (is_found && !must_not_keep) return 1;
    EVP_MD_free(h->fetched);
    h->fetched = NULL;
    return 0;
}

/* HMAC (RFC 2104) of `count` pieces, `h->size` bytes into `out`. */
static int hmac(
    const struct hash *h, struct octets key, const struct octets *pieces, size_t count,
    uint8_t *out) {
    uint8_t pad[BLOCK_BYTES_MAX] = {0};
    size_t size = 0;
    void *c = key.size <= h->block ? h->new_context(h->provider_context) : NULL;
    if (!c) return 0;
    if (key.size > 0) memcpy(pad, key.bytes, key.size);
    for (size_t i = 0; i < h->block; i++) pad[i] ^= 0x36;
    int is_good = h->init(c, NULL) && h->update(c, pad, h->block);
    for (size_t i = 0; is_good && i < count; i++)
        is_good = pieces[i].size == 0 || h->update(c, pieces[i].bytes, pieces[i].size);
    is_good = is_good && h->final(c, out, &size, h->size);
    for (size_t i = 0; i < h->block; i++) pad[i] ^= 0x36 ^ 0x5c;
    is_good = is_good && h->init(c, NULL) && h->update(c, pad, h->block) &&
              h->update(c, out, h->size) && h->final(c, out, &size, h->size);
    h->free_context(c);
    explicit_bzero(pad, sizeof pad);
    return is_good && size == h->size;
}

/* HKDF-Expand-Label: HKDF-Expand (RFC 5869 section 2.3) with the label of RFC 8446 section 7.1. */
static int expand(
    const struct hash *h, struct octets secret, struct octets prefix, struct octets label,
    struct octets context, uint8_t *out, size_t size) {
    size_t label_size = prefix.size + label.size;
    if (label_size > 255 || context.size > 255 || size > 255 * h->size) return 0;
    uint8_t head[3] = {(uint8_t)(size >> 8), (uint8_t)size, (uint8_t)label_size};
    uint8_t context_size = (uint8_t)context.size, counter = 1, block[CT_SECRET_BYTES_MAX];
    struct octets pieces[] = {
        {block, 0}, {head, sizeof head}, prefix, label, {&context_size, 1}, context, {&counter, 1},
    };
    int is_good = 1;
    for (size_t done = 0; is_good && done < size; counter++) {
        size_t count = size - done < h->size ? size - done : h->size;
        is_good = hmac(h, secret, pieces, sizeof pieces / sizeof *pieces, block);
        if (is_good) memcpy(out + done, block, count);
        pieces[0].size = h->size;
        done += count;
    }
    explicit_bzero(block, sizeof block);
    return is_good;
}

/*
 * One step down the key schedule: HKDF-Extract of `secret` (zeros when there is none) with
 * Derive-Secret(`previous`, "derived", "") as the salt, or with zeros at the top.
 */
static int extract(
    const struct hash *h, struct octets previous, struct octets secret, struct octets prefix,
    struct octets label, uint8_t *out) {
    static const uint8_t zeros[CT_SECRET_BYTES_MAX];
    uint8_t salt[CT_SECRET_BYTES_MAX] = {0}, nothing[CT_SECRET_BYTES_MAX];
    size_t size = 0;
    if (secret.size == 0) secret = (struct octets){zeros, h->size};
    int is_good = 1;
    if (previous.size > 0) {
        void *c = h->new_context(h->provider_context);
        is_good = c && h->init(c, NULL) && h->final(c, nothing, &size, h->size);
        if (c) h->free_context(c);
        is_good = is_good &&
                  expand(
                      h, previous, prefix, label, (struct octets){nothing, h->size}, salt, h->size);
    }
    is_good = is_good && hmac(h, (struct octets){salt, h->size}, &secret, 1, out);
    explicit_bzero(salt, sizeof salt);
    return is_good;
}

/* The listener to the secrets of the handshake that this thread is in. */
static _Thread_local struct {
    ct_hear hear;
    void *owner;
} listener;

static void tell(struct octets label, const uint8_t *secret, size_t size) {
    static const char client[] = "c ap traffic", server[] = "s ap traffic";
    if (!listener.hear || label.size != sizeof client - 1) return;
    if (memcmp(label.bytes, client, label.size) == 0) listener.hear(listener.owner, 1, secret, size);
    if (memcmp(label.bytes, server, label.size) == 0) listener.hear(listener.owner, 0, secret, size);
}

int ct_kdf_handshake(SSL *ssl, ct_hear hear, void *owner) {
    listener.hear = hear;
    listener.owner = owner;
    int result = SSL_do_handshake(ssl);
    listener.hear = NULL;
    listener.owner = NULL;
    return result;
}

int ct_expand_label(
    int is_sha384, const uint8_t *secret, const char *label, uint8_t *out, size_t size) {
    static const uint8_t prefix[] = "tls13 ";
    const struct hash *h = is_sha384 ? &sha384 : &sha256;
    ct_kdf_load();
    return has_hashes && expand(
                             h, (struct octets){secret, h->size},
                             (struct octets){prefix, sizeof prefix - 1},
                             (struct octets){(const uint8_t *)label, strlen(label)},
                             (struct octets){NULL, 0}, out, size);
}

/*
 * The provider (provider-base(7), provider-kdf(7)). It keeps nothing from one derivation to the next: all
 * parameters come with the derivation, as from OpenSSL 3.0 to 3.5. So a context needs no memory, and may be
 * used by any thread.
 */

/* What a derivation is asked for with. */
struct question {
    int mode;
    const struct hash *hash;
    struct octets key, salt, prefix, label, data;
};

static struct octets octets_of(const OSSL_PARAM *p) {
    if (p->data_type != OSSL_PARAM_OCTET_STRING || !p->data) return (struct octets){NULL, 0};
    return (struct octets){p->data, p->data_size};
}

static const struct hash *hash_of(const OSSL_PARAM *p) {
    const char *name = NULL;
    if (!OSSL_PARAM_get_utf8_string_ptr(p, &name) || !name) return NULL;
    if (is_among("SHA2-256:SHA256:SHA-256", name)) return &sha256;
    return is_among("SHA2-384:SHA384:SHA-384", name) ? &sha384 : NULL;
}

static struct question read_question(const OSSL_PARAM *p) {
    struct question q = {.mode = -1};
    for (; p && p->key; p++) {
        const char *key = p->key;
        if (strcmp(key, OSSL_KDF_PARAM_KEY) == 0) q.key = octets_of(p);
        else if (strcmp(key, OSSL_KDF_PARAM_LABEL) == 0) q.label = octets_of(p);
        else if (strcmp(key, OSSL_KDF_PARAM_PREFIX) == 0) q.prefix = octets_of(p);
        else if (strcmp(key, OSSL_KDF_PARAM_DATA) == 0) q.data = octets_of(p);
        else if (strcmp(key, OSSL_KDF_PARAM_SALT) == 0) q.salt = octets_of(p);
        else if (strcmp(key, OSSL_KDF_PARAM_DIGEST) == 0) q.hash = hash_of(p);
        else if (strcmp(key, OSSL_KDF_PARAM_MODE) == 0 && !OSSL_PARAM_get_int(p, &q.mode)) q.mode = -1;
    }
    return q;
}

static int derive(void *context, unsigned char *out, size_t size, const OSSL_PARAM parameters[]) {
    (void)context;
    struct question q = read_question(parameters);
    if (!q.hash) return 0;
    if (q.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY)
        return size == q.hash->size && extract(q.hash, q.salt, q.key, q.prefix, q.label, out);
    if (q.mode != EVP_KDF_HKDF_MODE_EXPAND_ONLY || q.key.size != q.hash->size ||
        !expand(q.hash, q.key, q.prefix, q.label, q.data, out, size))
        return 0;
    tell(q.label, out, size);
    return 1;
}

/* Not NULL, which would stand for a failure. */
static void *new_context(void *provider) { return provider; }
static void *copy_context(void *context) { return context; }
static void free_context(void *context) { (void)context; }
static void reset_context(void *context) { (void)context; }

/* Refuses what would have to be kept: a derivation without it would give another secret. */
static int set_parameters(void *context, const OSSL_PARAM parameters[]) {
    (void)context;
    return !parameters || !parameters->key;
}

static const OSSL_DISPATCH kdf_functions[] = {
    {OSSL_FUNC_KDF_NEWCTX, (void (*)(void))new_context},
    {OSSL_FUNC_KDF_DUPCTX, (void (*)(void))copy_context},
    {OSSL_FUNC_KDF_FREECTX, (void (*)(void))free_context},
    {OSSL_FUNC_KDF_RESET, (void (*)(void))reset_context},
    {OSSL_FUNC_KDF_DERIVE, (void (*)(void))derive},
    {OSSL_FUNC_KDF_SET_CTX_PARAMS, (void (*)(void))set_parameters},
    {0, NULL},
};
static const OSSL_ALGORITHM kdfs[] = {
    {OSSL_KDF_NAME_TLS1_3_KDF, "provider=" NAME, kdf_functions, "TLS 1.3's, which tells"},
    {NULL, NULL, NULL, NULL},
};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *must_not_keep) {
    (void)provider;
    *must_not_keep = 0;
    return operation == OSSL_OP_KDF ? kdfs : NULL;
}

static const OSSL_DISPATCH provider_functions[] = {
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
    {0, NULL},
};

static int begin(
    const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *from_core, const OSSL_DISPATCH **functions,
    void **context) {
    (void)from_core;
    *functions = provider_functions;
    *context = (void *)core;
    return 1;
}

static void load(void) {
    OPENSSL_init_ssl(0, NULL); /* Reads the system's configuration. */
    has_hashes = find_hash(&sha256, "SHA2-256") && find_hash(&sha384, "SHA2-384");
    /* A later OpenSSL may ask in another way, and a refused derivation is a failed handshake. */
    if (OPENSSL_version_major() != 3 || OPENSSL_version_minor() > CT_KDF_MINOR_MAX) return;
    /* The usual providers still load by themselves when they are needed: the last argument. */
    if (has_hashes && OSSL_PROVIDER_add_builtin(NULL, NAME, begin))
        loaded = OSSL_PROVIDER_try_load(NULL, NAME, 1);
    if (!loaded) return;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, CT_KDF_PROPERTIES);
    if (!kdf) return;
    const char *name = OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(kdf));
    is_chosen = name && strcmp(name, NAME) == 0;
    EVP_KDF_free(kdf);
}

int ct_kdf_load(void) {
    pthread_once(&once, load);
    return is_chosen;
}

SSL_CTX *ct_kdf_context(const SSL_METHOD *method) {
    return SSL_CTX_new_ex(NULL, CT_KDF_PROPERTIES, method);
}
