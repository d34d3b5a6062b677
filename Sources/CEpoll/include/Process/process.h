/*
 * What a process asks about itself and changes in itself, where Swift's Glibc overlay has only
 * macros.
 */
#ifndef CEPOLL_PROCESS_H
#define CEPOLL_PROCESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>
#include <sys/prctl.h>
#include <sys/types.h>

/* Cores in this process's affinity mask; 1 when the kernel does not tell. */
int ck_available_cores(void);

/*
 * Raises the soft limit on open descriptors to the hard one; returns the limit that holds then, at
 * most 2^30, or -1 when the kernel does not tell.
 */
long ck_raise_descriptor_limit(void);

/*
 * A descriptor that counts the instructions (user and kernel) of one thread and of threads that it
 * starts later; read(2) gives 8 bytes. -1 where the kernel does not allow it.
 */
int ck_count_instructions(int thread);

/*
 * No core dumps, and no /proc/PID/mem for other processes of the same user, so keys stay inside. 0
 * or -1. Must be called again after the user was changed, which resets it.
 */
int ck_set_undumpable(void);

/*
 * From here on, no program that this process or its later threads execute gets rights that the
 * process does not have. Call it before any thread is started. 0 or -1.
 */
static inline int ck_set_no_new_privileges(void) {
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/*
 * A datagram socket that is connected to a socket of the file system (for example journald's),
 * whose path begins with a slash, or to an abstract one (@). A descriptor, or -1 with errno.
 */
int ck_connect_datagram(const char *_Nonnull path);

/*
 * Becomes this user and group for good, in all threads, without supplementary groups and
 * capabilities, and verifies it. Returns 0, or -1 with errno; then the process must end, because
 * the change may be incomplete.
 */
int ck_become(uid_t user, gid_t group);

/*
 * Sends one datagram to a socket of the file system, or to an abstract one whose path begins with @
 * (sd_notify(3)). 0, or -1 with errno.
 */
int ck_notify(const char *_Nonnull path, const char *_Nonnull message);

/* Whether `fd` is a TCP socket that listens. */
int ck_is_listening(int fd);

#endif
