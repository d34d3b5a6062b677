// A test bench for a session's machine: lines in, verdicts out, and a clock that the test moves.
// The bench answers in place of the driver what the machine asks within one event; the test does
// the rest.

import Reactor
import Wire

@testable import Relay

struct SessionMachineBench {
    /// How far a session is.
    enum Start { case plaintext, tls, loggedIn, mail, rcpt, data, outcome }

    var machine: SessionMachine
    var now = MonotonicTime(nanoseconds: 1_000_000_000)
    /// The reply to MAIL while the key is throttled.
    var rateLimit: Reply?
    /// The address may begin handshakes.
    var admitsHandshakes = true
    /// The address may try to log in again.
    var mayTryAgain = true

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

    /// When a message that ends now must have its reply.
    var due: MonotonicTime {
        now.advanced(byMilliseconds: machine.options.apiTimeoutMilliseconds)
    }

    /// One line, and everything that follows from it without waiting.
    mutating func line(_ text: String, hasBytesAfter: Bool = false) -> SessionVerdict {
        let bytes = Array(text.utf8)
        if case .response = machine.phase {
            return answer(machine.responseLine(bytes.span, at: now))
        }
        let command = Command.parse(bytes.span)
        let verdict = answer(
            machine.command(command, in: bytes.span, hasBytesAfter: hasBytesAfter, at: now))
        if case .addRecipient = verdict { machine.recipientAdded(isNew: true) }
        return verdict
    }

    /// The decoded response to an AUTH challenge, and everything that follows from it without
    /// waiting.
    mutating func response(_ response: SASLResponse) -> SessionVerdict {
        answer(machine.response(response, at: now))
    }

    mutating func keyChecked(_ verdict: KeyVerdict) -> SessionVerdict {
        answer(machine.keyChecked(verdict, at: now))
    }

    /// Answers what the driver answers within the same event.
    private mutating func answer(_ first: SessionVerdict) -> SessionVerdict {
        var verdict = first
        while true {
            switch verdict {
            case .askRateLimit(sender: _): verdict = machine.rateLimitAnswered(rateLimit)
            case .admitHandshake:
                verdict = machine.handshakeAnswered(isAdmitted: admitsHandshakes, at: now)
            // Nothing was refused before it.
            case .reset: verdict = .reply(.ok)
            case .noteRefusal: verdict = machine.refusalNoted(mayTryAgain: mayTryAgain, at: now)
            default: return verdict
            }
        }
    }

    /// AUTH with the key that `fingerprint` stands for; the API says `verdict`.
    mutating func logIn(
        _ verdict: KeyVerdict, fingerprint: UInt64 = 1, with mechanism: String = "PLAIN"
    ) -> SessionVerdict {
        _ = line("AUTH \(mechanism)")
        if mechanism == "LOGIN" {
            _ = line("user")
            _ = response(.username)
        }
        _ = line("response")
        _ = response(.key(fingerprint: fingerprint))
        return keyChecked(verdict)
    }

    mutating func wait(_ milliseconds: Int) { now = now.advanced(byMilliseconds: milliseconds) }

    /// Moves to the machine's own deadline and reports that it has come.
    mutating func timeOut() -> SessionVerdict {
        now = max(now, machine.deadline)
        return machine.timedOut(at: now)
    }
}
