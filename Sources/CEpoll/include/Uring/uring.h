/*
 * io_uring over liburing: one ring, and one function for each operation of the Swift backend.
 * Errors are negative errno. Every function must be called on the thread that made the ring.
 *
 * Sockets must be blocking ones: with O_NONBLOCK the kernel answers EAGAIN instead of completing
 * later. A listening socket that others share may be either: `cu_poll_incoming` says when to accept,
 * and an accept that finds nothing completes with -EAGAIN, or waits.
 */
#ifndef CEPOLL_URING_H
#define CEPOLL_URING_H

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

typedef struct cu_ring cu_ring;

/* One completion. */
typedef struct {
    uint64_t user_data;
    int32_t result;
    /* Whether the same request will complete again (multishot). */
    int has_more;
} cu_completion;

/*
 * Makes a ring with `entries` submission entries (and four times as many completions). Fails with
 * -ENOSYS, -EPERM, -EINVAL… where the kernel refuses io_uring or is too old; `operation` is then the
 * name of the call that failed, a constant.
 */
int cu_open(
    cu_ring *_Nullable *_Nonnull ring, unsigned entries,
    const char *_Nullable *_Nonnull operation);
/*
 * Whether a fresh ring knows every operation that is used here, and transfers a byte. The ring must
 * be closed afterwards, because requests are left in flight. Returns 0 or a negative errno, and
 * `operation` as above.
 */
int cu_try(cu_ring *_Nonnull ring, const char *_Nullable *_Nonnull operation);
/* Ends the ring; the kernel cancels its requests in flight. */
void cu_close(cu_ring *_Nonnull ring);
/*
 * Times that the kernel has refused a call for the whole ring, and the negative errno of the refusal
 * that has ended the ring, or 0. A ring that has ended submits nothing and never waits.
 */
unsigned cu_error_count(const cu_ring *_Nonnull ring);
int cu_failure(const cu_ring *_Nonnull ring);

/*
 * Multishot operations: they complete again and again while `has_more` is set. A poll completes each
 * time that bytes arrive, and when the peer has ended or the socket has failed; its result then has
 * a bit of CU_POLL_ENDED.
 */
enum { CU_POLL_ENDED = EPOLLRDHUP | EPOLLHUP | EPOLLERR };
void cu_poll_readable(cu_ring *_Nonnull ring, int fd, uint64_t user_data);
void cu_accept(cu_ring *_Nonnull ring, int fd, int is_multishot, uint64_t user_data);

/* Completes once, when `fd` is writable or has failed. */
void cu_poll_writable(cu_ring *_Nonnull ring, int fd, uint64_t user_data);
/* Completes once, when a listening socket has a connection. */
void cu_poll_incoming(cu_ring *_Nonnull ring, int fd, uint64_t user_data);
/* The bytes must stay until the completion. */
void cu_send(
    cu_ring *_Nonnull ring, int fd, const void *_Nonnull bytes, unsigned size, uint64_t user_data);
/*
 * The same for up to CU_GATHER_MAX parts, which are copied; their bytes must stay. While the kernel
 * has not taken earlier ones, only the first part may be sent.
 */
#define CU_GATHER_MAX 16
void cu_send_gathered(
    cu_ring *_Nonnull ring, int fd, const struct iovec *_Nonnull parts, unsigned count,
    uint64_t user_data);
/* Cancels every request with this user data; completes with user data 0, which is ignored. */
void cu_cancel(cu_ring *_Nonnull ring, uint64_t user_data);
/* Cancels every request on this descriptor. */
void cu_cancel_all(cu_ring *_Nonnull ring, int fd);

/* Submits and returns: sends have then been tried, and completions wait for `cu_wait`. */
void cu_submit(cu_ring *_Nonnull ring);
/*
 * Submits, and waits for a completion for at most `milliseconds` (-1: without limit, 0: not at
 * all).
 */
void cu_wait(cu_ring *_Nonnull ring, int milliseconds);
/* Takes the next completion; 0 when there is none. */
int cu_next(cu_ring *_Nonnull ring, cu_completion *_Nonnull completion);

/*
 * Separate system calls that never wait, even on a blocking socket. They return the bytes, or a
 * negative errno (-EAGAIN: the call would have to wait).
 */
long cu_receive_now(int fd, void *_Nonnull buffer, size_t size);
long cu_send_now(int fd, struct iovec *_Nonnull parts, unsigned count);

/* The address of the peer of a connected socket. */
int cu_peer_address(int fd, struct sockaddr_storage *_Nonnull address);

#endif
