/*
 * A keyed hash of content: for each block of 1,024 bytes a sum of carry-less products under 128 random
 * words (CLNH: Daniel Lemire, Owen Kaser, "Faster 64-bit universal hashing using carry-less
 * multiplications", 2016), and over the sums of the blocks a polynomial in GF(2^128), in the
 * representation x^128 + x^7 + x^2 + x + 1.
 *
 * Under a random key two different contents of up to 2^30 blocks have the same hash with a probability of
 * at most 2^-64 (the sums) plus 2^-97 (the polynomial). Not a MAC.
 *
 * Part of kernels.h: the same promises hold. All variants give the same hash.
 */
#ifndef CEPOLL_KERNELS_HASH_H
#define CEPOLL_KERNELS_HASH_H

#include <stddef.h>
#include <stdint.h>

enum {
    CK_HASH_WORD_BYTES = 16,
    /* Words of 16 bytes in one block. */
    CK_HASH_BLOCK_WORDS = 64,
};

/* An element of GF(2^128), or the bits of a carry-less product; `low` has the bits 0 to 63. */
typedef struct {
    uint64_t low;
    uint64_t high;
} ck_bits;

/* Uniformly random. */
typedef struct {
    uint64_t words[2 * CK_HASH_BLOCK_WORDS];
    ck_bits point;
} ck_hash_key;

/* All zeroes, or with anything in `polynomial`, at the beginning. */
typedef struct {
    ck_bits polynomial;
    ck_bits sum;
    /* Words of the block so far: less than CK_HASH_BLOCK_WORDS. */
    uint64_t place;
} ck_hash_state;

/* Adds `count` words of 16 bytes, of any alignment. */
void ck_hash_words(
    ck_hash_state *_Nonnull state, const ck_hash_key *_Nonnull key, const uint8_t *_Nonnull p,
    size_t count);

/* Ends the block, and adds one number as a block of its own. */
void ck_hash_number(
    ck_hash_state *_Nonnull state, const ck_hash_key *_Nonnull key, uint64_t number);

/* The sum of products of `count` words, with the key's words from `k` on; see ck_hash_words. */
ck_bits ck_hash_sum_portable(
    const uint8_t *_Nonnull p, const uint64_t *_Nonnull k, size_t count);
/* The product in GF(2^128). */
ck_bits ck_hash_multiply_portable(ck_bits a, ck_bits b);

/* Whether this processor multiplies without carries (PCLMULQDQ with AVX, PMULL). Call the variants only
 * then; ck_hash_words does. */
int ck_hash_has_narrow(void);
ck_bits ck_hash_sum_narrow(const uint8_t *_Nonnull p, const uint64_t *_Nonnull k, size_t count);
ck_bits ck_hash_multiply_narrow(ck_bits a, ck_bits b);

/* Whether it does so with four words at once (VPCLMULQDQ with AVX-512); then it has the narrow way too. */
int ck_hash_has_wide(void);
ck_bits ck_hash_sum_wide(const uint8_t *_Nonnull p, const uint64_t *_Nonnull k, size_t count);

#endif
