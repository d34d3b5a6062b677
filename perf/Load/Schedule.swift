// When the messages of an open loop are due: evenly spaced, whatever the server does.
//
// Latency is counted from these times, so that a stall of the server shows in every message that it
// delayed, not only in the first one.

import Reactor

/// Even spacing at a fixed rate.
struct Schedule: Sendable {
    let start: MonotonicTime
    /// Messages per second; above 0.
    let ratePerSecond: Double

    /// When message `number` (from 0) is to be sent.
    func due(_ number: Int) -> MonotonicTime {
        let offset = Double(number) * 1e9 / ratePerSecond
        return MonotonicTime(nanoseconds: start.nanoseconds + UInt64(offset))
    }

    /// How many messages are due by `now`.
    func dueCount(by now: MonotonicTime) -> Int {
        guard now >= start else { return 0 }
        let elapsed = Double(now.nanoseconds - start.nanoseconds)
        var count = Int(elapsed * ratePerSecond / 1e9)
        while due(count) <= now { count += 1 }
        while count > 0 && due(count - 1) > now { count -= 1 }
        return count
    }
}
