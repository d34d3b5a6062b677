// Bytes that messages in flight may hold, over all loops: admission by memory.
//
// DATA reserves its share before its 354. A session that finds nothing free waits in line: first
// come, first served over all loops, and nobody overtakes. While nobody waits, to reserve and to
// give back are one atomic operation each. A share gives itself back when it goes.
//
// A client that announced too little holds a share and waits for more. When every reserved byte is
// held by such a waiter, none will ever be given back: the last of them is refused, and gives back
// what it has.

import Reactor
import Synchronization

/// Bytes of a budget that belong to one message, until this value goes. Safe to give back on any
/// thread.
struct MemoryShare: ~Copyable, Sendable {
    private let budget: MemoryBudget
    private(set) var bytes: Int

    /// - Parameter bytes: taken from `budget` already.
    fileprivate init(_ bytes: Int, of budget: MemoryBudget) {
        self.budget = budget
        self.bytes = bytes
    }

    deinit { if bytes > 0 { budget.giveBack(bytes) } }

    /// Takes over the bytes of another share of the same budget.
    mutating func add(_ other: consuming MemoryShare) {
        bytes += other.bytes
        other.bytes = 0
    }
}

/// A place in the line for memory; left, and what it was granted given back, when this value goes.
struct MemoryWait: ~Copyable, Sendable {
    private let budget: MemoryBudget
    /// Names the wait in its answer.
    let ticket: UInt64

    fileprivate init(_ ticket: UInt64, in budget: MemoryBudget) {
        self.budget = budget
        self.ticket = ticket
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

    private struct Waiter {
        var bytes: Int
        /// Reserved before, and given back by nobody while it waits.
        var holding: Int
        var answer: Answer
    }

    /// Tickets from `first` up to `next` have been given out; those that wait are in `waiters`.
    private struct Line {
        var waiters: [UInt64: Waiter] = [:]
        /// Bytes that were granted and are not collected yet, by ticket.
        var granted: [UInt64: Int] = [:]
        var first: UInt64 = 1
        var next: UInt64 = 1
        /// What all who wait hold together.
        var holding = 0

        mutating func remove(_ ticket: UInt64) -> Waiter? {
            guard let waiter = waiters.removeValue(forKey: ticket) else { return nil }
            holding -= waiter.holding
            return waiter
        }
    }

    /// Bytes in all.
    let bytesMax: Int
    private let reserved = Atomic<Int>(0)
    private let waiting = Atomic<Int>(0)
    private let line = Locked(Line())

    init(bytesMax: Int) { self.bytesMax = max(bytesMax, 1) }

    /// Bytes that shares hold, or that wait to be collected.
    package var reservedBytes: Int { reserved.load(ordering: .relaxed) }
    /// Reservations that wait.
    package var waitingCount: Int { waiting.load(ordering: .relaxed) }

    /// What can be reserved at all of `bytes`: a share larger than everything would never come.
    private func share(of bytes: Int) -> Int { min(max(bytes, 0), bytesMax) }

    /// A share of `bytes`, at most `bytesMax`; nil when they are not free or somebody waits.
    func reserve(_ bytes: Int) -> MemoryShare? {
        let bytes = share(of: bytes)
        guard waiting.load(ordering: .sequentiallyConsistent) == 0, take(bytes) else { return nil }
        return MemoryShare(bytes, of: self)
    }

    /// Waits in line for `bytes`, at most `bytesMax`. Only a waiter that holds something can be
    /// refused.
    /// - Parameter holding: bytes of the share that the owner keeps while it waits.
    func wait(for bytes: Int, holding: Int = 0, _ answer: @escaping Answer) -> MemoryWait {
        let bytes = share(of: bytes)
        let ticket = line.withLock { line in
            let ticket = line.next
            line.next += 1
            line.waiters[ticket] = Waiter(bytes: bytes, holding: holding, answer: answer)
            line.holding += holding
            waiting.add(1, ordering: .sequentiallyConsistent)
            return ticket
        }
        // What was given back between the failed `reserve` and this line would be missed otherwise.
        serve()
        return MemoryWait(ticket, in: self)
    }

    /// What was granted to `ticket`; nil when nothing was.
    fileprivate func collect(_ ticket: UInt64) -> MemoryShare? {
        guard let bytes = line.withLock({ $0.granted.removeValue(forKey: ticket) }) else {
            return nil
        }
        return MemoryShare(bytes, of: self)
    }

    /// Leaves the line; what was granted already is given back. Nothing happens when the answer
    /// was collected.
    fileprivate func leave(_ ticket: UInt64) {
        let (hasWaited, granted) = line.withLock { line in
            let hasWaited = line.remove(ticket) != nil
            if hasWaited { waiting.subtract(1, ordering: .sequentiallyConsistent) }
            return (hasWaited, line.granted.removeValue(forKey: ticket))
        }
        if let granted { giveBack(granted) }
        // The next one may have asked for less.
        if hasWaited { serve() }
    }

    fileprivate func giveBack(_ bytes: Int) {
        let (old, _) = reserved.subtract(bytes, ordering: .sequentiallyConsistent)
        assert(old >= bytes)
        if waiting.load(ordering: .sequentiallyConsistent) > 0 { serve() }
    }

    private func take(_ bytes: Int) -> Bool {
        var current = reserved.load(ordering: .sequentiallyConsistent)
        while current <= bytesMax - bytes {
            let (exchanged, original) = reserved.weakCompareExchange(
                expected: current, desired: current + bytes, ordering: .sequentiallyConsistent)
            if exchanged { return true }
            current = original
        }
        return false
    }

    /// Serves the line from its front as far as the free bytes go.
    private func serve() {
        line.withLock { line in
            while line.first < line.next {
                let ticket = line.first
                if let waiter = line.waiters[ticket] {
                    guard take(waiter.bytes) else { return breakCircle(&line) }
                    line.granted[ticket] = waiter.bytes
                    end(ticket, in: &line)
                }
                line.first += 1
            }
        }
    }

    /// Refuses the last that holds something, if nothing is held by anybody that does not wait.
    private func breakCircle(_ line: inout Line) {
        guard line.holding > 0, line.holding == reserved.load(ordering: .sequentiallyConsistent)
        else { return }
        let last = line.waiters.filter { $0.value.holding > 0 }.keys.max()
        if let last { end(last, in: &line) }
    }

    /// The wait is over, granted or refused.
    private func end(_ ticket: UInt64, in line: inout Line) {
        guard let waiter = line.remove(ticket) else { return }
        waiting.subtract(1, ordering: .sequentiallyConsistent)
        waiter.answer(ticket)
    }
}
