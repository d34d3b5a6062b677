// How long a stream that ends waits for its peer.
//
// Each progress starts the wait again, but not for ever: a peer that takes a byte now and then must
// not keep a connection.

/// The time that an ending stream has left. It is given times, and asks nothing.
struct LingerClock {
    /// When the stream is closed regardless; `.never` before it ends.
    private(set) var deadline = MonotonicTime.never
    /// The latest time to which `deadline` may move; set when the end begins.
    private var end = MonotonicTime.never

    /// The end begins, or has made progress.
    mutating func restart(at now: MonotonicTime) {
        if end == .never { end = now.advanced(byMilliseconds: Stream.lingerMillisecondsMax) }
        deadline = min(end, now.advanced(byMilliseconds: Stream.lingerMilliseconds))
    }
}

extension Stream {
    /// How long an ending stream waits for its peer, without progress, before it is closed.
    public static let lingerMilliseconds = 2_000
    /// How long it may wait in all, however slowly the peer takes the queued bytes.
    public static let lingerMillisecondsMax = 30_000
}
