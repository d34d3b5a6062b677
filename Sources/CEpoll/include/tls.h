/*
 * OpenSSL's function-like macros as functions, and the custom BIO through
 * which a TLSEngine reads and writes memory instead of a descriptor.
 */
#ifndef CEPOLL_TLS_H
#define CEPOLL_TLS_H

#include <openssl/ssl.h>

#endif
