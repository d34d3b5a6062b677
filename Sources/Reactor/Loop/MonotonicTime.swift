// A point on the kernel's monotonic clock, in nanoseconds.
//
// Above the loop, time is always an argument: machines get `now` and never ask for it. The loop
// reads the clock once per tick; a simulated loop has its own clock.

import CEpoll.System
import Glibc

/// Nanoseconds since an arbitrary fixed point (CLOCK_MONOTONIC); good for 584 years.
public struct MonotonicTime: Comparable, Hashable, Sendable {
    /// Since the clock's fixed point.
    public var nanoseconds: UInt64

    /// The time this long after the clock's fixed point.
    @inlinable
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Later than every other time: a deadline that never passes.
    public static let never = MonotonicTime(nanoseconds: .max)

    /// Reads the kernel's clock (one vDSO call). Only loops and `main` have a reason to.
    public static func readClock() -> MonotonicTime {
        var spec = timespec()
        clock_gettime(CLOCK_MONOTONIC, &spec)
        return MonotonicTime(
            nanoseconds: UInt64(spec.tv_sec) &* 1_000_000_000 &+ UInt64(spec.tv_nsec))
    }

    /// This time plus `milliseconds`, saturating at `.never`.
    @inlinable
    public func advanced(byMilliseconds milliseconds: Int) -> MonotonicTime {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(
            UInt64(clamping: milliseconds) &* 1_000_000)
        return overflow ? .never : MonotonicTime(nanoseconds: sum)
    }

    /// Milliseconds from `earlier` to this time, rounded down; 0 when `earlier` is the later one.
    @inlinable
    public func milliseconds(since earlier: MonotonicTime) -> Int {
        nanoseconds > earlier.nanoseconds
            ? Int((nanoseconds - earlier.nanoseconds) / 1_000_000) : 0
    }

    /// Nanoseconds from `earlier` to this time; 0 when `earlier` is the later one.
    @inlinable
    public func nanoseconds(since earlier: MonotonicTime) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds &- earlier.nanoseconds : 0
    }

    /// Whether `a` comes before `b`.
    @inlinable
    public static func < (a: MonotonicTime, b: MonotonicTime) -> Bool {
        a.nanoseconds < b.nanoseconds
    }
}
