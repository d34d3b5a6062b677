// Ends a submission whose request the API has stopped reading.

import Reactor

/// A timer that is armed while a submission waits for the API to take more of its body. Owns its
/// submission until `end`.
final class StallWatch: TimerHandler {
    private var submission: Submission?
    private var timer: LoopTimer?

    init(_ submission: Submission) {
        self.submission = submission
        super.init()
        timer = LoopTimer(loop: submission.worker.loop, handler: self)
    }

    func arm(at time: MonotonicTime) { timer?.arm(at: time) }

    func cancel() { timer?.cancel() }

    /// No more timers; breaks the circle of references.
    func end() {
        timer?.cancel()
        timer = nil
        submission = nil
    }

    override func timerFired(_ timer: LoopTimer) { submission?.stalled() }
}
