// A deadline without a stream: retries, expiries, periodic work.
//
// An armed timer is kept alive by its loop; one that is not armed, by its owner alone.

/// Who is called when a `LoopTimer` fires.
open class TimerHandler {
    /// For subclasses.
    public init() {}
    /// The timer's time has come; it is not armed any more and may be armed again from here.
    open func timerFired(_ timer: LoopTimer) {}
}

/// A one-shot timer on a loop for work that has no stream. Resolution: the wheel's 10 ms.
public final class LoopTimer {
    private let loop: Loop
    private var handler: TimerHandler?
    private var token: Token?
    private var deadline: MonotonicTime = .never

    /// A timer that is not armed. It holds `handler` until `cancel`, or until it is freed.
    public init(loop: Loop, handler: TimerHandler) {
        self.loop = loop
        self.handler = handler
    }

    /// Arms (or moves) it; `.never` disarms.
    public func arm(at time: MonotonicTime) {
        guard handler != nil else { return }
        deadline = time
        guard time < .never else { return giveUpSlot() }
        let token = self.token ?? loop.occupySlot { .timer(self) }
        self.token = token
        loop.wheel.arm(token.slot, at: time)
    }

    /// Disarms it for good and lets go of the handler; `arm` does nothing afterwards.
    public func cancel() {
        deadline = .never
        giveUpSlot()
        handler = nil
    }

    /// The wheel has come to this timer's slot: fires, or goes back for the rest of the time.
    func due(_ now: MonotonicTime) {
        guard deadline <= now else {
            if let token { loop.wheel.arm(token.slot, at: deadline) }
            return
        }
        deadline = .never
        giveUpSlot()
        handler?.timerFired(self)
    }

    private func giveUpSlot() {
        guard let token else { return }
        self.token = nil
        loop.wheel.disarm(token.slot)
        loop.slots.release(token)
    }
}
