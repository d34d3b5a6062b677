"""Breaks the relay on purpose, one way after the other, and checks that the simulation notices.

Each mutation replaces one piece of a source file in a copy of the project, builds the simulation
there and runs it: the sweep, pauses, absences, groups, returns, and some seeds. If nothing notices a mutation, no test
holds that promise.
The list leaves out mutations that a second guard catches (the submission does not believe an early
success either; the session's own clock ends an upload that stalls), and one that needs half a million
messages to show. `mutations.py NAME…` tries those whose names contain one of these words.
`mutations.py --check` builds nothing: it only looks whether each piece is still in its file, once. Not
part of `make test`, because each mutation takes a build.
"""

import fcntl
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".build-mutations"
COPY = FOLDER / "tree"
SEEDS = 1_500
TOPICS = ("pauses", "absences", "groups", "returns")
API = "Sources/APIClient/"
LEDGER = "Sources/LedgerServer/"
HTTP2 = "Sources/HTTP2/"
MESSAGES = "Sources/Relay/Messages/"
SMTP = "Sources/Relay/SMTP/"
STREAM = "Sources/Reactor/Stream/"
WORKER = "Sources/Relay/Worker/"

# (what is broken, file, the piece that is there, the piece that takes its place)
MUTATIONS = (
    ("a request that was handed over is sent again", API + "RetryRule.swift",
     "case .handedOver: .uncertain", "case .handedOver: tries >= triesMax ? .uncertain : .retryNow"),
    ("an upload that broke is sent again", API + "RetryRule.swift",
     "case .partlyWritten(isBodyHeld: false), .unacknowledged(isBodyHeld: false): .notSent",
     "case .partlyWritten(isBodyHeld: false): .retryNow\n"
     "        case .unacknowledged(isBodyHeld: false): .notSent"),
    ("a request whose stream was reset after its end is sent again", HTTP2 + "HTTP2Session.swift",
     "code == .refusedStream || code == .http11Required",
     "code == .refusedStream || code == .internalError"),
    ("what other loops heard of the API does not count", API + "ConnectionPool.swift",
     "machine.heard(answers.all, at: loop.now)", ""),
    ("uploads do not wait for the API's settings", API + "HTTP2Lane.swift",
     "session.hasPeerSettings || isRepeatable(call)", "session.isClosedToStreams == false"),
    ("an upload does not trickle", MESSAGES + "TrickleClock.swift",
     "return now.milliseconds(since: since) >= Self.quietMilliseconds", "return now < since"),
    ("the ledger forgets", MESSAGES + "LedgerTable.swift",
     "let place = places[whole], place.record.until > now {",
     "let place = places[whole], place.record.until < now {"),
    ("what the ledger's server says of acceptances is not heard", LEDGER + "ServerTalk.swift",
     "if case .accepted? = acceptance?.fact {",
     "if case .accepted? = acceptance?.fact, phase == .closed {"),
    ("the ledger does not record calls in flight", MESSAGES + "Ledger.swift",
     "? .put(.pending(submission: submission), until: end) : nil", "&& end < deadline\n            ? .put(.pending(submission: submission), until: end) : nil"),
    ("the ledger answers for ever", MESSAGES + "LedgerTable.swift",
     "places[whole]?.takenAt = now", "_ = whole"),
    ("an acceptance that was told is no longer there at once", MESSAGES + "LedgerTable.swift",
     "if takenAt.advanced(byMilliseconds: Self.toldMilliseconds) > now {", "if takenAt > now {"),
    ("recipients that have the message are not left out", MESSAGES + "Submission.swift",
     "mapper.leaveOut(known.map { $0 != nil })", ""),
    ("a refusal for good that the client has not seen is forgotten", MESSAGES + "Submission.swift",
     "if machine.isEndInDoubt { group?.recordAll() } else { forget(taken: false) }",
     "forget(taken: false)"),
    ("the ledger forgets who of a group has the message", MESSAGES + "GroupMachine.swift",
     "guard isPartial else { return [] }", "guard isPartial, inFlight < 0 else { return [] }"),
    ("a refusal of a chunk is forgotten", SMTP + "DataState.swift",
     "if discard == .decided { discard = .told }", ""),
    ("a drain ends a message between two chunks", SMTP + "SessionMachine.swift",
     "case .commands where transaction.isChunked, .budget where transaction.isChunked:",
     "case .budget where transaction.isChunked:"),
    ("QUIT with the final dot counts as seen", SMTP + "SessionMessages.swift",
     "guard unseen != nil, arrivedAt > answeredAt else { return }",
     "guard unseen != nil else { return }"),
    ("the answer to a client that left is not remembered", MESSAGES + "SubmissionMachine.swift",
     "return .end(.nobody, isAccepted ? .record : .settle)",
     "return .end(.nobody, .nothing)"),
    ("a success that is not JSON is believed", API + "APIResponse.swift",
     "else {\n                return .unavailable(isUncertain: true)\n            }",
     "else {\n                return .accepted(messageID: [])\n            }"),
    ("an answer that is cut short is believed", API + "ResponseReader.swift",
     'case .head, .length, .chunked: fail("the connection was closed within the answer")',
     'case .length, .chunked: end()\n        case .head: fail("the connection was closed")'),
    ("an abandoned upload is completed", MESSAGES + "Upload.swift",
     "            call?.abandon()\n            call = nil\n        }\n        body.discard()\n",
     "            body.complete()\n            call?.bodyCompleted(deadline: .never)\n"
     "            call = nil\n        } else {\n            body.discard()\n        }\n"),
    ("a group leaves its last recipient out", MESSAGES + "GroupSend.swift",
     "machine = GroupMachine(count: recipients.count, inFlightMax: flights)",
     "machine = GroupMachine(count: max(1, recipients.count - 1), inFlightMax: flights)"),
    ("one acceptance is enough for a group", MESSAGES + "GroupMachine.swift",
     "case .accepted: 1", "case .accepted: 8"),
    ("memory is not given back", SMTP + "MemoryBudget.swift",
     "deinit { if bytes > 0 { budget.giveBack(bytes, of: account) } }", "deinit {}"),
    ("a mapper is not given back", MESSAGES + "Submission.swift",
     "        worker.mappers.give(back: mapper)\n", ""),
    ("a slab is not given back", STREAM + "ReceiveSide.swift",
     "if slab.count == 0, let empty = held.popFirst() { pool.give(back: empty) }",
     "if slab.count == 0 { _ = held.popFirst() }"),
    ("a drain forgets idle sessions", WORKER + "Worker.swift",
     "sessions.drainAll(isGraceful: grace > 0)", "_ = grace"),
    ("a drain does not wait for messages", WORKER + "Drain.swift",
     "guard !worker.hasClients else { return armTimer() }", ""),
    ("the API's deadline is twice as long", MESSAGES + "Upload.swift",
     "        self.deadline = deadline\n",
     "        self.deadline = deadline.advanced(\n"
     "            byMilliseconds: worker.configuration.api.timeoutMilliseconds)\n"),
    ("429 is reported as unavailable", API + "APIResponse.swift",
     "        case 429:\n            // The figure",
     "        case 429: return .unavailable(isUncertain: false)\n"
     "        case 428:\n            // The figure"),
    ("the end of a client is not noticed while the API is asked", SMTP + "Session.swift",
     "guard machine.awaitsOutcome else { return false }",
     "guard machine.awaitsOutcome, id == 0 else { return false }"),
    ("memory that is being sent is written to", STREAM + "OutputQueue.swift",
     "        last.end += count\n",
     "        last.end += count\n"
     "        if isSending, let first = chain.first, first.payload != last.payload { first.payload[first.start] ^= 1 }\n"),
    ("a dot gets two replies", SMTP + "Session.swift",
     "return machine.outcome(reply, isKeyRefused: isKeyRefused, at: now)",
     "write(reply)\n        return machine.outcome(reply, isKeyRefused: isKeyRefused, at: now)"),
)


def copy_tree():
    """Copies the project's files as they are. The build folder stays, so later builds are short."""
    COPY.mkdir(parents=True, exist_ok=True)
    manifest = (ROOT / "Package.swift").read_text()
    named = set(re.findall(r'\bpath: "(Tests/[^/"]+)', manifest))
    for name in ("Sources", "perf", *sorted(named), "Package.swift", "Package.resolved"):
        target = COPY / name
        if target.is_dir():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        source = ROOT / name
        if not source.exists():
            continue  # Package.resolved, before the first build
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    # The manifest needs a folder with a source file for each test target; nothing builds them.
    for name in re.findall(r'\btests\(\s*"(\w+)"', manifest):
        (COPY / "Tests" / name).mkdir(exist_ok=True)
        (COPY / "Tests" / name / "Empty.swift").write_text("")


def build():
    done = subprocess.run(
        ["swift", "build", "-c", "release", "--scratch-path", str(FOLDER / "build"),
         "--product", "Simulate"],
        cwd=COPY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(done.stdout.decode())


def notice():
    """The first rule that the last build breaks, in the simulation's words; None if it breaks none."""
    runs = [("sweep", "1"), *((topic, "1", "30") for topic in TOPICS), ("seeds", "1", str(SEEDS))]
    for arguments in runs:
        try:
            done = subprocess.run(
                [FOLDER / "build/release/Simulate", *arguments], cwd=COPY, timeout=900,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except subprocess.TimeoutExpired:
            return "it does not end"
        if done.returncode == 2:
            sys.exit(done.stdout.decode())
        if done.returncode:
            lines = [line.strip() for line in done.stdout.decode().splitlines()]
            rules = [line for line in lines if line and "does not balance" not in line]
            return rules[0] if rules else f"status {done.returncode}"
    return None


def check(mutations):
    """Ends the program if a file does not contain its piece exactly once."""
    changed = [f"{name}: {file} has changed; write the mutation anew"
               for name, file, old, _ in mutations
               if not (ROOT / file).is_file() or (ROOT / file).read_text().count(old) != 1]
    if changed:
        sys.exit("\n".join(changed))


def main(names):
    if names == ["--check"]:
        check(MUTATIONS)
        print(f"{len(MUTATIONS)} mutations fit the sources")
        return 0
    chosen = [m for m in MUTATIONS if not names or any(name in m[0] for name in names)]
    check(chosen)
    FOLDER.mkdir(exist_ok=True)
    lock = open(FOLDER / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"another run uses {FOLDER}")
    copy_tree()
    unnoticed = []
    for name, file, old, new in chosen:
        start = time.monotonic()
        path = COPY / file
        text = path.read_text()
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
