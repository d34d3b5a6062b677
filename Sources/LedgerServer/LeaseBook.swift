// The leases that one connection has asked the server for. A lease may be ended by who holds it alone, and
// only while nobody else can have it: it expires by the server's clock.

import Reactor
import Relay

/// Leases by their record.
struct LeaseBook {
    private struct Lease {
        let submission: UInt64
        let until: MonotonicTime
        var isHeld = false
        /// It ended before the server's word that we hold it.
        var isOver = false
    }

    /// A lease that is about to expire is left to that, in milliseconds.
    private static let marginMilliseconds = 1_000

    private var leases: [ContentDigest: Lease] = [:]

    /// The server was asked for it.
    mutating func ask(_ digest: ContentDigest, _ submission: UInt64, until: MonotonicTime) {
        leases[digest] = Lease(submission: submission, until: until)
    }

    /// The server has given it.
    /// - Returns: the submission, when its lease is to be ended at once.
    mutating func given(_ digest: ContentDigest) -> UInt64? {
        guard let lease = leases[digest] else { return nil }
        leases[digest]?.isHeld = true
        return lease.isOver ? lease.submission : nil
    }

    /// Nobody here has it.
    mutating func drop(_ digest: ContentDigest) { leases[digest] = nil }

    /// The submission is settled.
    /// - Returns: whether the server is to be told.
    mutating func settle(
        _ digest: ContentDigest, _ submission: UInt64, at now: MonotonicTime
    ) -> Bool {
        guard let lease = leases[digest], lease.submission == submission else { return false }
        guard lease.isHeld else {
            leases[digest]?.isOver = true
            return false
        }
        leases[digest] = nil
        return lease.until.milliseconds(since: now) > Self.marginMilliseconds
    }

    /// Forgets what has expired.
    mutating func shrink(at now: MonotonicTime) {
        if leases.count > 1_024 { leases = leases.filter { $0.value.until > now } }
    }
}
