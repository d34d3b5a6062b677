// What the relay remembers so that no message is sent twice and none is lost, as one loop sees it.
//
// Three kinds of facts outlive a connection (docs/reliability.md): the API accepted a message whose
// client cannot have seen the 250; some recipients of a group have the message while others were
// refused for the moment; a message is under way whose client is gone. Records are keyed digests and
// message ids, never addresses, keys or content. This type knows how long each counts; a home keeps
// them.

import Reactor
import Wire

/// One loop's ledger.
final class Ledger {
    /// How long records count.
    struct Windows: Sendable {
        /// An acceptance whose 250 was not seen; 0 remembers nothing.
        var duplicateMilliseconds: Int
        /// Recipients of a group; 0 remembers nothing.
        var groupMilliseconds: Int
        /// The same, of a message without Message-ID and Date: an equal one tomorrow is another one.
        var undatedGroupMilliseconds = 900_000
    }

    /// How long a reply waits for records to be written when its deadline is over already.
    static let lastPatienceMilliseconds = 50
    /// How long it takes at most from the end of a call until its records are in the home.
    static let recordingMilliseconds = 1_000
    /// How often the second try of a message looks whether the first one has its answer.
    static let lookMilliseconds = 100

    private let desk: any LedgerDesk
    private let windows: Windows
    private let loop: Loop

    init(home: any LedgerHome, windows: Windows, loop: Loop) {
        desk = home.desk(on: loop)
        self.windows = windows
        self.loop = loop
    }

    /// Makes the digests of everybody who uses the same home comparable.
    var hashKey: ContentHash.Key { desk.hashKey }

    // MARK: Questions

    /// MAIL has come. Asks whether there is any record; nobody waits for that.
    /// - Parameter account: the public hash of the API key.
    func inquire(account: UInt64, sender: Bytes) -> LedgerInquiry {
        var inquiry = LedgerInquiry(hashKey: hashKey, account: account, sender: sender)
        inquiry.asked(desk.mailBegan(inquiry.scope))
        return inquiry
    }

    /// Whether there may be a record of a submission of this key and sender.
    func mayHold(_ scope: LedgerScope, ticket: UInt64) -> Bool {
        desk.mayHold(scope, ticket: ticket)
    }

    /// The same of recipients of a group.
    func mayHoldRecipients(_ scope: LedgerScope, ticket: UInt64) -> Bool {
        desk.mayHoldRecipients(scope, ticket: ticket)
    }

    /// What is known of a submission.
    /// - Parameter answer: called later, once, when nil is returned.
    func ask(
        _ question: LedgerQuestion, _ answer: @escaping (LedgerAnswer) -> Void
    ) -> LedgerAnswer? {
        desk.ask(question, at: loop.now, answer)
    }

    // MARK: Changes

    /// The API accepted a submission, and its client cannot have seen the 250.
    func acceptance(_ messageID: [UInt8]) -> LedgerChange.Kind? {
        windows.duplicateMilliseconds > 0
            ? .put(.accepted(messageID: messageID), until: end(windows.duplicateMilliseconds))
            : nil
    }

    /// The client of a submission is gone or may be, and the API has not answered.
    ///
    /// The lease lasts a little longer than the wait for the answer: a second try that looked at the
    /// very end of that would not find what the first one is about to record.
    /// - Parameter deadline: when the answer is there at the latest.
    func lease(_ submission: UInt64, until deadline: MonotonicTime) -> LedgerChange.Kind? {
        let end = deadline.advanced(byMilliseconds: Self.recordingMilliseconds)
        return windows.duplicateMilliseconds > 0
            ? .put(.pending(submission: submission), until: end) : nil
    }

    /// What has become of a recipient of a group, when others were refused for the moment.
    /// - Parameter isDated: the message has a Message-ID or a Date.
    func recipient(_ fact: LedgerFact, isDated: Bool) -> LedgerChange.Kind? {
        guard windows.groupMilliseconds > 0 else { return nil }
        let window =
            isDated
            ? windows.groupMilliseconds
            : min(windows.groupMilliseconds, windows.undatedGroupMilliseconds)
        return .put(fact, until: end(window))
    }

    private func end(_ milliseconds: Int) -> MonotonicTime {
        loop.now.advanced(byMilliseconds: milliseconds)
    }

    /// Makes changes; nobody waits for them.
    func apply(_ changes: [LedgerChange]) {
        guard !changes.isEmpty else { return }
        desk.apply(changes, at: loop.now, written: nil)
    }

    /// Makes changes, and says when they and all before them are written.
    /// - Parameter written: called later, once, unless true is returned: they are written already.
    func apply(_ changes: [LedgerChange], written: @escaping () -> Void) -> Bool {
        desk.apply(changes, at: loop.now, written: written)
    }

    /// How long a reply that has to be there by `deadline` waits for records to be written.
    func writePatienceMilliseconds(until deadline: MonotonicTime) -> Int {
        let left = deadline.milliseconds(since: loop.now)
        return max(Self.lastPatienceMilliseconds, min(desk.writePatienceMilliseconds, left))
    }
}
