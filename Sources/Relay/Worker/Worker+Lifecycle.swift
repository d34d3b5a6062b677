// A worker's beginning and end: its listeners, and the drain.

import Reactor

extension Worker {
    /// Makes the worker and opens its listeners.
    /// - Throws: `SystemError` that names the address.
    package convenience init(loop: Loop, shared: Shared, listening configuration: Configuration) throws {
        self.init(loop: loop, shared: shared)
        for (index, spec) in configuration.listeners.enumerated() {
            let handler = SMTPListener(
                worker: self, isImplicitTLS: spec.isImplicitTLS, index: index)
            listeners.append(
                try Listener(
                    loop: loop, address: spec.address,
                    tls: spec.isImplicitTLS ? shared.serverTLS : nil, inherited: spec.inherited,
                    handler: handler))
        }
    }

    /// Stops accepting, ends idle sessions, lets messages in flight have their answer; then stops
    /// the loop and calls `whenDone`. On the loop's thread, once.
    package func drain(_ whenDone: @escaping () -> Void) {
        for listener in listeners { listener.close() }
        listeners.removeAll()
        let grace = configuration.drainGraceMilliseconds
        sessions.drainAll(isGraceful: grace > 0)
        drainWatch = DrainWatch(worker: self, whenDone: whenDone)
    }
}

/// Looks every 10 ms whether the last session has ended.
final class DrainWatch: TimerHandler {
    private static let intervalMilliseconds = 10

    private let worker: Worker
    private let whenDone: () -> Void
    private var timer: LoopTimer?
    /// When clients that have sent no message yet hear 421 too; nil behind that.
    private var graceEnd: MonotonicTime?

    init(worker: Worker, whenDone: @escaping () -> Void) {
        self.worker = worker
        self.whenDone = whenDone
        let grace = worker.configuration.drainGraceMilliseconds
        graceEnd = grace > 0 ? worker.loop.now.advanced(byMilliseconds: grace) : nil
        super.init()
        timer = LoopTimer(loop: worker.loop, handler: self)
        armTimer()
        worker.loop.whenEnded { [weak self] in self?.end() }
    }

    /// Lets go: the drain is over, or was cut short.
    private func end() {
        timer?.cancel()
        timer = nil
        worker.drainWatch = nil
    }

    private func armTimer() {
        timer?.arm(at: worker.loop.now.advanced(byMilliseconds: Self.intervalMilliseconds))
    }

    /// Who still comes in is served.
    var isGraceful: Bool { graceEnd != nil }

    override func timerFired(_ timer: LoopTimer) {
        if let end = graceEnd, worker.loop.now >= end {
            graceEnd = nil
            worker.sessions.drainAll(isGraceful: false)
        }
        guard worker.sessions.count == 0, worker.doorCount == 0 else { return armTimer() }
        end()
        worker.pool.drain()
        worker.loop.stop()
        whenDone()
    }
}
