// A moment for which a message waits because of the ledger: for another try, or for the disk.

import Reactor

/// One wait at a time. Its owner ends it, so that neither keeps the other alive.
final class LedgerPause: TimerHandler {
    private let loop: Loop
    private var timer: LoopTimer?
    private var whenOver: (() -> Void)?

    init(loop: Loop) { self.loop = loop }

    /// `whenOver` is called at `time`, once, unless `end` comes first. It must not hold the owner.
    func begin(until time: MonotonicTime, _ whenOver: @escaping () -> Void) {
        self.whenOver = whenOver
        let timer = timer ?? LoopTimer(loop: loop, handler: self)
        self.timer = timer
        timer.arm(at: time)
    }

    /// Nobody waits any more.
    func end() {
        timer?.cancel()
        timer = nil
        whenOver = nil
    }

    override func timerFired(_ timer: LoopTimer) {
        let whenOver = whenOver.take()
        whenOver?()
    }
}
