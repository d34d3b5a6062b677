/*
 * Byte kernels: searching and escaping at 16 bytes a step (SSE2), with a
 * portable fallback. Pure functions of memory that the caller owns; no state,
 * no allocation, never a read outside [p, p + n).
 */
#ifndef CEPOLL_KERNELS_H
#define CEPOLL_KERNELS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Offset of the first `byte` in [p, p + n), or n. */
static inline size_t ck_find_byte(const uint8_t *_Nullable p, size_t n, uint8_t byte) {
    size_t i = 0;
#if defined(__SSE2__)
    const __m128i needle = _mm_set1_epi8((char)byte);
    for (; i + 16 <= n; i += 16) {
        __m128i chunk = _mm_loadu_si128((const __m128i *)(p + i));
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(chunk, needle));
        if (mask) return i + (size_t)__builtin_ctz(mask);
    }
#endif
    for (; i < n; i++)
        if (p[i] == byte) return i;
    return n;
}

#endif
