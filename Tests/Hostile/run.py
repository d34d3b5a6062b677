"""Runs the test classes of this folder, some at a time, each in its own process. `run.py NAME…` runs the
classes whose names contain one of these."""

import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.append(str(FOLDER.parent))
from side_by_side import SideBySide, chosen, classes, has_part

HOSTILE = SideBySide(
    FOLDER, at_a_time=5,
    # Those that keep both cores busy.
    alone=("Commands", "Queue"),
    # They measure how long others wait. Beside four other attacks on two cores that may be longer, and
    # says nothing of the attack.
    is_judged_alone=True)
# Those that wait for most of a minute begin first.
LONG = ("Trickles", "Idle", "Handshakes", "Guesses")

if __name__ == "__main__":
    names = sorted(classes(FOLDER), key=lambda name: not has_part(name, LONG))
    HOSTILE.run(chosen(names, sys.argv[1:]))
