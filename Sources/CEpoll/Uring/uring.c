/*
 * io_uring through liburing. What each function promises is in Uring/uring.h. Nothing here waits but
 * cu_wait, cu_try for a second per completion, and a full submission queue that the kernel refuses,
 * for STALLS_MAX milliseconds at most.
 *
 * Errors of io_uring_enter(2): EINTR and ETIME are no errors. After EAGAIN and EBUSY the call is
 * repeated when completions have been taken (liburing's io_uring_submit(3)). Every other error, and
 * these two without end, are the ring's failure: it does nothing any more.
 */
#define _GNU_SOURCE
#include "Uring/uring.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GATHERS_MAX = 128, STALLS_MAX = 1000 };

/*
 * A sendmsg's arguments. The kernel reads them when it takes the submission, which may be later than
 * the next call that submits: such a call may fail, or take a part of the queue only.
 */
struct gather {
    struct msghdr message;
    struct iovec parts[CU_GATHER_MAX];
    /* The kernel has read it when the head of the submission queue has come this far. */
    unsigned end;
};

struct cu_ring {
    struct io_uring ring;
    /* Gathers in use, in the order of their submissions: `gather_count` from `gather_first` on. */
    unsigned gather_first;
    unsigned gather_count;
    struct gather gathers[GATHERS_MAX];
    /* Errors so far, and the one that has ended the ring (negative), or 0. */
    unsigned error_count;
    int failure;
    /* Errors one after the other, without any progress in between. */
    unsigned stall_count;
    /* Completions that were taken to make room in the kernel, oldest first. */
    cu_completion *kept;
    size_t kept_first;
    size_t kept_count;
    size_t kept_capacity;
    /* Takes the requests to a ring that has failed. */
    struct io_uring_sqe nowhere;
};

int cu_open(cu_ring **ring, unsigned entries, const char **operation) {
    *operation = "io_uring_setup";
    struct cu_ring *r = calloc(1, sizeof *r);
    if (!r) return -ENOMEM;
    struct io_uring_params params;
    memset(&params, 0, sizeof params);
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                   IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
    params.cq_entries = entries * 4;
    int status = io_uring_queue_init_params(entries, &r->ring, &params);
    if (status < 0) {
        free(r);
        return status;
    }
    io_uring_ring_dontfork(&r->ring);
    *ring = r;
    return 0;
}

static int knows_operations(struct cu_ring *r) {
    static const int operations[] = {
        IORING_OP_ACCEPT, IORING_OP_SEND, IORING_OP_SENDMSG, IORING_OP_POLL_ADD,
        IORING_OP_ASYNC_CANCEL};
    struct io_uring_probe *probe = io_uring_get_probe_ring(&r->ring);
    if (!probe) return 0;
    int known = 1;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        known = known && io_uring_opcode_supported(probe, operations[i]);
    io_uring_free_probe(probe);
    return known;
}

/* The next completion; waits for it at most a second. */
static int await_completion(struct cu_ring *r, cu_completion *completion) {
    if (!cu_next(r, completion)) {
        cu_wait(r, 1000);
        if (!cu_next(r, completion)) return -ETIME;
    }
    return completion->result < 0 ? completion->result : 0;
}

/* Sends one byte through the ring; a multishot poll must find it, and ask for more. */
static int carries_a_byte(struct cu_ring *r, const int pair[2]) {
    enum { POLL = 1, SEND = 2 };
    cu_completion completion;
    int received = 0, sent = 0;
    cu_poll_readable(r, pair[0], POLL);
    cu_send(r, pair[1], "x", 1, SEND);
    while (!received || !sent) {
        int status = await_completion(r, &completion);
        if (status < 0) return status;
        if (completion.user_data == SEND) {
            sent = 1;
        } else if (completion.user_data == POLL && !received) {
            char byte = 0;
            received = completion.has_more && cu_receive_now(pair[0], &byte, 1) == 1 && byte == 'x';
            if (!received) return -EOPNOTSUPP;
        }
    }
    return 0;
}

int cu_try(cu_ring *r, const char **operation) {
    *operation = "io_uring_register probe";
    if (!knows_operations(r)) return -EOPNOTSUPP;
    *operation = "io_uring_enter";
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
    int status = carries_a_byte(r, pair);
    close(pair[0]);
    close(pair[1]);
    return status;
}

void cu_close(cu_ring *r) {
    io_uring_queue_exit(&r->ring);
    free(r->kept);
    free(r);
}

unsigned cu_error_count(const cu_ring *r) { return r->error_count; }

int cu_failure(const cu_ring *r) { return r->failure; }

/* Frees the gathers whose submissions the kernel has taken. It takes them in order. */
static void free_gathers(struct cu_ring *r) {
    unsigned head = io_uring_smp_load_acquire(r->ring.sq.khead);
    while (r->gather_count > 0 && (int)(head - r->gathers[r->gather_first].end) >= 0) {
        r->gather_first = (r->gather_first + 1) % GATHERS_MAX;
        r->gather_count--;
    }
}

/* What a call of io_uring_enter has returned. */
static void note(struct cu_ring *r, int status) {
    free_gathers(r);
    if (status >= 0 || status == -ETIME || status == -EINTR) {
        r->stall_count = 0;
        return;
    }
    r->error_count++;
    int is_passing = status == -EAGAIN || status == -EBUSY;
    if (!is_passing || ++r->stall_count >= STALLS_MAX) r->failure = status;
}

static void submit(struct cu_ring *r) {
    if (!r->failure) note(r, io_uring_submit(&r->ring));
}

static int take_completion(struct cu_ring *r, cu_completion *completion) {
    struct io_uring_cqe *cqe;
    if (io_uring_peek_cqe(&r->ring, &cqe) != 0) return 0;
    completion->user_data = cqe->user_data;
    completion->result = cqe->res;
    completion->has_more = (cqe->flags & IORING_CQE_F_MORE) != 0;
    io_uring_cqe_seen(&r->ring, cqe);
    return 1;
}

/* Takes completions out of the kernel's queue and keeps them, so that it can go on. */
static void keep_completions(struct cu_ring *r) {
    cu_completion completion;
    while (take_completion(r, &completion)) {
        size_t end = r->kept_first + r->kept_count;
        if (end == r->kept_capacity) {
            size_t capacity = r->kept_capacity ? r->kept_capacity * 2 : 1024;
            cu_completion *larger = realloc(r->kept, capacity * sizeof *larger);
            if (!larger) {
                r->failure = -ENOMEM;
                return;
            }
            r->kept = larger;
            r->kept_capacity = capacity;
        }
        r->kept[end] = completion;
        r->kept_count++;
    }
}

/* The next free entry of the submission queue; one that goes nowhere when the ring has failed. */
static struct io_uring_sqe *entry(struct cu_ring *r) {
    struct io_uring_sqe *sqe = NULL;
    if (!r->failure) sqe = io_uring_get_sqe(&r->ring);
    while (!sqe && !r->failure) {
        unsigned errors = r->error_count;
        note(r, io_uring_submit_and_get_events(&r->ring));
        if (r->error_count != errors) {
            keep_completions(r);
            poll(NULL, 0, 1);
        }
        if (!r->failure) sqe = io_uring_get_sqe(&r->ring);
    }
    return sqe ? sqe : &r->nowhere;
}

void cu_poll_readable(cu_ring *r, int fd, uint64_t user_data) {
    struct io_uring_sqe *sqe = entry(r);
    io_uring_prep_poll_multishot(sqe, fd, POLLIN | POLLRDHUP);
    io_uring_sqe_set_data64(sqe, user_data);
}

void cu_accept(cu_ring *r, int fd, int is_multishot, uint64_t user_data) {
    struct io_uring_sqe *sqe = entry(r);
    if (is_multishot) {
        io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
    } else {
        io_uring_prep_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
    }
    io_uring_sqe_set_data64(sqe, user_data);
}

static void poll_once(cu_ring *r, int fd, unsigned events, uint64_t user_data) {
    struct io_uring_sqe *sqe = entry(r);
    io_uring_prep_poll_add(sqe, fd, events);
    io_uring_sqe_set_data64(sqe, user_data);
}

void cu_poll_writable(cu_ring *r, int fd, uint64_t user_data) {
    poll_once(r, fd, POLLOUT, user_data);
}

void cu_poll_incoming(cu_ring *r, int fd, uint64_t user_data) {
    poll_once(r, fd, POLLIN, user_data);
}

void cu_send(cu_ring *r, int fd, const void *bytes, unsigned size, uint64_t user_data) {
    struct io_uring_sqe *sqe = entry(r);
    io_uring_prep_send(sqe, fd, bytes, size, MSG_NOSIGNAL);
    io_uring_sqe_set_data64(sqe, user_data);
}

void cu_send_gathered(
    cu_ring *r, int fd, const struct iovec *parts, unsigned count, uint64_t user_data) {
    if (r->gather_count == GATHERS_MAX) submit(r);
    if (r->gather_count == GATHERS_MAX) {
        /* The kernel has not taken the oldest. One part needs no memory of ours. */
        cu_send(r, fd, parts->iov_base, (unsigned)parts->iov_len, user_data);
        return;
    }
    struct io_uring_sqe *sqe = entry(r);
    struct gather *g = &r->gathers[(r->gather_first + r->gather_count) % GATHERS_MAX];
    memset(&g->message, 0, sizeof g->message);
    memcpy(g->parts, parts, count * sizeof *parts);
    g->message.msg_iov = g->parts;
    g->message.msg_iovlen = count;
    g->end = r->ring.sq.sqe_tail;
    if (sqe != &r->nowhere) r->gather_count++;
    io_uring_prep_sendmsg(sqe, fd, &g->message, MSG_NOSIGNAL);
    io_uring_sqe_set_data64(sqe, user_data);
}

void cu_cancel(cu_ring *r, uint64_t user_data) {
    struct io_uring_sqe *sqe = entry(r);
    io_uring_prep_cancel64(sqe, user_data, IORING_ASYNC_CANCEL_ALL);
    io_uring_sqe_set_data64(sqe, 0);
}

void cu_cancel_all(cu_ring *r, int fd) {
    struct io_uring_sqe *sqe = entry(r);
    io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
    io_uring_sqe_set_data64(sqe, 0);
}

void cu_submit(cu_ring *r) { submit(r); }

void cu_wait(cu_ring *r, int milliseconds) {
    if (r->failure) return;
    struct io_uring_cqe *cqe;
    int status;
    if (milliseconds == 0 || r->kept_count > 0) {
        status = io_uring_submit_and_get_events(&r->ring);
    } else if (milliseconds < 0) {
        status = io_uring_submit_and_wait(&r->ring, 1);
    } else {
        struct __kernel_timespec limit = {
            .tv_sec = milliseconds / 1000, .tv_nsec = (long long)(milliseconds % 1000) * 1000000};
        status = io_uring_submit_and_wait_timeout(&r->ring, &cqe, 1, &limit, NULL);
    }
    note(r, status);
    /* The owner takes what has completed, and comes again; without that the kernel gets time. */
    if (r->stall_count > 0 && !r->failure && io_uring_cq_ready(&r->ring) == 0) poll(NULL, 0, 1);
}

int cu_next(cu_ring *r, cu_completion *completion) {
    if (r->kept_count == 0) return take_completion(r, completion);
    *completion = r->kept[r->kept_first++];
    if (--r->kept_count == 0) r->kept_first = 0;
    return 1;
}

long cu_receive_now(int fd, void *buffer, size_t size) {
    ssize_t count = recv(fd, buffer, size, MSG_DONTWAIT);
    return count < 0 ? -errno : count;
}

long cu_send_now(int fd, struct iovec *parts, unsigned count) {
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

int cu_peer_address(int fd, struct sockaddr_storage *address) {
    socklen_t size = sizeof *address;
    return getpeername(fd, (struct sockaddr *)address, &size) < 0 ? -errno : 0;
}
