/*
 * JSON strings (RFC 8259 7) from text and back, and valid UTF-8 (Unicode 3.9, table 3-7). Part of
 * kernels.h: the same promises hold.
 */
#ifndef CEPOLL_KERNELS_JSON_H
#define CEPOLL_KERNELS_JSON_H

/*
 * The UTF-8 sequence at p (Unicode 3.9, table 3-7; n > 0): its length when it is valid, 0 when the
 * end cuts it, and when it is invalid the negative length of the bytes that one U+FFFD replaces.
 */
static inline int ck_utf8_sequence(const uint8_t *_Nonnull p, size_t n) {
    uint8_t lead = p[0];
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4) return -1;
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    int length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    for (int i = 1; i < length; i++) {
        if ((size_t)i == n) return 0;
        if (p[i] < low || p[i] > high) return -i;
        low = 0x80;
        high = 0xBF;
    }
    return length;
}

/*
 * How an ASCII byte stands inside a JSON string (RFC 8259 7): 0 as itself, 1 as \u00XX, any other
 * value as a backslash and that character. CK_JSON_BEYOND for bytes that are not ASCII.
 */
enum { CK_JSON_PLAIN = 0, CK_JSON_LONG = 1, CK_JSON_BEYOND = 2 };

/* The escaper takes nothing more with less room than this. */
enum { CK_JSON_ROOM_MIN = 24 };

static inline uint8_t ck_json_form(uint8_t c) {
    static const uint8_t form[128] = {
        1, 1, 1, 1, 1, 1, 1, 1, 'b', 't', 'n', 1, 'f', 'r', 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        ['"'] = '"', ['\\'] = '\\',
    };
    return c >= 0x80 ? CK_JSON_BEYOND : form[c];
}

/* Writes one ASCII byte as it is in a JSON string; returns how many bytes that takes, at most 6. */
static inline size_t ck_json_escape_byte(uint8_t c, uint8_t *_Nonnull q) {
    uint8_t form = ck_json_form(c);
    if (form == CK_JSON_PLAIN) {
        q[0] = c;
        return 1;
    }
    q[0] = '\\';
    if (form != CK_JSON_LONG) {
        q[1] = form;
        return 2;
    }
    q[1] = 'u';
    q[2] = '0';
    q[3] = '0';
    q[4] = (uint8_t)('0' + (c >> 4));
    q[5] = (uint8_t)((c & 15) < 10 ? '0' + (c & 15) : 'a' + (c & 15) - 10);
    return 6;
}

#if defined(CK_HAS_VECTOR)
/*
 * Bit i: byte i needs escaping or is not ASCII. The exclusive-or moves the quotation mark to 0x20,
 * so that one signed comparison finds it, the control bytes and everything over 127.
 */
static inline unsigned ck_json_stops(ck_vector c) {
    ck_vector over = ck_greater(ck_xor(c, ck_every(2)), ck_every(0x20));
    ck_vector backslash = ck_equal(c, ck_every('\\'));
    return ck_mask(ck_without(over, backslash)) ^ 0xFFFF;
}

/*
 * How many of 16 bytes, from the start of a character, are plain ASCII and valid, whole sequences
 * of two or three bytes. Sequences of four are left to ck_utf8_sequence. `stops` is
 * ck_json_stops(c).
 */
static inline unsigned ck_utf8_block(ck_vector c, unsigned stops) {
    unsigned beyond = ck_mask(c);
    unsigned behind = ck_mask(ck_greater(ck_every(0xC0), c));
    unsigned below_c2 = ck_mask(ck_greater(ck_every(0xC2), c));
    unsigned from_e0 = beyond & ck_mask(ck_greater(c, ck_every(0xDF)));
    unsigned lead = beyond & ~behind;
    unsigned expected = lead << 1;
    unsigned stop = (stops & ~beyond) | (lead & below_c2);
    if (from_e0) {
        unsigned below_a0 = ck_mask(ck_greater(ck_every(0xA0), c));
        unsigned e0 = ck_mask(ck_equal(c, ck_every(0xE0)));
        unsigned ed = ck_mask(ck_equal(c, ck_every(0xED)));
        unsigned from_f0 = ck_mask(ck_greater(c, ck_every(0xEF)));
        expected |= from_e0 << 2;
        stop |= (beyond & from_f0) | (e0 << 1 & below_a0) | (ed << 1 & ~below_a0);
    }
    stop |= (behind ^ expected) & 0xFFFF;
    unsigned length = (unsigned)__builtin_ctz(stop | 0x10000);
    while (expected >> length & 1) length--;
    return length;
}
#endif

/*
 * Does the work of ck_json_escape, from *i in the input and *o in the output, until both have come
 * to `end` or further; `has_blocks` is a constant. False when it needs more input to continue.
 */
static inline __attribute__((always_inline)) int ck_json_escape_from(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room, int line_feeds,
    int has_blocks, size_t end, ck_progress *_Nonnull progress) {
    size_t i = progress->taken, o = progress->written;
    int can_go_on = 1;
#if defined(CK_HAS_VECTOR)
    /* Up to here one byte at a time, so that odd text does not try blocks in vain. */
    size_t slow_end = 0;
#endif
    while (i < end && room - o >= CK_JSON_ROOM_MIN) {
#if defined(CK_HAS_VECTOR)
        if (has_blocks && i >= slow_end && n - i >= 16) {
            ck_vector c = ck_load(p + i);
            ck_store(q + o, c);
            unsigned stops = ck_json_stops(c);
            if (stops == 0) {
                i += 16;
                o += 16;
                continue;
            }
            unsigned length = (unsigned)__builtin_ctz(stops);
            int is_beyond = p[i + length] >= 0x80;
            if (is_beyond) {
                length = ck_utf8_block(c, stops);
                if (length == 0) slow_end = i + 16;
            }
            i += length;
            o += length;
            if (is_beyond && (length == 16 || (length > 0 && p[i] >= 0x80))) continue;
        }
#endif
        uint8_t c = p[i];
        uint8_t form = ck_json_form(c);
        if (form > CK_JSON_BEYOND) {
            /*
             * Short escapes often come in pairs: line ends, the quotation marks of an empty value.
             */
            do {
                int is_return = line_feeds && p[i] == '\r';
                if (is_return && i + 1 == n) {
                    can_go_on = 0;
                    break;
                }
                i += is_return && p[i + 1] == '\n' ? 2 : 1;
                q[o] = '\\';
                q[o + 1] = is_return ? 'n' : form;
                o += 2;
            } while (i < n && room - o >= CK_JSON_ROOM_MIN
                     && (form = ck_json_form(p[i])) > CK_JSON_BEYOND);
            if (!can_go_on) break;
        } else if (c == 0 && line_feeds) {
            memcpy(q + o, "\xEF\xBF\xBD", 3);
            o += 3;
            i++;
            progress->replaced++;
        } else if (form != CK_JSON_BEYOND) {
            o += ck_json_escape_byte(c, q + o);
            i++;
        } else {
            int length = ck_utf8_sequence(p + i, n - i);
            if (length == 0) {
                can_go_on = 0;
                break;
            }
            if (length > 0) {
                for (int k = 0; k < length; k++) q[o++] = p[i++];
            } else {
                memcpy(q + o, "\xEF\xBF\xBD", 3);
                o += 3;
                i += (size_t)-length;
                progress->replaced++;
            }
        }
    }
    progress->taken = i;
    progress->written = o;
    return can_go_on;
}

static inline ck_progress ck_json_escape_portable(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room, int line_feeds) {
    ck_progress progress = {0, 0, 0};
    ck_json_escape_from(p, n, q, room, line_feeds, 0, n, &progress);
    return progress;
}

static inline ck_progress ck_json_escape_narrow(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room, int line_feeds) {
    ck_progress progress = {0, 0, 0};
    ck_json_escape_from(p, n, q, room, line_feeds, 1, n, &progress);
    return progress;
}

/*
 * Writes the inside of a JSON string: plain bytes and valid UTF-8 as they are, escapes, U+FFFD for
 * what is invalid. With `line_feeds`, CRLF and CR become \n, and NUL becomes U+FFFD. Stops when fewer than CK_JSON_ROOM_MIN
 * bytes of room are left, or before a character (or such a CR) that the end of the input cuts.
 */
static inline ck_progress ck_json_escape(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room, int line_feeds) {
#if defined(__x86_64__)
    if (n >= CK_WIDE_MIN && ck_has_wide()) return ck_json_escape_wide(p, n, q, room, line_feeds);
#endif
    return ck_json_escape_narrow(p, n, q, room, line_feeds);
}

/* Offset of the first quotation mark, backslash or control byte in [p, p + n), or n. */
static inline size_t ck_json_find_stop(const uint8_t *_Nonnull p, size_t n) {
    size_t i = 0;
#if defined(CK_HAS_VECTOR)
    for (; i + 16 <= n; i += 16) {
        ck_vector c = ck_load(p + i);
        unsigned stops = ck_json_stops(c) & ~ck_mask(c);
        if (stops) return i + (size_t)__builtin_ctz(stops);
    }
#endif
    while (i < n && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\') i++;
    return i;
}

#endif
