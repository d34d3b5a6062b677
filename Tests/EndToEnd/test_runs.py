"""Tests/runs.py, which runs all daily tests: its last lines say what failed, and its status too."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

import harness

RUNS = harness.ROOT / "Tests/runs.py"

SWIFT = """
◇ Test run started.
◇ Suite "Sums" started.
◇ Test "one and one" started.
◇ Test "a table" started.
◇ Test unnamed() started.
✔ Test "one and one" passed after 0.004 seconds.
✘ Test "a table" recorded an issue with 1 argument n → 2 at a.swift:6:5: Expectation failed: (n → 2) != 2
↳ first line of the comment
  second line
"""
SWIFT_END = """
✘ Test "a table" with 3 test cases failed after 0.005 seconds with 1 issue.
✔ Test unnamed() passed after 0.004 seconds.
✘ Suite "Sums" failed after 0.016 seconds with 1 issue.
✘ Test run with 3 tests in 1 suite failed after 0.018 seconds with 1 issue.
"""

PYTHON = """
import unittest

class A(unittest.TestCase):
    def test_good(self):
        pass

    @unittest.skip("no such client here")
    def test_skipped(self):
        pass

    def test_bad(self):
        self.assertEqual([1], [2], "they are not the same")

    def test_worse(self):
        raise ValueError("a\\n" + "=" * 70 + "\\nb")
"""


class Runs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="e2e-runs-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, *arguments):
        return subprocess.Popen(
            [sys.executable, RUNS, *arguments], cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "TEST_LOGS": str(self.folder / "logs")})

    def run_all(self, *arguments):
        """(status, output)"""
        with self.start(*arguments) as process:
            output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def says(self, text, status):
        """A command that writes `text` and ends so."""
        path = self.folder / f"says{len(list(self.folder.iterdir()))}"
        path.write_text(text.lstrip())
        return "sh", "-c", f"cat {path}; exit {status}"

    def test_what_failed_of_swift_stands_last(self):
        status, output = self.run_all("units", *self.says(SWIFT + SWIFT_END + "error: one\n", 1))
        self.assertEqual(status, 1)
        _, _, end = output.partition("\n== units\n")
        self.assertEqual(end, textwrap.dedent("""\
            ✘ Test "a table" recorded an issue with 1 argument n → 2 at a.swift:6:5: Expectation failed: (n → 2) != 2
            ↳ first line of the comment
              second line

            error: one
            units: these failed:
              "a table"
            units: FAILED after 0:00 with status 1: 1 failed, 2 passed. All of it: logs/units.log
            """))

    def test_a_crash_shows_its_last_lines_and_what_was_under_way(self):
        lines = "".join(f"line {number}\n" for number in range(100))
        status, output = self.run_all("units", *self.says(SWIFT + lines, 139))
        self.assertEqual(status, 139)
        end = output.partition("without a summary. Its last lines:\n")[2]
        self.assertTrue(end.startswith("line 60\n"), end)
        self.assertIn('Under way were:\n  "a table"\n  unnamed()\n', end)
        # What it had found so far stands there too.
        self.assertIn("↳ first line of the comment\n  second line\n", output)

    def test_what_failed_of_unittest_stands_last_whole_whatever_it_wrote(self):
        (self.folder / "test_a.py").write_text(PYTHON)
        tests = (sys.executable, "-m", "unittest", "discover", "-v")
        status, output = self.run_all("ends", *tests, "+", "others", "true")
        self.assertEqual(status, 1)
        self.assertIn("ends: 1 skipped: no such client here\n", output)
        _, _, end = output.partition("\n== ends\n")
        self.assertIn("FAIL: test_bad (test_a.A.test_bad)\n---", end)
        self.assertIn("+ [2] : they are not the same\n", end)
        self.assertIn("ValueError: a\n" + "=" * 70 + "\nb\n", end)
        names = "  test_worse (test_a.A.test_worse)\n  test_bad (test_a.A.test_bad)\n"
        last = "ends: FAILED after 0:00 with status 1: 2 failed, 1 passed. All of it: logs/ends.log\n"
        self.assertTrue(end.endswith(f"ends: these failed:\n{names}{last}"), end)

    def test_a_long_failure_is_cut_and_the_log_has_it(self):
        status, output = self.run_all("units", *self.says(SWIFT + "x\n" * 500 + SWIFT_END, 1))
        self.assertEqual(status, 1)
        self.assertLess(output.count("\n"), 250)
        self.assertIn("lines more in logs/units.log\n", output)
        self.assertEqual((self.folder / "logs/units.log").read_text().count("\nx"), 500)

    def test_what_passes_says_little(self):
        passes = SWIFT_END.replace("✘", "✔").replace("failed", "passed")
        status, output = self.run_all("one", *self.says(passes, 0), "+", "other one", "true")
        self.assertEqual(status, 0)
        self.assertTrue(output.endswith("one 0:00, 2 passed\nother one 0:00, 0 passed\n"), output)
        self.assertTrue((self.folder / "logs/other-one.log").exists())

    def test_they_run_side_by_side_and_each_failure_counts(self):
        # The first waits for the second.
        waits = "while [ ! -e there ]; do sleep 0.05; done"
        status, output = self.run_all("waits", "sh", "-c", waits, "+", "comes", "sh", "-c", "touch there; exit 3")
        self.assertEqual(status, 3)
        self.assertIn("comes: FAILED after 0:00 with status 3", output.splitlines()[-1])

    def test_a_signal_ends_all_of_them_with_their_children(self):
        sleeps = "sleep 300 & echo $! $$ >$0; wait"
        for number in signal.SIGINT, signal.SIGTERM:
            for name in "a", "b":
                (self.folder / name).unlink(missing_ok=True)
            process = self.start("one", "sh", "-c", sleeps, "a", "+", "two", "sh", "-c", sleeps, "b")
            files = [self.folder / name for name in ("a", "b")]
            harness.wait_until(lambda: all(f.exists() and f.read_text().endswith("\n") for f in files), 30)
            process.send_signal(number)
            begun = time.monotonic()
            process.communicate(timeout=60)
            self.assertEqual(process.returncode, 128 + number)
            self.assertLess(time.monotonic() - begun, 30)
            for pid in " ".join(f.read_text() for f in files).split():
                harness.wait_until(lambda: not is_alive(pid), what="its end")


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


if __name__ == "__main__":
    unittest.main()
