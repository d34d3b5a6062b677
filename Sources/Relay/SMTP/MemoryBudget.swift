// Bytes that messages in flight may hold, over all loops: admission by memory, shared by key.
//
// DATA reserves its share before its 354. A key may hold at most as much as is still free
// (`FairShare`). What becomes free goes to the waiting key that holds least; within a key, first come,
// first served. A key that waits only because of its own share holds up nobody else. While nobody
// waits, to reserve and to give back are two atomic operations each. A share gives itself back.
//
// A client that announced too little holds a share and waits for more. When nothing can ever free
// that, because all bytes are held by such waiters, the last of them is refused. The same holds within
// a key whose first waiter would not fit although nobody else held anything.

import Reactor
import Synchronization

/// Bytes of a budget that belong to one message, until this value goes. Safe to give back on any
/// thread.
struct MemoryShare: ~Copyable, Sendable {
    private let budget: MemoryBudget
    /// The key that holds them.
    private let account: Account
    private(set) var bytes: Int

    /// - Parameter bytes: taken from `budget` already.
    fileprivate init(_ bytes: Int, of budget: MemoryBudget, for account: Account) {
        self.budget = budget
        self.account = account
        self.bytes = bytes
    }

    deinit { if bytes > 0 { budget.giveBack(bytes, of: account) } }

    /// Takes over the bytes of another share of the same budget and account.
    mutating func add(_ other: consuming MemoryShare) {
        precondition(other.account === account, "a message belongs to one account")
        bytes += other.bytes
        other.bytes = 0
    }
}

/// A place in the line for memory; left, and what it was granted given back, when this value goes.
struct MemoryWait: ~Copyable, Sendable {
    private let budget: MemoryBudget
    /// Names the wait in its answer.
    let ticket: UInt64
    /// What it waited for when it began.
    let shortage: FairShare.Shortage

    fileprivate init(_ ticket: UInt64, _ shortage: FairShare.Shortage, in budget: MemoryBudget) {
        self.budget = budget
        self.ticket = ticket
        self.shortage = shortage
    }

    deinit { budget.leave(ticket) }

    /// What was waited for, after the answer; nil when it was refused.
    consuming func collect() -> MemoryShare? { budget.collect(ticket) }
}

/// The memory that messages share. Safe to use from any loop.
package final class MemoryBudget: Sendable {
    /// The wait with this ticket is over, and can be collected. Called once per wait, unless that
    /// is left before, under a lock and on any thread: it must only pass the word on.
    typealias Answer = @Sendable (_ ticket: UInt64) -> Void

    /// Bytes in all.
    let bytesMax: Int
    private let reserved = Atomic<Int>(0)
    private let waiting = Atomic<Int>(0)
    private let line = Locked(MemoryLine())

    init(bytesMax: Int) { self.bytesMax = max(bytesMax, 1) }

    /// Bytes that shares hold, or that wait to be collected.
    package var reservedBytes: Int { reserved.load(ordering: .relaxed) }
    /// Reservations that wait.
    package var waitingCount: Int { waiting.load(ordering: .relaxed) }

    /// What can be reserved at all of `bytes`: a share larger than everything would never come.
    private func share(of bytes: Int) -> Int { min(max(bytes, 0), bytesMax) }

    private var freeBytes: Int { bytesMax - reserved.load(ordering: .sequentiallyConsistent) }

    /// A share of `bytes`, at most `bytesMax`; nil when it is not this key's turn.
    /// - Parameter own: bytes of a share that the same message has already.
    func reserve(_ bytes: Int, for account: Account, own: Int = 0) -> MemoryShare? {
        let bytes = share(of: bytes)
        let isGiven =
            waiting.load(ordering: .sequentiallyConsistent) == 0
            ? take(bytes, for: account, own: own)
            : takePastLine(bytes, for: account, own: own)
        return isGiven ? MemoryShare(bytes, of: self, for: account) : nil
    }

    /// Waits in line for `bytes`, at most `bytesMax`. Only a waiter that holds something can be
    /// refused.
    /// - Parameter own: bytes of the share that the message keeps while it waits.
    func wait(
        for bytes: Int, account: Account, own: Int = 0, _ answer: @escaping Answer
    ) -> MemoryWait {
        let bytes = share(of: bytes)
        account.noteDelayed()
        let shortage =
            FairShare.shortage(of: bytes, held: account.memoryBytes, own: own, free: freeBytes)
        let ticket = line.withLock { line in
            let ticket = line.enter(
                MemoryLine.Waiter(bytes: bytes, own: own, account: account, answer: answer))
            waiting.add(1, ordering: .sequentiallyConsistent)
            // What was given back between the failed `reserve` and this line would be missed
            // otherwise.
            serve(&line)
            return ticket
        }
        return MemoryWait(ticket, shortage ?? .budget, in: self)
    }

    /// What was granted to `ticket`; nil when nothing was.
    fileprivate func collect(_ ticket: UInt64) -> MemoryShare? {
        guard let grant = line.withLock({ $0.takeGrant(ticket) }) else { return nil }
        return MemoryShare(grant.bytes, of: self, for: grant.account)
    }

    /// Leaves the line; what was granted already is given back. Nothing happens when the answer
    /// was collected.
    fileprivate func leave(_ ticket: UInt64) {
        let grant = line.withLock { line in
            // The next one may have asked for less.
            if line.remove(ticket) != nil {
                waiting.subtract(1, ordering: .sequentiallyConsistent)
                serve(&line)
            }
            return line.takeGrant(ticket)
        }
        if let grant { giveBack(grant.bytes, of: grant.account) }
    }

    fileprivate func giveBack(_ bytes: Int, of account: Account) {
        account.addMemory(-bytes)
        let (old, _) = reserved.subtract(bytes, ordering: .sequentiallyConsistent)
        assert(old >= bytes)
        serveWaiters()
    }

    private func serveWaiters() {
        guard waiting.load(ordering: .sequentiallyConsistent) > 0 else { return }
        line.withLock { serve(&$0) }
    }

    /// The account counts the bytes first, so that two loops that reserve for one key at a time see
    /// each other.
    private func claim(_ bytes: Int, for account: Account, own: Int) -> Bool {
        let held = account.addMemory(bytes) - bytes
        var current = reserved.load(ordering: .sequentiallyConsistent)
        while FairShare.shortage(of: bytes, held: held, own: own, free: bytesMax - current) == nil {
            let (exchanged, original) = reserved.weakCompareExchange(
                expected: current, desired: current + bytes, ordering: .sequentiallyConsistent)
            if exchanged { return true }
            current = original
        }
        account.addMemory(-bytes)
        return false
    }

    private func take(_ bytes: Int, for account: Account, own: Int) -> Bool {
        if claim(bytes, for: account, own: own) { return true }
        // The account held more for a moment: a waiter may have been passed over because of it.
        serveWaiters()
        return false
    }

    /// Somebody waits: takes only what no waiter of the line is to have first.
    private func takePastLine(_ bytes: Int, for account: Account, own: Int) -> Bool {
        line.withLock { line in
            serve(&line)
            let isTurn = line.lets(account, pass: bytes, own: own, free: freeBytes)
            return isTurn && claim(bytes, for: account, own: own)
        }
    }

    /// Grants what can be granted, and then refuses who waits in vain.
    private func serve(_ line: inout MemoryLine) {
        while let next = line.next(free: freeBytes) {
            guard claim(next.bytes, for: next.account, own: next.own) else { continue }
            line.grant(next.ticket)
            end(next.ticket, in: &line)
        }
        let reserved = reserved.load(ordering: .sequentiallyConsistent)
        for ticket in line.vain(reserved: reserved, bytesMax: bytesMax) { end(ticket, in: &line) }
    }

    /// The wait is over, granted or refused.
    private func end(_ ticket: UInt64, in line: inout MemoryLine) {
        guard let waiter = line.remove(ticket) else { return }
        waiting.subtract(1, ordering: .sequentiallyConsistent)
        waiter.answer(ticket)
    }
}

/// Who waits for memory, by key. A value that knows no clock and no other thread; what accounts hold
/// can change while it is looked at.
private struct MemoryLine {
    struct Waiter {
        var bytes: Int
        /// Reserved before by the same message, and given back by nobody while it waits.
        var own: Int
        var account: Account
        var answer: MemoryBudget.Answer
    }

    struct Grant {
        var bytes: Int
        var account: Account
    }

    struct Next {
        var ticket: UInt64
        var bytes: Int
        var own: Int
        var account: Account
    }

    /// The waiters of one key.
    private struct Queue {
        let account: Account
        /// In the order in which they came.
        var tickets: [UInt64] = []
        /// What they hold together.
        var own = 0
    }

    private var waiters: [UInt64: Waiter] = [:]
    private var queues: [ObjectIdentifier: Queue] = [:]
    /// Granted and not collected yet.
    private var grants: [UInt64: Grant] = [:]
    private var lastTicket: UInt64 = 0
    /// What all who wait hold together.
    private var own = 0

    mutating func enter(_ waiter: Waiter) -> UInt64 {
        lastTicket += 1
        waiters[lastTicket] = waiter
        own += waiter.own
        var queue = queues[ObjectIdentifier(waiter.account)] ?? Queue(account: waiter.account)
        queue.tickets.append(lastTicket)
        queue.own += waiter.own
        queues[ObjectIdentifier(waiter.account)] = queue
        return lastTicket
    }

    /// The waiter leaves the line.
    mutating func remove(_ ticket: UInt64) -> Waiter? {
        guard let waiter = waiters.removeValue(forKey: ticket) else { return nil }
        let id = ObjectIdentifier(waiter.account)
        own -= waiter.own
        queues[id]?.own -= waiter.own
        if let index = queues[id]?.tickets.firstIndex(of: ticket) {
            queues[id]?.tickets.remove(at: index)
        }
        if queues[id]?.tickets.isEmpty == true { queues[id] = nil }
        return waiter
    }

    /// Notes that its bytes are there; `remove` follows.
    mutating func grant(_ ticket: UInt64) {
        guard let waiter = waiters[ticket] else { return }
        grants[ticket] = Grant(bytes: waiter.bytes, account: waiter.account)
    }

    mutating func takeGrant(_ ticket: UInt64) -> Grant? { grants.removeValue(forKey: ticket) }

    /// Who gets the next bytes, if they suffice: the first of the key that holds least (of several,
    /// the one that came first). A key that waits for its own share alone is passed over.
    func next(free: Int) -> Next? {
        var best: Next?
        var bestHeld = Int.max
        var isShort = false
        for queue in queues.values {
            guard let ticket = queue.tickets.first, let waiter = waiters[ticket] else { continue }
            let held = queue.account.memoryBytes
            if let best, (bestHeld, best.ticket) < (held, ticket) { continue }
            let shortage = FairShare.shortage(
                of: waiter.bytes, held: held, own: waiter.own, free: free)
            if shortage == .share { continue }
            bestHeld = held
            isShort = shortage != nil
            best = Next(
                ticket: ticket, bytes: waiter.bytes, own: waiter.own, account: waiter.account)
        }
        return isShort ? nil : best
    }

    /// Whether somebody who comes now may be served before the line: nobody of its key waits, and
    /// nobody that holds as little waits for free bytes.
    func lets(_ account: Account, pass bytes: Int, own: Int, free: Int) -> Bool {
        guard queues[ObjectIdentifier(account)] == nil else { return false }
        let mine = account.memoryBytes
        for queue in queues.values {
            guard let ticket = queue.tickets.first, let waiter = waiters[ticket] else { continue }
            let held = queue.account.memoryBytes
            guard held <= mine else { continue }
            let shortage = FairShare.shortage(
                of: waiter.bytes, held: held, own: waiter.own, free: free)
            if shortage != .share { return false }
        }
        return true
    }

    /// Waiters whose bytes can never come: each is the last of a circle that holds something.
    func vain(reserved: Int, bytesMax: Int) -> [UInt64] {
        guard own > 0 else { return [] }
        if own == reserved {
            return [waiters.filter { $0.value.own > 0 }.keys.max()].compactMap { $0 }
        }
        return queues.values.compactMap { queue in
            guard queue.own > 0, queue.account.memoryBytes == queue.own,
                let first = queue.tickets.first.flatMap({ waiters[$0] }),
                FairShare.shortage(
                    of: first.bytes, held: queue.own, own: first.own, free: bytesMax - queue.own)
                    != nil
            else { return nil }
            return queue.tickets.last { (waiters[$0]?.own ?? 0) > 0 }
        }
    }
}
