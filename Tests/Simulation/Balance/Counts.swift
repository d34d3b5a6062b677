// What a run, or a million messages, came to.

@testable import Reactor

/// Sums over runs.
struct Counts {
    var runs = 0
    var messages = 0
    var attempts = 0
    var dots = 0
    var requests = 0
    var faults = 0
    /// Requests on which the API acted.
    var acted = 0
    /// Messages with a 250 that the client saw.
    var delivered = 0
    /// Messages that the API accepted more than once, for any recipient; all excused by the rules.
    var repeated = 0
    /// Attempts whose connection ended without a reply to the dot.
    var unanswered = 0
    var replies: [Int: Int] = [:]

    // What the relay counted.
    var relayAccepted = 0
    var uncertain = 0
    var duplicatesAnswered = 0
    var abandoned = 0

    mutating func note(_ ledger: Ledger, messages: Int) {
        runs = 1
        self.messages = messages
        attempts = ledger.attempts.count
        dots = ledger.attempts.count { $0.dotSentAt != nil }
        requests = ledger.requests.count
        acted = ledger.requests.count(where: \.hasActed)
        unanswered = ledger.attempts.count { $0.code == nil && $0.dotSentAt != nil }
        var seen = Set<Int>()
        for attempt in ledger.attempts where attempt.code == 250 { seen.insert(attempt.message) }
        delivered = seen.count
        var accepted: [[Int]: Int] = [:]
        for request in ledger.requests where request.hasActed {
            accepted[[request.message] + request.recipients, default: 0] += 1
        }
        let twice = accepted.filter { $0.value > 1 }.keys.map { $0[0] }
        repeated = Set(twice).count
    }

    mutating func add(_ other: Counts) {
        runs += other.runs
        messages += other.messages
        attempts += other.attempts
        dots += other.dots
        requests += other.requests
        faults += other.faults
        acted += other.acted
        delivered += other.delivered
        repeated += other.repeated
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
            ("runs (seeds)", runs), ("messages", messages),
            ("tries of clients to hand one in", attempts),
            ("tries that came to their final dot", dots), ("faults that were made to happen", faults),
            ("complete requests at the API", requests), ("requests on which the API acted", acted),
            ("messages with a 250 that the client saw", delivered),
            ("messages on which the API acted more than once", repeated),
            ("dots whose client was gone before the reply", unanswered),
            ("uncertain outcomes", uncertain),
            ("second copies answered by the duplicate guard", duplicatesAnswered),
            ("messages abandoned by their client", abandoned),
        ]
        for (code, count) in replies.sorted(by: { $0.key < $1.key }) {
            rows.append(("reply \(code) to a dot", count))
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
