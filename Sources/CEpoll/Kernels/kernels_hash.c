/*
 * The content hash, see kernels_hash.h. The multiplication without carries by hand, and by PCLMULQDQ or
 * PMULL, and of four words at once where there is VPCLMULQDQ with AVX-512 (81 GB/s for 39). Which one
 * is decided before main.
 */
#include "Kernels/kernels_hash.h"

#include <string.h>

static uint64_t word(const uint8_t *p) {
    uint64_t value;
    memcpy(&value, p, sizeof value);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

/* Four bits of `a` at a time. */
static ck_bits product(uint64_t a, uint64_t b) {
    ck_bits multiple[16];
    multiple[0] = (ck_bits){0, 0};
    multiple[1] = (ck_bits){b, 0};
    for (int i = 2; i < 16; i += 2) {
        ck_bits half = multiple[i / 2];
        multiple[i] = (ck_bits){half.low << 1, half.high << 1 | half.low >> 63};
        multiple[i + 1] = (ck_bits){multiple[i].low ^ b, multiple[i].high};
    }
    ck_bits result = {0, 0};
    for (int shift = 60; shift >= 0; shift -= 4) {
        ck_bits next = multiple[a >> shift & 15];
        result.high = (result.high << 4 | result.low >> 60) ^ next.high;
        result.low = result.low << 4 ^ next.low;
    }
    return result;
}

/* The remainder of `high`·2^128 + `low`. */
static ck_bits reduced(ck_bits low, ck_bits high) {
    /* What x^7 + x^2 + x + 1 moves over the end once more. */
    uint64_t over = high.high >> 63 ^ high.high >> 62 ^ high.high >> 57;
    ck_bits c = {high.low ^ over, high.high};
    low.low ^= c.low ^ c.low << 1 ^ c.low << 2 ^ c.low << 7;
    low.high ^= c.high ^ (c.high << 1 | c.low >> 63) ^ (c.high << 2 | c.low >> 62)
        ^ (c.high << 7 | c.low >> 57);
    return low;
}

/* Karatsuba's way: three products for four. */
static ck_bits assembled(ck_bits low, ck_bits high, ck_bits both) {
    ck_bits middle = {both.low ^ low.low ^ high.low, both.high ^ low.high ^ high.high};
    return reduced(
        (ck_bits){low.low, low.high ^ middle.low}, (ck_bits){high.low ^ middle.high, high.high});
}

ck_bits ck_hash_multiply_portable(ck_bits a, ck_bits b) {
    return assembled(
        product(a.low, b.low), product(a.high, b.high),
        product(a.low ^ a.high, b.low ^ b.high));
}

ck_bits ck_hash_sum_portable(const uint8_t *p, const uint64_t *k, size_t count) {
    ck_bits sum = {0, 0};
    for (size_t i = 0; i < count; i++, p += CK_HASH_WORD_BYTES, k += 2) {
        ck_bits next = product(word(p) ^ k[0], word(p + 8) ^ k[1]);
        sum.low ^= next.low;
        sum.high ^= next.high;
    }
    return sum;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define NARROW __attribute__((target("pclmul,avx")))
#define NARROW_INLINE static inline __attribute__((always_inline, target("pclmul,avx")))

static int narrow, wide;

__attribute__((constructor)) static void choose(void) {
    __builtin_cpu_init();
    narrow = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("avx");
    wide = narrow && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq");
}

int ck_hash_has_narrow(void) { return narrow; }

int ck_hash_has_wide(void) { return wide; }

NARROW_INLINE ck_bits bits(__m128i c) {
    ck_bits result;
    _mm_storeu_si128((__m128i *)&result, c);
    return result;
}

NARROW_INLINE __m128i load(const void *p) { return _mm_loadu_si128((const __m128i *)p); }

/* The product of the two halves of a word and its key. */
NARROW_INLINE __m128i halves(const uint8_t *p, const uint64_t *k) {
    __m128i c = _mm_xor_si128(load(p), load(k));
    return _mm_clmulepi64_si128(c, c, 0x10);
}

NARROW ck_bits ck_hash_sum_narrow(const uint8_t *p, const uint64_t *k, size_t count) {
    __m128i sum = _mm_setzero_si128(), other = sum;
    size_t i = 0;
    for (; i + 4 <= count; i += 4, p += 64, k += 8) {
        sum = _mm_xor_si128(sum, halves(p, k));
        other = _mm_xor_si128(other, halves(p + 16, k + 2));
        sum = _mm_xor_si128(sum, halves(p + 32, k + 4));
        other = _mm_xor_si128(other, halves(p + 48, k + 6));
    }
    for (; i < count; i++, p += 16, k += 2) sum = _mm_xor_si128(sum, halves(p, k));
    return bits(_mm_xor_si128(sum, other));
}

#define WIDE __attribute__((target("avx512f,vpclmulqdq,pclmul,avx")))

/* The products of four words and their keys. */
static inline __attribute__((always_inline, target("avx512f,vpclmulqdq,pclmul,avx"))) __m512i
four_halves(const uint8_t *p, const uint64_t *k) {
    __m512i c = _mm512_xor_si512(_mm512_loadu_si512(p), _mm512_loadu_si512(k));
    return _mm512_clmulepi64_epi128(c, c, 0x10);
}

WIDE ck_bits ck_hash_sum_wide(const uint8_t *p, const uint64_t *k, size_t count) {
    __m512i sum = _mm512_setzero_si512(), other = sum;
    size_t i = 0;
    for (; i + 8 <= count; i += 8, p += 128, k += 16) {
        sum = _mm512_xor_si512(sum, four_halves(p, k));
        other = _mm512_xor_si512(other, four_halves(p + 64, k + 8));
    }
    sum = _mm512_xor_si512(sum, other);
    __m128i four = _mm_xor_si128(
        _mm_xor_si128(_mm512_extracti32x4_epi32(sum, 0), _mm512_extracti32x4_epi32(sum, 1)),
        _mm_xor_si128(_mm512_extracti32x4_epi32(sum, 2), _mm512_extracti32x4_epi32(sum, 3)));
    ck_bits rest = ck_hash_sum_narrow(p, k, count - i);
    ck_bits all = bits(four);
    return (ck_bits){all.low ^ rest.low, all.high ^ rest.high};
}

NARROW ck_bits ck_hash_multiply_narrow(ck_bits a, ck_bits b) {
    __m128i x = load(&a), y = load(&b);
    ck_bits low = bits(_mm_clmulepi64_si128(x, y, 0x00));
    ck_bits high = bits(_mm_clmulepi64_si128(x, y, 0x11));
    ck_bits both = bits(_mm_clmulepi64_si128(
        _mm_cvtsi64_si128((long long)(a.low ^ a.high)),
        _mm_cvtsi64_si128((long long)(b.low ^ b.high)), 0x00));
    return assembled(low, high, both);
}

#elif defined(__aarch64__) && defined(__linux__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_neon.h>
#include <sys/auxv.h>

/* linux/arch/arm64: HWCAP_PMULL. */
enum { HAS_PMULL = 1 << 4 };
#define NARROW __attribute__((target("+crypto")))

static int narrow;

__attribute__((constructor)) static void choose(void) {
    narrow = (getauxval(AT_HWCAP) & HAS_PMULL) != 0;
}

int ck_hash_has_narrow(void) { return narrow; }

NARROW static uint64x2_t times(uint64_t a, uint64_t b) {
    return vreinterpretq_u64_p128(vmull_p64((poly64_t)a, (poly64_t)b));
}

NARROW static ck_bits bits(uint64x2_t c) {
    return (ck_bits){vgetq_lane_u64(c, 0), vgetq_lane_u64(c, 1)};
}

NARROW ck_bits ck_hash_sum_narrow(const uint8_t *p, const uint64_t *k, size_t count) {
    uint64x2_t sum = vdupq_n_u64(0);
    for (size_t i = 0; i < count; i++, p += CK_HASH_WORD_BYTES, k += 2) {
        uint64x2_t c = veorq_u64(vreinterpretq_u64_u8(vld1q_u8(p)), vld1q_u64(k));
        sum = veorq_u64(sum, times(vgetq_lane_u64(c, 0), vgetq_lane_u64(c, 1)));
    }
    return bits(sum);
}

NARROW ck_bits ck_hash_multiply_narrow(ck_bits a, ck_bits b) {
    return assembled(
        bits(times(a.low, b.low)), bits(times(a.high, b.high)),
        bits(times(a.low ^ a.high, b.low ^ b.high)));
}

#else

int ck_hash_has_narrow(void) { return 0; }

ck_bits ck_hash_sum_narrow(const uint8_t *p, const uint64_t *k, size_t count) {
    return ck_hash_sum_portable(p, k, count);
}

ck_bits ck_hash_multiply_narrow(ck_bits a, ck_bits b) { return ck_hash_multiply_portable(a, b); }

#endif

#if !defined(__x86_64__)

int ck_hash_has_wide(void) { return 0; }

ck_bits ck_hash_sum_wide(const uint8_t *p, const uint64_t *k, size_t count) {
    return ck_hash_sum_narrow(p, k, count);
}

#endif

static ck_bits sum_of(const uint8_t *p, const uint64_t *k, size_t count) {
    if (ck_hash_has_wide()) return ck_hash_sum_wide(p, k, count);
    if (ck_hash_has_narrow()) return ck_hash_sum_narrow(p, k, count);
    return ck_hash_sum_portable(p, k, count);
}

static ck_bits multiply(ck_bits a, ck_bits b) {
    return ck_hash_has_narrow() ? ck_hash_multiply_narrow(a, b) : ck_hash_multiply_portable(a, b);
}

static void end_block(ck_hash_state *state, const ck_hash_key *key) {
    ck_bits next = {
        state->polynomial.low ^ state->sum.low, state->polynomial.high ^ state->sum.high};
    state->polynomial = multiply(next, key->point);
    state->sum = (ck_bits){0, 0};
    state->place = 0;
}

void ck_hash_words(
    ck_hash_state *state, const ck_hash_key *key, const uint8_t *p, size_t count) {
    while (count > 0) {
        size_t run = CK_HASH_BLOCK_WORDS - state->place;
        if (run > count) run = count;
        ck_bits next = sum_of(p, key->words + 2 * state->place, run);
        state->sum.low ^= next.low;
        state->sum.high ^= next.high;
        state->place += run;
        p += run * CK_HASH_WORD_BYTES;
        count -= run;
        if (state->place == CK_HASH_BLOCK_WORDS) end_block(state, key);
    }
}

void ck_hash_number(ck_hash_state *state, const ck_hash_key *key, uint64_t number) {
    if (state->place > 0) end_block(state, key);
    state->sum.low ^= number;
    end_block(state, key);
}
