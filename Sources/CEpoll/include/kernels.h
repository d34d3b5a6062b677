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

/*
 * Offset of the first place where p[i] == a and p[i + 1] == b, or n. Looks for
 * `b` alone over 64 bytes at a time and for the pair only where there is one:
 * base64 has neither a full stop nor a hyphen, so its lines never stop the scan.
 */
static inline size_t ck_find_pair(const uint8_t *_Nullable p, size_t n, uint8_t a, uint8_t b) {
    size_t i = 0;
#if defined(__SSE2__)
    const __m128i first = _mm_set1_epi8((char)a);
    const __m128i second = _mm_set1_epi8((char)b);
    for (; i + 65 <= n; i += 64) {
        __m128i hit[4];
        for (int k = 0; k < 4; k++)
            hit[k] = _mm_cmpeq_epi8(
                _mm_loadu_si128((const __m128i *)(p + i + 1 + 16 * k)), second);
        __m128i any = _mm_or_si128(_mm_or_si128(hit[0], hit[1]), _mm_or_si128(hit[2], hit[3]));
        if (_mm_movemask_epi8(any) == 0) continue;
        for (int k = 0; k < 4; k++) {
            __m128i before = _mm_loadu_si128((const __m128i *)(p + i + 16 * k));
            unsigned mask =
                (unsigned)_mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(before, first), hit[k]));
            if (mask) return i + (size_t)(16 * k) + (size_t)__builtin_ctz(mask);
        }
    }
    for (; i + 17 <= n; i += 16) {
        __m128i before = _mm_loadu_si128((const __m128i *)(p + i));
        __m128i behind = _mm_loadu_si128((const __m128i *)(p + i + 1));
        unsigned mask = (unsigned)_mm_movemask_epi8(
            _mm_and_si128(_mm_cmpeq_epi8(before, first), _mm_cmpeq_epi8(behind, second)));
        if (mask) return i + (size_t)__builtin_ctz(mask);
    }
#endif
    for (; i + 1 < n; i++)
        if (p[i] == a && p[i + 1] == b) return i;
    return n;
}

#endif
