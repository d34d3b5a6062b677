// The memory budget: never exceeded, first come first served within a key, nothing lost between
// threads. What several keys get of it is in `MemorySharingTests`.

import APIClient
import Synchronization
import Testing

@testable import Relay

@Suite("Memory budget")
struct MemoryBudgetTests {
    private let keys = TestKeys()

    /// A key of its own for each name, so that no key meets the bound of its share.
    private func key(_ name: String) -> Account { keys[name] }

    /// Notes which waits were answered, in order.
    final class Notes: Sendable {
        private let tickets = Mutex<[UInt64]>([])
        var answered: [UInt64] { tickets.withLock { $0 } }
        func note(_ ticket: UInt64) { tickets.withLock { $0.append(ticket) } }
    }

    /// The most that was seen.
    final class Peak: Sendable {
        private let value = Atomic<Int>(0)
        var bytes: Int { value.load(ordering: .relaxed) }
        func note(_ bytes: Int) { value.max(bytes, ordering: .relaxed) }
    }

    private func bytes(_ share: borrowing MemoryShare?) -> Int? {
        switch share {
        case .some(let share): share.bytes
        case .none: nil
        }
    }

    private func giveBack(_ share: inout MemoryShare?) { share = nil }

    private func leave(_ wait: inout MemoryWait?) { wait = nil }

    @Test("Reserved bytes are not given twice, and come back when their share goes")
    func reserves() {
        let budget = MemoryBudget(bytesMax: 100)
        let (a, b, c) = (key("a"), key("b"), key("c"))
        var first = budget.reserve(60, for: a)
        #expect(bytes(first) == 60)
        #expect(bytes(budget.reserve(41, for: b)) == nil)
        let second = budget.reserve(40, for: b)
        #expect(bytes(second) == 40 && budget.reservedBytes == 100)
        giveBack(&first)
        #expect(budget.reservedBytes == 40)
        #expect(bytes(budget.reserve(60, for: c)) == 60)
        #expect((a.memoryBytes, b.memoryBytes, c.memoryBytes) == (0, 40, 0))
        #expect(budget.reservedBytes == 40, "a share that nobody keeps is given back at once")
    }

    @Test("A share is never more than there is")
    func share() {
        let budget = MemoryBudget(bytesMax: 100)
        #expect(bytes(budget.reserve(1_000, for: key("a"))) == 100)
        #expect(bytes(budget.reserve(-1, for: key("a"))) == 0)
        #expect(bytes(budget.reserve(.max, for: key("a"))) == 100)
    }

    @Test("A share that takes over another one gives both back, once")
    func adds() {
        let budget = MemoryBudget(bytesMax: 100)
        let account = key("a")
        if var share = budget.reserve(30, for: account),
            let more = budget.reserve(50, for: account, own: 30)
        {
            share.add(more)
            #expect(share.bytes == 80 && budget.reservedBytes == 80)
            #expect(account.memoryBytes == 80)
        } else {
            Issue.record("nothing was free")
        }
        #expect(budget.reservedBytes == 0)
    }

    @Test("Waits are served in order, and nobody overtakes")
    func order() {
        let budget = MemoryBudget(bytesMax: 100)
        let notes = Notes()
        let (a, b, c, d) = (key("a"), key("b"), key("c"), key("d"))
        var half = budget.reserve(50, for: a)
        var rest = budget.reserve(50, for: b)
        let first = budget.wait(for: 80, account: c, notes.note)
        let second = budget.wait(for: 10, account: d, notes.note)
        let tickets = [first.ticket, second.ticket]
        giveBack(&half)
        #expect(notes.answered.isEmpty)
        #expect(bytes(budget.reserve(1, for: key("e"))) == nil)
        giveBack(&rest)
        #expect(notes.answered == tickets && budget.waitingCount == 0)
        let (granted, grantedNext) = (bytes(first.collect()), bytes(second.collect()))
        #expect(granted == 80 && grantedNext == 10)
    }

    @Test("While grants wait to be collected nobody gets their bytes")
    func grantsAreReserved() {
        let budget = MemoryBudget(bytesMax: 100)
        let notes = Notes()
        let (a, b) = (key("a"), key("b"))
        let wait = budget.wait(for: 90, account: a, notes.note)
        #expect(notes.answered == [wait.ticket] && budget.reservedBytes == 90)
        #expect(a.memoryBytes == 90)
        #expect(bytes(budget.reserve(11, for: b)) == nil)
        #expect(bytes(budget.reserve(10, for: b)) == 10)
        let share = wait.collect()
        #expect(bytes(share) == 90 && budget.reservedBytes == 90)
    }

    @Test("A wait that is left lets the next one in")
    func leaves() {
        let budget = MemoryBudget(bytesMax: 100)
        let notes = Notes()
        let (a, b, c) = (key("a"), key("b"), key("c"))
        let half = budget.reserve(50, for: a)
        var first: MemoryWait? = budget.wait(for: 80, account: b, notes.note)
        let second = budget.wait(for: 50, account: c, notes.note)
        let ticket = second.ticket
        leave(&first)
        #expect(notes.answered == [ticket])
        #expect(bytes(second.collect()) == 50 && bytes(half) == 50)
        #expect(budget.reservedBytes == 50 && budget.waitingCount == 0)
    }

    @Test("A grant that nobody collects goes back when its wait is left")
    func leavesGrant() {
        let budget = MemoryBudget(bytesMax: 100)
        let notes = Notes()
        let account = key("a")
        var wait: MemoryWait? = budget.wait(for: 100, account: account, notes.note)
        #expect(notes.answered.count == 1 && budget.reservedBytes == 100)
        leave(&wait)
        #expect(account.memoryBytes == 0 && budget.reservedBytes == 0 && budget.waitingCount == 0)
    }

    @Test("When waits hold all that is reserved, the last that holds something is refused")
    func circle() {
        let budget = MemoryBudget(bytesMax: 100)
        let notes = Notes()
        let (a, b, c, d) = (key("a"), key("b"), key("c"), key("d"))
        let one = Held(budget, 10, a)
        let two = Held(budget, 10, b)
        let three = Held(budget, 15, c)
        let first = budget.wait(for: 90, account: a, own: 10, notes.note)
        let second = budget.wait(for: 90, account: b, own: 10, notes.note)
        let empty = budget.wait(for: 95, account: d, notes.note)
        let (firstTicket, secondTicket, emptyTicket) = (first.ticket, second.ticket, empty.ticket)
        #expect(notes.answered.isEmpty, "the third share may still go")
        three.giveBack()
        #expect(notes.answered == [secondTicket], "a wait that holds nothing blocks nobody")
        #expect(bytes(second.collect()) == nil)
        two.giveBack()
        #expect(
            notes.answered == [secondTicket, firstTicket], "d holds less, and nothing helps it")
        #expect(bytes(first.collect()) == nil)
        one.giveBack()
        #expect(notes.answered == [secondTicket, firstTicket, emptyTicket])
        #expect(bytes(empty.collect()) == 95)
        #expect(budget.reservedBytes == 0 && budget.waitingCount == 0)
    }

    /// A share that a test gives back at a chosen moment.
    private final class Held {
        private var share: MemoryShare?
        init(_ budget: MemoryBudget, _ bytes: Int, _ account: Account) {
            share = budget.reserve(bytes, for: account)
            let isReserved = share != nil
            #expect(isReserved)
        }
        func giveBack() { share = nil }
    }

    @Test("A single wait that cannot have more is refused at once; one that is left is not")
    func circleOfOne() {
        let budget = MemoryBudget(bytesMax: 100)
        let notes = Notes()
        let (a, b) = (key("a"), key("b"))
        let kept = budget.reserve(30, for: a)
        var other = budget.reserve(30, for: b)
        var leaving: MemoryWait? = budget.wait(for: 70, account: a, own: 30, notes.note)
        leave(&leaving)
        giveBack(&other)
        #expect(notes.answered.isEmpty)
        let alone = budget.wait(for: 80, account: a, own: 30, notes.note)
        #expect(notes.answered == [alone.ticket] && bytes(kept) == 30)
        #expect(bytes(alone.collect()) == nil)
    }

    /// Waits for the answer, and collects.
    private static func wait(
        _ budget: MemoryBudget, for bytes: Int, _ account: Account, own: Int = 0
    ) async -> MemoryShare? {
        let (answers, continuation) = AsyncStream.makeStream(of: UInt64.self)
        let wait = budget.wait(for: bytes, account: account, own: own) { ticket in
            continuation.yield(ticket)
            continuation.finish()
        }
        for await _ in answers {}
        return wait.collect()
    }

    @Test("Four threads that hold some and want more always end")
    func threadsInCircles() async {
        let budget = MemoryBudget(bytesMax: 1_000)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                let account = key("\(task % 3)")
                group.addTask {
                    for round in 0..<2_000 {
                        let bytes = (round * 31 + task * 17) % 300 + 1
                        let held = budget.reserve(bytes, for: account)
                        guard held != nil else { continue }
                        let more = await Self.wait(
                            budget, for: 1_000 - bytes, account, own: bytes)
                        Self.drop(held, more)
                    }
                }
            }
        }
        #expect(budget.reservedBytes == 0 && budget.waitingCount == 0)
    }

    @Test("Four threads that reserve, wait and give back leave nothing reserved")
    func threads() async {
        let budget = MemoryBudget(bytesMax: 1_000)
        let worst = Peak()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                let account = key("\(task % 3)")
                group.addTask {
                    for round in 0..<2_000 {
                        let bytes = (round * 37 + task * 101) % 600 + 1
                        if let share = budget.reserve(bytes, for: account) {
                            worst.note(budget.reservedBytes)
                            Self.drop(consume share, nil)
                        } else {
                            Self.drop(await Self.wait(budget, for: bytes, account), nil)
                        }
                    }
                }
            }
        }
        #expect(worst.bytes <= 1_000)
        #expect(budget.reservedBytes == 0 && budget.waitingCount == 0)
    }

    private static func drop(_ one: consuming MemoryShare?, _ other: consuming MemoryShare?) {}
}
