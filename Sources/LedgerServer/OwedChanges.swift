// Changes that the server has not got: made while it was out of reach, or not answered when it went.
//
// The last change of a record counts, so that a long outage costs one entry per record. Bounded by
// number and by bytes; what finds no room is counted, and the server is told all that memory knows
// when it is back. A value without a clock.

import Reactor
import Relay

/// Changes in their order, one per record.
struct OwedChanges {
    struct Bounds: Sendable {
        var changes = 65_536
        var bytes = 16_777_216
    }

    /// Bytes of a change besides its message id, about.
    private static let changeBytes = 160

    private let bounds: Bounds
    private var changes: [ContentDigest: LedgerChange] = [:]
    /// May name records that are not owed any more.
    private var order: [ContentDigest] = []
    private var head = 0
    private var bytes = 0
    /// Changes that found no room.
    private(set) var lost = 0

    init(bounds: Bounds = Bounds()) { self.bounds = bounds }

    var count: Int { changes.count }
    var isEmpty: Bool { changes.isEmpty }

    /// Whether a change of this record waits.
    func holds(_ digest: ContentDigest) -> Bool { changes[digest] != nil }

    /// Adds a change after all others.
    /// - Returns: false when there is no room; it is counted as lost.
    @discardableResult
    mutating func append(_ change: LedgerChange, at now: MonotonicTime) -> Bool {
        guard let merged = merged(change, at: now) else {
            if let old = changes.removeValue(forKey: change.digest) { bytes -= Self.size(old) }
            return true
        }
        let old = changes[change.digest].map(Self.size) ?? 0
        let size = Self.size(merged)
        guard old > 0 || changes.count < bounds.changes, bytes - old + size <= bounds.bytes else {
            lost += 1
            return false
        }
        bytes += size - old
        changes[change.digest] = merged
        if old == 0 { order.append(change.digest) }
        return true
    }

    /// What is left to be told of the record after `change`; nil when that is nothing.
    private func merged(_ change: LedgerChange, at now: MonotonicTime) -> LedgerChange? {
        guard let old = changes[change.digest] else {
            if case .settle = change.kind { return nil }
            return change
        }
        var record: LedgerRecord?
        if case .put(let fact, let until) = old.kind { record = LedgerRecord(fact, until: until) }
        let new = LedgerRecord.applying(change.kind, to: record, at: now)
        if let new {
            return LedgerChange(
                .put(new.fact, until: new.until), scope: change.scope, digest: change.digest)
        }
        // The server may have an older record, unless there was only a lease of ours.
        if case .settle = change.kind { return record == nil ? old : nil }
        return LedgerChange(.forget, scope: change.scope, digest: change.digest)
    }

    /// Takes the oldest changes.
    mutating func take(_ most: Int) -> [LedgerChange] {
        var taken: [LedgerChange] = []
        while taken.count < most, head < order.count {
            if let change = changes.removeValue(forKey: order[head]) {
                bytes -= Self.size(change)
                taken.append(change)
            }
            head += 1
        }
        if head == order.count {
            order.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 1_024, head > order.count / 2 {
            order.removeFirst(head)
            head = 0
        }
        return taken
    }

    private static func size(_ change: LedgerChange) -> Int {
        guard case .put(let fact, _) = change.kind else { return changeBytes }
        return changeBytes + fact.messageIDBytes
    }
}
