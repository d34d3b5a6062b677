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
#include <sys/types.h>

/* Cores in this process's affinity mask; 1 when the kernel won't say. */
int ck_available_cores(void);

/*
 * Raises the soft limit on open descriptors to the hard one; returns the limit that
 * holds then, at most 2^30, or -1 when the kernel won't say.
 */
long ck_raise_descriptor_limit(void);

/*
 * A descriptor that counts the instructions (user and kernel) of one thread and
 * of threads it starts later; read(2) gives 8 bytes. -1 where the kernel won't.
 */
int ck_count_instructions(int thread);

/*
 * No core dumps, no /proc/PID/mem for others of the same user: keys stay inside. 0 or -1. To be
 * called again after the user was changed, which resets it.
 */
int ck_set_undumpable(void);

/*
 * Nothing that is executed from here on gets rights that this process has not, and neither do its
 * later threads. Before any thread is started. 0 or -1.
 */
static inline int ck_set_no_new_privileges(void) {
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/*
 * A datagram socket that is connected to a socket of the file system (journald's, say), whose path
 * begins with a slash, or to an abstract one (@). A descriptor, or -1 with errno.
 */
int ck_connect_datagram(const char *_Nonnull path);

/*
 * Becomes this user and group for good, in all threads, without supplementary groups and
 * capabilities, and makes sure of it. 0, or -1 with errno, and then the process must end: it may
 * be half way.
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
