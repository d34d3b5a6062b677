// The arrival times of bytes that were read late because their stream was paused.
//
// The kernel does not tell when a byte came; it tells how many wait. Bytes that wait at the end of
// a long pause came during it, so the peer may have waited since the pause began. These bytes get
// that time. A pause of less than a second is ignored, so the usual back pressure costs no system
// call.

/// Arrival times of the bytes of one stream. It is given times and counts, and asks nothing.
struct ArrivalClock {
    /// Shorter pauses are ignored.
    static let pauseMillisecondsMin = 1_000

    /// Bytes still unread that came during a pause, oldest first, with the start of that pause.
    /// Nearly always empty, and without memory of its own then.
    private var late: [(byteCount: Int, since: MonotonicTime)] = []
    private var pausedAt = MonotonicTime.never

    /// Nothing more is read from now on.
    mutating func paused(at now: MonotonicTime) { pausedAt = now }

    /// Reading continues.
    /// - Returns: whether `unread` must be told how many bytes wait.
    func isLate(at now: MonotonicTime) -> Bool {
        pausedAt < now && now.milliseconds(since: pausedAt) >= Self.pauseMillisecondsMin
    }

    /// `byteCount` bytes wait at the end of a pause.
    mutating func unread(_ byteCount: Int) {
        let new = byteCount - late.reduce(0) { $0 + $1.byteCount }
        if new > 0 { late.append((new, pausedAt)) }
    }

    /// `byteCount` bytes are read.
    /// - Returns: the earliest time at which the first of them may have arrived.
    mutating func read(_ byteCount: Int, at now: MonotonicTime) -> MonotonicTime {
        guard let since = late.first?.since else { return now }
        var left = byteCount
        while left > 0, !late.isEmpty {
            let count = min(left, late[0].byteCount)
            late[0].byteCount -= count
            left -= count
            if late[0].byteCount == 0 { late.removeFirst() }
        }
        return since
    }
}
