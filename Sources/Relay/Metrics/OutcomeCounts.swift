// Numbers with a fixed place for each outcome of a message.
//
// They lie inside the counters of a loop: to count is an index and an addition, and never allocates.

import APIClient
import Reactor

/// What became of a message, without the details of `Outcome`.
enum OutcomeKind: Int, CaseIterable {
    case accepted, invalid, keyRefused, forbidden, planLimit, tooLarge, suppressed, rateLimited
    /// Certainly not acted on.
    case unavailable
    /// Nobody knows.
    case uncertain
    case unparsable, tooManyHops, attachmentLimit
    /// By bounds of the relay's own.
    case noRoom, groupTooLarge
    /// Signed or encrypted, with `--refuse-encrypted`.
    case protected
    /// The client left before the answer, or gave up in the middle.
    case abandoned

    /// One word for the log and the metrics.
    var word: String {
        switch self {
        case .accepted: "accepted"
        case .invalid: "invalid"
        case .keyRefused: "key-refused"
        case .forbidden: "forbidden"
        case .planLimit: "plan-limit"
        case .tooLarge: "too-large"
        case .suppressed: "suppressed"
        case .rateLimited: "rate-limited"
        case .unavailable: "unavailable"
        case .uncertain: "uncertain"
        case .unparsable: "unparsable"
        case .tooManyHops: "too-many-hops"
        case .attachmentLimit: "attachment-limit"
        case .noRoom: "no-room"
        case .groupTooLarge: "group-too-large"
        case .protected: "protected"
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
        case .planLimit: .planLimit
        case .tooLarge: .tooLarge
        case .allSuppressed: .suppressed
        case .rateLimited: .rateLimited
        case .unavailable(let isUncertain): isUncertain ? .uncertain : .unavailable
        case .unparsable: .unparsable
        case .tooManyHops: .tooManyHops
        case .attachmentLimit: .attachmentLimit
        case .noRoom: .noRoom
        case .groupTooLarge: .groupTooLarge
        case .protected: .protected
        }
    }
}

/// Numbers by outcome.
struct OutcomeCounts: Countable {
    private var counts = InlineArray<17, Int>(repeating: 0)

    mutating func add(_ number: Int, to kind: OutcomeKind) { counts[kind.rawValue] &+= number }

    mutating func add(_ other: OutcomeCounts) {
        for index in counts.indices { counts[index] &+= other.counts[index] }
    }

    subscript(kind: OutcomeKind) -> Int { counts[kind.rawValue] }

    var reading: CounterReading {
        .byKind(OutcomeKind.allCases.map { ($0.word, self[$0]) })
    }
}
