"""A line with a delay between two network namespaces: `line.py MILLISECONDS`.

A front end closes an idle connection while a request is on its way to it. On loopback nothing is on
its way for longer than some microseconds, so this race needs a delay. A proxy that waits would end
TCP: its kernel would acknowledge what the front end never gets. This line carries IP packets, so
that acknowledgements are the front end's own.

It begins in the namespace of the relay, makes a second one, and has a TUN device in both. It prints
`ready` when both are up, takes a new delay as a line of its standard input, and ends with that.
"""

import collections
import ctypes
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

RELAY, FRONT = "10.0.0.1", "10.0.0.2"
TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x0001, 0x1000, 0x40000000
# As on loopback, so that 49 MB are some hundred packets.
MTU = 60_000


def device(name, address, peer):
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    for command in (f"address add {address} peer {peer} dev {name}",
                    f"link set {name} mtu {MTU} txqueuelen 10000 up", "link set lo up"):
        subprocess.run(["ip", *command.split()], check=True)
    return descriptor


def read_all(descriptor):
    while True:
        try:
            yield os.read(descriptor, MTU + 100)
        except BlockingIOError:
            return


def write(descriptor, packet):
    try:
        os.write(descriptor, packet)
    except OSError:
        pass  # Lost, as packets may be.


def main():
    delay = float(sys.argv[1]) / 1_000
    relay = device("relay", RELAY, FRONT)
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    front = device("front", FRONT, RELAY)
    print("ready", flush=True)
    # (when it is due, packet) of what goes out at each device.
    waiting = {relay: collections.deque(), front: collections.deque()}
    other = {relay: front, front: relay}
    while True:
        due = min((queue[0][0] for queue in waiting.values() if queue), default=None)
        timeout = None if due is None else max(0, due - time.monotonic())
        ready, _, _ = select.select([relay, front, 0], [], [], timeout)
        if 0 in ready:
            words = os.read(0, 100).split()
            if not words:
                return
            delay = float(words[-1]) / 1_000
        now = time.monotonic()
        for descriptor, to in other.items():
            if descriptor in ready:
                waiting[to].extend((now + delay, packet) for packet in read_all(descriptor))
        now = time.monotonic()
        for descriptor, queue in waiting.items():
            while queue and queue[0][0] <= now:
                write(descriptor, queue.popleft()[1])


if __name__ == "__main__":
    main()
