// The workers of all loops, as the main thread knows them: enough to ask them to drain.
//
// A worker belongs to its loop's thread. The main thread holds it here but never touches it; it
// only posts work to the worker's mailbox, and there it runs on the right thread.

import Reactor
import Synchronization

/// Who is running, and how many have ended.
package final class WorkerRoster: Sendable {
    private struct Entry: @unchecked Sendable {
        let mailbox: Mailbox
        /// Only ever touched inside `mailbox.post`.
        let worker: Worker
    }

    private let entries = Locked<[Entry]>([])
    private let ended = Atomic<Int>(0)

    package init() {}

    /// From the worker's own thread, before its loop runs.
    package func enter(_ worker: Worker) {
        let entry = Entry(mailbox: worker.loop.mailbox, worker: worker)
        entries.withLock { $0.append(entry) }
    }

    /// Workers that have not ended yet.
    package var liveCount: Int { entries.withLock { $0.count } - ended.load(ordering: .acquiring) }

    /// Has every worker run `work`, each on its own thread, soon.
    package func tellAll(_ work: @escaping @Sendable (Worker) -> Void) {
        for entry in entries.withLock({ $0 }) { entry.mailbox.post { work(entry.worker) } }
    }

    /// Asks every worker to drain and to stop its loop when it has.
    package func drainAll() {
        for entry in entries.withLock({ $0 }) {
            entry.mailbox.post { [self] in
                entry.worker.drain { self.ended.add(1, ordering: .acquiringAndReleasing) }
            }
        }
    }
}
