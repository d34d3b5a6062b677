// The end of the process: first balancers learn of it, then the loops drain, within a time.
//
// A further SIGTERM or SIGINT cuts the present step short.

import Glibc
import Log
import Reactor
import Relay

/// Ends the loops after SIGTERM. On the main thread.
struct ProcessDrain {
    private static let pollMilliseconds = 20
    private static let signals = [SIGTERM, SIGINT]

    private let options: DrainOptions
    private let service: ServiceManager
    private let log: EventLog

    init(options: DrainOptions, service: ServiceManager, log: EventLog) {
        self.options = options
        self.service = service
        self.log = log
    }

    /// Drains the loops and waits for their threads.
    func run(_ group: LoopGroup, _ shared: Shared, _ roster: WorkerRoster) {
        shared.leave()
        waitForBalancers()
        let limit = options.timeoutMilliseconds
        log.event(.notice, "draining", ["timeout_ms": "\(limit)"])
        roster.drainAll()
        let start = MonotonicTime.readClock()
        var isForced = false
        while roster.liveCount > 0 && !isForced {
            let elapsed = MonotonicTime.readClock().milliseconds(since: start)
            let signal = Signals.wait(
                for: Self.signals, timeoutMilliseconds: Self.pollMilliseconds)
            isForced = signal != nil || elapsed >= limit
            service.beat()
        }
        if isForced { log.event(.warning, "drain-cut-short") }
        group.stop()
        group.join()
        log.event(.notice, "stopped")
    }

    /// The relay still accepts connections for a while; a signal ends that.
    private func waitForBalancers() {
        var left = options.delayMilliseconds
        if left > 0 { log.event(.notice, "leaving", ["delay_ms": "\(left)"]) }
        while left > 0 {
            let pause = min(left, service.beatMilliseconds ?? left)
            guard Signals.wait(for: Self.signals, timeoutMilliseconds: pause) == nil else { return }
            service.beat()
            left -= pause
        }
    }
}
