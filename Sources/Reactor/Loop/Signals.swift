// The signals of the process. Only the main thread waits for them (sigtimedwait(2)), so no signal
// handler ever interrupts a loop.

import Glibc

/// Blocking signal handling for the main thread.
public enum Signals {
    /// Blocks these signals in the calling thread and all it will start; ignores SIGPIPE. Call
    /// first thing in `main`.
    public static func block(_ signals: [Int32]) {
        var set = makeSet(signals)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
    }

    /// Waits for one of them; returns its number, or nil at `timeoutMilliseconds` (nil: waits for
    /// as long as it takes).
    public static func wait(for signals: [Int32], timeoutMilliseconds: Int?) -> Int32? {
        var set = makeSet(signals)
        let end = timeoutMilliseconds.map { MonotonicTime.readClock().advanced(byMilliseconds: $0) }
        while true {
            let number = waitOnce(&set, until: end)
            if number > 0 { return number }
            if errno != EINTR { return nil }
        }
    }

    private static func waitOnce(_ set: inout sigset_t, until end: MonotonicTime?) -> Int32 {
        guard let end else { return sigwaitinfo(&set, nil) }
        let now = MonotonicTime.readClock()
        let left = end > now ? end.nanoseconds - now.nanoseconds : 0
        var timeout = timespec(
            tv_sec: Int(clamping: left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
        return sigtimedwait(&set, nil, &timeout)
    }

    private static func makeSet(_ signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        return set
    }
}
