/*
 * Kernels at 32 bytes per step (AVX2), see kernels_wide.h. Base64 after Wojciech Muła and Daniel
 * Lemire, "Faster Base64 Encoding and Decoding Using AVX2 Instructions" (2018): the alphabet by two
 * look-ups of sixteen entries, one for each half of a byte.
 */
#include "Kernels/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define WIDE __attribute__((target("avx2,bmi,bmi2")))
#define WIDE_INLINE static inline __attribute__((always_inline, target("avx2,bmi,bmi2")))

int ck_wide;

__attribute__((constructor)) static void choose(void) {
    __builtin_cpu_init();
    ck_wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")
        && __builtin_cpu_supports("bmi2");
}

WIDE_INLINE __m256i load(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }

WIDE_INLINE void store(uint8_t *q, __m256i c) { _mm256_storeu_si256((__m256i *)q, c); }

WIDE_INLINE unsigned mask(__m256i c) { return (unsigned)_mm256_movemask_epi8(c); }

/* Where `a` is right before `b` among 32 bytes; p[32] is read. */
WIDE_INLINE __m256i pairs(const uint8_t *p, __m256i a, __m256i b) {
    return _mm256_and_si256(_mm256_cmpeq_epi8(load(p), a), _mm256_cmpeq_epi8(load(p + 1), b));
}

/*
 * Looks only for `b` over 128 bytes at a time, and for the pair only where there is a `b`: base64
 * has neither a full stop nor a hyphen, so its lines never stop the scan.
 */
WIDE size_t ck_find_pair_wide(const uint8_t *p, size_t n, uint8_t a, uint8_t b) {
    const __m256i first = _mm256_set1_epi8((char)a);
    const __m256i second = _mm256_set1_epi8((char)b);
    size_t i = 0;
    for (; n - i >= 129; i += 128) {
        const uint8_t *at = p + i;
        __m256i any = _mm256_or_si256(
            _mm256_or_si256(
                _mm256_cmpeq_epi8(load(at + 1), second), _mm256_cmpeq_epi8(load(at + 33), second)),
            _mm256_or_si256(
                _mm256_cmpeq_epi8(load(at + 65), second), _mm256_cmpeq_epi8(load(at + 97), second)));
        if (_mm256_testz_si256(any, any)) continue;
        __m256i hit[4];
        for (int k = 0; k < 4; k++) hit[k] = pairs(at + 32 * k, first, second);
        any = _mm256_or_si256(_mm256_or_si256(hit[0], hit[1]), _mm256_or_si256(hit[2], hit[3]));
        if (_mm256_testz_si256(any, any)) continue;
        for (int k = 0; k < 4; k++) {
            unsigned found = mask(hit[k]);
            if (found) return i + (size_t)(32 * k) + (size_t)__builtin_ctz(found);
        }
    }
    for (; n - i >= 33; i += 32) {
        unsigned found = mask(pairs(p + i, first, second));
        if (found) return i + (size_t)__builtin_ctz(found);
    }
    size_t found = ck_find_pair_narrow(p + i, n - i, a, b);
    return i + found;
}

/* Bit i: byte i needs escaping or is not ASCII; see ck_json_stops. */
WIDE_INLINE unsigned json_stops(__m256i c) {
    __m256i over =
        _mm256_cmpgt_epi8(_mm256_xor_si256(c, _mm256_set1_epi8(2)), _mm256_set1_epi8(0x20));
    __m256i backslash = _mm256_cmpeq_epi8(c, _mm256_set1_epi8('\\'));
    return ~mask(_mm256_andnot_si256(backslash, over));
}

WIDE ck_progress ck_json_escape_wide(
    const uint8_t *p, size_t n, uint8_t *q, size_t room, int line_feeds) {
    ck_progress at = {0, 0, 0};
    size_t i = 0, o = 0;
    while (n - i > 32 && room - o >= 32 + CK_JSON_ROOM_MIN) {
        __m256i c = load(p + i);
        store(q + o, c);
        unsigned stops = json_stops(c);
        if (stops == 0) {
            i += 32;
            o += 32;
            continue;
        }
        unsigned length = (unsigned)__builtin_ctz(stops);
        i += length;
        o += length;
        /* More than 32 bytes were left and at most 31 of them are after i: p[i + 1] is input. */
        if (line_feeds && p[i] == '\r') {
            memcpy(q + o, "\\n", 2);
            i += p[i + 1] == '\n' ? 2 : 1;
            o += 2;
            continue;
        }
        /* Text that is not ASCII, or rare escapes: for some blocks the narrow way is faster. */
        at.taken = i;
        at.written = o;
        size_t end = p[i] < 0x80 ? i + 1 : n - i > 128 ? i + 128 : n;
        int can_go_on = ck_json_escape_from(p, n, q, room, line_feeds, 1, end, &at);
        if (!can_go_on) return at;
        i = at.taken;
        o = at.written;
    }
    at.taken = i;
    at.written = o;
    ck_json_escape_from(p, n, q, room, line_feeds, 1, n, &at);
    return at;
}

/* Not zero in every byte outside the base64 alphabet. */
WIDE_INLINE __m256i base64_strays(__m256i c) {
    const __m256i low = _mm256_setr_epi8(
        0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1A, 0x1B, 0x1B, 0x1B,
        0x1A, 0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1A, 0x1B, 0x1B,
        0x1B, 0x1A);
    const __m256i high = _mm256_setr_epi8(
        0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
        0x10, 0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
        0x10, 0x10);
    const __m256i half = _mm256_set1_epi8(0x0F);
    return _mm256_and_si256(
        _mm256_shuffle_epi8(low, _mm256_and_si256(c, half)),
        _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(c, 4), half)));
}

/* Copies 32 bytes and returns their strays. */
WIDE_INLINE __m256i base64_copy(const uint8_t *p, uint8_t *q) {
    __m256i c = load(p);
    store(q, c);
    return base64_strays(c);
}

/* Copies `length` bytes, 64 to 96, and returns whether all of them are in the alphabet. */
WIDE_INLINE int base64_copy_line(const uint8_t *p, uint8_t *q, size_t length) {
    __m256i strays = _mm256_or_si256(
        _mm256_or_si256(base64_copy(p, q), base64_copy(p + 32, q + 32)),
        base64_copy(p + length - 32, q + length - 32));
    return _mm256_testz_si256(strays, strays);
}

/* Whether CRLF is at p. */
WIDE_INLINE int is_line_end(const uint8_t *p) {
    uint16_t two;
    memcpy(&two, p, 2);
    return two == 0x0A0D;
}

/*
 * Most lines are as long as the one before, so a whole line is copied and checked at once, with its
 * line end where it is expected. Anything else goes block by block.
 */
WIDE ck_progress ck_base64_filter_wide(const uint8_t *p, size_t n, uint8_t *q, size_t room) {
    size_t i = 0, o = 0, line = 0;
    size_t expected = 0;
    while (i < n && o < room) {
        if (expected >= 64 && expected <= 96) {
            while (n - i >= expected + 2 && room - o >= expected && is_line_end(p + i + expected)
                   && base64_copy_line(p + i, q + o, expected)) {
                i += expected + 2;
                o += expected;
            }
            line = o;
            expected = 0;
        }
        while (n - i >= 32 && room - o >= 32) {
            __m256i strays = base64_copy(p + i, q + o);
            if (_mm256_testz_si256(strays, strays)) {
                i += 32;
                o += 32;
                continue;
            }
            unsigned good = mask(_mm256_cmpeq_epi8(strays, _mm256_setzero_si256()));
            unsigned length = (unsigned)__builtin_ctz(~good);
            i += length;
            o += length;
            break;
        }
        if (i == n || o == room) break;
        uint8_t value = ck_base64_value(p[i]);
        if (value < 0x40) {
            q[o++] = p[i++];
        } else if (value == 0x40) {
            expected = o - line;
            size_t feeds = expected == 0;
            line = o;
            do feeds += p[i++] == '\n';
            while (i < n && ck_base64_value(p[i]) == 0x40);
            if (feeds > 1) break;
        } else {
            break;
        }
    }
    return (ck_progress){i, o, 0};
}

/* 24 bytes, twelve in each half from the front, as 32 values of six bits. */
WIDE_INLINE __m256i base64_spread(__m256i c) {
    c = _mm256_shuffle_epi8(
        c,
        _mm256_setr_epi8(
            1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10, 1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7,
            10, 9, 11, 10));
    __m256i odd = _mm256_mulhi_epu16(
        _mm256_and_si256(c, _mm256_set1_epi32(0x0FC0FC00)), _mm256_set1_epi32(0x04000040));
    __m256i even = _mm256_mullo_epi16(
        _mm256_and_si256(c, _mm256_set1_epi32(0x003F03F0)), _mm256_set1_epi32(0x01000010));
    return _mm256_or_si256(odd, even);
}

/* The characters of 32 values of six bits. */
WIDE_INLINE __m256i base64_characters(__m256i values) {
    const __m256i distance = _mm256_setr_epi8(
        65, 71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 0, 0, 65, 71, -4, -4, -4, -4, -4,
        -4, -4, -4, -4, -4, -19, -16, 0, 0);
    __m256i kind = _mm256_subs_epu8(values, _mm256_set1_epi8(51));
    kind = _mm256_sub_epi8(kind, _mm256_cmpgt_epi8(values, _mm256_set1_epi8(25)));
    return _mm256_add_epi8(values, _mm256_shuffle_epi8(distance, kind));
}

WIDE ck_progress ck_base64_encode_wide(const uint8_t *p, size_t n, uint8_t *q, size_t room) {
    ck_progress at = {0, 0, 0};
    /* The second load ends 28 bytes after the first one's start. */
    for (; n - at.taken >= 28 && room - at.written >= 32; at.taken += 24, at.written += 32) {
        const uint8_t *from = p + at.taken;
        __m256i c = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)from)),
            _mm_loadu_si128((const __m128i *)(from + 12)), 1);
        store(q + at.written, base64_characters(base64_spread(c)));
    }
    ck_base64_encode_from(p, n, q, room, &at);
    return at;
}

/* 32 characters of the alphabet as 24 bytes, and eight zeros after them. */
WIDE_INLINE __m256i base64_bytes(__m256i c) {
    const __m256i distance = _mm256_setr_epi8(
        0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 19, 4, -65, -65, -71, -71,
        0, 0, 0, 0, 0, 0, 0, 0);
    const __m256i order = _mm256_setr_epi8(
        2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1, 2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13,
        12, -1, -1, -1, -1);
    __m256i slash = _mm256_cmpeq_epi8(c, _mm256_set1_epi8('/'));
    __m256i high =
        _mm256_and_si256(_mm256_srli_epi16(c, 4), _mm256_set1_epi8(0x0F));
    __m256i values =
        _mm256_add_epi8(c, _mm256_shuffle_epi8(distance, _mm256_add_epi8(slash, high)));
    __m256i twelve = _mm256_maddubs_epi16(values, _mm256_set1_epi32(0x01400140));
    __m256i twenty_four = _mm256_madd_epi16(twelve, _mm256_set1_epi32(0x00011000));
    return _mm256_permutevar8x32_epi32(
        _mm256_shuffle_epi8(twenty_four, order), _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
}

WIDE ck_progress ck_base64_decode_wide(const uint8_t *p, size_t n, uint8_t *q, size_t room) {
    ck_progress at = {0, 0, 0};
    do {
        while (n - at.taken >= 32 && room - at.written >= 32) {
            __m256i c = load(p + at.taken);
            __m256i strays = base64_strays(c);
            if (!_mm256_testz_si256(strays, strays)) break;
            store(q + at.written, base64_bytes(c));
            at.taken += 32;
            at.written += 24;
        }
        /* Most often it stopped at a line end less than 32 characters ahead. */
        int tries = 0;
        while (tries < 10 && ck_base64_decode_quad(p, n, q, room, &at)) tries++;
        if (tries < 10) return at;
    } while (1);
}

#endif
