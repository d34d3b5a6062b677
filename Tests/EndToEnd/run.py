"""Runs the files of this folder as Tests/Faults/run.py does its classes: some at a time, each in its own
process, because they mostly wait. After each file its process looks for keys in all that was written.
`run.py NAME…` runs the files whose names contain one of these."""

import importlib.util
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent

spec = importlib.util.spec_from_file_location("side_by_side", FOLDER.parent / "Faults/run.py")
side_by_side = importlib.util.module_from_spec(spec)
spec.loader.exec_module(side_by_side)
side_by_side.FOLDER = FOLDER
# Tests/lib.sh starts two of this at once.
side_by_side.AT_A_TIME = 2
side_by_side.ALONE = ()
KEYS = "test_zz_no_key_in_any_output"
side_by_side.AFTER_EACH = (KEYS,)
# Those that wait longest begin first.
LONG = ("test_errors", "test_slow_clients", "test_admin", "test_service", "test_sandbox_table", "test_check")


def files(names):
    found = [path.stem for path in sorted(FOLDER.glob("test_*.py")) if path.stem != KEYS]
    chosen = [name for name in found if not names or any(part in name for part in names)]
    return sorted(chosen, key=lambda name: (*LONG, name).index(name))


side_by_side.classes = files

if __name__ == "__main__":
    side_by_side.main()
