/*
 * Limits, rights and sockets of this process. What each function promises is in Process/process.h.
 */
#define _GNU_SOURCE
#include "Process/process.h"

#include <errno.h>
#include <grp.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

int ck_available_cores(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

long ck_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    struct rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    const rlim_t most = 1L << 30;
    return (long)(limit.rlim_cur < most ? limit.rlim_cur : most);
}

int ck_count_instructions(int thread) {
    struct perf_event_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.size = sizeof attributes;
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.config = PERF_COUNT_HW_INSTRUCTIONS;
    attributes.inherit = 1;
    return (int)syscall(SYS_perf_event_open, &attributes, thread, -1, -1, 0);
}

int ck_set_undumpable(void) {
    struct rlimit none = {0, 0};
    int is_limited = setrlimit(RLIMIT_CORE, &none);
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && is_limited == 0 ? 0 : -1;
}

// Fills in the address of a Unix socket; a path that begins with @ is an abstract one (unix(7)).
// Returns its size, or 0 with errno for an invalid path.
static socklen_t unix_address(const char *path, struct sockaddr_un *address) {
    size_t length = strlen(path);
    if (path[0] != '/' && path[0] != '@') {
        errno = EINVAL;
        return 0;
    }
    if (length >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return 0;
    }
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length);
    if (path[0] == '@') address->sun_path[0] = 0;
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

int ck_connect_datagram(const char *path) {
    struct sockaddr_un address;
    socklen_t size = unix_address(path, &address);
    if (size == 0) return -1;
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    if (connect(descriptor, (struct sockaddr *)&address, size) != 0) {
        int reason = errno;
        close(descriptor);
        errno = reason;
        return -1;
    }
    return descriptor;
}

/* Whether the process has exactly this user and group, and no other group. */
static int is_exactly(uid_t user, gid_t group) {
    uid_t u[3];
    gid_t g[3], others[2];
    if (getresuid(&u[0], &u[1], &u[2]) != 0 || getresgid(&g[0], &g[1], &g[2]) != 0) return 0;
    for (int i = 0; i < 3; i++) {
        if (u[i] != user || g[i] != group) return 0;
    }
    int count = getgroups(2, others);
    return count == 0 || (count == 1 && others[0] == group);
}

int ck_become(uid_t user, gid_t group) {
    /*
     * The C library does each of these in all threads. Groups come first: only root may change
     * them.
     */
    if (!is_exactly(user, group) &&
        (setgroups(1, &group) != 0 || setresgid(group, group, group) != 0 ||
         setresuid(user, user, user) != 0)) {
        return -1;
    }
    /* There must be no way back. */
    int is_root_again = user != 0 && setresuid((uid_t)-1, 0, (uid_t)-1) == 0;
    if (is_root_again || !is_exactly(user, group)) {
        errno = EPERM;
        return -1;
    }
    return 0;
}

int ck_notify(const char *path, const char *message) {
    struct sockaddr_un address;
    socklen_t size = unix_address(path, &address);
    if (size == 0) return -1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    ssize_t sent = sendto(
        fd, message, strlen(message), MSG_NOSIGNAL, (const struct sockaddr *)&address, size);
    int error = errno;
    close(fd);
    errno = error;
    return sent < 0 ? -1 : 0;
}

int ck_is_listening(int fd) {
    int value = 0;
    socklen_t size = sizeof value;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) != 0 || !value) return 0;
    size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &value, &size) == 0 && value == IPPROTO_TCP;
}
