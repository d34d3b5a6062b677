/*
 * Base64 (RFC 4648 4) at 16 bytes a step where the alphabet is only checked, and by table where it
 * is taken apart. Part of kernels.h: the same promises hold.
 */
#ifndef CEPOLL_KERNELS_BASE64_H
#define CEPOLL_KERNELS_BASE64_H

/* The six bits of a character; 0x40 for blanks and line ends, 0x80 for everything else. */
static inline uint8_t ck_base64_value(uint8_t c) {
    static const uint8_t value[256] = {
        128, 128, 128, 128, 128, 128, 128, 128, 128, 64, 64, 128, 128, 64, 128, 128,
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
        64, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 62, 128, 128, 128, 63,
        52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 128, 128, 128, 128, 128, 128,
        128, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
        15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 128, 128, 128, 128, 128,
        128, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
        41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 128, 128, 128, 128, 128,
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
};
    return value[c];
}

#if defined(__SSE2__)
/* Zero in every byte that is in the alphabet: letters, `/` and digits (neighbours), `+`. */
static inline __m128i ck_base64_strays(__m128i c) {
    __m128i letter = _mm_subs_epu8(
        _mm_sub_epi8(_mm_or_si128(c, _mm_set1_epi8(0x20)), _mm_set1_epi8('a')),
        _mm_set1_epi8(25));
    __m128i digit =
        _mm_subs_epu8(_mm_sub_epi8(c, _mm_set1_epi8('/')), _mm_set1_epi8('9' - '/'));
    __m128i plus = _mm_xor_si128(c, _mm_set1_epi8('+'));
    return _mm_min_epu8(_mm_min_epu8(letter, digit), plus);
}

/* Copies 64 bytes and says whether all of them are in the alphabet. */
static inline int ck_base64_copy_64(const uint8_t *_Nonnull p, uint8_t *_Nonnull q) {
    __m128i strays = _mm_setzero_si128();
    for (int k = 0; k < 4; k++) {
        __m128i c = _mm_loadu_si128((const __m128i *)(p + 16 * k));
        _mm_storeu_si128((__m128i *)(q + 16 * k), c);
        strays = _mm_or_si128(strays, ck_base64_strays(c));
    }
    return _mm_movemask_epi8(_mm_cmpeq_epi8(strays, _mm_setzero_si128())) == 0xFFFF;
}
#endif

/*
 * Copies the alphabet and leaves blanks and line ends out; stops in front of any other byte and
 * when the room is used up. As many blocks of 64 are tried
 * at once as the last line had; in the first line as many as there are.
 */
static inline ck_progress ck_base64_filter(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room) {
    size_t i = 0, o = 0;
#if defined(__SSE2__)
    size_t line = 0, blocks = SIZE_MAX;
#endif
    while (i < n && o < room) {
#if defined(__SSE2__)
        for (size_t left = blocks; left > 0 && n - i >= 64 && room - o >= 64; left--) {
            if (!ck_base64_copy_64(p + i, q + o)) break;
            i += 64;
            o += 64;
        }
        while (n - i >= 16 && room - o >= 16) {
            __m128i c = _mm_loadu_si128((const __m128i *)(p + i));
            _mm_storeu_si128((__m128i *)(q + o), c);
            unsigned good = (unsigned)_mm_movemask_epi8(
                _mm_cmpeq_epi8(ck_base64_strays(c), _mm_setzero_si128()));
            unsigned length = (unsigned)__builtin_ctz(~good);
            i += length;
            o += length;
            if (length < 16) break;
        }
        if (n - i >= 2 && p[i] == '\r' && p[i + 1] == '\n') {
            blocks = (o - line) / 64;
            line = o;
            i += 2;
            continue;
        }
        if (i == n || o == room) break;
#endif
        uint8_t value = ck_base64_value(p[i]);
        if (value < 0x40) {
            q[o++] = p[i++];
        } else if (value == 0x40) {
#if defined(__SSE2__)
            blocks = (o - line) / 64;
            line = o;
#endif
            do i++;
            while (i < n && ck_base64_value(p[i]) == 0x40);
        } else {
            break;
        }
    }
    return (ck_progress){i, o, 0};
}

/* Encodes n / 3 triples into four characters each. */
static inline ck_progress ck_base64_encode(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t i = 0, o = 0;
    for (; n - i >= 3 && room - o >= 4; i += 3, o += 4) {
        uint32_t three = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];
        q[o] = (uint8_t)alphabet[three >> 18];
        q[o + 1] = (uint8_t)alphabet[three >> 12 & 63];
        q[o + 2] = (uint8_t)alphabet[three >> 6 & 63];
        q[o + 3] = (uint8_t)alphabet[three & 63];
    }
    return (ck_progress){i, o, 0};
}

/*
 * Decodes whole quads into three bytes each; leaves blanks and line ends between quads out. Stops
 * in front of a quad with any other byte in it, padding included.
 */
static inline ck_progress ck_base64_decode(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room) {
    size_t i = 0, o = 0;
    while (n - i >= 4 && room - o >= 3) {
        uint32_t a = ck_base64_value(p[i]), b = ck_base64_value(p[i + 1]);
        uint32_t c = ck_base64_value(p[i + 2]), d = ck_base64_value(p[i + 3]);
        if ((a | b | c | d) < 0x40) {
            uint32_t three = a << 18 | b << 12 | c << 6 | d;
            q[o] = (uint8_t)(three >> 16);
            q[o + 1] = (uint8_t)(three >> 8);
            q[o + 2] = (uint8_t)three;
            i += 4;
            o += 3;
        } else if (a == 0x40) {
            i++;
        } else {
            break;
        }
    }
    return (ck_progress){i, o, 0};
}

#endif
