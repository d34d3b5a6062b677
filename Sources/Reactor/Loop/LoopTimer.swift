// A deadline without a stream: retries, expiries, periodic work.
//
// The loop keeps an armed timer alive. A timer that is not armed lives as long as its owner holds
// it.

/// The object that a `LoopTimer` calls when it fires.
open class TimerHandler {
    /// For subclasses.
    public init() {}
    /// The timer's time has come; it is not armed any more and may be armed again from here.
    open func timerFired(_ timer: LoopTimer) {}
}

/// A one-shot timer on a loop for work that has no stream. Resolution: the wheel's 10 ms.
public final class LoopTimer {
    private let loop: Loop
    private let handler: TimerHandler
    private var token: Token?
    private var deadline: MonotonicTime = .never

    /// A timer that is not armed. It holds `handler` as long as it lives. An owner that is its own
    /// handler must release the timer at the end; otherwise neither is freed.
    public init(loop: Loop, handler: TimerHandler) {
        self.loop = loop
        self.handler = handler
    }

    /// Arms (or moves) it; `.never` disarms.
    public func arm(at time: MonotonicTime) {
        deadline = time
        guard time < .never else { return giveUpSlot() }
        let token = self.token ?? takeSlot()
        loop.arm(token, at: time)
    }

    /// Disarms it; it may be armed again.
    public func cancel() { arm(at: .never) }

    /// The wheel has come to this timer's slot: the timer fires, or is armed again for the rest of
    /// the time.
    func due(_ now: MonotonicTime) {
        guard deadline <= now else {
            if let token { loop.arm(token, at: deadline) }
            return
        }
        deadline = .never
        giveUpSlot()
        handler.timerFired(self)
    }

    private func takeSlot() -> Token {
        let token = loop.reserveSlot()
        loop.occupy(token, .timer(self))
        self.token = token
        return token
    }

    private func giveUpSlot() {
        guard let token else { return }
        self.token = nil
        loop.disarm(token)
        loop.release(token)
    }
}
