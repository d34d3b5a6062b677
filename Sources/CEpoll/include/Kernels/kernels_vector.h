/*
 * Sixteen bytes at once, with the same few operations on x86-64 (SSE2) and arm64 (NEON). Part of
 * kernels.h: the same promises hold. Comparisons give 0xFF or 0 for each byte.
 */
#ifndef CEPOLL_KERNELS_VECTOR_H
#define CEPOLL_KERNELS_VECTOR_H

#include <stdint.h>

#if defined(__SSE2__)
#define CK_HAS_VECTOR 1
#include <emmintrin.h>

typedef __m128i ck_vector;

static inline ck_vector ck_load(const uint8_t *_Nonnull p) {
    return _mm_loadu_si128((const __m128i *)p);
}
static inline void ck_store(uint8_t *_Nonnull q, ck_vector c) { _mm_storeu_si128((__m128i *)q, c); }
static inline ck_vector ck_every(uint8_t byte) { return _mm_set1_epi8((char)byte); }
static inline ck_vector ck_and(ck_vector a, ck_vector b) { return _mm_and_si128(a, b); }
/* a and not b */
static inline ck_vector ck_without(ck_vector a, ck_vector b) { return _mm_andnot_si128(b, a); }
static inline ck_vector ck_or(ck_vector a, ck_vector b) { return _mm_or_si128(a, b); }
static inline ck_vector ck_xor(ck_vector a, ck_vector b) { return _mm_xor_si128(a, b); }
static inline ck_vector ck_equal(ck_vector a, ck_vector b) { return _mm_cmpeq_epi8(a, b); }
/* Of bytes with a sign, -128 to 127. */
static inline ck_vector ck_greater(ck_vector a, ck_vector b) { return _mm_cmpgt_epi8(a, b); }
/* Of bytes without one. */
static inline ck_vector ck_least(ck_vector a, ck_vector b) { return _mm_min_epu8(a, b); }
static inline ck_vector ck_minus(ck_vector a, ck_vector b) { return _mm_sub_epi8(a, b); }
/* The same, but 0 where that would be below 0. */
static inline ck_vector ck_minus_to_zero(ck_vector a, ck_vector b) { return _mm_subs_epu8(a, b); }
/* Bit i: the highest bit of byte i. */
static inline unsigned ck_mask(ck_vector c) { return (unsigned)_mm_movemask_epi8(c); }

#elif defined(__aarch64__) && defined(__ARM_NEON) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define CK_HAS_VECTOR 1
/* Look-ups in tables of 64 bytes, and loads and stores that deal bytes out in turns. */
#define CK_HAS_TABLES 1
#include <arm_neon.h>

typedef uint8x16_t ck_vector;

static inline ck_vector ck_load(const uint8_t *_Nonnull p) { return vld1q_u8(p); }
static inline void ck_store(uint8_t *_Nonnull q, ck_vector c) { vst1q_u8(q, c); }
static inline ck_vector ck_every(uint8_t byte) { return vdupq_n_u8(byte); }
static inline ck_vector ck_and(ck_vector a, ck_vector b) { return vandq_u8(a, b); }
static inline ck_vector ck_without(ck_vector a, ck_vector b) { return vbicq_u8(a, b); }
static inline ck_vector ck_or(ck_vector a, ck_vector b) { return vorrq_u8(a, b); }
static inline ck_vector ck_xor(ck_vector a, ck_vector b) { return veorq_u8(a, b); }
static inline ck_vector ck_equal(ck_vector a, ck_vector b) { return vceqq_u8(a, b); }
static inline ck_vector ck_greater(ck_vector a, ck_vector b) {
    return vcgtq_s8(vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b));
}
static inline ck_vector ck_least(ck_vector a, ck_vector b) { return vminq_u8(a, b); }
static inline ck_vector ck_minus(ck_vector a, ck_vector b) { return vsubq_u8(a, b); }
static inline ck_vector ck_minus_to_zero(ck_vector a, ck_vector b) { return vqsubq_u8(a, b); }
/* NEON has no such instruction: a bit of its own for each byte of a half, added up. */
static inline unsigned ck_mask(ck_vector c) {
    static const uint8_t places[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t high = vreinterpretq_u8_s8(vshrq_n_s8(vreinterpretq_s8_u8(c), 7));
    uint8x16_t set = vandq_u8(high, vld1q_u8(places));
    return (unsigned)vaddv_u8(vget_low_u8(set)) | (unsigned)vaddv_u8(vget_high_u8(set)) << 8;
}
#endif

#endif
