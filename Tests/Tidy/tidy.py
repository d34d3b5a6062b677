"""The house rules that no compiler checks. Run by `make tidy`; prints each breach, exits 1 if any.

- a source file has at most 700 lines, a function at most 70
- a source file opens with a comment that says what it is for
- modules name only what their layer may name
- `Unsafe` pointers stay in the files that are listed below
- nothing under Sources starts another program: there is no child whose environment, descriptors or
  core could hold a key
- values behind a lock are `Locked`: what ThreadSanitizer sees of a bare `Mutex` are races
- no leftovers: TODO, FIXME, XXX, bodies that only trap
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE_LINES_MAX = 700
FUNCTION_LINES_MAX = 70

# What a module may import; None for everything.
IMPORTS = {
    "Reactor": {"CEpoll", "COpenSSL", "Glibc", "Synchronization"},
    "Wire": {"CEpoll", "Glibc"},
}
# The parts of CEpoll that Wire may use: it does no I/O.
WIRE_CEPOLL = {"CEpoll.Kernels"}

FUNCTION = re.compile(
    r"^(\s*)(?:@\w+(?:\([^)]*\))?\s+)*"
    r"(?:(?:public|package|private|fileprivate|internal|open|final|static|class|override|mutating|"
    r"nonmutating|consuming|borrowing|nonisolated|convenience|required|@inline\(\w+\))\s+)*"
    r"(?:func\b|init[?(<]|deinit\b|subscript\b)"
)
CHILD = re.compile(r"(?<!\.)(?<!case )\b(?:posix_spawnp?|fork|vfork|exec[lv]p?e?|execvpe|popen|system|Process)\(")
MUTEX = re.compile(r"\bMutex\b")
LEFTOVER = re.compile(r"\b(TODO|FIXME|XXX)\b|fatalError\(\)")


def functions(lines):
    """Yields (first line number, length) of every function, by the indentation of its brace."""
    for start, line in enumerate(lines):
        match = FUNCTION.match(line)
        if not match:
            continue
        indent = match.group(1)
        opened = next(
            (i for i in range(start, min(start + 20, len(lines))) if lines[i].rstrip().endswith("{")
             and (i == start or lines[i].startswith(indent))), None)
        if opened is None or lines[start].rstrip().endswith("}"):
            continue
        for end in range(opened + 1, len(lines)):
            if lines[end].startswith(indent + "}"):
                yield start + 1, end - start + 1
                break


def check_swift(path, text, report):
    lines = text.splitlines()
    relative = path.relative_to(ROOT)
    is_source = relative.parts[0] in ("Sources", "perf")
    if is_source and len(lines) > FILE_LINES_MAX:
        report(relative, len(lines), f"{len(lines)} lines, {FILE_LINES_MAX} at most")
    if is_source and not text.startswith("//"):
        report(relative, 1, "no opening comment that says what the file is for")
    for start, length in functions(lines):
        if is_source and length > FUNCTION_LINES_MAX:
            report(relative, start, f"a function of {length} lines, {FUNCTION_LINES_MAX} at most")
    for number, line in enumerate(lines, 1):
        if LEFTOVER.search(line):
            report(relative, number, f"leftover: {line.strip()[:60]}")
        if relative.parts[0] == "Sources" and path.name != "Locked.swift" and MUTEX.search(line.split("//")[0]):
            report(relative, number, "a Mutex where Locked belongs")
        if relative.parts[0] == "Sources" and CHILD.search(line.split("//")[0]):
            report(relative, number, f"starts another program: {line.strip()[:60]}")
    if relative.parts[0] == "Sources":
        check_imports(relative, lines, report)


def check_imports(relative, lines, report):
    module = relative.parts[1]
    allowed = IMPORTS.get(module)
    for number, line in enumerate(lines, 1):
        match = re.match(r"\s*(?:@\w+\s+)*import\s+([\w.]+)", line)
        if not match or allowed is None:
            continue
        name = match.group(1)
        if name.split(".")[0] not in allowed:
            report(relative, number, f"{module} may not import {name}")
        elif module == "Wire" and name.startswith("CEpoll") and name not in WIRE_CEPOLL:
            report(relative, number, f"Wire may only import {', '.join(sorted(WIRE_CEPOLL))}")


def check_unsafe(report):
    """Unsafe pointers only where tidy-unsafe.txt says, with the reason."""
    listing = ROOT / "Tests/Tidy/unsafe.txt"
    listed = set()
    for line in listing.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            listed.add(line.split()[0])
    used = set()
    for path in sorted((ROOT / "Sources").rglob("*.swift")):
        relative = str(path.relative_to(ROOT))
        if re.search(r"\bUnsafe\w+|unsafeBitCast|nonisolated\(unsafe\)|@unchecked", path.read_text()):
            used.add(relative)
            if relative not in listed:
                report(relative, 1, "names unsafe things; list it in Tests/Tidy/unsafe.txt, and why")
    for name in sorted(listed - used):
        report(name, 1, "is listed in Tests/Tidy/unsafe.txt for nothing")


def main():
    breaches = []

    def report(path, line, text):
        breaches.append(f"{path}:{line}: {text}")

    for folder in ("Sources", "Tests", "perf"):
        for path in sorted((ROOT / folder).rglob("*.swift")):
            check_swift(path, path.read_text(), report)
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if LEFTOVER.search(line):
                    report(path.relative_to(ROOT), number, f"leftover: {line.strip()[:60]}")
                if folder == "Sources" and CHILD.search(line):
                    report(path.relative_to(ROOT), number, "starts another program")
    check_unsafe(report)
    for breach in breaches:
        print(breach)
    print(f"tidy: {len(breaches)} breaches" if breaches else "tidy: all in order")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
