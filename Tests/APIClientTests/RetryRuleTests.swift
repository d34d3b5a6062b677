// The table of "When the answer is not certain": each progress, several counts of tries, both kinds
// of requests.

import Testing

@testable import APIClient

@Suite("Retry rule")
struct RetryRuleTests {
    static let progresses: [RequestProgress] = [
        .nothingWritten, .partlyWritten(isBodyHeld: true), .partlyWritten(isBodyHeld: false),
        .unacknowledged(isBodyHeld: true), .unacknowledged(isBodyHeld: false),
        .refused(isBodyHeld: true), .refused(isBodyHeld: false), .handedOver,
    ]
    static let tries = [0, 1, 2, 3, 4, 1_000, .max]

    /// The verdict on each row while tries are left, and after they are spent.
    static let messages: [RequestProgress: (first: RetryVerdict, last: RetryVerdict)] = [
        .nothingWritten: (.retryNow, .notSent),
        .partlyWritten(isBodyHeld: true): (.retryNow, .notSent),
        .partlyWritten(isBodyHeld: false): (.notSent, .notSent),
        .unacknowledged(isBodyHeld: true): (.retryNow, .notSent),
        .unacknowledged(isBodyHeld: false): (.notSent, .notSent),
        .refused(isBodyHeld: true): (.retryNow, .notSent),
        .refused(isBodyHeld: false): (.notSent, .notSent),
        .handedOver: (.uncertain, .uncertain),
    ]

    @Test(
        "A message is sent again only when the API did not act on it", arguments: progresses, tries)
    func message(_ progress: RequestProgress, tries: Int) throws {
        let row = try #require(Self.messages[progress])
        let verdict = RetryRule.verdict(progress, tries: tries, isRead: false)
        #expect(verdict == (tries < 3 ? row.first : row.last))
    }

    @Test(
        "A read is sent again even when the API may have acted on it", arguments: progresses, tries)
    func read(_ progress: RequestProgress, tries: Int) {
        let verdict = RetryRule.verdict(progress, tries: tries, isRead: true)
        guard progress == .handedOver else {
            #expect(verdict == RetryRule.verdict(progress, tries: tries, isRead: false))
            return
        }
        #expect(verdict == (tries < 3 ? .retryNow : .uncertain))
    }

    @Test("A message that the API may have is never sent again, and only that is uncertain")
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
