"""Where the instructions and allocations of `relay-perf gate` go, by function.

    relay-perf gate --keep DIR
    python3 perf/gate/profile.py DIR/callgrind.W2.100 DIR/callgrind.W2.600 500

Subtracts the first profile from the second and divides by the third argument (messages, or
megabytes), so that the cost of starting falls away. The second list says who calls the allocator.
"""

import re
import shutil
import subprocess
import sys

SHOWN = 40
ALLOCATORS = {
    "malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "swift_slowAlloc",
    "swift_allocObject", "CRYPTO_malloc", "CRYPTO_zalloc", "CRYPTO_realloc", "OPENSSL_strdup",
}
# Parts of the names of Swift's own functions that allocate for their callers.
HELPERS = (
    "_ContiguousArrayBuffer", "_copySequenceToContiguousArray", "_copyCollectionToContiguousArray",
    "_allocateStringStorage", "allocateUninitializedArray",
)


class Profile:
    """The parts of a callgrind.out file that matter here: own costs and calls."""

    def __init__(self, path):
        self.own = {}
        self._calls = {}
        self._names = {}
        function = callee = ""
        is_call = False
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("fn="):
                    function = self._name(line[3:])
                elif line.startswith("cfn="):
                    callee = self._name(line[4:])
                elif line.startswith("calls="):
                    edge = (function, callee)
                    self._calls[edge] = self._calls.get(edge, 0) + int(line[6:].split()[0])
                    is_call = True
                elif line[:1] in "+-*0123456789":
                    fields = line.split()
                    # The line after calls= is the cost of the call, not the function's own cost.
                    if not is_call and len(fields) > 1:
                        self.own[function] = self.own.get(function, 0) + int(fields[1])
                    is_call = False

    def allocations(self):
        """Calls that lead into the allocator, by the function that made them."""
        allocators = set(ALLOCATORS)
        callees = {}
        for caller, callee in self._calls:
            callees.setdefault(caller, set()).add(callee)
        allocators |= {name for name in callees if any(part in name for part in HELPERS)}
        # Jumps of the linker's tables have no names.
        allocators |= {
            name for name, called in callees.items()
            if name.startswith("0x") and called <= allocators
        }
        result = {}
        for (caller, callee), count in self._calls.items():
            if callee in allocators and caller not in allocators:
                result[caller] = result.get(caller, 0) + count
        return result

    def _name(self, text):
        match = re.match(r"\((\d+)\)(?: (.*))?$", text.strip())
        if not match:
            return text.strip()
        if match[2]:
            self._names[match[1]] = re.sub(r"'\d+$", "", match[2])
        return self._names.get(match[1], text.strip())


def demangled(names):
    """Swift's names as people write them, where `swift` is there."""
    if not shutil.which("swift"):
        return list(names)
    result = subprocess.run(
        ["swift", "demangle", "--compact", "--simplified"], input="\n".join(names),
        capture_output=True, text=True, check=False)
    lines = result.stdout.splitlines()
    return lines if len(lines) == len(names) else list(names)


def show(title, short, long, units):
    print(title)
    differences = {name: (long[name] - short.get(name, 0)) / units for name in long}
    rows = sorted(differences.items(), key=lambda row: -row[1])[:SHOWN]
    rows = [row for row in rows if row[1] >= 0.005]
    for (_, value), name in zip(rows, demangled([name for name, _ in rows])):
        print(f"{value:14,.2f}  {name[:120]}")
    print(f"{sum(differences.values()):14,.2f}  total\n")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    short, long, units = Profile(sys.argv[1]), Profile(sys.argv[2]), float(sys.argv[3])
    show("instructions", short.own, long.own, units)
    show("allocations, by caller", short.allocations(), long.allocations(), units)


if __name__ == "__main__":
    main()
