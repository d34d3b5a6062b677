// HTTP/1.1 keep-alive connections of one loop to all addresses of the API.
//
// The driver of `PoolMachine`: it opens, assigns and closes as the machine says. Everything is
// carried out in one pass at the end of the tick, after the events: so a connection that the API
// has just closed is known to be gone before a call is put on it, and no owner is ever called
// during a call that it makes itself.

import Log
import Reactor
import Wire

/// HTTP/1.1 keep-alive connections of one loop to all addresses of the API.
package final class ConnectionPool {
    let loop: Loop
    package let options: APIOptions
    let tls: TLSContext?
    let head: RequestHead
    private let log: PoolLog
    /// The pool's own, and its report's (PoolCounters.swift).
    var machine: PoolMachine
    var counters = PoolCounters()
    private var connections: [APIConnection?] = []
    /// The calls of the machine's queue by number.
    private var queued: [APICall?] = []
    private var finished: [(call: APICall, result: APIResult)] = []
    private var wanting: [APICall] = []
    /// Those of `finished` and `wanting` whose owners are being told.
    private var done: [(call: APICall, result: APIResult)] = []
    private var hungry: [APICall] = []
    /// `service`, as a closure that is made once.
    private lazy var serviceWork: () -> Void = { [weak self] in self?.service() }
    private var resolver: Resolver?
    private var timer: LoopTimer?
    private var isServiceDue = false
    /// The loop has ended, and nothing is sent any more.
    private var hasEnded = false

    /// - Parameters:
    ///   - tls: nil for plain HTTP.
    ///   - names: where the endpoint's host is looked up.
    ///   - addresses: these instead of what the endpoint's host resolves to; for tests.
    package init(
        loop: Loop, options: APIOptions, tls: TLSContext?, log: EventLog,
        names: any NameService = SystemNameService(), addresses: [SocketAddress]? = nil
    ) {
        self.loop = loop
        self.options = options
        self.tls = tls
        self.log = PoolLog(log: log)
        head = RequestHead(options: options)
        machine = PoolMachine(
            limits: PoolMachine.Limits(
                connectionsMax: options.connectionsMax, queueMax: options.queueMax))
        timer = LoopTimer(loop: loop, handler: PoolTimer(pool: self))
        if let addresses {
            machine.resolved(addresses)
        } else {
            let resolver = Resolver(
                loop: loop, endpoint: options.endpoint,
                ttlMilliseconds: options.dnsTTLMilliseconds, names: names,
                owner: PoolResolution(pool: self))
            self.resolver = resolver
            resolver.start()
        }
        loop.whenEnded { [weak self] in self?.end() }
    }

    /// Sends the call when a connection is free; Content-Length when its body is complete by then,
    /// else chunked.
    package func start(_ call: APICall) {
        guard case .notStarted = call.place else {
            preconditionFailure("a call is started once")
        }
        call.pool = self
        call.askedAt = loop.now
        if hasEnded {
            finish(call, .notSent(reason: "the relay has ended"))
        } else if head.fits(call.key) {
            enqueue(call, isRetry: false)
        } else {
            finish(call, .notSent(reason: "the key does not fit into a request head"))
        }
    }

    /// Closes idle connections and stops resolving; calls in flight finish.
    package func drain() {
        resolver?.stop()
        resolver = nil
        machine.drain()
        serviceLater()
    }

    /// The loop has ended before all calls had. Those that are left get their result now, so that
    /// what became of them is in the log, and nothing keeps anything else alive.
    private func end() {
        drain()
        hasEnded = true
        for (number, call) in queued.enumerated() {
            guard let call else { continue }
            queued[number] = nil
            finish(call, .notSent(reason: "the relay has ended"))
        }
        while !finished.isEmpty || !wanting.isEmpty { tellOwners() }
    }

    /// At least one address is believed usable.
    var isReady: Bool { machine.isReady(at: loop.now) }

    /// Connections in any state.
    package var connectionCount: Int { machine.connectionCount }
}

// MARK: - Calls

extension ConnectionPool {
    private func enqueue(_ call: APICall, isRetry: Bool) {
        guard
            let number = machine.submit(deadline: queueDeadline(of: call), isRetry: isRetry)
        else {
            counters.notSentQueueFull += 1
            return finish(call, .notSent(reason: "too many calls wait for a connection"))
        }
        if number == queued.count { queued.append(nil) }
        queued[number] = call
        call.place = .queued(number: number)
        serviceLater()
    }

    /// A call whose body is still arriving has no deadline of its own, but does not wait for ever.
    private func queueDeadline(of call: APICall) -> MonotonicTime {
        min(call.deadline, loop.now.advanced(byMilliseconds: options.timeoutMilliseconds))
    }

    func deadlineChanged(of call: APICall, number: Int) {
        machine.setDeadline(queueDeadline(of: call), ofCall: number)
        serviceLater()
    }

    /// The owner of a waiting call has left.
    func withdraw(_ call: APICall, number: Int) {
        machine.withdraw(call: number)
        queued[number] = nil
        finish(call, .notSent(reason: "abandoned"))
    }

    /// The connection under the call failed: the rule decides.
    func callBroke(
        _ call: APICall, on connection: APIConnection, progress: RequestProgress, reason: String,
        requestID: String
    ) {
        guard !call.isAbandoned else { return finish(call, .notSent(reason: reason)) }
        switch RetryRule.verdict(progress, tries: call.tries, isRead: call.kind == .checkKey) {
        case .retryNow:
            counters.retries.count(progress)
            call.rewind()
            enqueue(call, isRetry: true)
        case .notSent:
            counters.notSentBroken += 1
            finish(call, .notSent(reason: reason))
        case .uncertain:
            uncertain(call, on: connection, reason: reason, requestID: requestID)
        }
    }

    /// The API may have acted on the call, and nobody will know from us.
    func uncertain(
        _ call: APICall, on connection: APIConnection, reason: String, requestID: String
    ) {
        if call.kind == .send {
            counters.uncertain += 1
            log.uncertain(connection.address, reason: reason, requestID: requestID)
        }
        finish(call, .uncertain(reason: reason, requestID: requestID))
    }

    /// Notes the result; the owner is told at the end of the tick.
    func finish(_ call: APICall, _ result: APIResult) {
        call.place = .finished
        call.pool = nil
        if case .response(let response) = result {
            counters.answered(call, status: response.status, at: loop.now)
        }
        finished.append((call, result))
        serviceLater()
    }

    /// Notes that the owner may write more; it is told at the end of the tick.
    func wantBody(_ call: APICall) {
        guard !call.isBodyWanted else { return }
        call.isBodyWanted = true
        wanting.append(call)
        serviceLater()
    }
}

// MARK: - Connections

extension ConnectionPool {
    func connectionOpened(_ connection: APIConnection) {
        machine.opened(connection.number)
        serviceLater()
    }

    func openingFailed(_ connection: APIConnection, reason: String) {
        log.connectionFailed(connection.address, reason: reason, at: loop.now)
        connections[connection.number] = nil
        machine.openingFailed(connection.number, at: loop.now)
        serviceLater()
    }

    func answered(_ connection: APIConnection, isReusable: Bool) {
        machine.answered(connection.number, isReusable: isReusable)
        serviceLater()
    }

    func brokeOff(_ connection: APIConnection, isFault: Bool) {
        machine.broke(connection.number, isFault: isFault, at: loop.now)
        serviceLater()
    }

    func retired(_ connection: APIConnection) { machine.retired(connection.number) }

    func closed(_ connection: APIConnection) {
        connections[connection.number] = nil
        machine.closed(connection.number)
        serviceLater()
    }
}

// MARK: - Addresses

extension ConnectionPool {
    fileprivate func resolved(_ addresses: [SocketAddress]) {
        machine.resolved(addresses)
        serviceLater()
    }

    fileprivate func resolutionFailed(_ reason: String) {
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
        while carryOut(machine.next(at: loop.now)) {}
        timer?.arm(at: machine.wakeTime)
        tellOwners()
    }

    /// Does what the machine says; false when there is nothing to do.
    private func carryOut(_ verdict: PoolMachine.Verdict) -> Bool {
        switch verdict {
        case .nothing: return false
        case .open(let number, let address): open(number, address)
        case .assign(let call, let number): assign(call, to: number)
        case .fail(let call, let refusal): fail(call, refusal)
        case .close(let number): connections[number]?.close()
        case .rests(let address, let milliseconds):
            log.rests(address, milliseconds: milliseconds)
        case .isBack(let address): log.isBack(address)
        }
        return true
    }

    private func open(_ number: Int, _ address: SocketAddress) {
        let connection = APIConnection(number: number, address: address, pool: self)
        while connections.count <= number { connections.append(nil) }
        connections[number] = connection
        connection.open()
    }

    private func assign(_ number: Int, to connection: Int) {
        guard let call = takeQueued(number), let connection = connections[connection] else {
            preconditionFailure("the machine knows calls and connections that are there")
        }
        connection.begin(call)
    }

    private func fail(_ number: Int, _ refusal: PoolMachine.Refusal) {
        guard let call = takeQueued(number) else {
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

    private func takeQueued(_ number: Int) -> APICall? {
        defer { queued[number] = nil }
        return queued[number]
    }

    /// Owners may start new calls meanwhile; those wait for the next pass.
    private func tellOwners() {
        swap(&hungry, &wanting)
        swap(&done, &finished)
        for call in hungry {
            call.isBodyWanted = false
            if case .onConnection = call.place, !call.isAbandoned {
                call.owner?.callWantsBody(call)
            }
        }
        for (call, result) in done where !call.isAbandoned {
            call.owner?.callFinished(call, result)
        }
        hungry.removeAll(keepingCapacity: true)
        done.removeAll(keepingCapacity: true)
    }
}

/// The pool's one timer: deadlines in the queue. The pool owns it, so it does not hold the pool.
private final class PoolTimer: TimerHandler {
    private weak var pool: ConnectionPool?

    init(pool: ConnectionPool) {
        self.pool = pool
        super.init()
    }

    override func timerFired(_ timer: LoopTimer) { pool?.service() }
}

/// Passes the resolver's answers on.
private final class PoolResolution: ResolverOwner {
    private let pool: ConnectionPool

    init(pool: ConnectionPool) { self.pool = pool }

    override func resolved(_ addresses: [SocketAddress]) { pool.resolved(addresses) }
    override func resolutionFailed(_ reason: String) { pool.resolutionFailed(reason) }
}
