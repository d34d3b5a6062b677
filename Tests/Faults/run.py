"""Runs the test classes of this folder, several at a time, each in its own process.

They mostly wait for deadlines, so running them side by side costs little. The output of a class is
shown when the class has ended. `run.py NAME…` runs the classes whose names contain one of these.
"""

import concurrent.futures
import pathlib
import subprocess
import sys
import time
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
AT_A_TIME = 6
# Classes that measure load run one at a time, after all the others.
ALONE = ("Kill", "Drain", "Overload", "Descriptors")
# Whether a class that failed beside others runs once more alone, and that run counts.
JUDGED_ALONE = False
# What each process runs after its class.
AFTER_EACH = ()


def classes(names):
    found = set()

    def walk(suite):
        for item in suite:
            if isinstance(item, unittest.TestSuite):
                walk(item)
            else:
                found.add(item.id().rsplit(".", 1)[0])

    loader = unittest.defaultTestLoader
    walk(loader.discover(str(FOLDER)))
    if loader.errors:
        sys.exit("\n".join(loader.errors))
    return sorted(name for name in found if not names or any(part in name for part in names))


def run(name):
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "unittest", "-v", name, *AFTER_EACH], cwd=FOLDER,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    print(f"\n{name}, {time.monotonic() - start:.0f} s\n{done.stdout.decode()}", flush=True)
    return done.returncode == 0


def main():
    names = classes(sys.argv[1:])
    alone = [name for name in names if any(part in name for part in ALONE)]
    together = [name for name in names if name not in alone]
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        try:
            results = dict(zip(together, pool.map(run, together)))
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    for name in alone:
        results[name] = run(name)
    if not results:
        sys.exit("no such tests")
    for name in [name for name in together if JUDGED_ALONE and not results[name]]:
        print(f"\n{name} failed beside others, and is judged alone:")
        results[name] = run(name)
    print(f"{sum(results.values())} of {len(results)} passed")
    sys.exit(0 if all(results.values()) else 1)


if __name__ == "__main__":
    main()
