// Bytes that messages in flight may hold, over all loops: admission by memory.
//
// DATA reserves its share before its 354. Who finds nothing free waits in line: first come, first
// served over all loops, and nobody overtakes. With nobody waiting, both ways are one atomic
// operation.
//
// Who announced too little holds a share and waits for more. When all that is reserved is held by
// such waiters, nobody will ever release any: the last of them is refused, and gives back what it
// has.

import Reactor
import Synchronization

/// The memory that messages share. Safe to use from any loop.
package final class MemoryBudget: Sendable {
    /// Calls its owner back on the owner's loop (through its mailbox): the bytes are reserved, or
    /// will not be.
    typealias Answer = @Sendable (_ ticket: UInt64, _ isGranted: Bool) -> Void

    private struct Waiter {
        var bytes: Int
        /// Reserved before, and released by nobody while it waits.
        var holding: Int
        var answer: Answer
    }

    /// Tickets from `first` up to `next` have been given out; those that wait are in `waiters`.
    private struct Line {
        var waiters: [UInt64: Waiter] = [:]
        var first: UInt64 = 1
        var next: UInt64 = 1
        /// What those who wait hold, all together.
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

    package var reservedBytes: Int { reserved.load(ordering: .relaxed) }
    /// Reservations that wait.
    package var waitingCount: Int { waiting.load(ordering: .relaxed) }

    /// What can be reserved at all of `bytes`: a share larger than everything would never come.
    func share(of bytes: Int) -> Int { min(max(bytes, 0), bytesMax) }

    /// Takes `bytes` (at most `bytesMax`) if they are free and nobody waits.
    func reserve(_ bytes: Int) -> Bool {
        waiting.load(ordering: .sequentiallyConsistent) == 0 && take(bytes)
    }

    /// Waits in line for `bytes`. Exactly one of them happens: `answer` is called, or `cancel`
    /// returns true. Refused is only who holds something.
    /// - Parameter holding: bytes that the owner has reserved already and keeps while it waits.
    func wait(for bytes: Int, holding: Int = 0, _ answer: @escaping Answer) -> UInt64 {
        let ticket = line.withLock { line in
            let ticket = line.next
            line.next += 1
            line.waiters[ticket] = Waiter(bytes: bytes, holding: holding, answer: answer)
            line.holding += holding
            waiting.add(1, ordering: .sequentiallyConsistent)
            return ticket
        }
        // What was released between the failed `reserve` and this line would be missed otherwise.
        serve()
        return ticket
    }

    /// Leaves the line; false when the answer is on its way: a grant is then given back by the owner.
    func cancel(_ ticket: UInt64) -> Bool {
        let isCancelled = line.withLock { line in
            guard line.remove(ticket) != nil else { return false }
            waiting.subtract(1, ordering: .sequentiallyConsistent)
            return true
        }
        // The one behind may have asked for less.
        if isCancelled { serve() }
        return isCancelled
    }

    /// Gives `bytes` back.
    func release(_ bytes: Int) {
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
                    _ = line.remove(ticket)
                    waiting.subtract(1, ordering: .sequentiallyConsistent)
                    waiter.answer(ticket, true)
                }
                line.first += 1
            }
        }
    }

    /// Refuses the last who holds something, if nothing is held by anybody who does not wait.
    private func breakCircle(_ line: inout Line) {
        guard line.holding > 0, line.holding == reserved.load(ordering: .sequentiallyConsistent)
        else { return }
        let last = line.waiters.filter { $0.value.holding > 0 }.keys.max()
        guard let last, let waiter = line.remove(last) else { return }
        waiting.subtract(1, ordering: .sequentiallyConsistent)
        waiter.answer(last, false)
    }
}
