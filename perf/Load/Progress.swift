// The progress line at the bottom of a terminal; without a terminal it prints nothing.

import Glibc
import Reactor

/// Overwrites its own line on standard error.
final class Progress {
    private let title: String
    private var lastAccepted = 0
    private var lastTime = MonotonicTime.readClock()

    /// nil when standard error is no terminal.
    init?(title: String) {
        guard isatty(2) == 1 else { return nil }
        self.title = title
    }

    func show(_ run: LoadRun, since start: MonotonicTime) {
        let now = MonotonicTime.readClock()
        let accepted = run.acceptedMessages + run.acceptedInWarmUp
        let seconds = Double(now.nanoseconds - lastTime.nanoseconds) / 1e9
        let rate = Double(accepted - lastAccepted) / max(seconds, 1e-3)
        lastAccepted = accepted
        lastTime = now
        var line = "\(title) \(run.phase): \(accepted) messages, \(decimal(rate, 0))/s, "
        line += "\(run.failureCount) errors"
        if let left = Progress.secondsLeft(run, start: start, now: now, rate: rate) {
            line += ", \(decimal(left, 0)) s left"
        }
        write("\r\u{1B}[K" + line)
    }

    func clear() { write("\r\u{1B}[K") }

    private static func secondsLeft(
        _ run: LoadRun, start: MonotonicTime, now: MonotonicTime, rate: Double
    ) -> Double? {
        if let milliseconds = run.plan.durationMilliseconds {
            guard start < .never else { return nil }
            return Double(milliseconds - now.milliseconds(since: start)) / 1_000
        }
        guard rate > 0, let all = run.plan.messagesInAll else { return nil }
        return Double(all - run.acceptedMessages - run.acceptedInWarmUp) / rate
    }

    private func write(_ text: String) { writeToStandardError(text) }
}

/// Unbuffered.
func writeToStandardError(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(2, bytes, bytes.count)
}
