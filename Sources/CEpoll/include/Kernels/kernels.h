/*
 * Byte kernels: searching and escaping. Pure functions of memory that the caller owns; no state, no
 * allocation, never a read outside [p, p + n).
 *
 * Up to three variants of each: `_portable`, `_narrow` at 16 bytes per step (SSE2, which every
 * x86-64 has, NEON on arm64; elsewhere the portable one) and `_wide` at 32 (AVX2, kernels_wide.h). The name
 * without a suffix chooses. The other names are for the tests, which compare the variants.
 */
#ifndef CEPOLL_KERNELS_H
#define CEPOLL_KERNELS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels_vector.h"

/* Offset of the first `byte` in [p, p + n), or n. */
static inline size_t ck_find_byte(const uint8_t *_Nullable p, size_t n, uint8_t byte) {
    size_t i = 0;
#if defined(CK_HAS_VECTOR)
    const ck_vector needle = ck_every(byte);
    for (; i + 16 <= n; i += 16) {
        ck_vector chunk = ck_load(p + i);
        unsigned mask = ck_mask(ck_equal(chunk, needle));
        if (mask) return i + (size_t)__builtin_ctz(mask);
    }
#endif
    for (; i < n; i++)
        if (p[i] == byte) return i;
    return n;
}

/* Offset of the first byte of 0x80 or more in [p, p + n), or n: how far the text is ASCII. */
static inline size_t ck_find_high(const uint8_t *_Nullable p, size_t n) {
    size_t i = 0;
#if defined(CK_HAS_VECTOR)
    for (; i + 16 <= n; i += 16) {
        unsigned mask = ck_mask(ck_load(p + i));
        if (mask) return i + (size_t)__builtin_ctz(mask);
    }
#endif
    for (; i < n; i++)
        if (p[i] & 0x80) return i;
    return n;
}

/* How far a transform came: bytes read, bytes written, and bytes it had to replace. */
typedef struct {
    size_t taken;
    size_t written;
    size_t replaced;
} ck_progress;

#include "kernels_wide.h"

static inline size_t ck_find_pair_portable(
    const uint8_t *_Nullable p, size_t n, uint8_t a, uint8_t b) {
    for (size_t i = 0; i + 1 < n; i++)
        if (p[i] == a && p[i + 1] == b) return i;
    return n;
}

static inline size_t ck_find_pair_narrow(
    const uint8_t *_Nullable p, size_t n, uint8_t a, uint8_t b) {
    size_t i = 0;
#if defined(CK_HAS_VECTOR)
    const ck_vector first = ck_every(a);
    const ck_vector second = ck_every(b);
    for (; i + 17 <= n; i += 16) {
        ck_vector before = ck_load(p + i);
        ck_vector behind = ck_load(p + i + 1);
        unsigned mask = ck_mask(ck_and(ck_equal(before, first), ck_equal(behind, second)));
        if (mask) return i + (size_t)__builtin_ctz(mask);
    }
#endif
    for (; i + 1 < n; i++)
        if (p[i] == a && p[i + 1] == b) return i;
    return n;
}

/* Offset of the first place where p[i] == a and p[i + 1] == b, or n. */
static inline size_t ck_find_pair(const uint8_t *_Nullable p, size_t n, uint8_t a, uint8_t b) {
#if defined(__x86_64__)
    if (n >= CK_WIDE_MIN && ck_has_wide()) return ck_find_pair_wide(p, n, a, b);
#endif
    return ck_find_pair_narrow(p, n, a, b);
}

#include "kernels_json.h"
#include "kernels_base64.h"
#include "kernels_text.h"
#include "kernels_hash.h"

#endif
