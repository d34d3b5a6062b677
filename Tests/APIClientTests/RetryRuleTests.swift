// The table of "When the answer is not certain": every progress, every count of tries, both kinds.

import Testing

@testable import APIClient

@Suite("Retry rule")
struct RetryRuleTests {
    static let progresses: [RequestProgress] = [
        .nothingWritten, .partlyWritten(isBodyHeld: true), .partlyWritten(isBodyHeld: false),
        .handedOver,
    ]
    static let tries = [0, 1, 2, 3, 4, 1_000, .max]

    /// What must come of each row while tries are left, and when they are spent.
    static let messages: [RequestProgress: (first: RetryVerdict, last: RetryVerdict)] = [
        .nothingWritten: (.retryNow, .notSent),
        .partlyWritten(isBodyHeld: true): (.retryNow, .notSent),
        .partlyWritten(isBodyHeld: false): (.notSent, .notSent),
        .handedOver: (.uncertain, .uncertain),
    ]

    @Test("A message is sent again only when it was not acted on", arguments: progresses, tries)
    func message(_ progress: RequestProgress, tries: Int) throws {
        let row = try #require(Self.messages[progress])
        let verdict = RetryRule.verdict(progress, tries: tries, isRead: false)
        #expect(verdict == (tries < 3 ? row.first : row.last))
    }

    @Test("A read is sent again even when it may have been acted on", arguments: progresses, tries)
    func read(_ progress: RequestProgress, tries: Int) {
        let verdict = RetryRule.verdict(progress, tries: tries, isRead: true)
        guard progress == .handedOver else {
            #expect(verdict == RetryRule.verdict(progress, tries: tries, isRead: false))
            return
        }
        #expect(verdict == (tries < 3 ? .retryNow : .uncertain))
    }

    @Test("What the API may have is never sent again, and only that is uncertain")
    func invariants() {
        for progress in Self.progresses {
            for tries in Self.tries {
                let verdict = RetryRule.verdict(progress, tries: tries, isRead: false)
                let mayHaveActed = progress == .handedOver
                #expect((verdict == .uncertain) == mayHaveActed)
            }
        }
    }
}
