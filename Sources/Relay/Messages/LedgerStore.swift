// Where a ledger keeps its records: a home that all loops share, and a desk of it on each loop.
//
// Nothing here blocks a loop. A home that holds its records in this process answers at once; another
// one answers later, on the loop, and within `LedgerDesk.patienceMilliseconds` whatever has become of
// it: mail goes on without.

import Reactor

/// Keeps the records. Safe to use from any thread.
package protocol LedgerHome: AnyObject, Sendable {
    /// The way of one loop to this home; called on that loop, once.
    func desk(on loop: Loop) -> any LedgerDesk
    /// Opens what it needs, once, as the user that the process runs as and before the first client.
    /// A home that cannot be reached says so in the log, and goes on without.
    func start()
    /// For metrics and logs.
    var status: LedgerStatus { get }
    /// Writes what waits, and lets go of files and threads. After the last loop has ended.
    func close()
    /// The other relays that share this home; nil when it is this relay's own.
    var fleet: (any FleetLink)? { get }
}

extension LedgerHome {
    package var fleet: (any FleetLink)? { nil }
}

/// One loop's way to the home; called on that loop only.
///
/// Times are those of the loop: a home with a clock of its own keeps `until` minus `now`.
package protocol LedgerDesk: AnyObject {
    /// Makes digests comparable for everybody who uses this home. It may change when the home could
    /// not be reached at first.
    var hashKey: ContentHash.Key { get }
    /// MAIL has come: a home that is elsewhere asks now whether the scope has any record.
    /// - Returns: a name of that question, for `mayHold`.
    func mailBegan(_ scope: LedgerScope) -> UInt64
    /// Whether the scope may have records; true when the home has not answered yet.
    func mayHold(_ scope: LedgerScope, ticket: UInt64) -> Bool
    /// Whether the scope may have records of recipients. A message of such a scope is held whole, so
    /// that recipients can be left out of its call.
    func mayHoldRecipients(_ scope: LedgerScope, ticket: UInt64) -> Bool
    /// What is known of a submission. An acceptance that is told is taken: for a second other
    /// questions are told that it is pending, and after it they do not get it.
    /// - Parameter answer: called once, on the loop and after this call, when nil is returned.
    func ask(
        _ question: LedgerQuestion, at now: MonotonicTime,
        _ answer: @escaping (LedgerAnswer) -> Void
    ) -> LedgerAnswer?
    /// Makes changes, in their order, after all that was asked for before.
    /// - Parameter written: called once, on the loop and after this call, when the home has them for
    ///   good or has given up; never when true is returned. Nil when nobody waits.
    /// - Returns: whether that is so already.
    @discardableResult
    func apply(
        _ changes: [LedgerChange], at now: MonotonicTime, written: (() -> Void)?
    ) -> Bool
    /// How long a reply waits for `written`, at most. A home that gives up sooner says `written`.
    var writePatienceMilliseconds: Int { get }
}

extension LedgerDesk {
    package func mailBegan(_ scope: LedgerScope) -> UInt64 { 0 }
    package func mayHoldRecipients(_ scope: LedgerScope, ticket: UInt64) -> Bool {
        mayHold(scope, ticket: ticket)
    }
    /// How long a message waits for a home, at most.
    package static var patienceMilliseconds: Int { 50 }
    package var writePatienceMilliseconds: Int { Self.patienceMilliseconds }
}

/// What operators see of a home.
package struct LedgerStatus: Sendable, Equatable {
    /// "memory", "sqlite", "valkey"
    package var kind: String
    /// Records held in this process.
    package var records = 0
    /// Their bytes, about.
    package var bytes = 0
    /// The home is within reach.
    package var isReachable = true
    /// Changes that the home has not got yet.
    package var waiting = 0
    /// Changes that it will never get: too many waited.
    package var lost = 0
    /// Records that a bound refused.
    package var refused = 0
    /// Failures of the home so far.
    package var failures = 0
    /// Questions to a home that is elsewhere.
    package var questions = 0
    /// Those that it did not answer in time.
    package var timeouts = 0

    package init(kind: String) { self.kind = kind }
}
