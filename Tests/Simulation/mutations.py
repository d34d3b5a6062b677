"""Breaks the relay on purpose, one way after the other, and asks the simulation to notice.

Each mutation replaces one piece of a source file in a copy of the project, builds the simulation
there and runs it: the sweep, and some seeds. A mutation that nothing notices is a promise that
nothing holds. Left out are those behind which a second guard stands (an early success is not believed
by the submission either; the session's own clock ends an upload that stalls), and one that takes half a
million messages to show. `mutations.py NAME…` tries those whose names contain one of these; not part of
`make test`, because each takes a build.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".build-mutations"
COPY = FOLDER / "tree"
SEEDS = 1_500
RELAY = "Sources/Relay/"
REACTOR = "Sources/Reactor/"

# (what is broken, file, what stands there, what is put there)
MUTATIONS = (
    ("a request that was handed over is sent again", RELAY + "API/RetryRule.swift",
     "case .handedOver: .uncertain", "case .handedOver: tries >= triesMax ? .uncertain : .retryNow"),
    ("an upload that broke is sent again", RELAY + "API/RetryRule.swift",
     "case .partlyWritten(isBodyHeld: false): .notSent",
     "case .partlyWritten(isBodyHeld: false): .retryNow"),
    ("the ledger forgets", RELAY + "Messages/LedgerEntry.swift",
     "return until > now ? .accepted", "return until < now ? .accepted"),
    ("the ledger does not know of calls in flight", RELAY + "Messages/Ledger.swift",
     "store.apply(.recordPending(until: deadline), to: digest, at: now)",
     "_ = (digest, deadline, now)"),
    ("the ledger answers for ever", RELAY + "Messages/LedgerEntry.swift",
     "            self = .unknown\n            return until > now ? .accepted",
     "            return until > now ? .accepted"),
    ("the answer to a client that left is not remembered", RELAY + "Messages/SubmissionMachine.swift",
     "return .end(.nobody, isAccepted ? .record : .settle)",
     "return .end(.nobody, .nothing)"),
    ("a success that is not JSON is believed", RELAY + "API/APIResponse.swift",
     "else {\n                return .unavailable(isUncertain: true)\n            }",
     "else {\n                return .accepted(messageID: [])\n            }"),
    ("an answer that is cut short is believed", RELAY + "API/ResponseReader.swift",
     'case .head, .length, .chunked: fail("the connection was closed within the answer")',
     'case .length, .chunked: end()\n        case .head: fail("the connection was closed")'),
    ("an abandoned upload is completed", RELAY + "Messages/Upload.swift",
     "            call?.abandon()\n            call = nil\n        }\n        body.discard()\n",
     "            body.complete()\n            call?.bodyCompleted(deadline: .never)\n"
     "            call = nil\n        } else {\n            body.discard()\n        }\n"),
    ("a group leaves its last recipient out", RELAY + "Messages/GroupSend.swift",
     "count: recipients.count, inFlightMax", "count: max(1, recipients.count - 1), inFlightMax"),
    ("one acceptance is enough for a group", RELAY + "Messages/GroupMachine.swift",
     "case .accepted: 1", "case .accepted: 8"),
    ("memory is not given back", RELAY + "SMTP/Session+Message.swift",
     "worker.shared.budget.release(reservedBytes)\n        reservedBytes = 0",
     "reservedBytes = 0"),
    ("a mapper is not given back", RELAY + "Messages/Submission.swift",
     "        worker.mappers.give(back: mapper)\n", ""),
    ("a slab is not given back", REACTOR + "Stream+Receiving.swift",
     "if slab.count == 0, let empty = held.popFirst() { loop.slabs.give(back: empty) }",
     "if slab.count == 0 { _ = held.popFirst() }"),
    ("a drain forgets who is idle", RELAY + "Process/Worker+Lifecycle.swift",
     "sessions.drainAll(isGraceful: grace > 0)", "_ = grace"),
    ("a drain does not wait for messages", RELAY + "Process/Worker+Lifecycle.swift",
     "guard worker.sessions.count == 0, worker.doorCount == 0 else { return armTimer() }", ""),
    ("the API's deadline is twice as long", RELAY + "Messages/Upload.swift",
     "        self.deadline = deadline\n",
     "        self.deadline = deadline.advanced(\n"
     "            byMilliseconds: worker.configuration.api.timeoutMilliseconds)\n"),
    ("429 is told as unavailable", RELAY + "API/APIResponse.swift",
     "case 429: return .rateLimited(rateLimit)", "case 428: return .rateLimited(rateLimit)"),
    ("the end of a client is not noticed while the API is asked", RELAY + "SMTP/Session.swift",
     "guard machine.phase == .outcome else { return false }",
     "guard machine.phase == .outcome, id == 0 else { return false }"),
    ("memory that is being sent is written to", REACTOR + "OutputQueue.swift",
     "        last.end += count\n",
     "        last.end += count\n"
     "        if isSending, let first = chain.first, first.payload != last.payload { first.payload[first.start] ^= 1 }\n"),
    ("a dot gets two replies", RELAY + "SMTP/Session+Message.swift",
     "perform(machine.outcome(reply, isKeyRefused: isKeyRefused, at: now))",
     "write(reply)\n        perform(machine.outcome(reply, isKeyRefused: isKeyRefused, at: now))"),
)


def copy_tree():
    """The project's files as they are, so that builds after the first are short."""
    COPY.mkdir(parents=True, exist_ok=True)
    for name in ("Sources", "Tests/Simulation", "Tests/Fuzz", "perf", "Package.swift"):
        target = COPY / name
        if target.is_dir():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        source = ROOT / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    for name in ("PerfTests", "WireTests", "ReactorTests", "RelayTests"):
        (COPY / "Tests" / name).mkdir(exist_ok=True)
        (COPY / "Tests" / name / "Empty.swift").write_text("")


def build():
    done = subprocess.run(
        ["swift", "build", "-c", "release", "--scratch-path", str(FOLDER / "build"),
         "--product", "Simulate", "-Xswiftc", "-enable-testing"],
        cwd=COPY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ})
    if done.returncode:
        sys.exit(done.stdout.decode())


def notice():
    """What the simulation says of the relay that was built last; None: nothing."""
    for arguments in (("sweep", "1"), ("seeds", "1", str(SEEDS))):
        try:
            done = subprocess.run(
                [FOLDER / "build/release/Simulate", *arguments], cwd=COPY, timeout=900,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except subprocess.TimeoutExpired:
            return "it does not come to an end"
        if done.returncode:
            lines = [line.strip() for line in done.stdout.decode().splitlines()]
            rules = [line for line in lines if line and "does not balance" not in line]
            return rules[0] if rules else f"status {done.returncode}"
    return None


def main(names):
    chosen = [m for m in MUTATIONS if not names or any(name in m[0] for name in names)]
    copy_tree()
    unnoticed = []
    for name, file, old, new in chosen:
        start = time.monotonic()
        path = COPY / file
        text = path.read_text()
        if text.count(old) != 1:
            sys.exit(f"{name}: {file} has changed; write the mutation anew")
        path.write_text(text.replace(old, new))
        build()
        seen = notice()
        path.write_text(text)
        if not seen:
            unnoticed.append(name)
        print(f"{name}: {seen or 'NOT NOTICED'} ({time.monotonic() - start:.0f} s)", flush=True)
    print(f"{len(chosen) - len(unnoticed)} of {len(chosen)} noticed")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
