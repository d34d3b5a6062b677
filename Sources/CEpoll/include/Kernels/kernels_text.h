/*
 * Short texts of protocols: names, tokens, lines. One byte per step, because most have only a few.
 * Part of kernels.h: the same promises hold.
 */
#ifndef CEPOLL_KERNELS_TEXT_H
#define CEPOLL_KERNELS_TEXT_H

/* Whether the n bytes at p and at q are the same, ASCII letters compared without case. */
static inline int ck_equals_ignoring_case(
    const uint8_t *_Nullable p, const uint8_t *_Nullable q, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint8_t difference = p[i] ^ q[i];
        if (difference == 0) continue;
        if (difference != 0x20 || (uint8_t)((p[i] | 0x20) - 'a') > 25) return 0;
    }
    return 1;
}

/* How many of the first bytes can stand in the name of a header field (RFC 5322 3.6.8). */
static inline size_t ck_field_name_length(const uint8_t *_Nullable p, size_t n) {
    size_t i = 0;
    while (i < n && (uint8_t)(p[i] - 0x21) < 0x5E && p[i] != ':') i++;
    return i;
}

/* Whether all bytes are token characters (RFC 9110 5.6.2). */
static inline int ck_is_http_token(const uint8_t *_Nullable p, size_t n) {
    static const uint64_t allowed[2] = {0x03FF6CFA00000000, 0x57FFFFFFC7FFFFFE};
    for (size_t i = 0; i < n; i++)
        if (p[i] >= 0x80 || !(allowed[p[i] >> 6] >> (p[i] & 63) & 1)) return 0;
    return 1;
}

/* Whether there is a control byte other than the tab: 0 to 31, or 127. */
static inline int ck_has_controls(const uint8_t *_Nullable p, size_t n) {
    size_t i = 0;
#if defined(CK_HAS_VECTOR)
    for (; i + 16 <= n; i += 16) {
        ck_vector c = ck_load(p + i);
        ck_vector low = ck_equal(ck_least(c, ck_every(0x1F)), c);
        ck_vector tab = ck_equal(c, ck_every('\t'));
        ck_vector delete = ck_equal(c, ck_every(0x7F));
        if (ck_mask(ck_or(ck_without(low, tab), delete))) return 1;
    }
#endif
    for (; i < n; i++)
        if ((p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7F) return 1;
    return 0;
}

/* How many of the first bytes are printable ASCII and not blank: 0x21 to 0x7E. */
static inline size_t ck_visible_length(const uint8_t *_Nullable p, size_t n) {
    size_t i = 0;
    while (i < n && (uint8_t)(p[i] - 0x21) < 0x5E) i++;
    return i;
}

#endif
