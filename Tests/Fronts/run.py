"""Runs every front end over every version of HTTP, several at a time, and prints a table.

They mostly wait. A row that failed beside others runs once more alone, and that run counts: beside
others on two cores a handshake may take longer than the relay waits for a fresh connection.

`run.py NAME…`: only these front ends. HTTP=1.1 or HTTP=2 chooses a version, ROWS="idle pauses" some
rows. Each case has network and process namespaces of its own, so front ends share no port, and
whatever ends this program ends all that it has started.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

import case
from fronts import FRONTS
from rows import ROWS
from servers import ALL

FOLDER = pathlib.Path(__file__).resolve().parent
AT_A_TIME = int(os.environ.get("AT_A_TIME", "8"))
CASE_SECONDS = 300
ALONE = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork",
         "--kill-child", "--mount-proc"]


def run(front, http, rows):
    """The results of one case; a case that fails is a result too."""
    command = [*ALONE, sys.executable, str(FOLDER / "case.py"), front, http, *rows]
    start = time.monotonic()
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=CASE_SECONDS)
        text, failed = done.stdout.decode(errors="replace"), done.returncode != 0
    except subprocess.TimeoutExpired as error:
        text, failed = (error.stdout or b"").decode(errors="replace"), True
    lines = text.splitlines()
    results = [json.loads(line) for line in lines if line.startswith('{"front"')]
    if failed:
        others = "\n".join(line for line in lines if not line.startswith("{"))[-3_000:]
        results.append({"front": front, "http": http, "row": "case", "seen": "", "outcomes": {},
                        "reasons": [others], "seconds": time.monotonic() - start,
                        "faults": [f"ended after {time.monotonic() - start:.0f} s"]})
    show(results)
    return results


def show(results):
    for result in results:
        front, http = result["front"], result["http"]
        word = "FAIL" if result["faults"] else "ok  "
        print(f"{word} {front} {http} {result['row']} ({result['seconds']:.0f} s): {result['seen']}"
              + "".join(f"\n     {line}" for line in result["faults"] + result["reasons"]), flush=True)


def judged_alone(results):
    """The results, those of failed rows from another run; unless too much has failed for that."""
    failed = {}
    for result in results:
        if result["faults"]:
            failed.setdefault((result["front"], result["http"]), []).append(result["row"])
    if len(failed) > 3:
        return results
    for (front, http), rows in failed.items():
        print(f"{front} over {http} failed beside others, and is judged alone:")
        again = run(front, http, [] if "case" in rows else rows)
        results = again + [
            result for result in results if (result["front"], result["http"]) != (front, http)
            or "case" not in rows and result["row"] not in rows]
    return results


def table(results):
    rows = [row.__name__ for row in ROWS]
    cases = dict.fromkeys((result["front"], result["http"]) for result in results)
    lines = ["| front | HTTP | " + " | ".join(rows) + " |", "|" + " --- |" * (len(rows) + 2)]
    for front, http in cases:
        of_case = {r["row"]: "**no**" if r["faults"] else "yes" for r in results
                   if (r["front"], r["http"]) == (front, http)}
        lines.append(f"| {front} | {http} | " + " | ".join(of_case.get(row, "") for row in rows) + " |")
    return "\n".join(lines)


def main():
    names = sys.argv[1:] or list(FRONTS)
    unknown = [name for name in names if name not in ALL]
    if unknown:
        sys.exit(f"no such front end: {unknown}; there are {list(ALL)}")
    if os.geteuid() != 0:
        sys.exit("only root can make network namespaces")
    start = time.monotonic()
    versions = ["1.1", "2"] if "--api-http" in case.known_flags() else ["1.1"]
    versions = [http for http in versions if http in os.environ.get("HTTP", http)]
    for name in names:
        print(f"{name}: {ALL[name].version()}")
    rows = os.environ.get("ROWS", "").split()
    cases = [(name, http, rows) for http in versions for name in names
             if http in ALL[name].versions]
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        results = [result for of_case in pool.map(lambda each: run(*each), cases) for result in of_case]
    results = judged_alone(results)
    print(table(sorted(results, key=lambda each: (each["http"], list(ALL).index(each["front"])))))
    failed = sum(bool(result["faults"]) for result in results)
    print(f"{len(results) - failed} passed, {failed} failed, in {time.monotonic() - start:.0f} s")
    sys.exit(1 if failed or not results else 0)


if __name__ == "__main__":
    main()
