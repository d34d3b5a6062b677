// The memory budget: never over, first come first served, nothing lost between threads.

import Synchronization
import Testing

@testable import Relay

@Suite("Memory budget")
struct MemoryBudgetTests {
    /// Notes who was served and who refused, in order.
    final class Notes: Sendable {
        let served = Mutex<[UInt64]>([])
        let turnedAway = Mutex<[UInt64]>([])
        var all: [UInt64] { served.withLock { $0 } }
        var refused: [UInt64] { turnedAway.withLock { $0 } }
        func note(_ ticket: UInt64, _ isGranted: Bool) {
            if isGranted {
                served.withLock { $0.append(ticket) }
            } else {
                turnedAway.withLock { $0.append(ticket) }
            }
        }
    }

    /// The most that was seen.
    final class Peak: Sendable {
        private let value = Atomic<Int>(0)
        var bytes: Int { value.load(ordering: .relaxed) }
        func note(_ bytes: Int) { value.max(bytes, ordering: .relaxed) }
    }

    @Test("What is reserved is not given twice, and comes back")
    func reserves() {
        let budget = MemoryBudget(bytesMax: 100)
        #expect(budget.reserve(60))
        #expect(!budget.reserve(41))
        #expect(budget.reserve(40))
        budget.release(60)
        #expect(budget.reservedBytes == 40)
        #expect(budget.reserve(60))
    }

    @Test("A share is never more than there is")
    func share() {
        let budget = MemoryBudget(bytesMax: 100)
        #expect(budget.share(of: 1_000) == 100)
        #expect(budget.share(of: -1) == 0)
        #expect(budget.reserve(budget.share(of: .max)))
    }

    @Test("Who waits is served in order, and nobody overtakes")
    func order() {
        let budget = MemoryBudget(bytesMax: 100)
        let notes = Notes()
        #expect(budget.reserve(100))
        let first = budget.wait(for: 80, notes.note)
        let second = budget.wait(for: 10, notes.note)
        budget.release(50)
        #expect(notes.all.isEmpty)
        #expect(!budget.reserve(1))
        budget.release(50)
        #expect(notes.all == [first, second])
        #expect(budget.waitingCount == 0 && budget.reservedBytes == 90)
        #expect(budget.reserve(10))
    }

    @Test("Who leaves the line lets the next one in; a grant on its way is not cancelled")
    func cancels() {
        let budget = MemoryBudget(bytesMax: 100)
        let notes = Notes()
        #expect(budget.reserve(50))
        let first = budget.wait(for: 80, notes.note)
        let second = budget.wait(for: 50, notes.note)
        #expect(budget.cancel(first))
        #expect(notes.all == [second])
        #expect(!budget.cancel(second))
        #expect(!budget.cancel(first))
    }

    @Test("What is free when one begins to wait is given at once")
    func noMissedRelease() {
        let budget = MemoryBudget(bytesMax: 100)
        let notes = Notes()
        let ticket = budget.wait(for: 100, notes.note)
        #expect(notes.all == [ticket])
    }

    @Test("When all that is reserved is held by those who wait, the last of them is refused")
    func circle() {
        let budget = MemoryBudget(bytesMax: 100)
        let notes = Notes()
        #expect(budget.reserve(10) && budget.reserve(10) && budget.reserve(15))
        let first = budget.wait(for: 90, holding: 10, notes.note)
        let second = budget.wait(for: 90, holding: 10, notes.note)
        let empty = budget.wait(for: 30, notes.note)
        #expect(notes.all.isEmpty && notes.refused.isEmpty, "the third may still release")
        budget.release(15)
        #expect(notes.refused == [second], "who holds nothing stands in nobody's way")
        #expect(notes.all.isEmpty)
        budget.release(10)
        #expect(notes.all == [first])
        budget.release(100)
        #expect(notes.all == [first, empty] && notes.refused == [second])
        budget.release(30)
        #expect(budget.reservedBytes == 0 && budget.waitingCount == 0)
        #expect(!budget.cancel(second))
    }

    @Test("One alone who can't have more is refused at once; one who leaves breaks no circle")
    func circleOfOne() {
        let budget = MemoryBudget(bytesMax: 100)
        let notes = Notes()
        #expect(budget.reserve(30) && budget.reserve(30))
        let leaving = budget.wait(for: 80, holding: 30, notes.note)
        #expect(budget.cancel(leaving))
        budget.release(30)
        let alone = budget.wait(for: 80, holding: 30, notes.note)
        #expect(notes.refused == [alone] && notes.all.isEmpty)
        budget.release(30)
        #expect(budget.reserve(100))
    }

    @Test("Four threads that hold some and want more always end")
    func threadsInCircles() async {
        let budget = MemoryBudget(bytesMax: 1_000)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    for round in 0..<2_000 {
                        let held = (round * 31 + task * 17) % 300 + 1
                        guard budget.reserve(held) else { continue }
                        let more = 1_000 - held
                        let isGranted = await withCheckedContinuation { continuation in
                            _ = budget.wait(for: more, holding: held) { _, isGranted in
                                continuation.resume(returning: isGranted)
                            }
                        }
                        budget.release(isGranted ? held + more : held)
                    }
                }
            }
        }
        #expect(budget.reservedBytes == 0 && budget.waitingCount == 0)
    }

    @Test("Four threads that reserve, wait and release leave nothing behind")
    func threads() async {
        let budget = MemoryBudget(bytesMax: 1_000)
        let worst = Peak()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    for round in 0..<2_000 {
                        let bytes = (round * 37 + task * 101) % 600 + 1
                        if budget.reserve(bytes) {
                            worst.note(budget.reservedBytes)
                            budget.release(bytes)
                        } else {
                            await withCheckedContinuation { continuation in
                                _ = budget.wait(for: bytes) { _, _ in continuation.resume() }
                            }
                            budget.release(bytes)
                        }
                    }
                }
            }
        }
        #expect(worst.bytes <= 1_000)
        #expect(budget.reservedBytes == 0 && budget.waitingCount == 0)
    }
}
