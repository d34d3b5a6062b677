"""Tests/side_by_side.py, with which run.py of several folders runs its tests: what it chooses, and its status."""

import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unittest

import harness

TESTS = """
import pathlib, time, unittest

LOG = pathlib.Path("log")

def note(text):
    with LOG.open("a") as log:
        log.write(text + "\\n")

class Good(unittest.TestCase):
    def test_one(self):
        note("Good begins")
        for _ in range(600):
            if "Other begins" in LOG.read_text():
                break
            time.sleep(0.05)
        else:
            self.fail("the other did not begin")
        note("Good ends")

    def test_two(self):
        pass

class Other(unittest.TestCase):
    def test_one(self):
        note("Other begins")

class Heavy(unittest.TestCase):
    def test_one(self):
        note("Heavy")

class Bad(unittest.TestCase):
    def test_one(self):
        note("Bad")
        self.assertGreater(LOG.read_text().count("Bad\\n"), 1)
"""


class SideBySide(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="e2e-side-by-side-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "test_a.py").write_text(TESTS)

    def run_program(self, text):
        """(status, output) of a program that has the module and the folder."""
        head = (f"import pathlib, sys\nsys.path.append({str(harness.ROOT / 'Tests')!r})\n"
                f"from side_by_side import *\nFOLDER = pathlib.Path({str(self.folder)!r})\n")
        done = subprocess.run([sys.executable, "-c", head + textwrap.dedent(text)], cwd=self.folder, timeout=120,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    def log(self):
        return (self.folder / "log").read_text().split("\n")[:-1]

    def test_names_are_found_and_chosen(self):
        status, output = self.run_program("""
            print(classes(FOLDER), tests(FOLDER)[-1])
            print(chosen(classes(FOLDER), ["Go", "the"]), chosen(["a", "b"], []))
            """)
        self.assertEqual(status, 0, output)
        self.assertEqual(output, "['test_a.Bad', 'test_a.Good', 'test_a.Heavy', 'test_a.Other'] "
                                 "test_a.Other.test_one\n['test_a.Good', 'test_a.Other'] ['a', 'b']\n")

    def test_some_run_at_once_and_those_that_measure_run_after_them(self):
        status, output = self.run_program("""
            SideBySide(FOLDER, at_a_time=2, alone=("Heavy",)).run(["test_a.Heavy", "test_a.Good", "test_a.Other"])
            """)
        self.assertEqual(status, 0, output)
        self.assertEqual(sorted(self.log()[:2]), ["Good begins", "Other begins"])
        self.assertEqual(self.log()[2:], ["Good ends", "Heavy"])
        self.assertTrue(output.endswith("\n3 of 3 passed\n"), output)

    def test_a_failure_counts(self):
        status, output = self.run_program(
            'SideBySide(FOLDER, at_a_time=2).run(["test_a.Bad", "test_a.Other"])')
        self.assertEqual(status, 1)
        self.assertIn("FAIL: test_one (test_a.Bad.test_one)", output)
        self.assertTrue(output.endswith("\n1 of 2 passed\n"), output)

    def test_where_a_second_run_alone_counts_it_does(self):
        status, output = self.run_program(
            'SideBySide(FOLDER, at_a_time=2, is_judged_alone=True).run(["test_a.Bad", "test_a.Other"])')
        self.assertEqual(status, 0, output)
        self.assertEqual(sorted(self.log()), ["Bad", "Bad", "Other begins"])
        self.assertIn("test_a.Bad failed beside others, and is judged alone:", output)

    def test_each_process_runs_the_last_names_too(self):
        status, output = self.run_program("""
            SideBySide(FOLDER, at_a_time=1, after_each=("test_a.Heavy",)).run(["test_a.Other", "test_a.Other.test_one"])
            """)
        self.assertEqual(status, 0, output)
        self.assertEqual(self.log(), ["Other begins", "Heavy"] * 2)

    def test_no_names_and_files_that_do_not_load_fail(self):
        self.assertEqual(self.run_program("SideBySide(FOLDER, at_a_time=1).run([])"), (1, "no such tests\n"))
        (self.folder / "test_b.py").write_text("import nothing_of_this_name\n")
        status, output = self.run_program("classes(FOLDER)")
        self.assertEqual(status, 1)
        self.assertIn("No module named 'nothing_of_this_name'", output)


if __name__ == "__main__":
    unittest.main()
