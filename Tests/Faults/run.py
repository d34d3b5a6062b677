"""Runs the test classes of this folder, several at a time, each in its own process.

They mostly wait for deadlines. `run.py NAME…` runs the classes whose names contain one of these.
"""

import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.append(str(FOLDER.parent))
from side_by_side import SideBySide, chosen, classes, has_part

# Those that measure load run alone.
FAULTS = SideBySide(FOLDER, at_a_time=6, alone=("Kill", "Drain", "Overload", "Descriptors"))
# Those that wait for most of a minute begin first.
LONG = ("connections.TLS",)

if __name__ == "__main__":
    names = sorted(classes(FOLDER), key=lambda name: not has_part(name, LONG))
    FAULTS.run(chosen(names, sys.argv[1:]))
