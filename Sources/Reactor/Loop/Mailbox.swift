// The only door between threads: a queue of work for a loop, and an eventfd that ends its wait.
//
// The flag `hasMail` is set before the eventfd is written, and cleared before the queue is taken,
// so no posted work stays in the queue while the loop sleeps.

import CEpoll.System
import Glibc
import Synchronization

/// Lets any thread run work on a loop.
public final class Mailbox: Sendable {
    private struct State {
        var work: [@Sendable () -> Void] = []
        var isClosed = false
    }

    private let state = Locked(State())
    private let mail = Atomic(false)
    private let stop = Atomic(false)
    /// Readable, by edge, whenever something was posted.
    let wakeUpDescriptor: Int32

    /// - Throws: `SystemError` when the kernel refuses an eventfd.
    init() throws(SystemError) {
        wakeUpDescriptor = cs_eventfd()
        guard wakeUpDescriptor >= 0 else {
            throw SystemError(operation: "eventfd", errno: -wakeUpDescriptor)
        }
    }

    deinit { Glibc.close(wakeUpDescriptor) }

    /// Queues `work` and wakes the loop. Work posted after the loop has stopped is dropped.
    public func post(_ work: @escaping @Sendable () -> Void) {
        let isAccepted = state.withLock { state in
            if !state.isClosed { state.work.append(work) }
            return !state.isClosed
        }
        if isAccepted { wake() }
    }

    /// Asks the loop to stop after its tick. From any thread.
    public func postStop() {
        stop.store(true, ordering: .releasing)
        wake()
    }

    private func wake() {
        if !mail.exchange(true, ordering: .acquiringAndReleasing) {
            cs_eventfd_signal(wakeUpDescriptor)
        }
    }

    /// Whether something was posted that the loop has not taken.
    var hasMail: Bool { mail.load(ordering: .acquiring) }

    /// Whether a stop was asked for.
    var isStopPosted: Bool { stop.load(ordering: .acquiring) }

    /// What was posted since the last call, in order. On the loop's thread.
    func take() -> [@Sendable () -> Void] {
        mail.store(false, ordering: .sequentiallyConsistent)
        return state.withLock { state in
            var work: [@Sendable () -> Void] = []
            swap(&work, &state.work)
            return work
        }
    }

    /// Drops what is queued and everything that will be posted.
    func close() {
        let dropped = state.withLock { state in
            state.isClosed = true
            var work: [@Sendable () -> Void] = []
            swap(&work, &state.work)
            return work
        }
        _ = dropped  // Freed here, outside of the lock.
    }
}
