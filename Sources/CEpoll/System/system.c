#define _GNU_SOURCE
#include "System/system.h"

int cs_accept(int fd, struct sockaddr_storage *address) {
    socklen_t size = sizeof *address;
    return (int)cs_result(
        accept4(fd, (struct sockaddr *)address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
}
