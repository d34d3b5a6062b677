/*
 * The kernel's interfaces that Swift's Glibc overlay does not show, or shows only as macros and
 * variadic functions: epoll, eventfd, accept4, socket options. One thin function each, which
 * returns what the system call returns, with errors as negative errno so that nothing reads errno
 * later.
 */
#ifndef CEPOLL_SYSTEM_H
#define CEPOLL_SYSTEM_H

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* The flags of one epoll_event, as unsigned numbers that combine in Swift. */
enum {
    CS_EPOLL_IN = EPOLLIN,
    CS_EPOLL_OUT = EPOLLOUT,
    CS_EPOLL_FAILED = EPOLLHUP | EPOLLERR,
    CS_EPOLL_ENDED = EPOLLRDHUP | EPOLLHUP | EPOLLERR,
};

/* -errno for a failed call, its result otherwise. */
static inline long cs_result(long value) { return value < 0 ? -errno : value; }

static inline int cs_epoll_create(void) { return (int)cs_result(epoll_create1(EPOLL_CLOEXEC)); }

/* Registers `fd` edge-triggered for reading and writing under `user_data`. */
static inline int cs_epoll_add(int epoll, int fd, uint64_t user_data) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    event.data.u64 = user_data;
    return (int)cs_result(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

/* Whether a descriptor has something to read or to accept, now. */
static inline int cs_is_readable(int fd) {
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    return poll(&entry, 1, 0) == 1 && (entry.revents & POLLIN) != 0;
}

/* Registers a descriptor that only ever becomes readable (eventfd, listener). */
static inline int cs_epoll_add_readable(int epoll, int fd, uint64_t user_data) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    event.data.u64 = user_data;
    return (int)cs_result(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

static inline int cs_epoll_wait(
    int epoll, struct epoll_event *_Nonnull events, int events_max, int timeout_ms) {
    return (int)cs_result(epoll_wait(epoll, events, events_max, timeout_ms));
}

static inline int cs_eventfd(void) {
    return (int)cs_result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

/* Adds one to an eventfd's counter; with an edge-triggered watch each call is an event. */
static inline void cs_eventfd_signal(int fd) {
    uint64_t one = 1;
    ssize_t ignored = write(fd, &one, sizeof one);
    (void)ignored;
}

static inline long cs_receive(int fd, void *_Nonnull buffer, size_t size) {
    return cs_result(recv(fd, buffer, size, 0));
}

static inline long cs_send(int fd, const void *_Nonnull bytes, size_t size) {
    return cs_result(send(fd, bytes, size, MSG_NOSIGNAL));
}

static inline long cs_send_gathered(int fd, struct iovec *_Nonnull parts, int count) {
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
    return cs_result(sendmsg(fd, &message, MSG_NOSIGNAL));
}

/* A TCP socket, close-on-exec. */
static inline int cs_tcp_socket(int family, int is_blocking) {
    int type = SOCK_STREAM | SOCK_CLOEXEC | (is_blocking ? 0 : SOCK_NONBLOCK);
    return (int)cs_result(socket(family, type, IPPROTO_TCP));
}

static inline int cs_set_option(int fd, int level, int name, int value) {
    return (int)cs_result(setsockopt(fd, level, name, &value, sizeof value));
}

/*
 * Sends small segments at once and notices dead peers; accepted sockets inherit this from a
 * listener.
 */
static inline void cs_set_stream_options(int fd) {
    cs_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    cs_set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    cs_set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
    cs_set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
    cs_set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

/*
 * Sends the acknowledgement that the kernel may be delaying, and delays none before we send again
 * (tcp(7)).
 */
static inline void cs_acknowledge_now(int fd) {
    cs_set_option(fd, IPPROTO_TCP, TCP_QUICKACK, 1);
}

/* The next close of `fd` sends a reset instead of a FIN. */
static inline void cs_set_reset_on_close(int fd) {
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/* Takes O_NONBLOCK off. */
static inline void cs_set_blocking(int fd) {
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

/* Whether O_NONBLOCK is on. */
static inline int cs_is_nonblocking(int fd) { return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }

/* Another descriptor of the same socket, close-on-exec. */
static inline int cs_duplicate(int fd) { return (int)cs_result(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

/* The pending error of a socket (0 for none); reading clears it. */
static inline int cs_socket_error(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

static inline int cs_connect(
    int fd, const struct sockaddr *_Nonnull address, socklen_t size) {
    return (int)cs_result(connect(fd, address, size));
}

static inline int cs_bind(int fd, const struct sockaddr *_Nonnull address, socklen_t size) {
    return (int)cs_result(bind(fd, address, size));
}

static inline int cs_listen(int fd, int backlog) { return (int)cs_result(listen(fd, backlog)); }

static inline int cs_local_address(int fd, struct sockaddr_storage *_Nonnull address) {
    socklen_t size = sizeof *address;
    return (int)cs_result(getsockname(fd, (struct sockaddr *)address, &size));
}

/* Bytes that have arrived and were not read yet; 0 when that is unknown. */
static inline int cs_unread_bytes(int fd) {
    int count = 0;
    return ioctl(fd, FIONREAD, &count) == 0 ? count : 0;
}

/* Bytes that were taken and not acknowledged yet (SIOCOUTQ is TIOCOUTQ); -1 when that is unknown. */
static inline int cs_unacknowledged_bytes(int fd) {
    int count = 0;
    return ioctl(fd, TIOCOUTQ, &count) == 0 ? count : -1;
}

/* accept4, non-blocking and close-on-exec; fills `address`. */
int cs_accept(int fd, struct sockaddr_storage *_Nonnull address);

/*
 * The same for a listening socket that other processes share. O_NONBLOCK belongs to all of them: it
 * may be on or off, and is left as it is. Without it another process may take the connection between
 * poll and accept, and accept would wait for the next one. A timer of this thread, with a signal that
 * does nothing, ends that wait after a millisecond.
 */
int cs_accept_shared(int fd, struct sockaddr_storage *_Nonnull address);

/* Names the calling thread for `ps -L` and debuggers; the first 15 bytes count. */
static inline void cs_name_thread(const char *_Nonnull name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

#endif
