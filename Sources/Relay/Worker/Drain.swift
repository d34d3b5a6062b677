// How a relay ends: the settings of the drain, and the watch that ends a loop with its last client.

import Reactor

/// Settings of the drain.
package struct DrainOptions: Sendable, Equatable {
    /// After SIGTERM, how long connections are still accepted, so that a balancer learns of the end
    /// before it comes.
    package var delayMilliseconds = 0
    /// After that, how long messages in flight may take.
    package var timeoutMilliseconds = 30_000
    /// Of `timeoutMilliseconds`, how long clients that have sent no message yet may still send one.
    package var graceMilliseconds = 0

    package init() {}
}

/// Looks every 10 ms whether a worker's last client has left, and ends its loop then. Lives from the
/// beginning of the drain to its end, on the worker's loop.
final class DrainWatch: TimerHandler {
    private static let intervalMilliseconds = 10

    private let worker: Worker
    private let whenDone: () -> Void
    private var timer: LoopTimer?
    /// When clients that have sent no message yet hear 421 too; nil after that.
    private var graceEnd: MonotonicTime?

    /// - Parameters:
    ///   - graceMilliseconds: 0 for no grace.
    ///   - whenDone: called once, after the last client has left and the loop was told to stop; never
    ///     when the loop ends earlier.
    init(worker: Worker, graceMilliseconds: Int, whenDone: @escaping () -> Void) {
        self.worker = worker
        self.whenDone = whenDone
        graceEnd =
            graceMilliseconds > 0
            ? worker.loop.now.advanced(byMilliseconds: graceMilliseconds) : nil
        super.init()
        timer = LoopTimer(loop: worker.loop, handler: self)
        armTimer()
        worker.loop.whenEnded { [weak self] in self?.end() }
    }

    /// Clients that still come in are served.
    var isGraceful: Bool { graceEnd != nil }

    override func timerFired(_ timer: LoopTimer) {
        if let end = graceEnd, worker.loop.now >= end {
            graceEnd = nil
            worker.sessions.drainAll(isGraceful: false)
        }
        guard !worker.hasClients else { return armTimer() }
        end()
        worker.pool.drain()
        worker.loop.stop()
        whenDone()
    }

    /// Lets go of the worker: the drain is over, or was cut short.
    private func end() {
        timer?.cancel()
        timer = nil
        worker.drainEnded()
    }

    private func armTimer() {
        timer?.arm(at: worker.loop.now.advanced(byMilliseconds: Self.intervalMilliseconds))
    }
}
