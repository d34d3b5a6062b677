// The totals of a run, or of a million messages.

import Reactor
import Relay

/// Sums over runs.
struct Counts {
    var runs = 0
    var messages = 0
    /// Messages whose content a client has sent at least in part.
    var handedIn = 0
    var attempts = 0
    var dots = 0
    var requests = 0
    var faults = 0
    /// Requests on which the API acted.
    var acted = 0
    /// Messages with a 250 that the client saw.
    var delivered = 0
    /// Acceptances of a message (for a recipient) after its first one, by excuse.
    var repetitions: [Repetition: Int] = [:]
    /// Attempts whose connection ended without a reply to the dot.
    var unanswered = 0
    var replies: [Int: Int] = [:]
    /// How often the relay was ended during a run and started again.
    var drains = 0
    var kills = 0

    // What the relay counted.
    var relayAccepted = 0
    var uncertain = 0
    var duplicatesAnswered = 0
    var abandoned = 0

    mutating func note(_ counters: RelayCounters) {
        relayAccepted += counters.messagesAccepted
        uncertain += counters.messagesUncertain
        duplicatesAnswered += counters.duplicatesAnswered
        abandoned += counters.messagesAbandoned
    }

    package mutating func note(_ ledger: Ledger, messages: Int) {
        runs = 1
        self.messages = messages
        handedIn = Set(ledger.attempts.map(\.message)).count
        attempts = ledger.attempts.count
        dots = ledger.attempts.count { $0.dotSentAt != nil }
        requests = ledger.requests.count
        acted = ledger.requests.count(where: \.hasActed)
        unanswered = ledger.attempts.count { $0.code == nil && $0.dotSentAt != nil }
        var seen = Set<Int>()
        for attempt in ledger.attempts where attempt.code == 250 { seen.insert(attempt.message) }
        delivered = seen.count
    }

    mutating func add(_ other: Counts) {
        runs += other.runs
        messages += other.messages
        handedIn += other.handedIn
        attempts += other.attempts
        dots += other.dots
        requests += other.requests
        faults += other.faults
        acted += other.acted
        delivered += other.delivered
        for (excuse, count) in other.repetitions { repetitions[excuse, default: 0] += count }
        drains += other.drains
        kills += other.kills
        unanswered += other.unanswered
        relayAccepted += other.relayAccepted
        uncertain += other.uncertain
        duplicatesAnswered += other.duplicatesAnswered
        abandoned += other.abandoned
        for (code, count) in other.replies { replies[code, default: 0] += count }
    }

    /// A Markdown table.
    var table: String {
        var rows: [(String, Int)] = [
            ("runs (seeds)", runs), ("messages that clients wanted to send", messages),
            ("messages that came to DATA", handedIn), ("tries that came to DATA", attempts),
            ("tries that came to their final dot", dots),
            ("faults that were made to happen", faults),
            ("times that the relay was told to end (SIGTERM)", drains),
            ("times that it was killed (SIGKILL)", kills),
            ("complete requests at the API", requests), ("requests on which the API acted", acted),
            ("messages with a 250 that the client saw", delivered),
            ("dots whose client was gone before the reply", unanswered),
            ("uncertain outcomes", uncertain),
            ("second copies answered by the duplicate guard", duplicatesAnswered),
            ("messages abandoned by their client", abandoned),
        ]
        for (code, count) in replies.sorted(by: { $0.key < $1.key }) {
            rows.append(("reply \(code) to a dot", count))
        }
        for excuse in Repetition.allCases {
            let count = repetitions[excuse, default: 0]
            rows.append(("accepted again: \(excuse.rawValue)", count))
        }
        return "| what | count |\n| --- | ---: |\n"
            + rows.map { "| \($0.0) | \(Counts.grouped($0.1)) |" }.joined(separator: "\n")
    }

    private static func grouped(_ number: Int) -> String {
        var digits = Array(String(number))
        var place = digits.count - 3
        while place > 0 {
            digits.insert(",", at: place)
            place -= 3
        }
        return String(digits)
    }
}
