// What the relay remembers so that no message is sent twice, and for how long.
//
// Two kinds of facts outlive a connection: the API accepted a message whose client cannot have seen
// the 250, and a message is under way whose client is gone. When the same submission comes again,
// the first answers it without a second call, the second makes it wait. The same holds for each
// recipient of a group. Entries are keyed digests and message ids, never addresses or content.

import Reactor

/// Says how long entries last; its store keeps them. All loops share one.
final class Ledger: Sendable {
    /// Makes the digests of everybody who uses this ledger comparable.
    let hashKey: ContentHash.Key
    private let store: any LedgerStore
    private let windowMilliseconds: Int

    /// - Parameter windowMilliseconds: how long an acceptance is remembered; 0 remembers nothing.
    init(windowMilliseconds: Int, store: any LedgerStore = MemoryLedger()) {
        self.windowMilliseconds = windowMilliseconds
        self.store = store
        hashKey = store.hashKey
    }

    /// Entries held; for tests and metrics.
    var count: Int { store.count }

    private var isOff: Bool { windowMilliseconds <= 0 }

    // MARK: - A submission

    /// Looks up a submission that comes in. An acceptance answers once.
    func claim(_ digest: ContentDigest, at now: MonotonicTime) -> LedgerFinding {
        store.claim(digest, at: now)
    }

    /// The API accepted it, and the client cannot have seen the 250.
    func record(_ digest: ContentDigest, messageID: [UInt8], at now: MonotonicTime) {
        guard !isOff else { return }
        store.apply(.record(messageID: messageID, until: windowEnd(now)), to: digest, at: now)
    }

    /// The client is gone or may be, and the API has not answered; `settle` or `record` follows.
    /// - Parameter deadline: when the API's answer is there at the latest.
    func recordPending(
        _ digest: ContentDigest, until deadline: MonotonicTime, at now: MonotonicTime
    ) {
        guard !isOff else { return }
        store.apply(.recordPending(until: deadline), to: digest, at: now)
    }

    /// What was pending has ended, and nothing of it needs to be remembered: a new try may be made
    /// at once.
    func settle(_ digest: ContentDigest, at now: MonotonicTime) {
        store.apply(.settle, to: digest, at: now)
    }

    // MARK: - The recipients of a group

    /// Looks up all recipients of a group, in the order of `digests`.
    func claim(all digests: [ContentDigest], at now: MonotonicTime) -> [LedgerFinding] {
        store.claim(all: digests, at: now)
    }

    /// These recipients have the message.
    func record(
        all recipients: [(digest: ContentDigest, messageID: [UInt8])], at now: MonotonicTime
    ) {
        guard !isOff, !recipients.isEmpty else { return }
        let end = windowEnd(now)
        let changes = recipients.map { digest, messageID in
            (digest: digest, change: LedgerChange.record(messageID: messageID, until: end))
        }
        store.apply(all: changes, at: now)
    }

    /// The client has seen the 250: the same message may be sent again to these recipients.
    func forget(all digests: [ContentDigest], at now: MonotonicTime) {
        guard !digests.isEmpty else { return }
        store.apply(all: digests.map { ($0, .forget) }, at: now)
    }

    private func windowEnd(_ now: MonotonicTime) -> MonotonicTime {
        now.advanced(byMilliseconds: windowMilliseconds)
    }
}
