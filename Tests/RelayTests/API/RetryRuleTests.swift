// The table of "When the answer is not certain", row by row.

import Testing

@testable import Relay

@Suite("Retry rule")
struct RetryRuleTests {
    struct Row: CustomTestStringConvertible {
        var progress: RequestProgress
        var first: RetryVerdict
        var last: RetryVerdict
        var testDescription: String { "\(progress)" }
    }

    static let rows = [
        Row(progress: .noConnection, first: .retryElsewhere, last: .notSent),
        Row(progress: .tlsUnfinished, first: .retryElsewhere, last: .notSent),
        Row(progress: .nothingWritten, first: .retryNow, last: .notSent),
        Row(progress: .partlyWritten(isBodyHeld: true), first: .retryNow, last: .notSent),
        Row(progress: .partlyWritten(isBodyHeld: false), first: .notSent, last: .notSent),
        Row(progress: .handedOver, first: .uncertain, last: .uncertain),
    ]

    @Test("A request is sent again only when it was not acted on", arguments: rows)
    func table(_ row: Row) {
        for tries in 0..<RetryRule.triesMax {
            #expect(RetryRule.verdict(row.progress, tries: tries) == row.first)
        }
        for tries in [RetryRule.triesMax, RetryRule.triesMax + 1, 1_000] {
            #expect(RetryRule.verdict(row.progress, tries: tries) == row.last)
        }
    }
}
