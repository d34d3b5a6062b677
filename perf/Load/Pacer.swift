// Wakes a loop when the next message of an open loop is due.
//
// The loop's own timers tick every 10 ms, which would be the largest part of many latencies. A
// thread that sleeps to the nanosecond has no such step.

import Foundation
import Glibc
import Reactor
import Synchronization

/// One thread that posts `wake` to a loop at each time of a schedule.
final class Pacer: Sendable {
    private let isCancelled = Atomic(false)

    /// - Parameter wake: runs on the loop's thread, and finds out itself how many messages are due.
    init(
        _ schedule: Schedule, count: Int, mailbox: Mailbox, wake: @escaping @Sendable () -> Void
    ) {
        Thread.detachNewThread { [self] in
            var number = 0
            while number < count, !isCancelled.load(ordering: .relaxed) {
                Pacer.sleep(until: schedule.due(number))
                mailbox.post(wake)
                number = max(number + 1, schedule.dueCount(by: .readClock()))
            }
        }
    }

    func cancel() { isCancelled.store(true, ordering: .relaxed) }

    private static func sleep(until time: MonotonicTime) {
        var spec = timespec(
            tv_sec: Int(time.nanoseconds / 1_000_000_000),
            tv_nsec: Int(time.nanoseconds % 1_000_000_000))
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &spec, nil) == EINTR {}
    }
}
