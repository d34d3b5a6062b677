"""The house rules that no compiler checks. `make tidy` runs it; it prints each breach and exits with 1.

    tidy.py              checks the repository
    tidy.py --self-test  checks that each rule finds a breach of it, and lets clean code pass

RULES names each rule and its reason.
"""

import collections
import pathlib
import re
import sys

import prose
import swift_text

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE_LINES_MAX = 700
FUNCTION_LINES_MAX = 70

# Each rule: what it asks for, and why.
RULES = {
    "length": "files up to 700 lines, functions up to 70: one reading holds a type or a step",
    "opening": "a source file opens with what it is for: a newcomer knows whether to read on",
    "state": "stored state is private, private(set) or let: only its own type can break a promise",
    "facet": "no Type+Facet.swift can set its type's state: who changes it is in one file",
    "arrows": "modules import what the table and Package.swift allow: no circles, no hidden needs",
    "testable": "harnesses use the libraries as the program does: a release build has no back door",
    "unsafe": "unsafe things stay in the files of unsafe.txt: memory errors have few places to be",
    "child": "nothing under Sources starts a program: no child can hold a key in its memory or logs",
    "mutex": "values under a lock are Locked: ThreadSanitizer reports every bare Mutex as a race",
    "chance": "chance comes from Randomness: a simulation repeats what it can seed",
    "leftover": "no TODO, FIXME, XXX, empty traps: an open end belongs in an issue",
    "english": "plain words: many readers have another first language (prose.py)",
}

# The arrows between the modules under Sources: what each may import of the others. `CEpoll.Kernels`
# allows that submodule only. None: everything.
ARROWS = {
    "Reactor": {"CEpoll", "COpenSSL"},
    "Wire": {"CEpoll.Kernels"},
    "Log": {"CEpoll", "Reactor"},
    "HTTP2": {"CNGHTTP2", "Wire"},
    "HTTPServer": {"Reactor", "Wire", "HTTP2"},
    "APIClient": {"COpenSSL", "Reactor", "Wire", "Log", "HTTP2"},
    "Mapping": {"CIDN2", "Reactor", "Wire", "APIClient"},
    "Sandbox": {"Reactor", "Wire", "Log", "HTTPServer"},
    "Relay": {"CEpoll", "COpenSSL", "Reactor", "Wire", "Log", "HTTPServer", "APIClient", "Mapping"},
    "Program": None,
}
# What the lowest modules may import from elsewhere: Wire knows no clock, Reactor no Foundation.
ELSEWHERE = {"Reactor": {"Glibc", "Synchronization"}, "Wire": {"Glibc"}, "HTTP2": {"Glibc"}}

# A flag of the command line: its library sets it.
FLAG = re.compile(r"@(?:Option|Flag|Argument|OptionGroup)\b")
# A target in Package.swift: PackageDescription's functions, or the manifest's own (`module("Log", […])`).
TARGET = re.compile(
    r'(?:\.(?:target|executableTarget|testTarget|systemLibrary)\(\s*name:|(?<![.\w])[a-z]\w*\()\s*"(\w+)"')
IMPORT = re.compile(r"^[ \t]*(?:@\w+[ \t]+|(?:public|package|internal|private|fileprivate)[ \t]+)*import[ \t]+"
                    r"(?:(?:struct|class|enum|protocol|func|var|let|typealias)[ \t]+)?([\w.]+)", re.M)
TESTABLE = re.compile(r"^[ \t]*@testable\b", re.M)
UNSAFE = re.compile(r"\bUnsafe\w+|unsafeBitCast|nonisolated\(unsafe\)|@unchecked")
CHILD = re.compile(
    r"(?<!\.)(?<!case )\b(?:posix_spawnp?|fork|vfork|exec[lv]p?e?|execvpe|popen|system|Process)\(")
MUTEX = re.compile(r"\bMutex\b")
# Swift's own generator: named, or the default of `random(in:)`, `randomElement` and `shuffled`.
CHANCE = re.compile(r"\bSystemRandomNumberGenerator\b|\brandom\(in:(?![^\n]*using:)|\b(?:randomElement|shuffled)\(\)")
LEFTOVER = re.compile(r"\b(TODO|FIXME|XXX)\b|fatalError\(\)")


class SwiftFile:
    def __init__(self, name, text):
        self.name, self.text, self.lines = name, text, text.splitlines()
        self.parts = pathlib.PurePath(name).parts
        self.is_source = self.parts[0] in ("Sources", "perf")
        # The module under Sources; None elsewhere.
        self.module = self.parts[1] if self.parts[0] == "Sources" else None
        self.code, _ = swift_text.split_comments(text)
        self.types = swift_text.types(self.code) if self.module else []

    def line_of(self, match):
        return self.code.count("\n", 0, match.start(match.lastindex or 0)) + 1


class Tidy:
    """One check of a folder: reads its files once, then applies the rules."""

    def __init__(self, root):
        self.root, self.breaches = root, []
        self.swift = [
            SwiftFile(str(path.relative_to(root)), path.read_text())
            for folder in ("Sources", "Tests", "perf") for path in sorted((root / folder).rglob("*.swift"))]

    def report(self, rule, name, line, text):
        self.breaches.append((rule, f"{name}:{line}: {text}"))

    def run(self):
        for file in self.swift:
            self.check_lengths(file)
            self.check_words(file)
        self.check_state()
        self.check_arrows()
        self.check_unsafe()
        self.check_c()
        self.check_english()
        return self.breaches

    def check_lengths(self, file):
        if len(file.lines) > FILE_LINES_MAX:
            self.report("length", file.name, len(file.lines),
                        f"{len(file.lines)} lines, {FILE_LINES_MAX} at most")
        for start, length in swift_text.functions(file.lines):
            if length > FUNCTION_LINES_MAX:
                self.report("length", file.name, start,
                            f"a function of {length} lines, {FUNCTION_LINES_MAX} at most")
        if file.is_source and not file.text.startswith("//"):
            self.report("opening", file.name, 1, "no opening comment that says what the file is for")

    def check_words(self, file):
        for number, line in enumerate(file.lines, 1):
            if LEFTOVER.search(line):
                self.report("leftover", file.name, number, f"leftover: {line.strip()[:60]}")
        if file.parts[:2] in (("Tests", "Fuzz"), ("Tests", "Simulation")):
            for match in TESTABLE.finditer(file.code):
                self.report("testable", file.name, file.line_of(match), "@testable in a harness")
        if not file.module:
            return
        for match in MUTEX.finditer(file.code):
            if file.parts[-1] != "Locked.swift":
                self.report("mutex", file.name, file.line_of(match), "a Mutex where Locked belongs")
        if file.module != "Sandbox":
            for match in CHANCE.finditer(file.code):
                self.report("chance", file.name, file.line_of(match), "Swift's own randomness")
        for match in CHILD.finditer(file.code):
            self.report("child", file.name, file.line_of(match),
                        f"starts another program: {match.group()[:-1]}")

    def check_state(self):
        """Stored properties of classes, and of structs and enums with mutating methods."""
        kinds, mutating, files, reachable = {}, set(), collections.defaultdict(set), set()
        for file in self.swift:
            for found in file.types:
                key = file.module, found.name
                files[key].add(file.name)
                if found.kind != "extension":
                    kinds[key] = found.kind
                if found.has_mutating:
                    mutating.add(key)
        for file in self.swift:
            for found in file.types:
                key = file.module, found.name
                if kinds.get(key) not in ("class", "actor") and key not in mutating:
                    continue
                for item in found.properties:
                    problem = self.problem(item, len(files[key]))
                    if problem:
                        reachable.add(key)
                        self.report("state", file.name, item.line, f"{found.name}.{item.name}: {problem}")
        for file in self.swift:
            name, plus, _ = file.parts[-1].partition("+")
            if plus and (file.module, name) in reachable:
                self.report("facet", file.name, 1, f"can set the state of {name}: move it into the type's file")

    def problem(self, item, file_count):
        if item.is_file_private or FLAG.search(item.attributes) or re.search(r"\bprivate\b", item.modifiers):
            return None
        if not re.search(r"\bfileprivate\b", item.modifiers):
            return "stored state that others can set"
        return "fileprivate, but the type has several files" if file_count > 1 else None

    def check_arrows(self):
        manifest = self.root / "Package.swift"
        targets = read_manifest(manifest.read_text() if manifest.exists() else "")
        for name, (path, needs) in targets.items():
            allowed = ARROWS.get(name)
            for need in sorted(needs):
                if path.startswith("Sources/") and allowed is not None \
                        and need not in {arrow.split(".")[0] for arrow in allowed}:
                    self.report("arrows", "Package.swift", 1, f"{name} may not depend on {need}")
        paths = sorted(targets.items(), key=lambda item: -len(item[1][0]))
        for file in self.swift:
            target = next((n for n, (path, _) in paths if file.name.startswith(path + "/")), None)
            for match in IMPORT.finditer(file.code):
                problem = self.import_problem(file.module, target, match.group(1), targets)
                if problem:
                    self.report("arrows", file.name, file.line_of(match), problem)

    def import_problem(self, module, target, name, targets):
        top = name.split(".")[0]
        allowed = ARROWS.get(module)
        if top in targets or top in ARROWS:
            if module in ARROWS and allowed is not None and name not in allowed and top not in allowed:
                return f"{module} may not import {name}"
            if target and top != target and top not in targets[target][1]:
                return f"{name} is not among the dependencies of {target} in Package.swift"
        elif module in ELSEWHERE and top not in ELSEWHERE[module]:
            return f"{module} may not import {name}"
        return None

    def check_unsafe(self):
        """A line of unsafe.txt is the end of a path, at least the file's name."""
        listing = self.root / "Tests/Tidy/unsafe.txt"
        listed = [
            line.split()[0] for line in (listing.read_text() if listing.exists() else "").splitlines()
            if line.strip() and not line.startswith("#")]
        used = [file.name for file in self.swift if file.parts[0] == "Sources" and UNSAFE.search(file.text)]
        for name in used:
            if not any(("/" + name).endswith("/" + entry) for entry in listed):
                self.report("unsafe", name, 1, "names unsafe things; list it in Tests/Tidy/unsafe.txt, and why")
        for entry in listed:
            if not any(("/" + name).endswith("/" + entry) for name in used):
                self.report("unsafe", "Tests/Tidy/unsafe.txt", 1, f"{entry} is listed for nothing")

    def check_c(self):
        for folder in ("Sources", "Tests", "perf"):
            for path in sorted((self.root / folder).rglob("*.[ch]")):
                name = str(path.relative_to(self.root))
                for number, line in enumerate(path.read_text().splitlines(), 1):
                    if LEFTOVER.search(line):
                        self.report("leftover", name, number, f"leftover: {line.strip()[:60]}")
                    if folder == "Sources" and CHILD.search(line):
                        self.report("child", name, number, "starts another program")

    def check_english(self):
        paths = [*self.root.glob("*.md")]
        for folder in ("Sources", "Tests", "perf", "docs", "deploy"):
            paths += (self.root / folder).rglob("*")
        for path in sorted(paths):
            if path.suffix in (".md", ".swift", ".c", ".h", ".py", ".sh"):
                name = str(path.relative_to(self.root))
                for line, phrase, instead in prose.breaches(name, path.read_text()):
                    self.report("english", name, line, f"“{phrase}”: {instead}")


def read_manifest(text):
    """{target: (path, names of what it depends on in this package)} of a Package.swift."""
    text = re.sub(r"^\s*//.*$", "", text, flags=re.M)
    targets = {}
    for match in TARGET.finditer(text):
        body = text[match.end():closing(text, text.index("(", match.start())) - 1]
        path = re.search(r'\bpath:\s*"([^"]+)"', body)
        folder = "Tests" if match.group(1).endswith("Tests") else "Sources"
        targets[match.group(1)] = path.group(1) if path else f"{folder}/{match.group(1)}", body
    lists = {
        match.group(1): text[match.end() - 1:closing(text, match.end() - 1)]
        for match in re.finditer(r"\blet (\w+)[^=\n]*=\s*\[", text)}
    return {name: (path, dependencies(body, lists) & set(targets)) for name, (path, body) in targets.items()}


def dependencies(body, lists):
    """The names in the argument `dependencies:`, or in the first argument after the name when it has
    no label."""
    start = re.search(r"\bdependencies:|^,\s*(?!\w+:)", body)
    if not start:
        return set()
    end = start.end()
    while end < len(body) and body[end] != ",":
        end = closing(body, end) if body[end] in "([" else end + 1
    expression = body[start.end():end]
    for name in re.findall(r"\b[a-z]\w*\b", expression):
        expression += lists.get(name, "")
    expression = re.sub(r"\.product\([^)]*\)", "", expression)
    return set(re.findall(r'"(\w+)"', expression))


def closing(text, opening):
    """The position after the bracket that closes the one at `opening`."""
    depth = 0
    for position in range(opening, len(text)):
        depth += (text[position] in "([") - (text[position] in ")]")
        if depth == 0:
            return position + 1
    return len(text)


def main(arguments):
    if arguments == ["--self-test"]:
        import self_test
        return self_test.main()
    breaches = Tidy(ROOT).run()
    for _, text in breaches:
        print(text)
    counts = collections.Counter(rule for rule, _ in breaches)
    for rule, count in sorted(counts.items()):
        print(f"tidy: {count} × {rule}: {RULES[rule]}")
    if not breaches:
        print("tidy: all in order")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
