/*
 * Base64 (RFC 4648 4) at 16 bytes per step where the alphabet is only checked, and by table where
 * it is decoded. Part of kernels.h: the same promises hold.
 */
#ifndef CEPOLL_KERNELS_BASE64_H
#define CEPOLL_KERNELS_BASE64_H

/* The six bits of a character; 0x40 for blanks and line ends, 0x80 for every other byte. */
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

/* Copies 64 bytes and returns whether all of them are in the alphabet. */
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

static inline __attribute__((always_inline)) ck_progress ck_base64_filter_by(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room, int has_blocks) {
    size_t i = 0, o = 0;
    size_t line = 0, blocks = SIZE_MAX;
    while (i < n && o < room) {
#if defined(__SSE2__)
        if (has_blocks) {
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
            if (i == n || o == room) break;
        }
#endif
        uint8_t value = ck_base64_value(p[i]);
        if (value < 0x40) {
            q[o++] = p[i++];
        } else if (value == 0x40) {
            blocks = (o - line) / 64;
            line = o;
            do i++;
            while (i < n && ck_base64_value(p[i]) == 0x40);
        } else {
            break;
        }
    }
    (void)blocks;
    return (ck_progress){i, o, 0};
}

static inline ck_progress ck_base64_filter_portable(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room) {
    return ck_base64_filter_by(p, n, q, room, 0);
}

/*
 * Tries as many blocks of 64 at once as the last line had; in the first line as many as there are.
 */
static inline ck_progress ck_base64_filter_narrow(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room) {
    return ck_base64_filter_by(p, n, q, room, 1);
}

/*
 * Copies the alphabet and leaves blanks and line ends out; stops before any other byte and when the
 * room is used up.
 */
static inline ck_progress ck_base64_filter(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room) {
#if defined(__x86_64__)
    if (n >= CK_WIDE_MIN && ck_has_wide()) return ck_base64_filter_wide(p, n, q, room);
#endif
    return ck_base64_filter_narrow(p, n, q, room);
}

/* Encodes triples from *progress on. */
static inline void ck_base64_encode_from(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room,
    ck_progress *_Nonnull progress) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t i = progress->taken, o = progress->written;
    for (; n - i >= 3 && room - o >= 4; i += 3, o += 4) {
        uint32_t three = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];
        q[o] = (uint8_t)alphabet[three >> 18];
        q[o + 1] = (uint8_t)alphabet[three >> 12 & 63];
        q[o + 2] = (uint8_t)alphabet[three >> 6 & 63];
        q[o + 3] = (uint8_t)alphabet[three & 63];
    }
    progress->taken = i;
    progress->written = o;
}

static inline ck_progress ck_base64_encode_portable(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room) {
    ck_progress progress = {0, 0, 0};
    ck_base64_encode_from(p, n, q, room, &progress);
    return progress;
}

/* Encodes n / 3 triples into four characters each, as many as there is room for. */
static inline ck_progress ck_base64_encode(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room) {
#if defined(__x86_64__)
    if (n >= CK_WIDE_MIN && ck_has_wide()) return ck_base64_encode_wide(p, n, q, room);
#endif
    return ck_base64_encode_portable(p, n, q, room);
}

/* Decodes one quad from *progress on, or leaves one blank out; false when it can do neither. */
static inline __attribute__((always_inline)) int ck_base64_decode_quad(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room,
    ck_progress *_Nonnull progress) {
    size_t i = progress->taken, o = progress->written;
    if (n - i < 4 || room - o < 3) return 0;
    uint32_t a = ck_base64_value(p[i]), b = ck_base64_value(p[i + 1]);
    uint32_t c = ck_base64_value(p[i + 2]), d = ck_base64_value(p[i + 3]);
    if ((a | b | c | d) < 0x40) {
        uint32_t three = a << 18 | b << 12 | c << 6 | d;
        q[o] = (uint8_t)(three >> 16);
        q[o + 1] = (uint8_t)(three >> 8);
        q[o + 2] = (uint8_t)three;
        progress->taken += 4;
        progress->written += 3;
        return 1;
    }
    progress->taken += a == 0x40;
    return a == 0x40;
}

static inline ck_progress ck_base64_decode_portable(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room) {
    ck_progress progress = {0, 0, 0};
    while (ck_base64_decode_quad(p, n, q, room, &progress)) {}
    return progress;
}

/*
 * Decodes whole quads into three bytes each; leaves blanks and line ends between quads out. Stops
 * before a quad that holds any other byte, padding included.
 */
static inline ck_progress ck_base64_decode(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room) {
#if defined(__x86_64__)
    if (n >= CK_WIDE_MIN && ck_has_wide()) return ck_base64_decode_wide(p, n, q, room);
#endif
    return ck_base64_decode_portable(p, n, q, room);
}

#endif
