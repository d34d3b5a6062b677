/*
 * The one function of System/system.h that is not inline: accept4(2) needs
 * _GNU_SOURCE.
 */
#define _GNU_SOURCE
#include "System/system.h"

int cs_accept(int fd, struct sockaddr_storage *address) {
    socklen_t size = sizeof *address;
    return (int)cs_result(
        accept4(fd, (struct sockaddr *)address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
}
