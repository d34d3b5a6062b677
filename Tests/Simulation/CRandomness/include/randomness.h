/*
 * OpenSSL's randomness from a seed, so that a simulated handshake is the same each time.
 * For the simulation alone: whoever knows the seed knows every key.
 */
#ifndef CRANDOMNESS_H
#define CRANDOMNESS_H

#include <stdint.h>

/* From now on RAND_bytes and RAND_priv_bytes give what follows from `seed`. 1 if all is well. */
int cr_seed(uint64_t seed);

/* Has the process print the seed of the run under way when a trap or a bad access ends it. */
void cr_name_seed_in_traps(void);

/* Lets SIGTERM and SIGINT set a mark instead of ending the process; whether it is set. */
void cr_stop_on_signals(void);
int cr_is_stopped(void);

#endif
