// Records in this process's memory, under digests: an index that answers at once.
//
// Bounded by number and by bytes, shared by owner: one API key may hold at most as much as is still
// free, so that a client that leaves records on purpose costs nobody else theirs.

import Reactor

/// A table of records. A value; its owner guards it.
package struct LedgerTable: Sendable {
    /// What a table holds at most.
    package struct Bounds: Sendable {
        package var records = 262_144
        package var bytes = 67_108_864

        package init() {}
    }

    /// An acceptance that was told counts as pending for so long: then it is known whether its client
    /// has seen the 250, nearly always.
    package static let toldMilliseconds = 1_000
    /// Bytes of a record besides its message id, about.
    private static let recordBytes = 192

    private struct Place: Sendable {
        var record: LedgerRecord
        var scope: LedgerScope
        /// Tells this record from an older one under the same digest in a line.
        var serial: UInt64
        /// When it was told to a question, and not recorded or forgotten since.
        var takenAt: MonotonicTime?

        var isTaken: Bool { takenAt != nil }
    }

    /// Digests in the order in which they were put, of one kind of fact: they expire in about that
    /// order.
    private struct Line: Sendable {
        private var places: [(digest: ContentDigest, serial: UInt64)] = []
        private var head = 0

        var first: (digest: ContentDigest, serial: UInt64)? {
            head < places.count ? places[head] : nil
        }

        var count: Int { places.count - head }

        mutating func append(_ digest: ContentDigest, _ serial: UInt64) {
            places.append((digest, serial))
        }

        mutating func removeFirst() {
            head += 1
            if head > 64, head > places.count / 2 {
                places.removeFirst(head)
                head = 0
            }
        }

        /// Drops those that are not current; a record that is put again and again leaves many.
        mutating func keep(_ isCurrent: (ContentDigest, UInt64) -> Bool) {
            places = places[head...].filter { isCurrent($0.digest, $0.serial) }
            head = 0
        }
    }

    /// Records of one scope.
    private struct Scope: Sendable {
        var records = 0
        /// Of these, of recipients.
        var recipients = 0
    }

    private struct Holding: Sendable {
        var records = 0
        var bytes = 0

        mutating func add(_ record: LedgerRecord, _ sign: Int) {
            records += sign
            bytes += sign * (LedgerTable.recordBytes + record.fact.messageIDBytes)
        }
    }

    private let bounds: Bounds
    private var places: [ContentDigest: Place] = [:]
    private var scopes: [LedgerScope: Scope] = [:]
    private var owners: [UInt64: Holding] = [:]
    private var all = Holding()
    private var lines = Array(repeating: Line(), count: 4)
    private var serial: UInt64 = 0
    /// Records that a bound refused.
    package private(set) var refused = 0

    package init(bounds: Bounds = Bounds()) { self.bounds = bounds }

    package var count: Int { all.records }
    package var bytes: Int { all.bytes }

    /// Whether the scope has any record.
    package func mayHold(_ scope: LedgerScope) -> Bool { scopes[scope] != nil }

    /// Whether the scope has any record of a recipient.
    package func mayHoldRecipients(_ scope: LedgerScope) -> Bool {
        scopes[scope].map { $0.recipients > 0 } ?? false
    }

    /// The record under a digest, if it counts at `now` and nobody has taken it.
    package func record(_ digest: ContentDigest, at now: MonotonicTime) -> LedgerRecord? {
        guard let place = places[digest], !place.isTaken, place.record.until > now else {
            return nil
        }
        return place.record
    }

    /// As `LedgerDesk.ask`.
    package mutating func answer(
        _ question: LedgerQuestion, at now: MonotonicTime
    ) -> LedgerAnswer {
        if let whole = question.whole, let place = places[whole], place.record.until > now {
            switch place.record.fact {
            case .accepted:
                guard let takenAt = place.takenAt else {
                    places[whole]?.takenAt = now
                    return LedgerAnswer(whole: place.record.fact)
                }
                if takenAt.advanced(byMilliseconds: Self.toldMilliseconds) > now {
                    return LedgerAnswer(whole: .pending(submission: 0))
                }
            case .pending: return LedgerAnswer(whole: place.record.fact)
            case .delivered, .refused, .tried: break
            }
        }
        return LedgerAnswer(recipients: question.recipients.map { record($0, at: now) })
    }

    /// Makes one change.
    /// - Returns: whether the home has to know of it.
    @discardableResult
    package mutating func apply(_ change: LedgerChange, at now: MonotonicTime) -> Bool {
        let old = places[change.digest]
        if case .settle = change.kind, old?.isTaken == true { return false }
        let new = LedgerRecord.applying(
            change.kind, to: old?.isTaken == true ? nil : old?.record, at: now)
        if old == nil, new == nil { return false }
        if let old, new == old.record, !old.isTaken { return false }
        if old != nil { remove(change.digest) }
        guard let new else { return true }
        guard hasRoom(for: new, of: change.scope.owner) else {
            refused += 1
            return old != nil
        }
        insert(new, change)
        shrink(at: now)
        return true
    }

    /// All records that count, for a home that loses its file.
    package func all(at now: MonotonicTime) -> [LedgerChange] {
        places.compactMap { digest, place in
            guard place.record.until > now else { return nil }
            return LedgerChange(
                .put(place.record.fact, until: place.record.until), scope: place.scope,
                digest: digest)
        }
    }

    /// Drops what has expired.
    package mutating func shrink(at now: MonotonicTime) {
        for index in lines.indices {
            while let first = lines[index].first {
                if let place = places[first.digest], place.serial == first.serial {
                    guard place.record.until <= now else { break }
                    remove(first.digest)
                }
                lines[index].removeFirst()
            }
            guard lines[index].count > 2 * all.records + 64 else { continue }
            let places = places
            lines[index].keep { places[$0]?.serial == $1 }
        }
    }

    private func hasRoom(for record: LedgerRecord, of owner: UInt64) -> Bool {
        let held = owners[owner] ?? Holding()
        return held.records < bounds.records - all.records
            && held.bytes + Self.recordBytes + record.fact.messageIDBytes
                <= bounds.bytes - all.bytes
    }

    private mutating func insert(_ record: LedgerRecord, _ change: LedgerChange) {
        serial += 1
        places[change.digest] = Place(record: record, scope: change.scope, serial: serial)
        scopes[change.scope, default: Scope()].records += 1
        if record.fact.isOfRecipient { scopes[change.scope]?.recipients += 1 }
        owners[change.scope.owner, default: Holding()].add(record, 1)
        all.add(record, 1)
        let line =
            switch record.fact {
            case .pending: 0
            case .accepted: 1
            case .delivered, .refused: 2
            case .tried: 3
            }
        lines[line].append(change.digest, serial)
    }

    private mutating func remove(_ digest: ContentDigest) {
        guard let place = places.removeValue(forKey: digest) else { return }
        let scope = place.scope
        scopes[scope]?.records -= 1
        if place.record.fact.isOfRecipient { scopes[scope]?.recipients -= 1 }
        if scopes[scope]?.records == 0 { scopes[scope] = nil }
        owners[scope.owner]?.add(place.record, -1)
        if owners[scope.owner]?.records == 0 { owners[scope.owner] = nil }
        all.add(place.record, -1)
    }
}
