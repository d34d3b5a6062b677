// When bytes arrived that were read late, because their stream was paused.
//
// The kernel does not tell when a byte came, but how many wait. What waits when a long pause ends
// came during it, so its peer may have been waiting since the pause began: that is the time it gets.
// A pause of less than a second is not looked at, so the usual back pressure costs no system call.

/// Arrival times of one stream's bytes. Fed with times and counts; asks nobody.
struct ArrivalClock {
    /// Pauses that are shorter are not looked at.
    static let pauseMillisecondsMin = 1_000

    /// Bytes still unread that came during a pause, oldest first, and when that began. Nearly always
    /// empty, and without memory of its own then.
    private var late: [(byteCount: Int, since: MonotonicTime)] = []
    private var pausedAt = MonotonicTime.never

    /// Nothing more is read from now on.
    mutating func paused(at now: MonotonicTime) { pausedAt = now }

    /// Reading goes on.
    /// - Returns: whether `unread` must be told how many bytes wait.
    func isLate(at now: MonotonicTime) -> Bool {
        pausedAt < now && now.milliseconds(since: pausedAt) >= Self.pauseMillisecondsMin
    }

    /// So many bytes wait at the end of a pause.
    mutating func unread(_ byteCount: Int) {
        let new = byteCount - late.reduce(0) { $0 + $1.byteCount }
        if new > 0 { late.append((new, pausedAt)) }
    }

    /// `byteCount` bytes are read.
    /// - Returns: since when the first of them may have been there.
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
