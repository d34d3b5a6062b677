/*
 * The byte kernels of this processor against the portable ones, on random inputs of every length,
 * alignment and room. For processors on which the Swift tests do not run. Prints what it has compared;
 * ends with 1 at the first difference.
 */
#include "Kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>

enum { BYTES_MAX = 700, GUARD = 64 };

static uint64_t state = 42;

/* SplitMix64. */
static uint64_t next(void) {
    uint64_t z = state += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

static size_t below(size_t n) { return (size_t)(next() % n); }

static void fail(const char *name, size_t n) {
    printf("%s: another result for %zu bytes\n", name, n);
    exit(1);
}

/* Texts of the kinds that the kernels meet; `kind` chooses. */
static void fill(uint8_t *p, size_t n, int kind) {
    static const char *alphabets[] = {
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        "a plain line of text, with digits 0123456789 and signs.",
        "\r\n\"\\\t\x01\x7F-.=:",
    };
    for (size_t i = 0; i < n; i++) {
        const char *text = alphabets[kind % 3];
        p[i] = (uint8_t)text[below(strlen(text))];
        int rare = kind >= 3 && below(kind < 6 ? 80 : 12) == 0;
        if (rare) p[i] = (uint8_t)next();
        if (kind == 9) p[i] = (uint8_t)next();
    }
    /* Lines of base64. */
    if (kind == 0 || kind == 3)
        for (size_t i = 76; i + 2 <= n; i += 78) memcpy(p + i, "\r\n", 2);
    /* UTF-8: sequences of two, three and four bytes, some of them broken. */
    if (kind == 7 || kind == 8) {
        static const char *letters[] = {"\xC3\xA9", "\xD0\x96", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
        for (size_t i = 0; i + 4 <= n;) {
            const char *letter = letters[below(4)];
            size_t size = strlen(letter);
            memcpy(p + i, letter, size);
            if (kind == 8 && below(20) == 0) p[i + below(size)] = (uint8_t)next();
            i += size + (below(8) == 0);
        }
    }
}

typedef ck_progress (*step)(const uint8_t *, size_t, uint8_t *, size_t);

/*
 * A whole transform, by calls with `room` each, which may stop at other places in another variant. The
 * result ends where no call makes progress. What is beyond the room must stay as it was.
 */
static size_t whole(
    step call, const uint8_t *p, size_t n, uint8_t *q, size_t room, size_t *taken,
    size_t *replaced) {
    size_t i = 0, o = 0;
    uint8_t piece[BYTES_MAX + GUARD];
    *replaced = 0;
    for (;;) {
        memset(piece, 0xA5, sizeof piece);
        ck_progress at = call(p + i, n - i, piece, room);
        if (at.written > room || at.taken > n - i) fail("beyond its room", n);
        for (size_t k = room; k < room + GUARD; k++)
            if (piece[k] != 0xA5) fail("wrote beyond its room", n);
        memcpy(q + o, piece, at.written);
        i += at.taken;
        o += at.written;
        *replaced += at.replaced;
        if (at.taken == 0 && at.written == 0) break;
    }
    *taken = i;
    return o;
}

static void compare(const char *name, step a, step b, const uint8_t *p, size_t n, size_t room) {
    static uint8_t first[8 * BYTES_MAX], second[8 * BYTES_MAX];
    size_t took_a, took_b, replaced_a, replaced_b;
    size_t size_a = whole(a, p, n, first, room, &took_a, &replaced_a);
    size_t size_b = whole(b, p, n, second, room, &took_b, &replaced_b);
    if (size_a != size_b || took_a != took_b || replaced_a != replaced_b
        || memcmp(first, second, size_a) != 0)
        fail(name, n);
}

static ck_progress escape_a(const uint8_t *p, size_t n, uint8_t *q, size_t room) {
    return ck_json_escape_portable(p, n, q, room, 0);
}
static ck_progress escape_b(const uint8_t *p, size_t n, uint8_t *q, size_t room) {
    return ck_json_escape(p, n, q, room, 0);
}
static ck_progress text_a(const uint8_t *p, size_t n, uint8_t *q, size_t room) {
    return ck_json_escape_portable(p, n, q, room, 1);
}
static ck_progress text_b(const uint8_t *p, size_t n, uint8_t *q, size_t room) {
    return ck_json_escape(p, n, q, room, 1);
}

static size_t find(const uint8_t *p, size_t n, int (*is)(uint8_t)) {
    size_t i = 0;
    while (i < n && !is(p[i])) i++;
    return i;
}
static int is_high(uint8_t c) { return c >= 0x80; }
static int is_stop(uint8_t c) { return c < 0x20 || c == '"' || c == '\\'; }
static int is_control(uint8_t c) { return (c < 0x20 && c != '\t') || c == 0x7F; }
static int is_dot(uint8_t c) { return c == '.'; }

static void search(const uint8_t *p, size_t n) {
    if (ck_find_byte(p, n, '.') != find(p, n, is_dot)) fail("ck_find_byte", n);
    if (ck_find_high(p, n) != find(p, n, is_high)) fail("ck_find_high", n);
    if (ck_json_find_stop(p, n) != find(p, n, is_stop)) fail("ck_json_find_stop", n);
    if (ck_has_controls(p, n) != (find(p, n, is_control) < n)) fail("ck_has_controls", n);
    if (ck_find_pair(p, n, '\n', '-') != ck_find_pair_portable(p, n, '\n', '-'))
        fail("ck_find_pair", n);
}

static void hash(const uint8_t *p, size_t n) {
    uint64_t key[2 * BYTES_MAX / CK_HASH_WORD_BYTES];
    for (size_t i = 0; i < sizeof key / sizeof *key; i++) key[i] = next();
    size_t words = n / CK_HASH_WORD_BYTES;
    ck_bits a = ck_hash_sum_portable(p, key, words), b = ck_hash_sum_narrow(p, key, words);
    if (a.low != b.low || a.high != b.high) fail("ck_hash_sum", n);
    if (ck_hash_has_wide()) b = ck_hash_sum_wide(p, key, words);
    if (a.low != b.low || a.high != b.high) fail("ck_hash_sum_wide", n);
    ck_bits x = {next(), next()}, y = {next(), next()};
    a = ck_hash_multiply_portable(x, y);
    b = ck_hash_multiply_narrow(x, y);
    if (a.low != b.low || a.high != b.high) fail("ck_hash_multiply", n);
}

/* Returns how many inputs. */
static size_t compare_all(void) {
    size_t rounds = 0;
    for (size_t n = 0; n <= BYTES_MAX; n++) {
        for (int kind = 0; kind <= 9; kind++, rounds++) {
            /* The memory ends with the input: the sanitizers see what reads beyond it. */
            size_t start = below(16);
            uint8_t *memory = malloc(start + n + 1), *p = memory + start + 1;
            if (!memory) fail("no memory", n);
            fill(p, n, kind);
            size_t room = CK_JSON_ROOM_MIN + below(BYTES_MAX - CK_JSON_ROOM_MIN);
            search(p, n);
            compare("ck_json_escape", escape_a, escape_b, p, n, room);
            compare("ck_json_escape of text", text_a, text_b, p, n, room);
            compare("ck_base64_filter", ck_base64_filter_portable, ck_base64_filter, p, n, room);
            compare("ck_base64_encode", ck_base64_encode_portable, ck_base64_encode, p, n, room);
            compare("ck_base64_decode", ck_base64_decode_portable, ck_base64_decode, p, n, room);
            hash(p, n);
            free(memory);
        }
    }
    return rounds;
}

int main(void) {
    if (!ck_hash_has_narrow()) {
        printf("this processor does not multiply without carries: the hash cannot be compared\n");
        return 1;
    }
#if defined(CK_HAS_VECTOR)
    const char *width = "16 bytes at a time";
#else
    const char *width = "byte by byte";
    printf("nothing to compare: the kernels are compiled for %s\n", width);
    return 1;
#endif
    size_t rounds = compare_all();
#if defined(__x86_64__)
    ck_wide = 0;
    rounds += compare_all();
#endif
    printf("%zu inputs, kernels of %s and the hash: the same results\n", rounds, width);
    return 0;
}
