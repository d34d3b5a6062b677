/*
 * The same kernels at 32 bytes per step (AVX2), for processors that have it. Part of kernels.h: the
 * same promises hold, and the whole input gives the same result as in the other variants, although
 * a single call may stop elsewhere. Call them only if ck_has_wide() is true; kernels.h does.
 */
#ifndef CEPOLL_KERNELS_WIDE_H
#define CEPOLL_KERNELS_WIDE_H

#include <stddef.h>
#include <stdint.h>

/* Fewer bytes than this are not worth the call. */
enum { CK_WIDE_MIN = 64 };

#if defined(__x86_64__)
/* Set before main, never again. */
extern int ck_wide;

/* Whether this processor has AVX2, BMI and BMI2. */
static inline int ck_has_wide(void) { return ck_wide; }

size_t ck_find_pair_wide(const uint8_t *_Nonnull p, size_t n, uint8_t a, uint8_t b);
ck_progress ck_json_escape_wide(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room, int line_feeds);
ck_progress ck_base64_filter_wide(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room);
ck_progress ck_base64_encode_wide(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room);
ck_progress ck_base64_decode_wide(
    const uint8_t *_Nonnull p, size_t n, uint8_t *_Nonnull q, size_t room);
#else
static inline int ck_has_wide(void) { return 0; }
#endif

#endif
