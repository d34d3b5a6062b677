// Decides which connection carries which call, and which address gets a new connection.
//
// A value without sockets, clocks or closures: events go in through the methods, and `next` hands
// out one verdict after the other until there is nothing left to do. Connections are opened for the
// queue and not for one call, so an address that does not answer delays no call: the connection
// that opens first takes the first call. An address that refuses rests, with exponential backoff,
// and comes back through one probing connection. When no address is usable, the queue fails at once
// and does not pile up.

import Reactor

/// The connections and the queue of one loop's pool.
struct PoolMachine {
    /// Bounds and times.
    struct Limits {
        /// Connections in any state, all addresses together.
        var connectionsMax = 256
        /// Calls that may wait for a connection.
        var queueMax = 10_000
        /// Connections that may be opening at once: bounds the handshakes of a cold start.
        var openingMax = 32
        var restMillisecondsMin = 250
        var restMillisecondsMax = 15_000
        /// Calls in a row that may break on an address before it rests like one that refuses.
        var brokenCallsMax = 5
        /// Further addresses are ignored.
        var addressesMax = 16
    }

    /// Why a call got no connection.
    enum Refusal: Equatable {
        case noAddress, deadlinePassed
    }

    /// What the driver has to do.
    enum Verdict: Equatable {
        case nothing
        /// Open a connection under this number, then say `opened` or `openingFailed`.
        case open(ConnectionNumber, SocketAddress)
        /// The call has left the queue for this connection; then say `answered` or `broke`.
        case assign(CallNumber, to: ConnectionNumber)
        /// The call has left the queue and gets no connection.
        case fail(CallNumber, Refusal)
        /// Close this connection, which carries no call.
        case close(ConnectionNumber)
        /// For the log: no new connections to this address for so long.
        case rests(address: SocketAddress, milliseconds: Int)
        /// For the log: the address answers again.
        case isBack(address: SocketAddress)
    }

    private let limits: Limits
    private var queue = CallQueue()
    private var flowCount = 0
    private var freeFlows: [FlowNumber] = []
    private var addresses = AddressTable()
    private var connections = ConnectionTable()
    /// Decided, and not yet handed out.
    private var pending: [Verdict] = []
    private var pendingStart = 0
    /// Name resolution has answered at least once, well or badly. From then on, no address means
    /// that there is none.
    private var isResolved = false
    /// A call came after the last search for an address that should get a first connection.
    private var hasDemand = false
    private var isDraining = false

    init(limits: Limits) { self.limits = limits }

    /// Connections in any state.
    var connectionCount: Int { connections.count }

    /// Calls that wait for a connection.
    var queuedCount: Int { queue.count }

    /// When `next` must be asked again although nothing happened.
    var wakeTime: MonotonicTime { queue.earliestDeadline }

    /// What the metrics show of the addresses.
    var addressReports: [AddressReport] { addresses.reports }

    /// What a connection is doing.
    func state(of connection: ConnectionNumber) -> ConnectionTable.State {
        connections.state(of: connection)
    }

    /// Whether a new call would have an address to go to.
    func isReady(at now: MonotonicTime) -> Bool { addresses.hasUsable(at: now) }

    /// Treats the addresses as if a call had come: those without a connection get one, and those
    /// that have rested enough are probed. A host that gets no clients because no address was
    /// usable finds out in this way when one is.
    mutating func probe() { hasDemand = true }
}

// MARK: - Addresses

extension PoolMachine {
    /// The addresses that the host has now. Addresses that are gone get no new connections, and
    /// their idle ones are closed. An empty list changes nothing: the last good answer is kept.
    mutating func resolved(_ list: [SocketAddress]) {
        isResolved = true
        guard !list.isEmpty else { return }
        hasDemand = !queue.isEmpty
        for index in addresses.list(Array(list.prefix(limits.addressesMax))) {
            closeIdle(of: index)
        }
    }

    /// The host could not be resolved; the addresses of the last good answer are kept.
    mutating func resolutionFailed() { isResolved = true }

    private mutating func rest(_ index: AddressIndex, at now: MonotonicTime) {
        guard
            let milliseconds = addresses.rest(
                index, at: now, from: limits.restMillisecondsMin, to: limits.restMillisecondsMax)
        else { return }
        pending.append(
            .rests(address: addresses.socketAddress(index), milliseconds: milliseconds))
        closeIdle(of: index)
    }

    private mutating func recover(_ index: AddressIndex) {
        guard addresses.recover(index) else { return }
        pending.append(.isBack(address: addresses.socketAddress(index)))
    }

    private mutating func closeIdle(of index: AddressIndex) {
        while let connection = addresses.latestIdle(of: index) {
            move(connection, to: .closing)
            pending.append(.close(connection))
        }
    }
}

// MARK: - Calls

extension PoolMachine {
    /// A call wants a connection by `deadline`. `isRetry` puts it in front of the others, even when
    /// the queue is full: it had its turn.
    /// - Returns: its number until it is assigned, fails or is withdrawn; nil: the queue is full.
    mutating func submit(deadline: MonotonicTime, isRetry: Bool) -> CallNumber? {
        guard isRetry || queue.count < limits.queueMax else { return nil }
        hasDemand = true
        return queue.add(deadline: deadline, isFirst: isRetry)
    }

    /// From now on the call must have a connection by `deadline`.
    mutating func setDeadline(_ deadline: MonotonicTime, of call: CallNumber) {
        queue.setDeadline(deadline, of: call)
    }

    /// The owner of the call does not wait any more.
    mutating func withdraw(_ call: CallNumber) { queue.remove(call) }
}

// MARK: - Flows

extension PoolMachine {
    /// A customer that shares with the others from now on.
    mutating func addFlow() -> FlowNumber {
        if let flow = freeFlows.popLast() { return flow }
        flowCount += 1
        return FlowNumber(value: flowCount - 1)
    }

    /// The customer has no calls any more.
    mutating func removeFlow(_ flow: FlowNumber) { freeFlows.append(flow) }
}

// MARK: - Connections

extension PoolMachine {
    /// The connection is ready for a call.
    mutating func opened(_ connection: ConnectionNumber) {
        precondition(connections.state(of: connection) == .opening)
        recover(connections.address(of: connection))
        keepOrClose(connection)
    }

    /// The connection could not be opened. Its number is free again.
    mutating func openingFailed(_ connection: ConnectionNumber, at now: MonotonicTime) {
        precondition(connections.state(of: connection) == .opening)
        let index = connections.address(of: connection)
        move(connection, to: .free)
        rest(index, at: now)
        addresses.forgetIfUnused(index)
    }

    /// The call on this connection has its answer. The driver closes a connection that can't be
    /// used again, and then says `closed`.
    mutating func answered(_ connection: ConnectionNumber, isReusable: Bool) {
        precondition(connections.state(of: connection) == .busy)
        let index = connections.address(of: connection)
        addresses.callAnswered(index)
        recover(index)
        if isReusable {
            keepOrClose(connection)
        } else {
            move(connection, to: .closing)
        }
    }

    /// The call on this connection has ended without an answer. The driver closes the connection
    /// and then says `closed`.
    /// - Parameter isFault: the address is at fault; false when the call was abandoned.
    mutating func broke(_ connection: ConnectionNumber, isFault: Bool, at now: MonotonicTime) {
        precondition(connections.state(of: connection) == .busy)
        let index = connections.address(of: connection)
        move(connection, to: .closing)
        let brokenCalls = addresses.callBroke(index, isFault: isFault)
        if brokenCalls >= limits.brokenCallsMax { rest(index, at: now) }
    }

    /// The driver is about to close an idle connection (idle for too long, bytes that belong to no
    /// call, closed by the peer). Harmless when the connection is closing already.
    mutating func retired(_ connection: ConnectionNumber) {
        guard connections.state(of: connection) == .idle else { return }
        move(connection, to: .closing)
    }

    /// A closing connection is gone. Its number is free again.
    mutating func closed(_ connection: ConnectionNumber) {
        precondition(connections.state(of: connection) == .closing)
        let index = connections.address(of: connection)
        move(connection, to: .free)
        addresses.forgetIfUnused(index)
    }

    /// No new idle connections from now on; the queue is still served.
    mutating func drain() {
        isDraining = true
        for index in addresses.indices { closeIdle(of: index) }
    }

    private mutating func keepOrClose(_ connection: ConnectionNumber) {
        let isListed = addresses.isListed(connections.address(of: connection))
        guard isListed && !(isDraining && queue.isEmpty) else {
            move(connection, to: .closing)
            return pending.append(.close(connection))
        }
        move(connection, to: .idle)
    }

    /// Every change of a connection's state, with the counts of its address.
    private mutating func move(_ connection: ConnectionNumber, to state: ConnectionTable.State) {
        let old = connections.move(connection, to: state)
        addresses.connectionMoved(
            connection, of: connections.address(of: connection), from: old, to: state)
    }
}

// MARK: - Verdicts

extension PoolMachine {
    /// The next thing to do; ask again until it is `.nothing`.
    mutating func next(at now: MonotonicTime) -> Verdict {
        if let verdict = popPending() { return verdict }
        if let call = queue.popExpired(at: now) { return .fail(call, .deadlinePassed) }
        if let call = queue.first {
            if let connection = addresses.takeTurnOfLeastBusy() { return assign(call, connection) }
            if isResolved && !addresses.hasUsable(at: now) {
                queue.remove(call)
                return .fail(call, .noAddress)
            }
            if addresses.openingCount < min(queue.count, limits.openingMax),
                let index = addresses.bestForOpening(at: now),
                let verdict = open(index)
            {
                return verdict
            }
        }
        if hasDemand {
            if !isDraining, let index = addresses.firstToWarm(at: now), let verdict = open(index) {
                return verdict
            }
            hasDemand = false
        }
        return .nothing
    }

    private mutating func popPending() -> Verdict? {
        guard pendingStart < pending.count else {
            pending.removeAll(keepingCapacity: true)
            pendingStart = 0
            return nil
        }
        pendingStart += 1
        return pending[pendingStart - 1]
    }

    private mutating func assign(_ call: CallNumber, _ connection: ConnectionNumber) -> Verdict {
        queue.remove(call)
        move(connection, to: .busy)
        return .assign(call, to: connection)
    }

    private mutating func open(_ index: AddressIndex) -> Verdict? {
        guard connections.count < limits.connectionsMax else { return nil }
        let connection = connections.take(for: index)
        move(connection, to: .opening)
        return .open(connection, addresses.socketAddress(index))
    }
}
