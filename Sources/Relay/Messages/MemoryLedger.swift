// A ledger's entries in this process's memory. A restart forgets them.
//
// At most `entriesMax` entries, the oldest give way. Nothing here is ever written to disk.

import Reactor

/// The store that all loops of a process share. Safe to use from any of them.
final class MemoryLedger: LedgerStore {
    /// Entries kept at most: with message ids of usual length about 16 MB.
    static let entriesMax = 65_536

    /// Drawn when the process starts.
    let hashKey = ContentHash.Key.random()

    private struct Place {
        var entry: LedgerEntry
        /// Tells this entry from an older one under the same digest in `order`.
        var serial: UInt64
    }

    private struct Table {
        private(set) var places: [ContentDigest: Place] = [:]
        /// Digests by age; `head` counts those that are gone.
        private var order: [(digest: ContentDigest, serial: UInt64)] = []
        private var head = 0
        private var serial: UInt64 = 0

        mutating func claim(_ digest: ContentDigest, at now: MonotonicTime) -> LedgerFinding {
            guard var entry = places[digest]?.entry else { return .unknown }
            let finding = entry.claim(at: now)
            if case .unknown = entry { places[digest] = nil }
            return finding
        }

        mutating func apply(_ change: LedgerChange, to digest: ContentDigest) {
            var entry = places[digest]?.entry ?? .unknown
            entry.apply(change)
            switch change {
            case .record, .recordPending:
                serial += 1
                places[digest] = Place(entry: entry, serial: serial)
                order.append((digest, serial))
            case .settle, .forget:
                if case .unknown = entry { places[digest] = nil }
            }
        }

        /// Drops what has expired from the old end, and then the oldest until the bound holds.
        mutating func shrink(to entriesMax: Int, at now: MonotonicTime) {
            while head < order.count {
                let oldest = order[head]
                if let place = places[oldest.digest], place.serial == oldest.serial {
                    let isOver = place.entry.until.map { $0 <= now } ?? true
                    guard isOver || order.count - head > entriesMax else { break }
                    places[oldest.digest] = nil
                }
                head += 1
            }
            if head > 64 && head > order.count / 2 {
                order.removeFirst(head)
                head = 0
            }
        }
    }

    private let table = Locked(Table())
    private let entriesMax: Int

    init(entriesMax: Int = MemoryLedger.entriesMax) { self.entriesMax = max(1, entriesMax) }

    var count: Int { table.withLock { $0.places.count } }

    func claim(_ digest: ContentDigest, at now: MonotonicTime) -> LedgerFinding {
        table.withLock { $0.claim(digest, at: now) }
    }

    func apply(_ change: LedgerChange, to digest: ContentDigest, at now: MonotonicTime) {
        table.withLock { table in
            table.apply(change, to: digest)
            table.shrink(to: entriesMax, at: now)
        }
    }
}
