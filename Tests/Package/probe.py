"""Tries what a hijacked program would try, and prints the results.

test_systemd.py runs it under the relay's unit, instead of the relay.
"""

import ctypes
import errno
import os
import socket

LIBC = ctypes.CDLL(None, use_errno=True)


def system_call(number, *arguments):
    if LIBC.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "system call")


def write(path):
    open(path, "w").close()


def see_others():
    """Processes other than this one."""
    if [name for name in os.listdir("/proc") if name.isdigit()] == [str(os.getpid())]:
        raise OSError(errno.ENOENT, "none")


def map_executable():
    """Memory that is writable and executable."""
    LIBC.mmap.restype = ctypes.c_void_p
    if LIBC.mmap(None, ctypes.c_size_t(4_096), 7, 0x22, -1, ctypes.c_long(0)) == 2**64 - 1:
        raise OSError(ctypes.get_errno(), "mmap")


TRIES = {
    "write /etc": lambda: write("/etc/postscale-relay/relay.conf"),
    "write /usr": lambda: write("/usr/bin/postscale-relay"),
    "write /var": lambda: write("/var/lib/probe"),
    "write /tmp": lambda: write("/tmp/probe"),
    "write its state": lambda: write(os.environ["STATE_DIRECTORY"] + "/probe"),
    "read /root": lambda: os.listdir("/root"),
    "read /home": lambda: os.listdir("/home"),
    "see other processes": see_others,
    "read /proc/sys": lambda: open("/proc/sys/kernel/core_pattern").close(),
    "become root": lambda: os.setuid(0),
    "a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
    "a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3),
    "a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
    "a namespace": lambda: system_call(272, 0x10000000),
    "a mount": lambda: system_call(165, b"none", b"/tmp", b"tmpfs", 0, 0),
    "to trace": lambda: system_call(101, 0, 0, 0, 0),
    "executable memory": map_executable,
}

for name, attempt in TRIES.items():
    try:
        attempt()
        print(f"allowed: {name}")
    except OSError as error:
        print(f"denied: {name}: {errno.errorcode.get(error.errno, error.errno)}")
