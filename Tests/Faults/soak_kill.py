"""Many kills under load: `soak_kill.py ROUNDS`, half of them on each backend. Prints what it counted
every ten rounds, and the seed that repeats a failure ($SEED)."""

import sys
import time

from test_kill import SEED, Kills, uring


def main():
    rounds = int(sys.argv[1])
    backends = ["epoll"] + ["io_uring"] * uring.is_granted()
    kills = Kills(SEED)
    print(f"SEED={SEED}", flush=True)
    start = time.monotonic()
    for number in range(rounds):
        kills.round(backends[number % len(backends)])
        if (number + 1) % 10 == 0 or number + 1 == rounds:
            kills.check()
            print(f"{time.monotonic() - start:.0f} s, {kills}", flush=True)
    kills.sandbox.stop()


if __name__ == "__main__":
    main()
