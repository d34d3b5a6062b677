"""Runs test commands side by side and ends with what failed: what Tests/lib.sh runs daily tests with.

    runs.py NAME COMMAND… [+ NAME COMMAND…]…

All output of a command goes to .build/tests/NAME.log. Meanwhile a line tells how far all are: on a
terminal it is written again and again, elsewhere it comes every 20 s. Failed tests are named as they
fail. At the end stand skipped tests, then the failures of each command whole, and their names and
number last, because CI may show the last lines only. A command that ends without a summary of its
tests, as in a crash, shows its last lines and the tests that were under way. Understood are Swift
Testing and Python's unittest with -v, also several runs of these in one output.

Exit status: that of the first command that failed; after Ctrl-C or SIGTERM, which end all commands, 128
and the signal.
"""

import collections
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

LOGS = pathlib.Path(os.environ.get("TEST_LOGS", pathlib.Path(__file__).resolve().parents[1] / ".build/tests"))
LOOK_SECONDS = 0.5
TOLD_SECONDS = 20
# How long a command may take to end after Ctrl-C.
ENDING_SECONDS = 10
LAST_LINES = 40
# Longer blocks are cut: the log has all of them.
BLOCK_LINES_MAX = 200
UNDER_WAY_MAX = 20

SWIFT_ISSUE = re.compile(r"✘ .* recorded an issue\b")
SWIFT_FAILED = re.compile(r"✘ (?:Test(?! run with )|Suite) (.*?)(?: with \d+ test cases)? failed after ")
SWIFT_STARTED = re.compile(r"◇ Test (?!case |run )(.*) started\.$")
SWIFT_PASSED = re.compile(r"(?:✔|━) Test (?!run with )(.*?)(?: with \d+ test cases?)? passed after ")
SWIFT_SKIPPED = re.compile(r"➜ Test (.*) skipped(?:: (.*)|\.)$")
SWIFT_SUMMARY = re.compile(r"[✔✘] Test run with ")
SWIFT_EVENT = re.compile(r"[◇✔✘➜━⚠] ")
PYTHON_RULE = "=" * 70
PYTHON_END = "-" * 70
PYTHON_FAILED = re.compile(r"(?:ERROR|FAIL): (.*)")
PYTHON_RESULT = re.compile(r"(?:^|.* )(?:(ok|expected failure)|(FAIL|ERROR)|skipped ['\"](.*)['\"])$")
PYTHON_SUMMARY = re.compile(r"(?:OK|FAILED|NO TESTS RAN)(?: \(.*\))?$")


class Output:
    """What a command has said so far, understood line by line."""

    def __init__(self):
        self.passed = 0
        self.failed = []  # names, in the order of the failures
        self.failures_seen = 0  # unittest names them at its end
        self.skipped = collections.Counter()  # reasons
        self.blocks = []  # of lines, one for each failure
        self.under_way = collections.Counter()  # names
        self.news = []  # failures that were not told of yet
        self.last = collections.deque(maxlen=LAST_LINES)
        self.after_summary = None  # lines, as soon as there is a summary
        self.block = None  # the one that still grows
        self.is_python = False  # whether that one is unittest's
        self.is_after_rule = False  # which begins a failure of unittest, or is its own

    def take(self, line):
        self.last.append(line)
        if self.after_summary is not None:
            self.after_summary.append(line)
        if self.is_python and self.block is not None:
            self.take_traceback(line)
        elif line == PYTHON_RULE:
            self.is_python, self.is_after_rule, self.block = True, True, []
        elif SWIFT_EVENT.match(line):
            self.is_python, self.block = False, None
            self.take_event(line)
        elif self.block is not None:
            self.block.append(line)
        elif PYTHON_SUMMARY.match(line):
            self.after_summary = []
        elif result := PYTHON_RESULT.match(line):
            self.take_result(line, *result.groups())

    def take_event(self, line):
        """Of Swift Testing."""
        if SWIFT_ISSUE.match(line):
            self.block = [line]
            self.blocks.append(self.block)
        elif found := SWIFT_STARTED.match(line):
            self.under_way[found[1]] += 1
            self.after_summary = None
        elif found := SWIFT_PASSED.match(line):
            self.passed += 1
            self.under_way[found[1]] -= 1
        elif found := SWIFT_FAILED.match(line):
            if line.startswith("✘ Test"):
                self.failed.append(found[1])
                self.failures_seen += 1
                self.news.append(line)
                self.under_way[found[1]] -= 1
        elif found := SWIFT_SKIPPED.match(line):
            self.skipped[found[2] or "no reason given"] += 1
        elif SWIFT_SUMMARY.match(line):
            self.after_summary = []

    def take_result(self, line, is_passed, is_failed, reason):
        """Of a test of unittest -v."""
        self.after_summary = None
        if is_passed:
            self.passed += 1
        elif is_failed:
            self.failures_seen += 1
            self.news.append(line)
        elif reason is not None:
            self.skipped[reason] += 1

    def take_traceback(self, line):
        """Of unittest, between two rules, or up to the line in front of "Ran 3 tests"."""
        head = PYTHON_FAILED.match(line) if self.is_after_rule else None
        was_after_rule, self.is_after_rule = self.is_after_rule, line == PYTHON_RULE
        if head:
            self.block = [line]
            self.blocks.append(self.block)
            self.failed.append(head[1])
        elif line == PYTHON_END and PYTHON_END in self.block:
            self.block = None
        elif self.block:
            self.block += [PYTHON_RULE] * was_after_rule + [line] * (line != PYTHON_RULE)
        elif line != PYTHON_RULE:
            # Somebody else drew the rule.
            self.block = None


class Run:
    """One command, and its output."""

    def __init__(self, name, command):
        self.name = name
        self.path = LOGS / (name.replace(" ", "-") + ".log")
        self.output = Output()
        self.begun = time.monotonic()
        self.seconds = None
        self.rest = b""
        with open(self.path, "wb") as log:
            # A group of its own, so that all of it can be ended.
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.log = open(self.path, "rb")

    def look(self):
        """Reads on; returns whether it still runs."""
        is_over = self.process.poll() is not None
        *lines, self.rest = (self.rest + self.log.read()).split(b"\n")
        if is_over and self.rest:
            lines.append(self.rest)
            self.rest = b""
        for line in lines:
            self.output.take(line.decode(errors="replace").rstrip("\r"))
        if is_over and self.seconds is None:
            self.seconds = time.monotonic() - self.begun
        return not is_over

    def how_far(self):
        seconds = self.seconds if self.seconds is not None else time.monotonic() - self.begun
        failed = self.output.failures_seen
        words = f"{self.name} {clock(seconds)}, {self.output.passed} passed"
        return words + (f", {failed} failed" if failed else "")

    def signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    @property
    def status(self):
        """As a shell has it."""
        code = self.process.returncode
        return code if code >= 0 else 128 - code

    def report(self):
        """Lines: why it failed, the names and the count last."""
        output, shown = self.output, os.path.relpath(self.path)
        for block in output.blocks:
            while block and not block[-1].strip():
                block.pop()
            yield from block[:BLOCK_LINES_MAX]
            if len(block) > BLOCK_LINES_MAX:
                yield f"… and {len(block) - BLOCK_LINES_MAX} lines more in {shown}"
            yield ""
        if output.after_summary is None:
            yield f"{self.name}: ended with status {self.status} and without a summary. Its last lines:"
            yield from output.last
            yield ""
            names = [name for name, count in output.under_way.items() if count > 0]
            if names:
                yield "Under way were:"
                yield from (f"  {name}" for name in names[:UNDER_WAY_MAX])
                if len(names) > UNDER_WAY_MAX:
                    yield f"  and {len(names) - UNDER_WAY_MAX} more"
                yield ""
        else:
            yield from output.after_summary[-BLOCK_LINES_MAX:]
        if output.failed:
            yield f"{self.name}: these failed:"
            yield from (f"  {name}" for name in output.failed)
        yield (f"{self.name}: FAILED after {clock(self.seconds)} with status {self.status}: "
               f"{len(output.failed)} failed, {output.passed} passed. All of it: {shown}")


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


class Progress:
    """The line that is written again, or a line now and then."""

    def __init__(self):
        self.is_terminal = sys.stderr.isatty()
        self.begun = time.monotonic()
        self.told = 0

    def tell(self, runs):
        line = "; ".join(run.how_far() for run in runs)
        if self.is_terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K{line[:width]}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self.begun >= self.told * TOLD_SECONDS:
            self.told += 1
            print(line, file=sys.stderr, flush=True)

    def line(self, text):
        """One that stays."""
        print(("\r\033[K" if self.is_terminal else "") + text, file=sys.stderr, flush=True)


def follow(runs, ended_by):
    """Until all are over, or a signal has come and they had time to end."""
    progress, asked = Progress(), None
    while True:
        is_running = [run.look() for run in runs]
        for run in runs:
            for news in run.output.news[:]:
                progress.line(f"{run.name}: {news.strip()}")
            run.output.news.clear()
        if not any(is_running):
            break
        if ended_by and asked is None:
            asked = time.monotonic()
            for run in runs:
                run.signal(ended_by[0])
        elif asked and time.monotonic() - asked > ENDING_SECONDS:
            for run in runs:
                run.signal(signal.SIGKILL)
        progress.tell(runs)
        time.sleep(LOOK_SECONDS)
    for run in runs:
        if ended_by:
            # What it left.
            run.signal(signal.SIGKILL)
        progress.line(run.how_far())


def split(arguments):
    """(name, command) of each."""
    commands = [[]]
    for argument in arguments:
        if argument == "+":
            commands.append([])
        else:
            commands[-1].append(argument)
    if any(len(command) < 2 for command in commands):
        sys.exit(__doc__)
    return [(command[0], command[1:]) for command in commands]


def main():
    LOGS.mkdir(parents=True, exist_ok=True)
    ended_by = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: ended_by.append(number))
    runs = [Run(*command) for command in split(sys.argv[1:])]
    for run in runs:
        print(f"{run.name}: all output goes to {os.path.relpath(run.path)}", file=sys.stderr)
    follow(runs, ended_by)
    if ended_by:
        sys.exit(128 + ended_by[0])
    for run in runs:
        for reason, count in run.output.skipped.items():
            print(f"{run.name}: {count} skipped: {reason}", file=sys.stderr)
    failed = [run for run in runs if run.status]
    for run in failed:
        print(f"\n== {run.name}", *run.report(), sep="\n", file=sys.stderr)
    sys.exit(failed[0].status if failed else 0)


if __name__ == "__main__":
    main()
