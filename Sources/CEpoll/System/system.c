/*
 * The functions of System/system.h that are not inline: accept4(2) needs _GNU_SOURCE, and an accept
 * that never waits on a blocking socket needs a timer.
 */
#define _GNU_SOURCE
#include "System/system.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

int cs_accept(int fd, struct sockaddr_storage *address) {
    socklen_t size = sizeof *address;
    return (int)cs_result(
        accept4(fd, (struct sockaddr *)address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

static void do_nothing(int signal) { (void)signal; }

static int interruption(void) { return SIGRTMAX - 3; }

static void catch_interruption(void) {
    struct sigaction action = {.sa_handler = do_nothing};
    sigemptyset(&action.sa_mask);
    sigaction(interruption(), &action, NULL);
}

/* This thread's timer, which interrupts its system calls; 0 or a negative errno. */
static int interrupting_timer(timer_t *timer) {
    static pthread_once_t caught = PTHREAD_ONCE_INIT;
    static _Thread_local timer_t made;
    static _Thread_local int is_made;
    if (!is_made) {
        pthread_once(&caught, catch_interruption);
        sigset_t wanted;
        sigemptyset(&wanted);
        sigaddset(&wanted, interruption());
        pthread_sigmask(SIG_UNBLOCK, &wanted, NULL);
        struct sigevent event = {
            .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = interruption()};
        event.sigev_notify_thread_id = gettid();
        if (timer_create(CLOCK_MONOTONIC, &event, &made) < 0) return -ENOBUFS;
        is_made = 1;
    }
    *timer = made;
    return 0;
}

int cs_accept_shared(int fd, struct sockaddr_storage *address) {
    if (cs_is_nonblocking(fd)) return cs_accept(fd, address);
    timer_t timer;
    int status = cs_is_readable(fd) ? interrupting_timer(&timer) : -EAGAIN;
    if (status < 0) return status;
    /* Again and again: the first signal may come before the call waits. */
    struct itimerspec soon = {.it_value.tv_nsec = 1000000, .it_interval.tv_nsec = 1000000};
    struct itimerspec never = {.it_value.tv_nsec = 0};
    timer_settime(timer, 0, &soon, NULL);
    do {
        status = cs_accept(fd, address);
    } while (status == -EINTR && cs_is_readable(fd));
    timer_settime(timer, 0, &never, NULL);
    return status == -EINTR ? -EAGAIN : status;
}
