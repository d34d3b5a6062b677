"""Runs tests of one folder side by side, each name in a process of its own: what `run.py` of several folders
shares. They mostly wait, so running them side by side costs little. The output of a name is shown when its
process has ended.

A name is what `python -m unittest` takes in that folder: a file, a class or one test.
"""

import concurrent.futures
import dataclasses
import os
import pathlib
import subprocess
import sys
import time
import unittest

# Tests/Sanitizers/under.sh sets SANITIZED: relays start and answer some ten times slower then.
NAME_SECONDS = 2_400 if os.environ.get("SANITIZED") else 600


def tests(folder):
    """The names of all tests of the folder, in unittest's order. Ends the program if a file does not load."""
    found = []

    def walk(suite):
        for item in suite:
            if isinstance(item, unittest.TestSuite):
                walk(item)
            else:
                found.append(item.id())

    loader = unittest.TestLoader()
    walk(loader.discover(str(folder)))
    if loader.errors:
        sys.exit("\n".join(loader.errors))
    return found


def classes(folder):
    """The names of all classes with tests of the folder, by name."""
    return sorted({name.rsplit(".", 1)[0] for name in tests(folder)})


def has_part(name, parts):
    return any(part in name for part in parts)


def chosen(names, parts):
    """Those of `names` that contain one of `parts`; without any, all."""
    return [name for name in names if not parts or has_part(name, parts)]


@dataclasses.dataclass(frozen=True)
class SideBySide:
    """How the names of one folder are run."""

    folder: pathlib.Path
    at_a_time: int
    #: Parts of names that run one at a time, after all the others: those that measure load.
    alone: tuple = ()
    #: Whether a name that failed beside others runs once more alone, and that run counts.
    is_judged_alone: bool = False
    #: Names that each process runs after its own.
    after_each: tuple = ()

    def passes(self, name):
        """Runs one name and shows its output."""
        start = time.monotonic()
        try:
            done = subprocess.run(
                [sys.executable, "-m", "unittest", "-v", name, *self.after_each], cwd=self.folder,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=NAME_SECONDS)
            said, is_passed = done.stdout, done.returncode == 0
        except subprocess.TimeoutExpired as late:
            # The others go on.
            said = (late.stdout or b"") + f"\n{name} ... ERROR\nended after {NAME_SECONDS} s\n".encode()
            is_passed = False
        print(f"\n{name}, {time.monotonic() - start:.0f} s\n{said.decode(errors='replace')}", flush=True)
        return is_passed

    def run(self, names):
        """Runs these, the first ones first, and ends the program: with 0 if each has passed."""
        alone = [name for name in names if has_part(name, self.alone)]
        together = [name for name in names if name not in alone]
        with concurrent.futures.ThreadPoolExecutor(self.at_a_time) as pool:
            try:
                results = dict(zip(together, pool.map(self.passes, together)))
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                raise
        for name in alone:
            results[name] = self.passes(name)
        if not results:
            sys.exit("no such tests")
        for name in [name for name in together if self.is_judged_alone and not results[name]]:
            print(f"\n{name} failed beside others, and is judged alone:")
            results[name] = self.passes(name)
        print(f"{sum(results.values())} of {len(results)} passed")
        sys.exit(0 if all(results.values()) else 1)
