// One load run on one loop: keeps its connections busy, and measures the server meanwhile.

import Histogram
import Reactor

/// Latencies in microseconds.
struct Latencies {
    private var histogram = Histogram<UInt32>(numberOfSignificantValueDigits: .three)
    private(set) var count = 0

    mutating func record(_ now: MonotonicTime, since start: MonotonicTime) {
        guard now > start else { return }
        _ = histogram.record((now.nanoseconds - start.nanoseconds) / 1_000)
        count += 1
    }

    func microseconds(atPercentile percentile: Double) -> Int {
        count == 0 ? 0 : Int(histogram.valueAtPercentile(percentile))
    }
}

/// Runs a plan; on its loop's thread.
final class LoadRun {
    let loop: Loop
    let plan: LoadPlan
    let tls: TLSContext?
    let message: [UInt8]
    var handshakes = Latencies()
    var logins = Latencies()
    var messageLatencies = Latencies()
    private(set) var failures: [String: Int] = [:]
    private(set) var acceptedMessages = 0
    private var startedMessages = 0
    private var clients: [ObjectIdentifier: LoadClient] = [:]
    private let isIdle: Bool
    private let whenWarm: () -> Void
    private let whenDone: () -> Void
    private var restingCount = 0

    /// - Parameters:
    ///   - whenWarm: the warm-up is over (idle runs: everyone is logged in); measuring starts.
    ///   - whenDone: the last connection has ended.
    init(
        loop: Loop, plan: LoadPlan, isIdle: Bool = false, whenWarm: @escaping () -> Void,
        whenDone: @escaping () -> Void
    ) throws {
        self.loop = loop
        self.plan = plan
        self.isIdle = isIdle
        self.whenWarm = whenWarm
        self.whenDone = whenDone
        tls = plan.security == .plain ? nil : try TLSContext.client(caFile: plan.caFile)
        message = isIdle ? [] : TestMessage.make(bytes: plan.messageBytes)
    }

    func start() {
        if plan.warmUpMessages == 0 && !isIdle { whenWarm() }
        for _ in 0..<plan.connections { startClient() }
    }

    private func startClient() {
        let client = LoadClient(run: self)
        clients[ObjectIdentifier(client)] = client
        client.start()
    }

    /// Ends an idle run.
    func endAll() { for client in clients.values { client.end() } }

    func loggedIn(_ client: LoadClient) {
        guard isIdle else { return client.nextMessage() }
        client.rest()
        restingCount += 1
        if restingCount == plan.connections { whenWarm() }
    }

    /// Whether there is another message to send; takes it.
    func takeMessage() -> Bool {
        guard startedMessages < plan.warmUpMessages + plan.messages else { return false }
        startedMessages += 1
        return true
    }

    func messageAccepted() {
        acceptedMessages += 1
        if acceptedMessages == plan.warmUpMessages {
            handshakes = Latencies()
            logins = Latencies()
            messageLatencies = Latencies()
            whenWarm()
        }
    }

    func failed(_ what: String) { failures[what, default: 0] += 1 }

    func clientEnded(_ client: LoadClient) {
        clients[ObjectIdentifier(client)] = nil
        let isFailing = failures.values.reduce(0, +) > 100 + plan.messages / 10
        if startedMessages < plan.warmUpMessages + plan.messages && !isIdle && !isFailing {
            startClient()
        } else if clients.isEmpty {
            whenDone()
        }
    }
}
