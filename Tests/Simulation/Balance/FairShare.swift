// The rule of a run about shares: nobody waits longer than a fair share of the API explains.
//
// Of C connections a key among K that have something to send has C/K. So the message that comes
// after others of the same key, with itself `own` of them, has its answer after own * K / C
// services, and one more for what is under way when it comes. Checks of keys are first in line and
// count as one more key. Nothing is refused, because the API refuses nothing.

import Reactor

/// Judges the waits of a run.
struct FairShare {
    struct Terms {
        /// Connections that complete messages can have.
        var connections: Int
        /// How long the API takes for each request.
        var serviceMilliseconds: Int
        /// This key holds connections with uploads that stall. Its messages come after those of keys
        /// that hold less, for as long as there are any.
        var stallingAccount: Int?
    }

    /// For handshakes, and for what the network takes.
    private static let graceMilliseconds = 1_500

    private let terms: Terms
    private let ledger: Ledger
    private(set) var violations: [String] = []

    init(_ ledger: Ledger, _ terms: Terms) {
        self.ledger = ledger
        self.terms = terms
        for attempt in ledger.attempts { check(attempt) }
        for login in ledger.logins { check(login) }
    }

    private mutating func check(_ attempt: Attempt) {
        guard !attempt.isExcused, attempt.account != terms.stallingAccount else { return }
        let name = "account \(attempt.account), message \(attempt.message)"
        guard let dot = attempt.dotHeardAt, let reply = attempt.replySentAt, let code = attempt.code
        else { return violations.append("\(name): no reply") }
        let others = ledger.attempts.filter { other in
            guard let otherDot = other.dotHeardAt, otherDot <= reply else { return false }
            return other.replySentAt.map { $0 >= dot } ?? true
        }
        let own = others.count { $0.account == attempt.account }
        let keys = Set(others.map(\.account)).count + 1
        let turns = (own * keys + terms.connections - 1) / terms.connections + 1
        let most = turns * terms.serviceMilliseconds + Self.graceMilliseconds
        let waited = reply.milliseconds(since: dot)
        if waited > most {
            violations.append(
                "\(name): \(waited) ms for its answer; its share explains \(most) ms")
        }
        // A key whose own messages need longer than the relay may take is refused by that.
        if code != 250, most < ledger.apiTimeoutMilliseconds {
            violations.append("\(name): \(code) after \(waited) ms, and nothing was wrong")
        }
    }

    private mutating func check(_ login: Login) {
        let name = "account \(login.account), login"
        guard let answered = login.answeredAt else { return violations.append("\(name): no reply") }
        let others = ledger.logins.count {
            $0.askedAt <= answered && ($0.answeredAt.map { $0 >= login.askedAt } ?? true)
        }
        let most = (others + 1) * terms.serviceMilliseconds + Self.graceMilliseconds
        let waited = answered.milliseconds(since: login.askedAt)
        if waited > most {
            violations.append("\(name): \(waited) ms; the checks before it explain \(most) ms")
        }
        if login.code != 235 { violations.append("\(name): \(login.code), and nothing was wrong") }
    }
}
