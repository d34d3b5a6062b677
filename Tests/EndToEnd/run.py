"""Runs the files of this folder, some at a time, each in its own process, because they mostly wait. After
each file its process looks for keys in all that was written. `run.py NAME…` runs the files whose names
contain one of these."""

import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.append(str(FOLDER.parent))
from side_by_side import SideBySide, chosen

KEYS = "test_zz_no_key_in_any_output"
# Tests/lib.sh starts two of this at once.
END_TO_END = SideBySide(FOLDER, at_a_time=2, after_each=(KEYS,))
# Those that wait longest begin first.
LONG = ("test_errors", "test_slow_clients", "test_admin", "test_service", "test_sandbox_table", "test_check")


def files():
    found = [path.stem for path in sorted(FOLDER.glob("test_*.py")) if path.stem != KEYS]
    return sorted(found, key=lambda name: (*LONG, name).index(name))


if __name__ == "__main__":
    END_TO_END.run(chosen(files(), sys.argv[1:]))
