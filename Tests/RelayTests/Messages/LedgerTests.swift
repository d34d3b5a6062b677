// What a ledger knows of one submission and how that changes, as a table; the same through a home, and
// its bounds.

import Reactor
import TestSupport
import Testing

@testable import Relay

private let now = MonotonicTime(nanoseconds: 1_000_000_000)
private let soon = now.advanced(byMilliseconds: 50)
private let later = now.advanced(byMilliseconds: 100)
private let scope = LedgerScope(owner: 1, sender: 1)

private func digest(_ number: UInt64) -> ContentDigest { ContentDigest(high: number, low: 1) }

private func change(
    _ kind: LedgerChange.Kind, _ number: UInt64, _ scope: LedgerScope = scope
) -> LedgerChange {
    LedgerChange(kind, scope: scope, digest: digest(number))
}

@Suite("What a ledger knows under one digest")
struct LedgerRecordTests {
    static let accepted = LedgerFact.accepted(messageID: [1])
    static let pending = LedgerFact.pending(submission: 1)
    static let delivered = LedgerFact.delivered(messageID: [2])
    static let refused = LedgerFact.refused(.rejected)
    static let facts: [LedgerFact?] = [nil, accepted, pending, delivered, refused, .tried]

    /// Rows and columns in the order of `facts`: what a fact becomes when the column is put; nil for
    /// what it was.
    static let puts: [[LedgerFact?]] = [
        [accepted, pending, delivered, refused, .tried],
        [accepted, nil, delivered, nil, nil],
        [accepted, pending, delivered, refused, .tried],
        [accepted, nil, delivered, nil, nil],
        [accepted, nil, delivered, refused, nil],
        [accepted, pending, delivered, refused, .tried],
    ]

    @Test("a surer fact is never replaced by one that is less so", arguments: facts.indices)
    func put(_ row: Int) {
        for (column, expected) in Self.puts[row].enumerated() {
            guard let fact = Self.facts[column + 1] else { continue }
            let old = Self.facts[row].map { LedgerRecord($0, until: soon) }
            let new = LedgerRecord.applying(.put(fact, until: later), to: old, at: now)
            #expect(new == (expected.map { LedgerRecord($0, until: later) } ?? old), "\(fact)")
            // One whose time is over is as good as none.
            let over = Self.facts[row].map { LedgerRecord($0, until: now) }
            #expect(
                LedgerRecord.applying(.put(fact, until: later), to: over, at: now)
                    == LedgerRecord(fact, until: later))
        }
    }

    @Test("only its own submission settles what is under way, and nobody forgets it")
    func ends() {
        for fact in Self.facts {
            let old = fact.map { LedgerRecord($0, until: soon) }
            let settled = LedgerRecord.applying(.settle(submission: 1), to: old, at: now)
            #expect(settled == (fact == Self.pending ? nil : old))
            #expect(LedgerRecord.applying(.settle(submission: 2), to: old, at: now) == old)
            let forgotten = LedgerRecord.applying(.forget, to: old, at: now)
            #expect(forgotten == (fact == Self.pending ? old : nil))
        }
    }
}

@Suite("Records in memory")
struct LedgerTableTests {
    private func question(_ whole: UInt64?, _ recipients: [UInt64] = []) -> LedgerQuestion {
        LedgerQuestion(
            scope: scope, whole: whole.map { digest($0) }, recipients: recipients.map { digest($0) }
        )
    }

    private func accepted(_ id: UInt8, until: MonotonicTime = later) -> LedgerChange.Kind {
        .put(.accepted(messageID: [id]), until: until)
    }

    @Test("an acceptance answers once, within its time")
    func once() {
        var table = LedgerTable()
        table.apply(change(accepted(1), 1), at: now)
        let told1 = table.answer(question(2), at: now).whole
        #expect(told1 == nil)
        let told2 = table.answer(question(1), at: now).whole
        #expect(told2 == .accepted(messageID: [1]))
        let told3 = table.answer(question(1), at: now.advanced(byMilliseconds: 1_000)).whole
        #expect(told3 == nil)
        // Told, and not seen again: it is there for the next one.
        table.apply(change(accepted(1), 1), at: now)
        let told4 = table.answer(question(1), at: soon).whole
        #expect(told4 == .accepted(messageID: [1]))
        table.apply(change(.forget, 1), at: now)
        #expect(table.count == 0)
        table.apply(change(accepted(1), 1), at: now)
        let told5 = table.answer(question(1), at: later).whole
        #expect(told5 == nil)
    }

    @Test("the end of another try does not remove what was told and is not concluded yet")
    func taken() {
        var table = LedgerTable()
        table.apply(change(accepted(1), 1), at: now)
        _ = table.answer(question(1), at: now)
        let isChanged = table.apply(change(.settle(submission: 5), 1), at: now)
        #expect(!isChanged)
        #expect(table.count == 1)
    }

    @Test("what is under way makes the next one wait; recipients stay as they are when asked")
    func stays() {
        var table = LedgerTable()
        table.apply(change(.put(.pending(submission: 3), until: soon), 1), at: now)
        table.apply(change(.put(.delivered(messageID: [2]), until: later), 2), at: now)
        for _ in 0..<2 {
            let told6 = table.answer(question(1, [2]), at: now).whole
            #expect(told6 == .pending(submission: 3))
            let answer = table.answer(question(9, [3, 2]), at: now)
            #expect(answer.whole == nil)
            #expect(answer.recipients.map { $0?.fact } == [nil, .delivered(messageID: [2])])
        }
        // The lease is over: it is sent.
        let told7 = table.answer(question(1), at: soon).whole
        #expect(told7 == nil)
    }

    @Test("what was told is under way for a second: its client may have seen the 250, or not")
    func told() {
        var table = LedgerTable()
        let start = now
        table.apply(change(.put(.accepted(messageID: [1]), until: .never), 1), at: start)
        let first = table.answer(question(1), at: start).whole
        #expect(first == .accepted(messageID: [1]))
        let soon = table.answer(question(1), at: start.advanced(byMilliseconds: 999)).whole
        #expect(soon == .pending(submission: 0))
        let late = table.answer(question(1), at: start.advanced(byMilliseconds: 1_000)).whole
        #expect(late == nil)
        // The client did not see it.
        table.apply(change(.put(.accepted(messageID: [1]), until: .never), 1), at: start)
        let again = table.answer(question(1), at: start).whole
        #expect(again == .accepted(messageID: [1]))
    }

    @Test("whether a key and sender have records of recipients is exact")
    func recipientScopes() {
        var table = LedgerTable()
        table.apply(change(accepted(1), 1), at: now)
        #expect(table.mayHold(scope) && !table.mayHoldRecipients(scope))
        table.apply(change(.put(.tried, until: later), 2), at: now)
        table.apply(change(.put(.delivered(messageID: [1]), until: later), 2), at: now)
        #expect(table.mayHoldRecipients(scope))
        table.apply(change(.forget, 2), at: now)
        #expect(table.mayHold(scope) && !table.mayHoldRecipients(scope))
    }

    @Test("whether a key and sender have any record is exact")
    func scopes() {
        var table = LedgerTable()
        let other = LedgerScope(owner: 1, sender: 2)
        #expect(!table.mayHold(scope))
        table.apply(change(accepted(1), 1), at: now)
        table.apply(change(accepted(1), 2), at: now)
        #expect(table.mayHold(scope) && !table.mayHold(other))
        table.apply(change(.forget, 1), at: now)
        #expect(table.mayHold(scope))
        table.apply(change(.forget, 2), at: now)
        #expect(!table.mayHold(scope))
        table.apply(change(accepted(1), 3, other), at: now)
        table.shrink(at: later)
        #expect(!table.mayHold(other) && table.count == 0 && table.bytes == 0)
    }

    @Test("one key holds at most as much as is free, and costs nobody else a record")
    func shares() {
        var bounds = LedgerTable.Bounds()
        bounds.records = 100
        var table = LedgerTable(bounds: bounds)
        for number in 0..<10_000 {
            table.apply(change(accepted(1), UInt64(number)), at: now)
        }
        #expect(table.count == 50)
        #expect(table.refused == 9_950)
        let other = LedgerScope(owner: 2, sender: 1)
        for number in 20_000..<20_010 {
            let isChanged = table.apply(change(accepted(1), UInt64(number), other), at: now)
            #expect(isChanged)
        }
        let told8 = table.answer(question(0), at: now).whole
        #expect(told8 != nil)
    }

    @Test("bytes are bounded too")
    func bytes() {
        var bounds = LedgerTable.Bounds()
        bounds.bytes = 10_000
        var table = LedgerTable(bounds: bounds)
        let long = LedgerFact.accepted(messageID: Array(repeating: 7, count: 800))
        for number in 0..<100 {
            table.apply(change(.put(long, until: later), UInt64(number)), at: now)
        }
        #expect(table.bytes <= 10_000 && table.count > 3)
    }

    @Test("expired records leave as new ones come, whatever their windows")
    func expiry() {
        var table = LedgerTable()
        for number in 0..<3_000 {
            let time = now.advanced(byMilliseconds: number)
            let (fact, window): (LedgerFact, Int) =
                number % 3 == 0
                ? (.accepted(messageID: []), 10)
                : number % 3 == 1 ? (.pending(submission: 1), 5) : (.tried, 20)
            let kind = LedgerChange.Kind.put(fact, until: time.advanced(byMilliseconds: window))
            table.apply(change(kind, UInt64(number)), at: time)
        }
        #expect(table.count <= 20)
    }

    @Test("a record that is put again and again takes no more room")
    func again() {
        var table = LedgerTable()
        for number in 0..<10_000 {
            let end = later.advanced(byMilliseconds: number)
            table.apply(change(.put(.tried, until: end), 1), at: now)
        }
        #expect(table.count == 1)
    }
}

@Suite("How long records count")
struct LedgerWindowTests {
    private func ledger(duplicate: Int, group: Int) throws -> (Ledger, Loop) {
        let loop = try Loop(index: 0, backend: testBackend)
        let windows = Ledger.Windows(duplicateMilliseconds: duplicate, groupMilliseconds: group)
        return (Ledger(home: MemoryLedger(), windows: windows, loop: loop), loop)
    }

    @Test("each kind has its own window")
    func windows() throws {
        let (ledger, loop) = try ledger(duplicate: 1_000, group: 1_000_000)
        func after(_ milliseconds: Int) -> MonotonicTime {
            loop.now.advanced(byMilliseconds: milliseconds)
        }
        #expect(
            ledger.acceptance([1]) == .put(.accepted(messageID: [1]), until: after(1_000)))
        // So that what the first try records at the end of its wait is there for the second one.
        let end = soon.advanced(byMilliseconds: 1_000)
        #expect(ledger.lease(3, until: soon) == .put(.pending(submission: 3), until: end))
        #expect(ledger.recipient(.tried, isDated: true) == .put(.tried, until: after(1_000_000)))
        #expect(ledger.recipient(.tried, isDated: false) == .put(.tried, until: after(900_000)))
    }

    @Test("a window of nothing records nothing")
    func off() throws {
        let (ledger, loop) = try ledger(duplicate: 0, group: 0)
        #expect(ledger.acceptance([1]) == nil)
        #expect(ledger.lease(1, until: loop.now) == nil)
        #expect(ledger.recipient(.tried, isDated: true) == nil)
    }
}
