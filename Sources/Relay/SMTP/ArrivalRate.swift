// Whether a message trickles: its bytes in each of the last seconds in which bytes arrived.
//
// Only such seconds count. Silence is the idle timeout's business, and time in which the client is
// not read brings no bytes. So a client that pauses and then sends fast is not slow, and a client
// that sends a byte now and then is, after fifteen of them.

import Reactor

/// The rate of one message over its latest seconds with bytes.
struct ArrivalRate {
    /// Seconds with bytes that are judged together.
    static let secondsCount = 15

    /// Bytes by second, the oldest overwritten first. A second is whole before it counts.
    private var bytes = InlineArray<15, UInt32>(repeating: 0)
    private var wholeSeconds = 0
    /// Bytes of the whole seconds in `bytes`.
    private var sum = 0
    /// The second in which bytes arrived last, since the process's clock began, and its bytes.
    private var second: UInt64 = 0
    private var current = 0

    /// `count` bytes have arrived.
    /// - Parameter rateMin: bytes a second; 0 for no minimum.
    /// - Returns: whether the last fifteen whole seconds with bytes brought less than the minimum.
    mutating func isTooSlow(adding count: Int, at now: MonotonicTime, rateMin: Int) -> Bool {
        let arrival = now.nanoseconds / 1_000_000_000
        if arrival == second {
            current += count
            return false
        }
        if second != 0 { close() }
        second = arrival
        current = count
        guard wholeSeconds >= Self.secondsCount else { return false }
        let (least, isOver) = rateMin.multipliedReportingOverflow(by: Self.secondsCount)
        return sum < (isOver ? .max : least)
    }

    /// The second in which bytes arrived is over.
    private mutating func close() {
        let place = wholeSeconds % Self.secondsCount
        let whole = UInt32(clamping: current)
        sum += Int(whole) - Int(bytes[place])
        bytes[place] = whole
        wholeSeconds += 1
    }
}
