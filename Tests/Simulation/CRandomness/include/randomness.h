/*
 * OpenSSL's randomness from a seed, so that a simulated handshake is the same each time.
 * For the simulation only: anyone who knows the seed knows every key.
 */
#ifndef CRANDOMNESS_H
#define CRANDOMNESS_H

#include <stdint.h>

/* From now on RAND_bytes and RAND_priv_bytes return bytes that follow from `seed`. 1 on success. */
int cr_seed(uint64_t seed);

/* Makes the process print the seed of the current run when a trap or a bad access ends it. */
void cr_name_seed_in_traps(void);

/* Makes SIGTERM and SIGINT set a mark instead of ending the process; whether the mark is set. */
void cr_stop_on_signals(void);
int cr_is_stopped(void);

#endif
