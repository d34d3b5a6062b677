// How much of something a peer may do: so many at once, so many a second, and more for what it does
// of use. A value; the caller has the clock.

/// A bucket of tokens.
struct Allowance {
    private let most: UInt64
    private let withEarned: UInt64
    private let perSecond: UInt64
    /// In billionths, so that nothing is lost when time passes in small steps.
    private var left: UInt64
    private var time: UInt64?
    private static let unit: UInt64 = 1_000_000_000

    /// - Parameters:
    ///   - most: at once, at most 1,000,000.
    ///   - perSecond: how many come back each second, at most 1,000,000.
    ///   - withEarned: at once, together with what was earned; `most` when nil.
    init(most: Int, perSecond: Int, withEarned: Int? = nil) {
        self.most = UInt64(most) * Self.unit
        self.withEarned = UInt64(withEarned ?? most) * Self.unit
        self.perSecond = UInt64(perSecond)
        left = self.most
    }

    /// One more of it.
    /// - Parameter now: nanoseconds of any clock that does not go back.
    /// - Returns: false when it is too much.
    mutating func take(now: UInt64) -> Bool {
        if left < Self.unit { refill(now) }
        if time == nil { time = now }
        guard left >= Self.unit else { return false }
        left -= Self.unit
        return true
    }

    /// The peer has done something of use, which is worth so many.
    mutating func earn(_ count: Int) { left = min(withEarned, left + UInt64(count) * Self.unit) }

    private mutating func refill(_ now: UInt64) {
        let since = time ?? now
        time = max(now, since)
        guard now > since else { return }
        let (gain, overflow) = (now - since).multipliedReportingOverflow(by: perSecond)
        left = overflow ? most : min(most, left + min(gain, most))
    }
}
