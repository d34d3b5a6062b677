// Where a ledger keeps its entries.

import Reactor

/// Keeps entries under digests and changes them by the rules of `LedgerEntry`. Every loop uses the
/// same store, so each call is one step that no other call can divide. A group makes one call for
/// all of its recipients, which is one journey where the store is not in this process.
///
/// Times are those of the caller's loop: a store with a clock of its own keeps `until` minus `now`.
protocol LedgerStore: AnyObject, Sendable {
    /// Makes the digests of everybody who uses this store comparable.
    var hashKey: ContentHash.Key { get }

    /// Entries held; for tests and metrics.
    var count: Int { get }

    /// Looks a submission up; an acceptance that is found is taken out.
    func claim(_ digest: ContentDigest, at now: MonotonicTime) -> LedgerFinding

    /// The same for each of `digests`, in their order.
    func claim(all digests: [ContentDigest], at now: MonotonicTime) -> [LedgerFinding]

    /// Changes one entry.
    func apply(_ change: LedgerChange, to digest: ContentDigest, at now: MonotonicTime)

    /// Changes several entries.
    func apply(all changes: [(digest: ContentDigest, change: LedgerChange)], at now: MonotonicTime)
}

extension LedgerStore {
    func claim(all digests: [ContentDigest], at now: MonotonicTime) -> [LedgerFinding] {
        digests.map { claim($0, at: now) }
    }

    func apply(
        all changes: [(digest: ContentDigest, change: LedgerChange)], at now: MonotonicTime
    ) {
        for (digest, change) in changes { apply(change, to: digest, at: now) }
    }
}
