"""Runs each test of this folder in a process of its own, several at a time, and prints a table of
what recipients got and what mail servers concluded.

They mostly wait for a server's next try, so running them side by side costs little. The output of
a test that failed is shown when it has ended. `run.py NAME…` runs the tests whose names contain one
of these. Whatever ends this program ends every test and, with it, all that the test has started.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import servers

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.append(str(FOLDER.parent))
import side_by_side

AT_A_TIME = int(os.environ.get("AT_A_TIME", "12"))
TEST_SECONDS = 150
# Waits for five minutes, so it begins first.
LONG, LONG_SECONDS = "BelievedLimits", 330


def run(slot, name):
    """In a child of this thread, which waits for it: when the thread ends, so does the child."""
    start = time.monotonic()
    seconds = LONG_SECONDS if LONG in name else TEST_SECONDS
    command = [*servers.WITH_PARENT, sys.executable, "-m", "unittest", "-v", name]
    try:
        done = subprocess.run(command, cwd=FOLDER, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=seconds,
                              env={**os.environ, "QUEUES_SLOT": str(slot)})
        passed, text = done.returncode == 0, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as error:
        passed, text = False, f"not ended after {seconds} s\n{error.stdout}"
    word = "FAIL" if not passed else "skip" if re.search(r"^OK \(.*skipped=", text, re.M) else "ok  "
    print(f"{word} {time.monotonic() - start:4.0f} s  {name}", flush=True)
    if not passed:
        print(text, flush=True)
    return word


def tables(cells):
    """Markdown: a row for each row, a column for each server; then the rows of scripts."""
    scripts = [cell for cell in cells if cell["server"] == "script"]
    of_servers = [cell for cell in cells if cell["server"] != "script"]
    return "\n\n".join(
        table(part, columns)
        for part, columns in ((of_servers, servers.NAMES), (scripts, ("script",))) if part)


def table(cells, columns):
    lines = ["| row | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]
    for row in dict.fromkeys(cell["row"] for cell in cells):
        of_row = {cell["server"]: shown(cell) for cell in cells if cell["row"] == row}
        lines.append(f"| {row} | " + " | ".join(of_row.get(name, "") for name in columns) + " |")
    return "\n".join(lines)


def shown(cell):
    copies = cell["copies"]
    if copies:
        same = len(set(copies)) == 1 and len(copies) > 1
        copies = f"{copies[0]} each" if same else " ".join(map(str, copies))
    text = "; ".join(part for part in (cell["verdict"], copies and f"copies {copies}") if part)
    return text if cell["passed"] else f"**{text or 'no'}**"


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(1))
    start = time.monotonic()
    names = side_by_side.chosen(side_by_side.tests(FOLDER), sys.argv[1:])
    names.sort(key=lambda name: LONG not in name)
    if not names:
        sys.exit("no such tests")
    # What every test needs is fetched once, not by each.
    packages = {name for each in servers.SERVERS for name in each.packages}
    servers.mta.packages(sorted(packages))
    report = os.environ.setdefault("QUEUES_REPORT", tempfile.mkstemp()[1])
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        results = list(pool.map(run, range(len(names)), names))
    lines = pathlib.Path(report).read_text(encoding="utf-8").splitlines()
    print(tables(sorted(map(json.loads, lines), key=lambda cell: cell["row"])))
    print(f"{results.count('ok  ')} of {len(results)} tests passed, {results.count('skip')} were "
          f"skipped, in {time.monotonic() - start:.0f} s")
    sys.exit("FAIL" in results)


if __name__ == "__main__":
    main()
