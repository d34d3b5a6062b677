// The knowledge of a ledger and how it changes, as a table; the same through a store and its
// bounds.

import Reactor
import TestSupport
import Testing

@testable import Relay

private let now = MonotonicTime(nanoseconds: 1_000_000_000)
private let soon = now.advanced(byMilliseconds: 50)
private let later = now.advanced(byMilliseconds: 100)

/// What happens to an entry in the table below.
enum LedgerEvent: Equatable {
    case claim
    case change(LedgerChange)
}

@Suite("What a ledger knows of one submission")
struct LedgerEntryTests {
    struct Row: CustomTestStringConvertible {
        var from: LedgerEntry
        var event: LedgerEvent
        var to: LedgerEntry
        /// What a claim returns.
        var finding: LedgerFinding?

        init(
            _ from: LedgerEntry, _ event: LedgerEvent, _ to: LedgerEntry,
            _ finding: LedgerFinding? = nil
        ) {
            (self.from, self.event, self.to, self.finding) = (from, event, to, finding)
        }

        var testDescription: String { "\(from), \(event)" }
    }

    static let accepted = LedgerEntry.accepted(messageID: [1], until: soon)
    static let pending = LedgerEntry.pending(until: soon)
    static let oldAccepted = LedgerEntry.accepted(messageID: [1], until: now)
    static let oldPending = LedgerEntry.pending(until: now)
    static let record = LedgerEvent.change(.record(messageID: [2], until: later))
    static let recorded = LedgerEntry.accepted(messageID: [2], until: later)
    static let recordPending = LedgerEvent.change(.recordPending(until: later))
    static let pendingAgain = LedgerEntry.pending(until: later)

    static let table = [
        Row(.unknown, .claim, .unknown, .unknown),
        Row(accepted, .claim, .unknown, .accepted(messageID: [1])),
        Row(pending, .claim, pending, .pending),
        Row(oldAccepted, .claim, .unknown, .unknown),
        Row(oldPending, .claim, .unknown, .unknown),

        Row(.unknown, record, recorded),
        Row(accepted, record, recorded),
        Row(pending, record, recorded),
        Row(oldAccepted, record, recorded),
        Row(oldPending, record, recorded),

        Row(.unknown, recordPending, pendingAgain),
        Row(accepted, recordPending, pendingAgain),
        Row(pending, recordPending, pendingAgain),
        Row(oldAccepted, recordPending, pendingAgain),
        Row(oldPending, recordPending, pendingAgain),

        Row(.unknown, .change(.settle), .unknown),
        Row(accepted, .change(.settle), accepted),
        Row(pending, .change(.settle), .unknown),
        Row(oldAccepted, .change(.settle), oldAccepted),
        Row(oldPending, .change(.settle), .unknown),

        Row(.unknown, .change(.forget), .unknown),
        Row(accepted, .change(.forget), .unknown),
        Row(pending, .change(.forget), pending),
        Row(oldAccepted, .change(.forget), .unknown),
        Row(oldPending, .change(.forget), oldPending),
    ]

    @Test("every state has its answer to every event", arguments: table)
    func transition(_ row: Row) {
        var entry = row.from
        switch row.event {
        case .claim: #expect(entry.claim(at: now) == row.finding)
        case .change(let change): entry.apply(change)
        }
        #expect(entry == row.to)
    }

    /// A store receives events one after the other; its answers to claims must match the table.
    @Test("a store goes by the same table", arguments: table)
    func store(_ row: Row) {
        let store = MemoryLedger()
        let digest = ContentDigest(high: 1, low: 2)
        let other = ContentDigest(high: 2, low: 1)
        store.apply(.record(messageID: [9], until: later), to: other, at: now)
        switch row.from {
        case .unknown: break
        case .accepted(let messageID, let until):
            store.apply(.record(messageID: messageID, until: until), to: digest, at: now)
        case .pending(let until): store.apply(.recordPending(until: until), to: digest, at: now)
        }
        switch row.event {
        case .claim: #expect(store.claim(digest, at: now) == row.finding)
        case .change(let change): store.apply(change, to: digest, at: now)
        }
        var expected = row.to
        #expect(store.claim(digest, at: now) == expected.claim(at: now))
        #expect(store.claim(all: [digest, other], at: now).last == .accepted(messageID: [9]))
    }
}

@Suite("The ledger")
struct LedgerTests {
    private func digest(_ number: UInt64) -> ContentDigest { ContentDigest(high: number, low: 1) }

    @Test("a record answers once, within its window")
    func once() {
        let ledger = Ledger(windowMilliseconds: 100)
        ledger.record(digest(1), messageID: [1], at: now)
        #expect(ledger.claim(digest(2), at: now) == .unknown)
        #expect(ledger.claim(digest(1), at: now) == .accepted(messageID: [1]))
        #expect(ledger.claim(digest(1), at: now) == .unknown)
        ledger.record(digest(1), messageID: [1], at: now)
        #expect(ledger.claim(digest(1), at: now.advanced(byMilliseconds: 101)) == .unknown)
    }

    @Test("a try that is still open is not sent again; its end settles it")
    func pending() {
        let ledger = Ledger(windowMilliseconds: 100)
        ledger.recordPending(digest(1), until: soon, at: now)
        #expect(ledger.claim(digest(1), at: now) == .pending)
        ledger.settle(digest(1), at: now)
        #expect(ledger.claim(digest(1), at: now) == .unknown)
        ledger.recordPending(digest(1), until: soon, at: now)
        ledger.record(digest(1), messageID: [5], at: now)
        ledger.settle(digest(1), at: now)
        #expect(ledger.claim(digest(1), at: now) == .accepted(messageID: [5]))
    }

    @Test("the recipients of a group are looked up, recorded and forgotten together")
    func group() {
        let ledger = Ledger(windowMilliseconds: 100)
        let digests = (1...3).map { digest($0) }
        ledger.record(all: [(digests[0], [1]), (digests[2], [3])], at: now)
        let found: [LedgerFinding] = [
            .accepted(messageID: [1]), .unknown, .accepted(messageID: [3]),
        ]
        #expect(ledger.claim(all: digests, at: now) == found)
        #expect(ledger.claim(all: digests, at: now) == [.unknown, .unknown, .unknown])
        ledger.record(all: [(digests[0], [1]), (digests[1], [2])], at: now)
        ledger.forget(all: [digests[0]], at: now)
        #expect(
            ledger.claim(all: digests, at: now)
                == [.unknown, .accepted(messageID: [2]), .unknown])
    }

    @Test("memory is bounded, the oldest give way")
    func bound() {
        let ledger = Ledger(windowMilliseconds: 1_000, store: MemoryLedger(entriesMax: 100))
        for number in 0..<10_000 {
            ledger.record(digest(UInt64(number)), messageID: [], at: now)
            #expect(ledger.count <= 100)
        }
        #expect(ledger.claim(digest(0), at: now) == .unknown)
        #expect(ledger.claim(digest(9_999), at: now) == .accepted(messageID: []))
    }

    @Test("expired records leave as new ones come")
    func expiry() {
        let ledger = Ledger(windowMilliseconds: 10)
        for number in 0..<1_000 {
            ledger.record(
                digest(UInt64(number)), messageID: [],
                at: now.advanced(byMilliseconds: number))
        }
        #expect(ledger.count <= 11)
    }

    @Test("a window of nothing records nothing")
    func off() {
        let ledger = Ledger(windowMilliseconds: 0)
        ledger.record(digest(1), messageID: [1], at: now)
        ledger.recordPending(digest(2), until: soon, at: now)
        ledger.record(all: [(digest(3), [1])], at: now)
        #expect(ledger.count == 0)
    }
}
