"""Shows that each rule finds a breach of it and lets clean code pass: `tidy.py --self-test`.

Each case is a small repository. The clean one holds what must not be taken for a breach; each case
adds files to it and names the rule that must report, or none, and how often.
"""

import pathlib
import tempfile

import tidy

MANIFEST = """
let shared: [Target.Dependency] = ["Reactor", .product(name: "Logging", package: "swift-log")]
let package = Package(
    products: [.executable(name: "postscale-relay", targets: ["Program"])],
    targets: [
        .target(name: "CEpoll"),
        .target(name: "Reactor", dependencies: ["CEpoll"]),
        .target(name: "Wire", dependencies: ["CEpoll"]),
        module("Log", shared),
        .executableTarget(name: "Fuzz", dependencies: ["Wire"], path: "Tests/Fuzz"),
        tests(
            "WireTests", ["Wire"], resources: [.copy("Reactor")]),
    ])
"""

CLEAN = {
    "Package.swift": MANIFEST,
    "README.md": "Sends `instructions a message`.\n\n```\nwhoever\n```\n\nA thousand messages a second "
                 "behind a balancer. The message waits, for a minute.\n",
    "Sources/Wire/Point.swift": """// Plain data: no mutating method.
import CEpoll.Kernels

package struct Point {
    package var x = 0
    var label: String { "\\(x) { var y = 1 }" }
    /* var z = 1 /* nested */ */
}
""",
    "Sources/Wire/Point+Text.swift": "// Reads only.\nextension Point { var text: String { label } }\n",
    "Sources/Reactor/Counter.swift": """// State that only its type sets.
import Glibc

package final class Counter {
    private var count = 0
    package private(set) var total = 0
    fileprivate var step: Int
    @Option(
        help: "Text with a } in it")
    var flag = 1
    let name: String
    static let limit = 3
    var twice: Int {
        get { count * 2 }
        set { count = newValue / 2 }
    }
    var text: String
    { name }
    func work(_ body: () -> Void = { var local = 1 }) {
        var inner = 0
        struct Local { var kept = 0; mutating func add() { kept += 1 } }
    }
    protocol Named { var name: String { get set } }
    private struct Cursor {
        var position = 0
        mutating func advance() { position += 1 }
    }
}
""",
    "Sources/Log/Writer.swift": "// Writes.\nimport Logging\nimport Reactor\n",
    "Tests/WireTests/PointTests.swift": "@testable import Wire\n",
    "Tests/Tidy/unsafe.txt": "# why\nReactor/Raw.swift  memory of the kernel\n",
    "Sources/Reactor/Raw.swift": "// Raw.\nlet raw: UnsafeRawPointer? = nil\n",
}

STATEFUL = "// Has state.\npackage struct Reader {\n    %s\n    mutating func feed() {}\n}\n"
CLASS = "// Has state.\nfinal class Reader {\n    %s\n}\n"


def source(body, name="Sources/Wire/Reader.swift"):
    return {name: body}


# (rule, breaches, files)
CASES = [
    ("length", 1, source("// Long.\n" + "\n" * 700)),
    ("length", 1, source("// Long.\nfunc work() {\n" + "    work()\n" * 70 + "}\n")),
    ("length", 1, source("\n" * 701, "Tests/WireTests/Long.swift")),
    ("opening", 1, source("import Glibc\n")),
    ("state", 1, source(STATEFUL % "var mark = 0")),
    ("state", 1, source(STATEFUL % "package var marks: [Int]")),
    ("state", 1, source(STATEFUL % "var mark: Int {\n        didSet {}\n    }")),
    ("state", 1, source(STATEFUL % "var handler: (Int) -> Void\n    var text: String { \"\" }")),
    ("state", 2, source(CLASS % "weak var owner: Reader?\n    static var shared = 0")),
    ("state", 1, source(CLASS % "var (a, b) = (1, 2)")),
    ("state", 1, source(CLASS % "enum Inner {\n        static var count = 0\n        mutating func next() {}\n    }")),
    ("state", 1, {
        "Sources/Wire/Reader.swift": "// Plain.\nstruct Reader { var mark = 0 }\n",
        "Sources/Wire/Feeding.swift": "// Not plain.\nextension Reader { mutating func feed() {} }\n"}),
    ("state", 1, {
        "Sources/Wire/Reader.swift": CLASS % "fileprivate var mark = 0",
        "Sources/Wire/Feeding.swift": "// More.\nextension Reader { func feed() {} }\n"}),
    (None, 0, source(CLASS % "private(set) var mark = 0\n    fileprivate var other = 1\n    lazy private var third = { 3 }()")),
    (None, 0, {
        "Sources/Wire/Reader.swift": CLASS % "private(set) var mark = 0",
        "Sources/Wire/Reader+Text.swift": "// Reads.\nextension Reader { func feed() {} }\n"}),
    ("facet", 1, {
        "Sources/Wire/Reader.swift": CLASS % "var mark = 0",
        "Sources/Wire/Reader+Text.swift": "// Sets.\nextension Reader { func feed() { mark = 1 } }\n"}),
    ("arrows", 1, source("// Up.\nimport Log\n")),
    ("arrows", 1, source("// Not the kernels.\nimport CEpoll.System\n")),
    ("arrows", 1, source("// A clock.\nimport Foundation\n")),
    ("arrows", 1, source("// Not declared.\nimport CEpoll\nimport Wire\n", "Tests/WireTests/More.swift")),
    ("arrows", 1, {"Package.swift": MANIFEST.replace('"Wire", dependencies: [', '"Wire", dependencies: ["Reactor", ')}),
    ("testable", 1, source("@testable import Wire\n", "Tests/Fuzz/Target.swift")),
    ("unsafe", 1, source("// Raw.\nlet raw: UnsafeRawPointer? = nil\n")),
    ("unsafe", 1, {"Tests/Tidy/unsafe.txt": "Raw.swift  why\nGone.swift  why\n"}),
    ("child", 1, source("// Starts.\nlet done = fork()\n")),
    ("child", 1, source("int main() { system(\"ls\"); }\n", "Sources/CEpoll/child.c")),
    ("mutex", 1, source("// Locks.\nlet lock = Mutex(0)\n")),
    ("chance", 1, source("// Draws.\nlet number = Int.random(in: 0...3)\n")),
    (None, 0, source("// Draws.\nlet number = Int.random(in: 0...3, using: &source)\n")),
    ("leftover", 1, source("// TO" + "DO: later\n")),
    ("leftover", 1, source("int x; // FIX" + "ME\n", "Sources/CEpoll/x.c")),
    ("english", 1, source("// It costs 10 instructions a\n// message.\n")),
    ("english", 1, source("// Why.\nlet text = \"whoever // whoever\" // Comes behind it.\n")),
    ("english", 1, source("/* Is whoever reads. */ int x;\nchar c = '\"';\n", "Sources/CEpoll/x.c")),
    ("english", 2, source("\"\"\"Mends it, for it is broken.\"\"\"\nX = \"whoever\"\n", "Tests/x.py")),
    ("english", 1, source("# Waits behind the others.\necho 'whoever'\n", "Tests/x.sh")),
    ("english", 1, source("Text.\n\nPrinted are the\nfigures.\n", "docs/page.md")),
]


def reported(files):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {**CLEAN, **files}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tidy.Tidy(root).run()


def main():
    failed = 0
    for rule, count, files in [(None, 0, {})] + CASES:
        found = reported(files)
        of_rule = [text for name, text in found if name == rule]
        # A facet is reported with the state that it can reach.
        others = [text for name, text in found if name != rule and (rule, name) != ("facet", "state")]
        if len(of_rule) != count or others:
            failed += 1
            print(f"self-test: {count} × {rule} expected of {list(files)}, found {found}")
    untried = set(tidy.RULES) - {rule for rule, _, _ in CASES}
    if untried:
        print(f"self-test: no case for {sorted(untried)}")
    print(f"tidy: {len(CASES) + 1 - failed} of {len(CASES) + 1} cases of the self-test passed")
    return 1 if failed or untried else 0
