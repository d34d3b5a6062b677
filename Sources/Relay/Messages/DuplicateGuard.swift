// Accepted submissions whose 250 the client can't have seen, for `--duplicate-window`.
//
// When the same submission comes again, it gets the same answer without a second call. A record
// answers once: a client that then sends the same thing on purpose sends it. Shared by all loops;
// at most `recordsMax` records, the oldest give way. Nothing here is ever written to disk.

import Reactor

/// The table of unseen successes, and of submissions whose client left before the API's answer.
final class DuplicateGuard: Sendable {
    /// What is known about a submission that comes in.
    enum Finding: Equatable {
        /// Never seen, or too long ago.
        case unknown
        /// Accepted before, unseen: the record is taken out and answers this submission.
        case accepted(messageID: [UInt8])
        /// An earlier try still waits for the API; to send now could send twice.
        case pending
    }

    /// Records kept at most: with message ids of usual length about 16 MB.
    static let recordsMax = 65_536

    /// Makes the digests of all loops comparable; drawn when the process starts.
    let hashKey = ContentHash.Key.random()

    fileprivate struct Record {
        /// nil while the API's answer is awaited.
        var messageID: [UInt8]?
        var expires: MonotonicTime
        /// Tells this record from an older one under the same digest in `order`.
        var serial: UInt64
    }

    fileprivate struct Table {
        var records: [ContentDigest: Record] = [:]
        /// Digests by age; `head` counts those that are gone.
        var order: [(digest: ContentDigest, serial: UInt64)] = []
        var head = 0
        var serial: UInt64 = 0
    }

    private let table = Locked(Table())
    private let windowMilliseconds: Int
    private let recordsMax: Int

    init(windowMilliseconds: Int, recordsMax: Int = DuplicateGuard.recordsMax) {
        self.windowMilliseconds = windowMilliseconds
        self.recordsMax = max(1, recordsMax)
    }

    /// Looks a submission up; an answer that is found is taken out.
    func claim(_ digest: ContentDigest, at now: MonotonicTime) -> Finding {
        table.withLock { table in
            guard let record = table.records[digest], record.expires > now else { return .unknown }
            guard let messageID = record.messageID else { return .pending }
            table.records[digest] = nil
            return .accepted(messageID: messageID)
        }
    }

    /// The API accepted it, and the client can't know.
    func record(_ digest: ContentDigest, messageID: [UInt8], at now: MonotonicTime) {
        insert(digest, messageID, expires: now.advanced(byMilliseconds: windowMilliseconds), now)
    }

    /// The client is gone and the API has not answered; `settle` or `record` follows.
    func recordPending(
        _ digest: ContentDigest, until deadline: MonotonicTime, at now: MonotonicTime
    ) {
        insert(digest, nil, expires: deadline, now)
    }

    /// The API's answer was not a success: a new try may be made at once.
    func settle(_ digest: ContentDigest) {
        table.withLock { table in
            if let record = table.records[digest], record.messageID == nil {
                table.records[digest] = nil
            }
        }
    }

    /// Records held; for tests and metrics.
    var count: Int { table.withLock { $0.records.count } }

    private func insert(
        _ digest: ContentDigest, _ messageID: [UInt8]?, expires: MonotonicTime,
        _ now: MonotonicTime
    ) {
        guard windowMilliseconds > 0 else { return }
        table.withLock { table in
            table.serial += 1
            table.records[digest] = Record(
                messageID: messageID, expires: expires, serial: table.serial)
            table.order.append((digest, table.serial))
            table.shrink(to: recordsMax, at: now)
        }
    }
}

extension DuplicateGuard.Table {
    /// Drops what is expired from the old end, and then the oldest until the bound holds.
    fileprivate mutating func shrink(to recordsMax: Int, at now: MonotonicTime) {
        while head < order.count {
            let oldest = order[head]
            if let record = records[oldest.digest], record.serial == oldest.serial {
                guard record.expires <= now || order.count - head > recordsMax else { break }
                records[oldest.digest] = nil
            }
            head += 1
        }
        if head > 64 && head > order.count / 2 {
            order.removeFirst(head)
            head = 0
        }
    }
}
