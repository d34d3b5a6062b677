// A session's machine on a bench: lines in, verdicts out, a clock that the test moves. What the
// driver finds out (credentials, the key's verdict, memory) the bench answers for it.

import Reactor
import Wire

@testable import Relay

struct SessionMachineBench {
    enum Start { case plaintext, tls, loggedIn, mail, rcpt, data, outcome }

    var machine: SessionMachine
    var now = MonotonicTime(nanoseconds: 1_000_000_000)
    var throttle: Reply?

    init(_ start: Start = .plaintext, options: SessionMachine.Options = .init()) {
        machine = SessionMachine(
            options: options, isImplicitTLS: start != .plaintext, at: now)
        _ = machine.opened(at: now)
        let path: [Start] = [.loggedIn, .mail, .rcpt, .data, .outcome]
        guard let last = path.firstIndex(of: start) else { return }
        for step in path[...last] { take(step) }
    }

    private mutating func take(_ step: Start) {
        switch step {
        case .plaintext, .tls: break
        case .loggedIn: _ = logIn(.valid)
        case .mail: _ = line("MAIL FROM:<a@b.example>")
        case .rcpt: _ = line("RCPT TO:<c@d.example>")
        case .data:
            _ = line("DATA")
            _ = machine.budgetGranted(at: now)
        case .outcome: _ = machine.dataEnded(at: now)
        }
    }

    /// One line, and what follows from it without waiting.
    mutating func line(_ text: String, hasBytesBehind: Bool = false) -> SessionVerdict {
        let bytes = Array(text.utf8)
        if machine.phase == .response { return machine.responseLine(bytes.span, at: now) }
        let command = Command.parse(bytes.span)
        let verdict = machine.command(
            command, in: bytes.span, hasBytesBehind: hasBytesBehind, throttle: throttle, at: now)
        if case .addRecipient = verdict { machine.recipientAdded(isNew: true) }
        return verdict
    }

    /// AUTH PLAIN with the key that `fingerprint` stands for; the API says `verdict`.
    mutating func logIn(
        _ verdict: KeyVerdict, fingerprint: UInt64 = 1, with mechanism: String = "PLAIN"
    ) -> SessionVerdict {
        _ = line("AUTH \(mechanism)")
        if mechanism == "LOGIN" {
            _ = line("user")
            _ = machine.response(.username, at: now)
        }
        _ = line("response")
        _ = machine.response(.key(fingerprint: fingerprint), at: now)
        return machine.keyChecked(verdict, at: now)
    }

    mutating func wait(_ milliseconds: Int) { now = now.advanced(byMilliseconds: milliseconds) }

    /// Goes to the machine's own deadline and says that it has come.
    mutating func timeOut() -> SessionVerdict {
        now = max(now, machine.deadline)
        return machine.timedOut(at: now)
    }
}
