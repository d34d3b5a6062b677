/*
 * What a process asks about itself, where Swift's Glibc overlay has macros only.
 */
#ifndef CEPOLL_PROCESS_H
#define CEPOLL_PROCESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>
#include <sys/prctl.h>

/* Cores in this process's affinity mask; 1 when the kernel won't say. */
int ck_available_cores(void);

/*
 * A descriptor that counts the instructions (user and kernel) of one thread and
 * of threads it starts later; read(2) gives 8 bytes. -1 where the kernel won't.
 */
int ck_count_instructions(int thread);

/* No core dumps, no /proc/PID/mem for others of the same user: keys stay inside. 0 or -1. */
static inline int ck_set_undumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

#endif
