// The lines of one loop on their way to the log's thread: a row of slabs, written at one end and read
// at the other.
//
// Only the loop appends and only the log's thread takes, so a line costs the loop one store: how far
// it has written. They meet under a lock once per slab. Positions count the bytes of all lines since
// the stream began. The loop's bytes are visible to the log's thread up to the position that it has
// published (a store that releases, a load that acquires).

import Reactor
import Synchronization

/// How many bytes of lines may wait to be written, over all loops. Safe to use from any thread.
final class LogBudget: Sendable {
    private let used = Atomic<Int>(0)
    private let bytesMax: Atomic<Int>

    init(bytesMax: Int) { self.bytesMax = Atomic(bytesMax) }

    /// A stream has a slab at all times, which takes nothing away from the others.
    func widen(_ bytes: Int) {
        bytesMax.add(bytes, ordering: .relaxed)
        take(bytes)
    }

    /// The stream has ended.
    func narrow(_ bytes: Int) { bytesMax.subtract(bytes, ordering: .relaxed) }

    /// Takes `bytes` if they are there.
    func takes(_ bytes: Int) -> Bool {
        let now = used.add(bytes, ordering: .relaxed).newValue
        guard now > bytesMax.load(ordering: .relaxed) else { return true }
        give(bytes)
        return false
    }

    /// No more than the bound is taken.
    var isKept: Bool {
        used.load(ordering: .relaxed) <= bytesMax.load(ordering: .relaxed)
    }

    /// Takes `bytes` in any case.
    func take(_ bytes: Int) { used.add(bytes, ordering: .relaxed) }

    /// `bytes` have been written, or are lost.
    func give(_ bytes: Int) { used.subtract(bytes, ordering: .relaxed) }
}

/// A row of slabs between one loop and the log's thread.
final class LogStream: Sendable {
    private struct Piece {
        let slab: LogSlab
        /// The position of its first byte.
        let start: Int
        /// What it takes of the budget, in bytes.
        var charge: Int

        init(slab: LogSlab, start: Int) {
            self.slab = slab
            self.start = start
            charge = slab.capacity
        }
    }

    private struct Row {
        var pieces: [Piece]
        /// For the next piece, so that nothing is allocated as long as the log's thread keeps up.
        var spare: LogSlab?
    }

    private let row: Locked<Row>
    private let budget: LogBudget
    private let published = Atomic<Int>(0)
    /// Used by the log's thread only.
    private let taken = Atomic<Int>(0)
    private let closed = Atomic<Bool>(false)

    init(first slab: LogSlab, budget: LogBudget) {
        row = Locked(Row(pieces: [Piece(slab: slab, start: 0)]))
        self.budget = budget
        budget.widen(slab.capacity)
    }

    // MARK: The loop's side

    /// A slab for the lines from `position` on; nil when too many bytes wait already.
    func extend(at position: Int) -> LogSlab? {
        guard budget.takes(LogSlab.usualBytes) else { return nil }
        return row.withLock { row in
            let slab = row.spare.take() ?? LogSlab()
            row.pieces.append(Piece(slab: slab, start: position))
            return slab
        }
    }

    /// The line at `position` is in a slab of its own, because it is long.
    func extend(with slab: LogSlab, at position: Int) {
        budget.take(slab.capacity)
        row.withLock { $0.pieces.append(Piece(slab: slab, start: position)) }
    }

    /// No more bytes wait than may. After a long line, more may wait.
    var isWithinBudget: Bool { budget.isKept }

    /// All lines before `position` are whole.
    @inline(__always)
    func publish(_ position: Int) { published.store(position, ordering: .sequentiallyConsistent) }

    /// The loop publishes no more.
    func close() { closed.store(true, ordering: .releasing) }

    // MARK: The side of the log's thread

    /// How far the loop has written.
    var end: Int { published.load(ordering: .sequentiallyConsistent) }

    /// Whether `end` stays as it is. To be asked before `end`.
    var isClosed: Bool { closed.load(ordering: .acquiring) }

    /// Gives `body` the lines before `position` that were not taken yet, in order, in pieces of whole
    /// lines. After that the loop may use their memory again.
    func take(before position: Int, _ body: (UnsafeRawBufferPointer) -> Void) {
        var at = taken.load(ordering: .relaxed)
        while at < position {
            let (piece, next) = row.withLock { row in
                (row.pieces[0], row.pieces.count > 1 ? row.pieces[1].start : Int.max)
            }
            let end = min(position, next)
            if end > at {
                body(
                    UnsafeRawBufferPointer(
                        start: piece.slab.memory + (at - piece.start), count: end - at))
                at = end
                taken.store(at, ordering: .relaxed)
            }
            if at == next {
                release(piece.slab)
            } else if at == position {
                giveBackExcess()
            }
        }
    }

    /// All that there is so far is taken. A long line's slab stays until the next piece begins, and
    /// that may be never: it counts as a usual one from now on.
    private func giveBackExcess() {
        let excess = row.withLock { row in
            guard row.pieces[0].charge > LogSlab.usualBytes else { return 0 }
            defer { row.pieces[0].charge = LogSlab.usualBytes }
            return row.pieces[0].charge - LogSlab.usualBytes
        }
        if excess > 0 { budget.give(excess) }
    }

    /// All lines of the first slab are taken.
    private func release(_ slab: LogSlab) {
        let charge = row.withLock { row in
            let charge = row.pieces.removeFirst().charge
            if slab.capacity == LogSlab.usualBytes { row.spare = slab }
            return charge
        }
        budget.give(charge)
    }

    /// The stream is closed and all its lines are taken: its part of the budget is given back.
    func finish() {
        row.withLock { row in for piece in row.pieces { budget.give(piece.charge) } }
        budget.narrow(LogSlab.usualBytes)
    }
}
