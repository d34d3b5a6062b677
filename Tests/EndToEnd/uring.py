"""Tells whether the kernel grants io_uring, and runs a command for which the kernel refuses it.

    uring.py granted                        ends with 0 when it does
    uring.py refuse COMMAND ARGUMENT...     io_uring_setup(2) fails with EPERM, as under the seccomp
                                            filters of containers
"""

import ctypes
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 0x7FFF0000, 0x00050000
EPERM, EINVAL = 1, 22
# The same number on every architecture.
IO_URING_SETUP = 425
# linux/filter.h: load a word, jump if equal, return.
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
OFFSET_OF_NUMBER = 0


class Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = [("count", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def is_granted():
    """With 0 entries io_uring_setup(2) fails with EINVAL; where io_uring is refused, it fails
    earlier."""
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall(IO_URING_SETUP, 0, ctypes.create_string_buffer(256))
    return ctypes.get_errno() == EINVAL


def refuse():
    instructions = [
        (LOAD, 0, 0, OFFSET_OF_NUMBER),
        (JUMP_IF_EQUAL, 0, 1, IO_URING_SETUP),
        (RETURN, 0, 0, SECCOMP_RET_ERRNO | EPERM),
        (RETURN, 0, 0, SECCOMP_RET_ALLOW),
    ]
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    program = Program(len(instructions), code)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for arguments in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    if sys.argv[1:] == ["granted"]:
        sys.exit(0 if is_granted() else 1)
    if sys.argv[1:2] != ["refuse"] or len(sys.argv) < 3:
        sys.exit(__doc__)
    refuse()
    os.execv(sys.argv[2], sys.argv[2:])
