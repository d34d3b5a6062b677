#!/usr/bin/env bash
# Linux 6.18 with liburing 2.3: a ring that is closed interrupts a later call of the thread that used it.
#
# io_uring_queue_exit(3) returns at once. Some milliseconds later the kernel takes the ring down, and for that it
# interrupts each thread that has used it. A call that waits without a limit of time goes on by itself. One that has a
# limit (here recv(2) on a socket with SO_RCVTIMEO) ends with EINTR, though no signal was sent and the process has no
# handler of any. Seen 2026-11-30, five times of five:
#
#   no ring: EAGAIN
#   after a ring: EINTR
#   after a ring, without a limit: 1 byte
#
# For a program with io_uring: look for EINTR after each call that has a limit of time, also where no signal can come;
# a library that was used by the same thread earlier may have had a ring.
packages="liburing2=2.3-3"
. "$(dirname "$0")/lib.sh"

uname -r
python3 - >seen <<'PROGRAM'
import ctypes
import errno
import socket
import struct
import threading

libc, uring = ctypes.CDLL("libc.so.6", use_errno=True), ctypes.CDLL("liburing.so.2")


def received(with_ring, seconds):
    """What recv(2) of this thread ends with, when a byte comes after two seconds."""
    ours, theirs = socket.socketpair()
    if seconds:
        limit = struct.pack("@ll", seconds, 0)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    if with_ring:
        ring = ctypes.create_string_buffer(1_024)  # More than struct io_uring has.
        assert uring.io_uring_queue_init(8, ring, 0) == 0
        uring.io_uring_queue_exit(ring)
    writer = threading.Timer(2, theirs.send, [b"x"])
    writer.start()
    count = libc.recv(ours.fileno(), ctypes.create_string_buffer(1), 1, 0)
    number = ctypes.get_errno()
    writer.join()
    return f"{count} byte" if count >= 0 else errno.errorcode[number]


print("no ring:", received(False, 1))
for _ in range(5):
    print("after a ring:", received(True, 1))
print("after a ring, without a limit:", received(True, 0))
PROGRAM
cat seen
diff -u - seen >&2 <<'EXPECTED' || changed "see above"
no ring: EAGAIN
after a ring: EINTR
after a ring: EINTR
after a ring: EINTR
after a ring: EINTR
after a ring: EINTR
after a ring, without a limit: 1 byte
EXPECTED
