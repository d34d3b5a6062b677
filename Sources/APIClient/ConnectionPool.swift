// The connections of one loop to all addresses of the API, HTTP/1.1 and HTTP/2.
//
// The driver of `PoolMachine`: it opens, assigns and closes as the machine says. Everything is
// carried out in one pass at the end of the tick, after the events. So a connection that the API
// has just closed is known to be gone before a call is put on it, and no owner is ever called
// during a call that it makes itself.

import HTTP2
import Log
import Reactor
import Wire

/// The connections of one loop to all addresses of the API.
package final class ConnectionPool {
    let loop: Loop
    package let options: APIOptions
    private let tls: TLSContext?
    /// The same, without HTTP/2.
    private let http1TLS: TLSContext?
    let head: RequestHead
    /// The heads of HTTP/2 requests.
    private(set) var fields: RequestFields
    private let log: PoolLog
    private let answers: LastAnswers
    private var machine: PoolMachine
    /// Turns on the line to the API, when its rate is given.
    private var line: SendLine?
    let isPaced: Bool
    private var counters = PoolCounters()
    /// Those that are open, by the value of their number.
    private var connections: [(any APITransport)?] = []
    /// The calls of the machine's queue, by the value of their number.
    private var queued: [APICall?] = []
    /// Calls whose owners are to hear the result.
    private var finished: [(call: APICall, result: APIResult)] = []
    /// Calls whose owners are to hear that they may write more of the body.
    private var wanting: [APICall] = []
    /// Those of `finished` and `wanting` whose owners are being told. Empty between two passes.
    private var finishedNow: [(call: APICall, result: APIResult)] = []
    private var wantingNow: [APICall] = []
    /// `service`, as a closure that is made once.
    private lazy var serviceWork: () -> Void = { [weak self] in self?.service() }
    private var resolver: Resolver?
    private var timer: LoopTimer?
    private var isServiceDue = false
    /// The loop has ended, and nothing is sent any more.
    private var hasEnded = false

    /// - Parameters:
    ///   - tls: nil for plain HTTP.
    ///   - http1TLS: offers HTTP/1.1 alone, to an address that agrees on HTTP/2 and then refuses it;
    ///     nil when such an address is of no use.
    ///   - answers: shared by the pools of all loops.
    ///   - names: where the endpoint's host is looked up.
    ///   - addresses: these instead of what the endpoint's host resolves to; for tests.
    package init(
        loop: Loop, options: APIOptions, tls: TLSContext?, http1TLS: TLSContext? = nil,
        log: EventLog, answers: LastAnswers = LastAnswers(),
        names: any NameService = SystemNameService(), addresses: [SocketAddress]? = nil
    ) {
        self.loop = loop
        self.answers = answers
        self.options = options
        self.tls = tls
        self.http1TLS = options.http == .auto ? http1TLS : nil
        self.log = PoolLog(log: log)
        head = RequestHead(options: options)
        fields = RequestFields(options: options)
        machine = PoolMachine(
            limits: PoolMachine.Limits(
                connectionsMax: options.connectionsMax, offersHTTP2: options.offersHTTP2,
                queueMax: options.queueMax,
                idleMilliseconds: options.idleTimeoutMilliseconds))
        line = options.bytesPerSecondMax.map { SendLine(bytesPerSecond: $0) }
        isPaced = line != nil
        timer = LoopTimer(loop: loop, handler: PoolTimer(pool: self))
        if let addresses {
            machine.resolved(addresses)
        } else {
            let resolver = Resolver(
                loop: loop, endpoint: options.endpoint,
                ttlMilliseconds: options.dnsTTLMilliseconds, names: names, owner: self)
            self.resolver = resolver
            resolver.start()
        }
        loop.whenEnded { [weak self] in self?.end() }
    }

    /// Sends the call when a connection is free: with a Content-Length when its body is complete by
    /// then, else chunked.
    package func start(_ call: APICall) {
        call.started(in: self, at: loop.now)
        if hasEnded {
            finish(call, .notSent(reason: "the relay has ended"))
        } else if head.fits(call.key) {
            enqueue(call, isRetry: false)
        } else {
            finish(call, .notSent(reason: "the key does not fit into a request head"))
        }
    }

    /// Whether the check of a key may be started now, so that checks from one network delay neither
    /// messages nor the checks of others for long. Always while no check is under way.
    package var takesCheck: Bool { machine.takesCheck }

    /// A new customer of this pool.
    package func makeFlow() -> CallFlow { CallFlow(number: machine.addFlow(), pool: self) }

    /// Nobody holds the flow any more, and it has no calls.
    func flowEnded(_ flow: FlowNumber) { machine.removeFlow(flow) }

    /// What a flow of this pool holds. On the loop's thread.
    package func holdings(of flow: CallFlow) -> FlowHoldings { machine.holdings(of: flow.number) }

    /// Has the addresses of the API looked at as if a call had come.
    package func probe() {
        machine.probe()
        serviceLater()
    }

    /// Closes idle connections and stops resolving; calls in flight finish.
    package func drain() {
        resolver?.stop()
        resolver = nil
        machine.drain()
        serviceLater()
    }

    /// The loop has ended, and some calls may not have. They get their result now, so that the log
    /// says what became of them, and no object keeps another alive.
    private func end() {
        drain()
        hasEnded = true
        for (number, call) in queued.enumerated() {
            guard let call else { continue }
            machine.withdraw(CallNumber(value: number))
            queued[number] = nil
            finish(call, .notSent(reason: "the relay has ended"))
        }
        while !finished.isEmpty || !wanting.isEmpty { tellOwners() }
    }

    /// At least one address is believed usable.
    var isReady: Bool { machine.isReady(at: loop.now) }

    /// Connections in any state.
    package var connectionCount: Int { machine.connectionCount }

    /// What the pool has now. On the loop's thread.
    package var report: PoolReport {
        let addresses = machine.addressReports
        var counters = counters
        counters.bounds = machine.counts
        return PoolReport(
            counters: counters, addresses: addresses, queued: machine.queuedCount,
            isReady: addresses.contains { $0.isListed && $0.health == .healthy })
    }
}

// MARK: - Calls

extension ConnectionPool {
    private func enqueue(_ call: APICall, isRetry: Bool) {
        guard
            let admission = machine.submit(
                call.queueKind, of: call.flow?.number, deadline: queueDeadline(of: call),
                isRetry: isRetry, at: loop.now)
        else { return queueIsFull(for: call) }
        // The newcomer may have the number of the call that has left.
        if let loser = admission.loser, let call = takeQueued(loser) { queueIsFull(for: call) }
        let number = admission.number
        if number.value == queued.count { queued.append(nil) }
        queued[number.value] = call
        call.queued(as: number)
        serviceLater()
    }

    private func queueIsFull(for call: APICall) {
        counters.notSentQueueFull += 1
        finish(call, .notSent(reason: "too many calls wait for a connection"))
    }

    /// A call whose body is still arriving has no deadline of its own, but does not wait for ever.
    private func queueDeadline(of call: APICall) -> MonotonicTime {
        min(call.deadline, loop.now.advanced(byMilliseconds: options.timeoutMilliseconds))
    }

    /// The deadline of a waiting call has changed.
    func deadlineChanged(of call: APICall, _ number: CallNumber) {
        machine.setDeadline(queueDeadline(of: call), of: number)
        serviceLater()
    }

    /// Nothing has to arrive of a waiting call any more.
    func arrived(_ call: APICall, _ number: CallNumber) {
        machine.arrived(number)
        serviceLater()
    }

    /// Nothing has to arrive any more of the call that the lane carries.
    func arrived(on lane: any APILane) {
        machine.arrived(on: lane.number)
        serviceLater()
    }

    /// The owner of a waiting call has left.
    func withdraw(_ call: APICall, _ number: CallNumber) {
        machine.withdraw(number)
        queued[number.value] = nil
        finish(call, .notSent(reason: "abandoned"))
    }

    /// The lane failed under the call: the rule decides what follows.
    func callBroke(
        _ call: APICall, at address: SocketAddress, progress: RequestProgress, reason: String,
        requestID: String
    ) {
        guard !call.isAbandoned else { return finish(call, .notSent(reason: reason)) }
        switch RetryRule.verdict(progress, tries: call.tries, isRead: call.kind == .checkKey) {
        case .retryNow:
            countRetry(progress)
            call.rewind()
            enqueue(call, isRetry: true)
        case .notSent:
            counters.notSentBroken += 1
            finish(call, .notSent(reason: reason))
        case .uncertain:
            uncertain(call, at: address, reason: reason, requestID: requestID)
        }
    }

    /// The API may have acted on the call, and we can't find out.
    func uncertain(
        _ call: APICall, at address: SocketAddress, reason: String, requestID: String
    ) {
        if call.kind == .send {
            counters.uncertain += 1
            log.uncertain(address, reason: reason, requestID: requestID)
        }
        finish(call, .uncertain(reason: reason, requestID: requestID))
    }

    /// The API did not read the request by its deadline.
    func notTaken(_ call: APICall) {
        counters.notSentBroken += 1
        finish(call, .notSent(reason: "the API did not take the request in time"))
    }

    /// Notes the API's answer as the result; the owner hears it at the end of the tick.
    func finish(_ call: APICall, _ response: APIResponse) {
        countAnswer(response.status, to: call)
        // Answers to messages are logged with their session.
        if call.kind == .checkKey, response.isForeign { log.foreignAnswer(response) }
        call.finished(status: response.status)
        finished.append((call, .response(response)))
        serviceLater()
    }

    /// The API has refused an upload over HTTP/2, because it has no Content-Length.
    func lengthWanted(_ call: APICall) {
        countAnswer(411, to: call)
        finish(call, .notSent(reason: "411 over HTTP/2: its next try is made over HTTP/1.1"))
    }

    /// The same for a call without an answer.
    private func finish(_ call: APICall, _ result: APIResult) {
        call.finished(status: 0)
        finished.append((call, result))
        serviceLater()
    }

    /// The same for one that the API certainly did not act on.
    func finish(_ call: APICall, notSent reason: String) {
        finish(call, .notSent(reason: reason))
    }

    /// Notes that the owner may write more; it hears that at the end of the tick.
    func wantBody(_ call: APICall) {
        guard call.wantBody() else { return }
        wanting.append(call)
        serviceLater()
    }
}

// MARK: - Counts

extension ConnectionPool {
    private func countAnswer(_ status: Int, to call: APICall) {
        let took = loop.now.nanoseconds(since: call.askedAt)
        switch call.kind {
        case .send:
            counters.sendStatuses.count(status)
            counters.sendTimes.record(nanoseconds: took)
        case .checkKey:
            counters.checkStatuses.count(status)
            counters.checkTimes.record(nanoseconds: took)
        }
    }

    private func countRetry(_ progress: RequestProgress) {
        switch progress {
        case .nothingWritten: counters.retries.nothingWritten += 1
        case .partlyWritten: counters.retries.partlyWritten += 1
        case .unacknowledged: counters.retries.unacknowledged += 1
        case .refused: counters.retries.refused += 1
        case .handedOver: counters.retries.handedOver += 1
        }
    }
}

// MARK: - Connections

extension ConnectionPool {
    /// The connection is open, and carries calls from now on.
    /// - Returns: until when it may be idle.
    func opened(
        _ number: ConnectionNumber, as transport: any APITransport,
        _ version: AddressReport.Version,
        at address: SocketAddress, streamsMax: Int? = nil
    ) -> MonotonicTime {
        log.opened(address, version)
        while connections.count <= number.value { connections.append(nil) }
        connections[number.value] = transport
        serviceLater()
        return machine.opened(number, streamsMax: streamsMax, at: loop.now)
    }

    /// Whether an address that refuses HTTP/2 is used over HTTP/1.1.
    var fallsBack: Bool { http1TLS != nil }

    /// What the connection is secured with; nil for plain HTTP.
    func tls(for number: ConnectionNumber) -> TLSContext? {
        machine.isHTTP1Demanded(on: number) ? http1TLS : tls
    }

    /// The API wants HTTP/1.1 for what was asked over this HTTP/2 connection.
    func demandedHTTP1(_ number: ConnectionNumber) {
        guard fallsBack else { return }
        machine.demandedHTTP1(number)
        serviceLater()
    }

    /// TLS is up on a connection that is opening.
    func secured(_ address: SocketAddress, _ tls: TLSInfo) {
        counters.groups[keyPath: TLSGroupCounts.place(of: tls.group)] += 1
        log.secured(address, tls)
    }

    func openingFailed(_ number: ConnectionNumber, to address: SocketAddress, reason: String) {
        log.connectionFailed(address, reason: reason, at: loop.now)
        machine.openingFailed(number, at: loop.now)
        serviceLater()
    }

    /// An HTTP/2 connection has failed: the API has said so, for this reason.
    func connectionFailed(_ address: SocketAddress, reason: String) {
        log.connectionFailed(address, reason: reason, at: loop.now)
    }

    /// The same, and the relay gives it up.
    /// - Parameter isSilent: nothing came; else the peer broke the rules.
    func gaveUp(_ address: SocketAddress, reason: String, isSilent: Bool) {
        if isSilent { counters.connectionsSilent += 1 } else { counters.connectionsFaulty += 1 }
        connectionFailed(address, reason: reason)
    }

    /// The call of the lane has its answer.
    /// - Returns: until when a connection that carries nothing more, and can be used again, may be
    ///   idle.
    func answered(
        _ lane: LaneNumber, isReusable: Bool, keepAliveSeconds: Int?
    ) -> MonotonicTime {
        serviceLater()
        if isPaced { line?.leave(lane) }
        return machine.answered(
            lane, isReusable: isReusable, keepAliveSeconds: keepAliveSeconds, at: loop.now)
    }

    /// The lane has cut its call off.
    /// - Parameter isUnanswered: the API has ended the connection before the first byte of an answer.
    /// - Returns: until when an HTTP/2 connection that carries nothing more may be idle.
    @discardableResult
    func brokeOff(
        _ lane: LaneNumber, isFault: Bool, isUnanswered: Bool = false
    ) -> MonotonicTime {
        line?.leave(lane)
        serviceLater()
        return machine.broke(lane, isFault: isFault, isUnanswered: isUnanswered, at: loop.now)
    }

    /// The client of an upload has stalled, and the API has given it up.
    func countClientFault() { machine.countClientFault() }

    /// The connection has been idle for its time.
    /// - Returns: until when it stays, to learn from; nil: it is closed.
    func idleTimedOut(_ connection: ConnectionNumber) -> MonotonicTime? {
        machine.idleTimedOut(connection, at: loop.now)
    }

    /// The API ends the connection. Harmless unless it is idle.
    func retired(_ connection: ConnectionNumber) {
        machine.retired(connection, isByPeer: true, at: loop.now)
    }

    /// The API takes so many calls on the connection at once from now on.
    func streamsChanged(_ connection: ConnectionNumber, to count: Int) {
        machine.streamsChanged(connection, to: count)
        serviceLater()
    }

    /// The connection takes no more calls; those that it carries go on.
    /// - Parameter isByPeer: the API has said so.
    func retiring(_ connection: ConnectionNumber, isByPeer: Bool) {
        machine.retiring(connection, isByPeer: isByPeer, at: loop.now)
        serviceLater()
    }

    /// The connection is gone.
    func closed(_ connection: ConnectionNumber) {
        connections[connection.value] = nil
        machine.closed(connection)
        serviceLater()
    }

    /// Lends the head of an HTTP/2 request.
    /// - Parameter length: of its body, when that is known.
    func withFields<R>(of call: APICall, length: Int?, _ body: (HTTP2Fields) -> R) -> R {
        fields.with(call.kind, key: call.key, length: length, body)
    }
}

// MARK: - Addresses

extension ConnectionPool: ResolverOwner {
    func resolved(_ addresses: [SocketAddress]) {
        machine.resolved(addresses)
        serviceLater()
    }

    func resolutionFailed(_ reason: String) {
        log.resolutionFailed(options.endpoint.host, reason: reason, at: loop.now)
        machine.resolutionFailed()
        serviceLater()
    }
}

// MARK: - The pass at the end of the tick

extension ConnectionPool {
    func serviceLater() {
        guard !isServiceDue else { return }
        isServiceDue = true
        loop.later(serviceWork)
    }

    fileprivate func service() {
        isServiceDue = false
        if machine.queuedCount > 0, !machine.isReady(at: loop.now) {
            machine.heard(answers.all, at: loop.now)
        }
        while carryOut(machine.next(at: loop.now)) {}
        if isPaced {
            while let lane = line?.next(at: loop.now) { self.lane(lane)?.writeInTurn() }
        }
        armTimer()
        tellOwners()
    }

    /// The lane that carries a call under this number.
    private func lane(_ number: LaneNumber) -> (any APILane)? {
        connections[machine.connection(of: number).value]?.lane(number)
    }

    private func armTimer() {
        var time = machine.wakeTime
        if isPaced { time = min(time, line?.wakeTime ?? .never) }
        timer?.arm(at: time)
    }

    /// Whether the lane may write so many bytes of a body now; else it is told when.
    func mayWrite(
        _ bytes: Int, _ lane: LaneNumber, of flow: FlowNumber, isSmall: Bool
    ) -> Bool {
        let may = line?.take(
            bytes, for: lane, of: flow, isSmall: isSmall, at: loop.now)
        if may == false { armTimer() }
        return may ?? true
    }

    /// Does what the machine says; false when there is nothing to do.
    private func carryOut(_ verdict: PoolMachine.Verdict) -> Bool {
        switch verdict {
        case .nothing: return false
        case .open(let connection, let address):
            APIOpening(number: connection, address: address, pool: self).begin()
        case .assign(let call, let connection, let lane): assign(call, to: connection, as: lane)
        case .fail(let call, let refusal): fail(call, refusal)
        case .close(let connection): connections[connection.value]?.close()
        case .breakOffUpload(let lane): self.lane(lane)?.breakOffUpload()
        case .answers(let address): answers.note(address, at: loop.now)
        case .rests(let address, let milliseconds):
            log.rests(address, milliseconds: milliseconds)
        case .limited(let address, let connections, let milliseconds):
            log.limited(address, connections: connections, milliseconds: milliseconds)
        case .isBack(let address): log.isBack(address)
        case .demandsHTTP1(let address): log.demandsHTTP1(address)
        }
        return true
    }

    private func assign(
        _ call: CallNumber, to connection: ConnectionNumber, as lane: LaneNumber
    ) {
        guard let call = takeQueued(call), let connection = connections[connection.value] else {
            preconditionFailure("the machine knows calls and connections that are there")
        }
        connection.begin(call, as: lane)
    }

    private func fail(_ call: CallNumber, _ refusal: PoolMachine.Refusal) {
        guard let call = takeQueued(call) else {
            preconditionFailure("the machine knows calls that are there")
        }
        switch refusal {
        case .noAddress:
            counters.notSentNoAddress += 1
            finish(call, .notSent(reason: "no address of the API is usable"))
        case .deadlinePassed:
            counters.notSentLate += 1
            finish(call, .notSent(reason: "no connection was free in time"))
        }
    }

    private func takeQueued(_ number: CallNumber) -> APICall? {
        defer { queued[number.value] = nil }
        return queued[number.value]
    }

    /// Owners may start new calls meanwhile; those wait for the next pass.
    private func tellOwners() {
        swap(&wantingNow, &wanting)
        swap(&finishedNow, &finished)
        for call in wantingNow { call.tellOwnerToWrite() }
        for (call, result) in finishedNow where !call.isAbandoned {
            call.owner?.callFinished(call, result)
        }
        wantingNow.removeAll(keepingCapacity: true)
        finishedNow.removeAll(keepingCapacity: true)
    }
}

/// The pool's one timer, for deadlines in the queue. The pool owns it, so it does not keep the pool.
private final class PoolTimer: TimerHandler {
    private weak var pool: ConnectionPool?

    init(pool: ConnectionPool) {
        self.pool = pool
        super.init()
    }

    override func timerFired(_ timer: LoopTimer) { pool?.service() }
}
