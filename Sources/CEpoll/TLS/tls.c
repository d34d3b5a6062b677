/*
 * The BIO of a port, and what else OpenSSL offers only as macros or callbacks. What each function
 * promises is in TLS/tls.h.
 */
#include "TLS/tls.h"

#include <openssl/core_names.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int port_read(BIO *bio, char *bytes, size_t size, size_t *count) {
    struct ct_port *port = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (port->in_count == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    size_t n = size < port->in_count ? size : port->in_count;
    memcpy(bytes, port->in, n);
    port->in += n;
    port->in_count -= n;
    *count = n;
    return 1;
}

/* Counts records by their headers (RFC 8446 section 5.1); a write may hold any part of one. */
static void count_records(struct ct_port *port, const uint8_t *bytes, size_t size) {
    while (size > 0) {
        if (port->header_count == 5 && port->record_left > 0) {
            size_t n = size < port->record_left ? size : port->record_left;
            port->record_left -= n;
            bytes += n;
            size -= n;
        } else {
            if (port->header_count == 5) port->header_count = 0;
            if (port->header_count == 3) port->record_left = (size_t)*bytes << 8;
            if (port->header_count == 4) port->record_left |= *bytes;
            port->header_count++;
            if (port->header_count == 5) port->records++;
            bytes++;
            size--;
        }
    }
}

static int port_write(BIO *bio, const char *bytes, size_t size, size_t *count) {
    struct ct_port *port = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    count_records(port, (const uint8_t *)bytes, size);
    size_t done = 0;
    while (done < size) {
        size_t room = port->out_room - port->out_count;
        if (room == 0) {
            port->refill(port);
            continue;
        }
        size_t n = size - done < room ? size - done : room;
        memcpy(port->out + port->out_count, bytes + done, n);
        port->out_count += n;
        done += n;
    }
    *count = size;
    return 1;
}

static long port_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *port_method;
static pthread_once_t port_method_once = PTHREAD_ONCE_INIT;

static void make_port_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "port");
    if (!method) return;
    BIO_meth_set_read_ex(method, port_read);
    BIO_meth_set_write_ex(method, port_write);
    BIO_meth_set_ctrl(method, port_control);
    port_method = method;
}

SSL *ct_new(SSL_CTX *context, struct ct_port *port) {
    pthread_once(&port_method_once, make_port_method);
    if (!port_method) return NULL;
    SSL *ssl = SSL_new(context);
    BIO *bio = BIO_new(port_method);
    if (!ssl || !bio) {
        SSL_free(ssl);
        BIO_free(bio);
        return NULL;
    }
    BIO_set_data(bio, port);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return ssl;
}

EVP_PKEY *ct_generate_p256(void) { return EVP_EC_gen("P-256"); }

int ct_ticket_init(
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, const uint8_t *cipher_key, const uint8_t *mac_key,
    const uint8_t *iv, int seal) {
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)mac_key, 32),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, parameters) &&
           EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, cipher_key, iv, seal);
}

static int server_name(SSL *ssl, int *alert, void *choose) {
    (void)alert;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    return name && ((ct_choose)choose)(ssl, name) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

void ct_set_server_name_callback(SSL_CTX *context, ct_choose choose) {
    SSL_CTX_set_tlsext_servername_callback(context, server_name);
    SSL_CTX_set_tlsext_servername_arg(context, (void *)choose);
}

/* The session ID context of a connection is a hash of the name: OpenSSL compares it before it resumes. */
static int bind_session(SSL *ssl, int *alert, void *argument) {
    (void)alert, (void)argument;
    const unsigned char *extension = NULL;
    size_t size = 0;
    /* A list with one name; a longer one than this is refused later. */
    unsigned char name[512], digest[SHA256_DIGEST_LENGTH];
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &extension, &size)) size = 0;
    if (size > sizeof name) size = sizeof name;
    for (size_t i = 0; i < size; i++)
        name[i] = extension[i] >= 'A' && extension[i] <= 'Z' ? extension[i] | 0x20 : extension[i];
    return SHA256(name, size, digest) && SSL_set_session_id_context(ssl, digest, sizeof digest)
               ? SSL_CLIENT_HELLO_SUCCESS
               : SSL_CLIENT_HELLO_ERROR;
}

void ct_bind_sessions_to_names(SSL_CTX *context) {
    SSL_CTX_set_client_hello_cb(context, bind_session, NULL);
}

const char *ct_group_name(SSL *ssl) {
    long group = SSL_get_negotiated_group(ssl);
    return group ? SSL_group_to_name(ssl, (int)group) : NULL;
}

int ct_lacks_issuer(SSL_CTX *context) {
    X509 *certificate = SSL_CTX_get0_certificate(context);
    STACK_OF(X509) *chain = NULL;
    if (!certificate) return 0;
    SSL_CTX_get0_chain_certs(context, &chain);
    return sk_X509_num(chain) <= 0 &&
           X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) != 0;
}

int ct_is_of_passphrase(unsigned long code) {
    return ERR_GET_REASON(code) == ERR_R_INTERRUPTED_OR_CANCELLED;
}

char *ct_certificate_name(X509 *certificate, int index) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    char *found = NULL;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS) continue;
        int length = ASN1_STRING_length(name->d.dNSName);
        const char *text = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
        /* A name with a NUL inside is invalid. */
        if (memchr(text, 0, (size_t)length) || index-- > 0) continue;
        found = strndup(text, (size_t)length);
    }
    GENERAL_NAMES_free(names);
    return found;
}
