// How keys share the memory budget: half for one that is alone, the next bytes to the one that holds
// least, and nobody held up by another's own bound. A plain model of the rule says what must happen.

import APIClient
import Synchronization
import TestSupport
import Testing

@testable import Relay

// Ends a wait that never ends. It counts the time for which other tests have the threads of the pool, after
// each of some thousand waits: a minute, and 19 under ThreadSanitizer on a busy machine.
#if THREAD_SANITIZER
    private let waitMinutes = 60
#else
    private let waitMinutes = 5
#endif

@Suite("Memory, shared by key")
struct MemorySharingTests {
    private let keys = TestKeys()
    private let notes = MemoryBudgetTests.Notes()

    private func key(_ name: String) -> Account { keys[name] }

    /// A share that is kept until the end of a test, or `giveBack`.
    private final class Held {
        private var share: MemoryShare?
        init?(_ budget: MemoryBudget, _ bytes: Int, _ account: Account) {
            share = budget.reserve(bytes, for: account)
            if share == nil { return nil }
        }
        func giveBack() { share = nil }
    }

    /// A wait that is kept until the end of a test, `collect` or `leave`.
    private final class Waiting {
        private var wait: MemoryWait?
        private var share: MemoryShare?
        let ticket: UInt64
        let shortage: FairShare.Shortage
        init(
            _ budget: MemoryBudget, _ bytes: Int, _ account: Account, own: Int = 0,
            _ notes: MemoryBudgetTests.Notes
        ) {
            let wait = budget.wait(for: bytes, account: account, own: own, notes.note)
            ticket = wait.ticket
            shortage = wait.shortage
            self.wait = consume wait
        }
        /// Whether it was granted; the bytes are kept.
        func collect() -> Bool {
            guard let answered = wait.take() else { return false }
            share = answered.collect()
            return share != nil
        }
        func leave() {
            wait = nil
            share = nil
        }
    }

    @Test("A key that is alone gets half, the next one half of the rest")
    func halves() throws {
        let budget = MemoryBudget(bytesMax: 1_024)
        var shares: [Held] = []
        var held: [Int] = []
        for name in ["a", "b", "c", "d"] {
            while let share = Held(budget, 8, key(name)) { shares.append(share) }
            held.append(key(name).memoryBytes)
        }
        #expect(held == [512, 256, 128, 64])
        let late = try #require(Held(budget, 64, key("e")), "who holds nothing finds something")
        shares.append(late)
    }

    @Test("A budget for one message serves one message, of any key")
    func tiny() throws {
        let budget = MemoryBudget(bytesMax: 100)
        let first = try #require(Held(budget, 100, key("a")))
        #expect(Held(budget, 1, key("b")) == nil)
        first.giveBack()
        let second = try #require(Held(budget, 30, key("b")))
        #expect(Held(budget, 40, key("b")) == nil, "another message of the key is over its share")
        let more = budget.reserve(70, for: key("b"), own: 30)
        let isGiven = more != nil
        #expect(isGiven, "what the same message announced too little of")
        second.giveBack()
    }

    @Test(
        "The next free bytes go to the key that holds least, of several to the one that came first")
    func least() throws {
        let budget = MemoryBudget(bytesMax: 1_000)
        let (one, two) = (Held(budget, 250, key("a")), Held(budget, 200, key("b")))
        let filler = try #require(Held(budget, 550, key("c")))
        let waits = [
            Waiting(budget, 20, key("a"), notes), Waiting(budget, 20, key("b"), notes),
            Waiting(budget, 20, key("d"), notes), Waiting(budget, 20, key("e"), notes),
            Waiting(budget, 20, key("d"), notes),
        ]
        #expect(notes.answered.isEmpty)
        filler.giveBack()
        #expect(notes.answered == [2, 3, 4, 1, 0].map { waits[$0].ticket })
        #expect(waits.allSatisfy { $0.collect() })
        one?.giveBack()
        two?.giveBack()
    }

    @Test("A key that waits for its own share alone holds up nobody else")
    func ownBound() throws {
        let budget = MemoryBudget(bytesMax: 1_000)
        let half = try #require(Held(budget, 500, key("a")))
        let bound = Waiting(budget, 100, key("a"), notes)
        #expect(bound.shortage == .share)
        let other = try #require(Held(budget, 200, key("b")))
        let third = try #require(Held(budget, 100, key("c")))
        #expect(notes.answered.isEmpty && budget.waitingCount == 1)
        #expect(Held(budget, 1, key("a")) == nil, "nobody of a key overtakes its first")
        other.giveBack()
        third.giveBack()
        #expect(notes.answered.isEmpty)
        half.giveBack()
        #expect(notes.answered == [bound.ticket])
        #expect(bound.collect())
    }

    @Test("A large request is not overtaken by small ones of keys that hold as little")
    func large() throws {
        let budget = MemoryBudget(bytesMax: 1_000)
        let filler = try #require(Held(budget, 900, key("filler")))
        let large = Waiting(budget, 800, key("large"), notes)
        #expect(large.shortage == .budget)
        for number in 0..<50 { #expect(Held(budget, 1, key("small \(number)")) == nil) }
        let small = Waiting(budget, 1, key("small"), notes)
        #expect(notes.answered.isEmpty)
        filler.giveBack()
        #expect(notes.answered == [large.ticket, small.ticket])
    }

    @Test("Messages of one key that hold all it has, and could not be served even alone, end")
    func circleOfOneKey() throws {
        let budget = MemoryBudget(bytesMax: 1_000)
        let other = try #require(Held(budget, 100, key("other")))
        let (one, two) = (Held(budget, 150, key("a")), Held(budget, 150, key("a")))
        let first = Waiting(budget, 450, key("a"), own: 150, notes)
        #expect(notes.answered.isEmpty, "the second may still end")
        let second = Waiting(budget, 450, key("a"), own: 150, notes)
        #expect(notes.answered == [second.ticket])
        #expect(!second.collect())
        two?.giveBack()
        #expect(notes.answered == [second.ticket, first.ticket])
        #expect(first.collect(), "what is left of the key is one message")
        one?.giveBack()
        other.giveBack()
    }

    @Test("A key whose first waiter would fit into an empty budget waits for the others")
    func noCircle() throws {
        let budget = MemoryBudget(bytesMax: 1_000)
        let other = try #require(Held(budget, 600, key("other")))
        let shares = [Held(budget, 100, key("a")), Held(budget, 50, key("a"))]
        let first = Waiting(budget, 100, key("a"), own: 100, notes)
        let second = Waiting(budget, 100, key("a"), own: 50, notes)
        #expect(notes.answered.isEmpty)
        other.giveBack()
        #expect(notes.answered == [first.ticket, second.ticket])
        #expect(first.collect() && second.collect())
        shares.forEach { $0?.giveBack() }
    }

    // MARK: A model

    /// The rule, written once more: who waits in one list, and no thread.
    private struct Model {
        struct Waiter { var ticket: UInt64, key: Int, bytes: Int, own: Int }
        let bytesMax: Int
        var held: [Int]
        var waiters: [Waiter] = []
        var free: Int { bytesMax - held.reduce(0, +) }

        func fits(_ bytes: Int, _ key: Int, _ own: Int) -> Bool {
            guard bytes <= free else { return false }
            return held[key] == own || held[key] + bytes <= free - bytes
        }

        /// Who is answered, in order.
        mutating func serve() -> [(ticket: UInt64, isGranted: Bool)] {
            var answers: [(UInt64, Bool)] = []
            while true {
                var firsts: [Waiter] = []
                for waiter in waiters where !firsts.contains(where: { $0.key == waiter.key }) {
                    firsts.append(waiter)
                }
                let inLine =
                    firsts
                    .filter { $0.bytes > free || fits($0.bytes, $0.key, $0.own) }
                    .sorted { (held[$0.key], $0.ticket) < (held[$1.key], $1.ticket) }
                guard let next = inLine.first, fits(next.bytes, next.key, next.own) else { break }
                held[next.key] += next.bytes
                waiters.removeAll { $0.ticket == next.ticket }
                answers.append((next.ticket, true))
            }
            return answers
        }

        mutating func reserve(_ bytes: Int, _ key: Int) -> Bool {
            guard !waiters.contains(where: { $0.key == key }), fits(bytes, key, 0) else {
                return false
            }
            var firsts: Set<Int> = []
            for waiter in waiters where firsts.insert(waiter.key).inserted {
                if waiter.bytes > free, held[waiter.key] <= held[key] { return false }
            }
            held[key] += bytes
            return true
        }
    }

    @Test("A thousand random moves of five keys go as the plain rule says", arguments: 0..<20)
    func model(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let budget = MemoryBudget(bytesMax: 1_000)
        var model = Model(bytesMax: 1_000, held: Array(repeating: 0, count: 5))
        let keys = (0..<5).map { key("\($0)") }
        var shares: [(key: Int, bytes: Int, share: Held)] = []
        var waits: [(key: Int, bytes: Int, wait: Waiting, isGranted: Bool)] = []
        var answered = 0
        for _ in 0..<1_000 {
            let (key, bytes) = (
                Int.random(in: 0..<5, using: &dice), Int.random(in: 0...300, using: &dice)
            )
            switch Int.random(in: 0..<4, using: &dice) {
            case 0, 1:
                let share = Held(budget, bytes, keys[key])
                #expect((share != nil) == model.reserve(bytes, key))
                if let share {
                    shares.append((key, bytes, share))
                } else {
                    let wait = Waiting(budget, bytes, keys[key], notes)
                    model.waiters.append(
                        Model.Waiter(ticket: wait.ticket, key: key, bytes: bytes, own: 0))
                    waits.append((key, bytes, wait, false))
                }
            case 2 where !shares.isEmpty:
                let old = shares.remove(at: Int.random(in: 0..<shares.count, using: &dice))
                model.held[old.key] -= old.bytes
                old.share.giveBack()
            case 3 where !waits.isEmpty:
                let old = waits.remove(at: Int.random(in: 0..<waits.count, using: &dice))
                model.waiters.removeAll { $0.ticket == old.wait.ticket }
                if old.isGranted { model.held[old.key] -= old.bytes }
                old.wait.leave()
            default: continue
            }
            let answers = model.serve().map(\.ticket)
            #expect(Array(notes.answered[answered...]) == answers)
            answered = notes.answered.count
            for index in waits.indices where answers.contains(waits[index].wait.ticket) {
                waits[index].isGranted = true
            }
            #expect(keys.map(\.memoryBytes) == model.held)
            #expect(budget.reservedBytes == model.held.reduce(0, +))
            #expect(budget.waitingCount == model.waiters.count)
        }
        for wait in waits { wait.wait.leave() }
        for share in shares { share.share.giveBack() }
        #expect(budget.reservedBytes == 0 && budget.waitingCount == 0)
    }

    // MARK: Threads

    /// Bytes that a key or all keys hold, and the most that were seen.
    private final class Ledger: Sendable {
        private let now = Atomic<Int>(0)
        private let peak = Atomic<Int>(0)
        var most: Int { peak.load(ordering: .sequentiallyConsistent) }
        func add(_ bytes: Int) {
            peak.max(
                now.add(bytes, ordering: .sequentiallyConsistent).newValue,
                ordering: .sequentiallyConsistent)
        }
    }

    @Test("Four threads of one key never get more than half and one share")
    func oneKeyOnFourLoops() async {
        let budget = MemoryBudget(bytesMax: 1_000)
        let (account, ledger) = (key("a"), Ledger())
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    var kept: [Held] = []
                    for round in 0..<5_000 {
                        if let share = Held(budget, 20, account) {
                            ledger.add(20)
                            kept.append(share)
                        }
                        if (round + task) % 3 == 0, let share = kept.popLast() {
                            ledger.add(-20)
                            share.giveBack()
                        }
                    }
                    for share in kept {
                        ledger.add(-20)
                        share.giveBack()
                    }
                }
            }
        }
        #expect(ledger.most <= 500 + 20 && ledger.most >= 480)
        #expect(budget.reservedBytes == 0 && account.memoryBytes == 0)
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

    @Test(
        "Threads of several keys that reserve, announce too little and wait always end",
        .timeLimit(.minutes(waitMinutes)))
    func manyKeysOnFourLoops() async {
        let budget = MemoryBudget(bytesMax: 1_000)
        let (keys, ledger) = ((0..<3).map { key("\($0)") }, Ledger())
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    var dice = SeededGenerator(seed: UInt64(task))
                    for _ in 0..<2_000 {
                        let account = keys[Int.random(in: 0..<3, using: &dice)]
                        let bytes = Int.random(in: 0...300, using: &dice)
                        var first = budget.reserve(bytes, for: account)
                        if first == nil {
                            first = await Self.wait(budget, for: bytes, account)
                        }
                        ledger.add(bytes)
                        let more = Int.random(in: 0...400, using: &dice)
                        let second = await Self.wait(budget, for: more, account, own: bytes)
                        let isGiven = second != nil
                        if isGiven { ledger.add(more) }
                        ledger.add(isGiven ? -bytes - more : -bytes)
                        Self.drop(first, second)
                    }
                }
            }
        }
        #expect(ledger.most <= 1_000)
        #expect(budget.reservedBytes == 0 && budget.waitingCount == 0)
        #expect(keys.allSatisfy { $0.memoryBytes == 0 })
    }

    private static func drop(_ one: consuming MemoryShare?, _ other: consuming MemoryShare?) {}
}
