// The home in this process's memory: it answers at once, and a restart forgets it. Nothing here is
// ever written to disk.

import Reactor
import Synchronization

/// The memory that all loops of a process share. Safe to use from any of them.
package final class MemoryLedger: LedgerHome, LedgerDesk {
    package let hashKey: ContentHash.Key
    private let table: Locked<LedgerTable>
    /// Records in the table. Nearly always there are none, and then nobody needs the lock.
    private let held = Atomic<Int>(0)

    package init(bounds: LedgerTable.Bounds = .init(), hashKey: ContentHash.Key = .random()) {
        self.hashKey = hashKey
        table = Locked(LedgerTable(bounds: bounds))
    }

    package func desk(on loop: Loop) -> any LedgerDesk { self }

    package var status: LedgerStatus {
        table.withLock { table in
            var status = LedgerStatus(kind: "memory")
            status.records = table.count
            status.bytes = table.bytes
            status.refused = table.refused
            return status
        }
    }

    package func start() {}
    package func close() {}

    package func mayHold(_ scope: LedgerScope, ticket: UInt64) -> Bool {
        held.load(ordering: .acquiring) > 0 && table.withLock { $0.mayHold(scope) }
    }

    package func mayHoldRecipients(_ scope: LedgerScope, ticket: UInt64) -> Bool {
        held.load(ordering: .acquiring) > 0 && table.withLock { $0.mayHoldRecipients(scope) }
    }

    package func ask(
        _ question: LedgerQuestion, at now: MonotonicTime,
        _ answer: @escaping (LedgerAnswer) -> Void
    ) -> LedgerAnswer? {
        table.withLock { $0.answer(question, at: now) }
    }

    @discardableResult
    package func apply(
        _ changes: [LedgerChange], at now: MonotonicTime, written: (() -> Void)?
    ) -> Bool {
        table.withLock { table in
            for change in changes { table.apply(change, at: now) }
            held.store(table.count, ordering: .releasing)
        }
        return true
    }
}
