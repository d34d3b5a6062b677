// The ledger's home in the simulation: records that outlive the relay, or do not, and writes that take
// their time. A killed relay loses what was not written; a drained one writes everything first.
//
// It looks at its own answers too: see `check`.

import Reactor
import Relay

/// A home on a disk that does not exist. Outlives the relays that use it.
final class SimulatedLedger: LedgerHome, @unchecked Sendable {
    /// What a run's home is like.
    struct Nature {
        /// A new relay finds what the one before has written.
        var outlives = false
        /// How long a write takes, in microseconds; 0: nobody waits for it.
        var writeMicroseconds = 0
        /// How long an answer takes; 0: it is there at once.
        var answerMicroseconds = 0

        static func drawn(seed: UInt64) -> Nature {
            var dice = Dice(seed: seed, part: 6)
            var nature = Nature()
            nature.outlives = dice.happens(0.7)
            guard nature.outlives else { return nature }
            nature.writeMicroseconds = dice.pick([0, 300, 5_000, 40_000, 200_000])
            nature.answerMicroseconds = dice.pick([0, 0, 500, 20_000, 49_000])
            return nature
        }
    }

    let nature: Nature
    let hashKey: ContentHash.Key
    private let world: World
    /// What the relay knows, and what is written.
    private var memory = LedgerTable()
    private var disk = LedgerTable()
    /// Counts relays: what a killed one has under way comes to nothing.
    private var age = 0
    /// What is on its way to the disk, in order.
    private var writing: [(number: Int, changes: [LedgerChange], now: MonotonicTime)] = []
    private var writes = 0
    /// Acceptances that a question was told, until a change says what has become of them.
    private var told: [ContentDigest: MonotonicTime] = [:]
    /// What was wrong with answers.
    private(set) var complaints: [String] = []

    init(world: World, seed: UInt64) {
        self.world = world
        nature = Nature.drawn(seed: seed)
        var dice = Dice(seed: seed, part: 7)
        hashKey = ContentHash.Key(words: (dice.next(), dice.next(), dice.next(), dice.next()))
    }

    func desk(on loop: Loop) -> any LedgerDesk { SimulatedDesk(home: self, loop: loop) }
    func start() {}
    func close() {}

    var status: LedgerStatus {
        var status = LedgerStatus(kind: "simulated")
        status.records = memory.count
        return status
    }

    /// A relay has ended.
    func relayEnded(isInOrder: Bool) {
        age += 1
        if isInOrder { while !writing.isEmpty { writeFirst() } }
        writing = []
        told = [:]
        if !nature.outlives { disk = LedgerTable() }
        // Leases are not written, and an acceptance that was told to nobody's use is there again.
        memory = nature.outlives ? disk : LedgerTable()
    }

    func mayHold(_ scope: LedgerScope) -> Bool { memory.mayHold(scope) }
    func mayHoldRecipients(_ scope: LedgerScope) -> Bool { memory.mayHoldRecipients(scope) }

    func ask(
        _ question: LedgerQuestion, at now: MonotonicTime, on loop: Loop,
        _ answer: @escaping (LedgerAnswer) -> Void
    ) -> LedgerAnswer? {
        let found = memory.answer(question, at: now)
        check(found, to: question, at: now)
        guard nature.answerMicroseconds > 0 else { return found }
        later(nature.answerMicroseconds, on: loop) { answer(found) }
        return nil
    }

    func apply(
        _ changes: [LedgerChange], at now: MonotonicTime, on loop: Loop, written: (() -> Void)?
    ) -> Bool {
        for change in changes {
            memory.apply(change, at: now)
            if case .settle = change.kind { continue }
            told[change.digest] = nil
        }
        let lasting = changes.filter { change in
            if case .put(.pending, _) = change.kind { false } else { true }
        }
        guard nature.writeMicroseconds > 0 else {
            for change in lasting { disk.apply(change, at: now) }
            return true
        }
        writes += 1
        let number = writes
        writing.append((number, lasting, now))
        world.after(microseconds: nature.writeMicroseconds) { [self] in
            while let first = writing.first, first.number <= number { writeFirst() }
        }
        guard let written else { return false }
        later(nature.writeMicroseconds, on: loop, written)
        return false
    }

    /// An acceptance is told once, because the next message that is the same may be one on purpose. Whether the
    /// client has seen it is known in a moment, so for a second others wait.
    private func check(_ found: LedgerAnswer, to question: LedgerQuestion, at now: MonotonicTime) {
        guard let whole = question.whole else { return }
        switch found.whole {
        case .accepted:
            if told[whole] != nil { complaints.append("the ledger has told an acceptance twice") }
            told[whole] = now
        case .pending: break
        default:
            guard let before = told[whole], now.milliseconds(since: before) < 1_000 else { return }
            complaints.append("the ledger has forgotten at once what it told")
        }
    }

    private func writeFirst() {
        let first = writing.removeFirst()
        for change in first.changes { disk.apply(change, at: first.now) }
    }

    private func later(_ microseconds: Int, on loop: Loop, _ work: @escaping () -> Void) {
        let age = age
        nonisolated(unsafe) let carried = work
        let mailbox = loop.mailbox
        world.after(microseconds: microseconds) { [self] in
            if self.age == age { mailbox.post { carried() } }
        }
    }
}

/// One loop's desk.
private final class SimulatedDesk: LedgerDesk {
    private let home: SimulatedLedger
    private let loop: Loop

    init(home: SimulatedLedger, loop: Loop) {
        self.home = home
        self.loop = loop
    }

    var hashKey: ContentHash.Key { home.hashKey }
    func mayHold(_ scope: LedgerScope, ticket: UInt64) -> Bool { home.mayHold(scope) }
    func mayHoldRecipients(_ scope: LedgerScope, ticket: UInt64) -> Bool {
        home.mayHoldRecipients(scope)
    }

    func ask(
        _ question: LedgerQuestion, at now: MonotonicTime,
        _ answer: @escaping (LedgerAnswer) -> Void
    ) -> LedgerAnswer? {
        home.ask(question, at: now, on: loop, answer)
    }

    func apply(_ changes: [LedgerChange], at now: MonotonicTime, written: (() -> Void)?) -> Bool {
        home.apply(changes, at: now, on: loop, written: written)
    }
}
