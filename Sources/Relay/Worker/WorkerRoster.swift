// The workers of all loops, as other threads know them: enough to post work to each.
//
// A worker belongs to its loop's thread. Others hold it here but never touch it: they post work to
// its loop's mailbox, and the work runs on the right thread.

import Reactor
import Synchronization

/// The workers of all loops, and how many have ended. Safe to use from any thread.
package final class WorkerRoster: Sendable {
    private struct Entry: @unchecked Sendable {
        let mailbox: Mailbox
        /// Touched only inside `mailbox.post`.
        let worker: Worker
    }

    private let entries = Locked<[Entry]>([])
    private let ended = Atomic<Int>(0)

    package init() {}

    /// Adds a worker: on its own thread, before its loop runs.
    package func enter(_ worker: Worker) {
        let entry = Entry(mailbox: worker.loop.mailbox, worker: worker)
        entries.withLock { $0.append(entry) }
    }

    /// Workers that have not ended yet.
    package var liveCount: Int { entries.withLock { $0.count } - ended.load(ordering: .acquiring) }

    /// Every worker runs `work` soon, each on its own thread.
    package func tellAll(_ work: @escaping @Sendable (Worker) -> Void) {
        for entry in entries.withLock({ $0 }) { entry.mailbox.post { work(entry.worker) } }
    }

    /// Every worker drains, then stops its loop.
    package func drainAll() {
        for entry in entries.withLock({ $0 }) {
            entry.mailbox.post { [self] in
                entry.worker.drain { self.ended.add(1, ordering: .acquiringAndReleasing) }
            }
        }
    }
}
