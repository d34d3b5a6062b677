// Counts by three-digit code, inside the counters of a loop: to count is an index and an addition,
// and never allocates.

import Reactor

/// Counts of three-digit codes, 100 to 599: SMTP replies, HTTP statuses.
package struct CodeCounts: Countable {
    static let codes = 100..<600
    private var counts = InlineArray<500, Int>(repeating: 0)

    package init() {}

    /// Counts `code` once; a number outside 100 to 599 is ignored.
    package mutating func count(_ code: Int) {
        let index = code &- Self.codes.lowerBound
        if index >= 0, index < 500 { counts[index] &+= 1 }
    }

    /// Adds all counts of `other`.
    package mutating func add(_ other: CodeCounts) {
        for index in 0..<500 { counts[index] &+= other.counts[index] }
    }

    /// How often `code` was counted.
    subscript(code: Int) -> Int {
        Self.codes.contains(code) ? counts[code - Self.codes.lowerBound] : 0
    }

    package var reading: CounterReading { .byKind(present.map { ("\($0.code)", $0.count) }) }

    /// The codes that were counted, in ascending order.
    package var present: [(code: Int, count: Int)] {
        Self.codes.compactMap { self[$0] > 0 ? ($0, self[$0]) : nil }
    }
}
