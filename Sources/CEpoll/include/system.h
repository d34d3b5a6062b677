/*
 * The kernel's interfaces that Swift's Glibc overlay does not show: epoll,
 * eventfd, accept4, socket options, one `static inline` each.
 */
#ifndef CEPOLL_SYSTEM_H
#define CEPOLL_SYSTEM_H

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#endif
