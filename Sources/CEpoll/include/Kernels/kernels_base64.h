/*
 * Base64 (RFC 4648 4) at 16 bytes per step where the alphabet is only checked, and by table where
 * it is decoded. Part of kernels.h: the same promises hold.
 */
#ifndef CEPOLL_KERNELS_BASE64_H
#define CEPOLL_KERNELS_BASE64_H

/* The six bits of a character; 0x40 for blanks and line ends, 0x80 for every other byte. */
static const uint8_t ck_base64_values[256] = {
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

static inline uint8_t ck_base64_value(uint8_t c) { return ck_base64_values[c]; }

static const uint8_t ck_base64_alphabet[65] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#if defined(CK_HAS_VECTOR)
/* Zero in every byte that is in the alphabet: letters, `/` and digits (neighbours), `+`. */
static inline ck_vector ck_base64_strays(ck_vector c) {
    ck_vector letter =
        ck_minus_to_zero(ck_minus(ck_or(c, ck_every(0x20)), ck_every('a')), ck_every(25));
    ck_vector digit = ck_minus_to_zero(ck_minus(c, ck_every('/')), ck_every('9' - '/'));
    ck_vector plus = ck_xor(c, ck_every('+'));
    return ck_least(ck_least(letter, digit), plus);
}

/* Copies 64 bytes and returns whether all of them are in the alphabet. */
static inline int ck_base64_copy_64(const uint8_t *_Nonnull p, uint8_t *_Nonnull q) {
    ck_vector strays = ck_every(0);
    for (int k = 0; k < 4; k++) {
        ck_vector c = ck_load(p + 16 * k);
        ck_store(q + 16 * k, c);
        strays = ck_or(strays, ck_base64_strays(c));
    }
    return ck_mask(ck_equal(strays, ck_every(0))) == 0xFFFF;
}
#endif

static inline __attribute__((always_inline)) ck_progress ck_base64_filter_by(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room, int has_blocks) {
    size_t i = 0, o = 0;
    size_t line = 0, blocks = SIZE_MAX;
    while (i < n && o < room) {
#if defined(CK_HAS_VECTOR)
        if (has_blocks) {
            for (size_t left = blocks; left > 0 && n - i >= 64 && room - o >= 64; left--) {
                if (!ck_base64_copy_64(p + i, q + o)) break;
                i += 64;
                o += 64;
            }
            while (n - i >= 16 && room - o >= 16) {
                ck_vector c = ck_load(p + i);
                ck_store(q + o, c);
                unsigned good = ck_mask(ck_equal(ck_base64_strays(c), ck_every(0)));
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
            size_t feeds = o == line;
            line = o;
            do feeds += p[i++] == '\n';
            while (i < n && ck_base64_value(p[i]) == 0x40);
            if (feeds > 1) break;
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
 * Copies the alphabet and leaves blanks and line ends out. Stops before any other byte, after an empty
 * line, after a line end that comes before the first character, and when the room is used up.
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
    const uint8_t *alphabet = ck_base64_alphabet;
    size_t i = progress->taken, o = progress->written;
    for (; n - i >= 3 && room - o >= 4; i += 3, o += 4) {
        uint32_t three = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];
        q[o] = alphabet[three >> 18];
        q[o + 1] = alphabet[three >> 12 & 63];
        q[o + 2] = alphabet[three >> 6 & 63];
        q[o + 3] = alphabet[three & 63];
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

/* At 48 bytes per step on arm64. */
static inline ck_progress ck_base64_encode_narrow(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room) {
    ck_progress at = {0, 0, 0};
#if defined(CK_HAS_TABLES)
    const uint8x16x4_t alphabet = vld1q_u8_x4(ck_base64_alphabet);
    for (; n - at.taken >= 48 && room - at.written >= 64; at.taken += 48, at.written += 64) {
        uint8x16x3_t c = vld3q_u8(p + at.taken);
        uint8x16x4_t six = {{
            vshrq_n_u8(c.val[0], 2),
            vorrq_u8(vandq_u8(vshlq_n_u8(c.val[0], 4), ck_every(0x30)), vshrq_n_u8(c.val[1], 4)),
            vorrq_u8(vandq_u8(vshlq_n_u8(c.val[1], 2), ck_every(0x3C)), vshrq_n_u8(c.val[2], 6)),
            vandq_u8(c.val[2], ck_every(0x3F)),
        }};
        for (int k = 0; k < 4; k++) six.val[k] = vqtbl4q_u8(alphabet, six.val[k]);
        vst4q_u8(q + at.written, six);
    }
#endif
    ck_base64_encode_from(p, n, q, room, &at);
    return at;
}

/* Encodes n / 3 triples into four characters each, as many as there is room for. */
static inline ck_progress ck_base64_encode(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room) {
#if defined(__x86_64__)
    if (n >= CK_WIDE_MIN && ck_has_wide()) return ck_base64_encode_wide(p, n, q, room);
#endif
    return ck_base64_encode_narrow(p, n, q, room);
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

/* At 64 characters per step on arm64. */
static inline ck_progress ck_base64_decode_narrow(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room) {
#if defined(CK_HAS_TABLES)
    const uint8x16x4_t low = vld1q_u8_x4(ck_base64_values);
    const uint8x16x4_t high = vld1q_u8_x4(ck_base64_values + 64);
    ck_progress at = {0, 0, 0};
    do {
        while (n - at.taken >= 64 && room - at.written >= 48) {
            uint8x16x4_t c = vld4q_u8(p + at.taken), six;
            uint8x16_t strays = ck_every(0);
            for (int k = 0; k < 4; k++) {
                /* What is beyond a table gives 0. */
                six.val[k] = vorrq_u8(
                    vqtbl4q_u8(low, c.val[k]), vqtbl4q_u8(high, veorq_u8(c.val[k], ck_every(0x40))));
                strays = vorrq_u8(
                    strays, vorrq_u8(six.val[k], vandq_u8(c.val[k], ck_every(0x80))));
            }
            if (vmaxvq_u8(strays) >= 0x40) break;
            uint8x16x3_t three = {{
                vorrq_u8(vshlq_n_u8(six.val[0], 2), vshrq_n_u8(six.val[1], 4)),
                vorrq_u8(vshlq_n_u8(six.val[1], 4), vshrq_n_u8(six.val[2], 2)),
                vorrq_u8(vshlq_n_u8(six.val[2], 6), six.val[3]),
            }};
            vst3q_u8(q + at.written, three);
            at.taken += 64;
            at.written += 48;
        }
        /* Most often it stopped at a line end less than 64 characters ahead. */
        int tries = 0;
        while (tries < 18 && ck_base64_decode_quad(p, n, q, room, &at)) tries++;
        if (tries < 18) return at;
    } while (1);
#else
    return ck_base64_decode_portable(p, n, q, room);
#endif
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
    return ck_base64_decode_narrow(p, n, q, room);
}

#endif
