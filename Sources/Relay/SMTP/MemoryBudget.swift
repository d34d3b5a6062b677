// Bytes that messages in flight may hold, over all loops: admission by memory.
//
// DATA reserves its share before its 354. Who finds nothing free waits in line: first come, first
// served over all loops, and nobody overtakes. With nobody waiting, both ways are one atomic
// operation.

import Synchronization

/// The memory that messages share. Safe to use from any loop.
final class MemoryBudget: Sendable {
    /// Calls its owner back on the owner's loop (through its mailbox): the bytes are reserved.
    typealias Grant = @Sendable (_ ticket: UInt64) -> Void

    private struct Waiter {
        var bytes: Int
        var grant: Grant
    }

    /// Tickets from `first` up to `next` have been given out; those that wait are in `waiters`.
    private struct Line {
        var waiters: [UInt64: Waiter] = [:]
        var first: UInt64 = 1
        var next: UInt64 = 1
    }

    /// Bytes in all.
    let bytesMax: Int
    private let reserved = Atomic<Int>(0)
    private let waiting = Atomic<Int>(0)
    private let line = Mutex(Line())

    init(bytesMax: Int) { self.bytesMax = max(bytesMax, 1) }

    var reservedBytes: Int { reserved.load(ordering: .relaxed) }
    /// Reservations that wait.
    var waitingCount: Int { waiting.load(ordering: .relaxed) }

    /// What can be reserved at all of `bytes`: a share larger than everything would never come.
    func share(of bytes: Int) -> Int { min(max(bytes, 0), bytesMax) }

    /// Takes `bytes` (at most `bytesMax`) if they are free and nobody waits.
    func reserve(_ bytes: Int) -> Bool {
        waiting.load(ordering: .sequentiallyConsistent) == 0 && take(bytes)
    }

    /// Waits in line for `bytes`. Exactly one of them happens: `grant` is called (never during this
    /// call), or `cancel` returns true.
    func wait(for bytes: Int, _ grant: @escaping Grant) -> UInt64 {
        let ticket = line.withLock { line in
            let ticket = line.next
            line.next += 1
            line.waiters[ticket] = Waiter(bytes: bytes, grant: grant)
            waiting.add(1, ordering: .sequentiallyConsistent)
            return ticket
        }
        // What was released between the failed `reserve` and this line would be missed otherwise.
        serve()
        return ticket
    }

    /// Leaves the line; false when the grant is on its way, which the owner then gives back.
    func cancel(_ ticket: UInt64) -> Bool {
        let isCancelled = line.withLock { line in
            guard line.waiters.removeValue(forKey: ticket) != nil else { return false }
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
                    guard take(waiter.bytes) else { return }
                    line.waiters[ticket] = nil
                    waiting.subtract(1, ordering: .sequentiallyConsistent)
                    waiter.grant(ticket)
                }
                line.first += 1
            }
        }
    }
}
