"""Runs the test classes of this folder as Tests/Faults/run.py does its own: some at a time, each in
its own process. `run.py NAME…` runs the classes whose names contain one of these."""

import importlib.util
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent

spec = importlib.util.spec_from_file_location("side_by_side", FOLDER.parent / "Faults/run.py")
side_by_side = importlib.util.module_from_spec(spec)
spec.loader.exec_module(side_by_side)
side_by_side.FOLDER = FOLDER
side_by_side.AT_A_TIME = 5
# Those that keep both cores busy.
side_by_side.ALONE = ("Commands", "Queue")
# They measure how long others wait. Beside four other attacks on two cores that may be longer, and
# says nothing of the attack.
side_by_side.JUDGED_ALONE = True
# Those that wait for most of a minute begin first.
LONG = ("Trickles", "Idle", "Handshakes", "Guesses")


def classes(names, of_folder=side_by_side.classes):
    return sorted(of_folder(names), key=lambda name: not any(part in name for part in LONG))


side_by_side.classes = classes

if __name__ == "__main__":
    side_by_side.main()
