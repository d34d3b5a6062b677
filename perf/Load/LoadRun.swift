// One load run on one loop: keeps its connections busy, and says when measuring begins and ends.
//
// First the company logs in. Then the senders warm the server up. Then their messages are measured.
// Then all clients leave. `LoadRun+Work.swift` hands out the messages.

import Reactor

/// Follows a run; called on the loop's thread.
protocol LoadObserver: AnyObject {
    /// The company is logged in, if there is any; the senders start.
    func runGathered()
    /// The warm-up is over; measuring starts.
    func runIsWarm()
    /// The last measured message has its reply, or the time is up.
    func runIsMeasured()
    /// The last connection has ended.
    func runIsOver()
}

/// Runs a plan; on its loop's thread.
final class LoadRun: TimerHandler {
    enum Phase { case gathering, warming, measuring, leaving, over }

    let loop: Loop
    let plan: LoadPlan
    let tls: TLSContext?
    unowned let observer: LoadObserver
    private let messages: [[UInt8]]

    private(set) var phase = Phase.gathering
    var handshakes = Latencies()
    var logins = Latencies()
    var messageLatencies = Latencies()
    /// Collected since the observer last took them.
    var recentLatencies = Latencies()
    private(set) var failures: [String: Int] = [:]
    private(set) var failureCount = 0
    /// Measured messages only, without the warm-up's.
    var acceptedMessages = 0
    var acceptedBytes = 0
    private(set) var slowMessages = 0
    private(set) var vanishedClients = 0

    var acceptedInWarmUp = 0
    var failedMessages = 0
    /// Messages that were given to clients.
    var startedMessages = 0
    var schedule: Schedule?
    var pacer: Pacer?
    /// Due and waiting for a connection, as a range: they become due in order.
    var dueMessages = 0
    /// Logged in and waiting for a message, the longest waiting first.
    var waiting = ClientQueue()

    /// Connections that have no message in the warm-up; they open when it is over.
    private var clientsForLater = 0
    private var nextKey = 0
    /// Senders that are open and have no message yet.
    var joiningSenders = 0
    private var clients: [ObjectIdentifier: SMTPClient] = [:]
    /// Most handshakes of the company at a time. All at once would show their cost instead of the
    /// lasting one.
    private static let companyJoiningMax = 50

    private enum CompanyKind { case idle, slow, vanishing }
    private var companyToStart: [CompanyKind] = []
    private var companyMissing = 0
    private var endTimer: LoopTimer?

    /// The number of the key that the next login takes.
    func takeKeyNumber() -> Int {
        defer { nextKey = (nextKey + 1) % plan.keys }
        return nextKey
    }

    init(loop: Loop, plan: LoadPlan, observer: LoadObserver) throws {
        self.loop = loop
        self.plan = plan
        self.observer = observer
        tls =
            plan.security == .plain
            ? nil
            : try TLSContext.client(
                caFile: plan.caFile, protocols: [], resumesSessions: plan.isResuming)
        messages = plan.mix.kinds.map { TestMessage.make($0) }
        super.init()
    }

    func start() {
        let company = plan.company
        companyToStart =
            Array(repeating: .vanishing, count: company.vanishing)
            + Array(repeating: .slow, count: company.slow)
            + Array(repeating: .idle, count: company.idle)
        companyMissing = companyToStart.count
        if companyMissing == 0 { return gathered() }
        for _ in 0..<LoadRun.companyJoiningMax { startOneOfCompany() }
    }

    private func startOneOfCompany() {
        switch companyToStart.popLast() {
        case .idle: start(IdleClient(run: self))
        case .slow: start(SlowClient(run: self))
        case .vanishing: start(VanishingClient(run: self))
        case nil: break
        }
    }

    /// The bytes of DATA of message `number`.
    func message(_ number: Int) -> [UInt8] { messages[plan.mix.kind(ofMessage: number)] }

    func failed(_ what: String) {
        failures[what, default: 0] += 1
        failureCount += 1
    }

    func slowMessageAccepted() { slowMessages += 1 }
    func clientVanished() { vanishedClients += 1 }

    /// Whether so many messages fail that the run would show nothing.
    var isHopeless: Bool {
        failureCount > 100 && failureCount > (acceptedMessages + acceptedInWarmUp) / 10
    }

    // MARK: Phases

    /// One client of the company has logged in.
    func companyJoined() {
        companyMissing -= 1
        startOneOfCompany()
        if companyMissing == 0 && phase == .gathering { gathered() }
    }

    private func gathered() {
        phase = .warming
        observer.runGathered()
        guard phase == .warming else { return }
        beginWork()
        for _ in 0..<plan.connections { startSender() }
        if plan.warmUpMessages == 0 { warm() }
    }

    func warm() {
        phase = .measuring
        handshakes = Latencies()
        logins = Latencies()
        messageLatencies = Latencies()
        recentLatencies = Latencies()
        observer.runIsWarm()
        if let milliseconds = plan.durationMilliseconds {
            let timer = LoopTimer(loop: loop, handler: self)
            timer.arm(at: loop.now.advanced(byMilliseconds: milliseconds))
            endTimer = timer
        }
        let count = clientsForLater
        clientsForLater = 0
        for _ in 0..<count { startSender() }
        giveToWaiting()
    }

    override func timerFired(_ timer: LoopTimer) { endMeasuring() }

    /// Ends measuring, early or in time; the connections send QUIT.
    func endMeasuring() {
        guard phase < .leaving else { return }
        phase = .leaving
        observer.runIsMeasured()
        endTimer?.cancel()
        endTimer = nil
        pacer?.cancel()
        for client in clients.values {
            if let sender = client as? SendingClient, !sender.isReady { continue }
            if client is SendingClient { client.leave() } else { client.end() }
        }
        endIfEmpty()
    }

    /// Closes every connection at once.
    func endAll() {
        phase = .leaving
        pacer?.cancel()
        for client in clients.values { client.end() }
        endIfEmpty()
    }

    // MARK: Clients

    private func start(_ client: SMTPClient) {
        clients[ObjectIdentifier(client)] = client
        client.start()
    }

    func clientEnded(_ client: SMTPClient) {
        clients[ObjectIdentifier(client)] = nil
        if let sender = client as? SendingClient, !sender.hasBegun { joiningSenders -= 1 }
        if isHopeless { endMeasuring() }
        if phase < .leaving { replace(client) } else { endIfEmpty() }
    }

    private func replace(_ client: SMTPClient) {
        switch client {
        case is IdleClient: start(IdleClient(run: self))
        case is SlowClient: start(SlowClient(run: self))
        case is VanishingClient: start(VanishingClient(run: self))
        default: startSender()
        }
    }

    private func startSender() {
        guard hasMessagesLeft, !areAllPromised(joiningSenders) else { return }
        if needsNoMoreForWarmUp(joiningSenders) {
            clientsForLater += 1
        } else {
            joiningSenders += 1
            start(SendingClient(run: self))
        }
    }

    private func endIfEmpty() {
        guard clients.isEmpty, phase == .leaving else { return }
        phase = .over
        // They hold this run.
        waiting = ClientQueue()
        observer.runIsOver()
    }
}

extension LoadRun.Phase: Comparable {}

/// First in, first out; clients that left are skipped.
struct ClientQueue {
    private var clients: [SendingClient] = []
    private var head = 0

    mutating func append(_ client: SendingClient) { clients.append(client) }

    /// The client that has waited longest and can still send.
    mutating func popFirst() -> SendingClient? {
        while head < clients.count {
            let client = clients[head]
            head += 1
            if head > 1_024 && head * 2 > clients.count {
                clients.removeFirst(head)
                head = 0
            }
            if client.isReady { return client }
        }
        return nil
    }
}
