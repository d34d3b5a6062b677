// Tables of counts with a fixed place for each kind: commands by verb, messages by outcome, codes.
//
// They lie inside the counters of a loop: to count is an index and an addition, and never allocates.

import APIClient
import Reactor
import Wire

/// What a line of a client was.
enum CommandVerb: Int, CaseIterable {
    case ehlo, helo, starttls, auth, mail, rcpt, data, rset, noop, quit, vrfy, expn, help, bdat
    /// A browser, or an attack that speaks as one.
    case http
    /// Not understood, or too long.
    case malformed
    /// A line of an AUTH exchange.
    case response

    /// For metrics and transcripts.
    var word: String { "\(self)" }

    init(_ command: Command) {
        switch command {
        case .ehlo: self = .ehlo
        case .helo: self = .helo
        case .startTLS: self = .starttls
        case .auth: self = .auth
        case .mail: self = .mail
        case .rcpt: self = .rcpt
        case .data: self = .data
        case .rset: self = .rset
        case .noop: self = .noop
        case .quit: self = .quit
        case .vrfy: self = .vrfy
        case .expn: self = .expn
        case .help: self = .help
        case .bdat: self = .bdat
        case .httpVerb: self = .http
        case .malformed: self = .malformed
        }
    }
}

/// Lines of clients by verb.
struct CommandCounts: Countable {
    private var counts = InlineArray<17, Int>(repeating: 0)

    mutating func count(_ verb: CommandVerb) { counts[verb.rawValue] &+= 1 }

    mutating func add(_ other: CommandCounts) {
        for index in 0..<17 { counts[index] &+= other.counts[index] }
    }

    subscript(verb: CommandVerb) -> Int { counts[verb.rawValue] }

    var reading: CounterReading {
        .byKind(CommandVerb.allCases.map { ($0.word, self[$0]) })
    }
}

/// What became of a message, without the details of `Outcome`.
enum OutcomeKind: Int, CaseIterable {
    case accepted, invalid, keyRefused, forbidden, tooLarge, suppressed, rateLimited
    /// Certainly not acted on.
    case unavailable
    /// Nobody knows.
    case uncertain
    case unparsable, attachmentLimit
    /// The client left before the answer, or gave up in the middle.
    case abandoned

    /// One word for the log and the metrics.
    var word: String {
        switch self {
        case .accepted: "accepted"
        case .invalid: "invalid"
        case .keyRefused: "key-refused"
        case .forbidden: "forbidden"
        case .tooLarge: "too-large"
        case .suppressed: "suppressed"
        case .rateLimited: "rate-limited"
        case .unavailable: "unavailable"
        case .uncertain: "uncertain"
        case .unparsable: "unparsable"
        case .attachmentLimit: "attachment-limit"
        case .abandoned: "abandoned"
        }
    }
}

extension Outcome {
    var kind: OutcomeKind {
        switch self {
        case .accepted: .accepted
        case .invalidRequest: .invalid
        case .keyRefused: .keyRefused
        case .forbidden: .forbidden
        case .tooLarge: .tooLarge
        case .allSuppressed: .suppressed
        case .rateLimited: .rateLimited
        case .unavailable(let isUncertain): isUncertain ? .uncertain : .unavailable
        case .unparsable: .unparsable
        case .attachmentLimit: .attachmentLimit
        }
    }
}

/// Numbers by outcome.
struct OutcomeCounts: Countable {
    private var counts = InlineArray<12, Int>(repeating: 0)

    mutating func add(_ number: Int, to kind: OutcomeKind) { counts[kind.rawValue] &+= number }

    mutating func add(_ other: OutcomeCounts) {
        for index in 0..<12 { counts[index] &+= other.counts[index] }
    }

    subscript(kind: OutcomeKind) -> Int { counts[kind.rawValue] }

    var reading: CounterReading {
        .byKind(OutcomeKind.allCases.map { ($0.word, self[$0]) })
    }
}

/// Messages and their bytes of content by outcome.
struct MessageCounts: Sendable {
    /// Settable for the sums alone; messages are counted by `count`.
    var counts = OutcomeCounts()
    var bytes = OutcomeCounts()

    mutating func count(_ kind: OutcomeKind, bytes contentBytes: Int) {
        counts.add(1, to: kind)
        bytes.add(contentBytes, to: kind)
    }
}
