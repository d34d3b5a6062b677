// Decides which connection carries which call, and which address deserves a new connection.
//
// A value without sockets, clocks or closures: events go in through the methods, `next` hands out
// one verdict after the other until there is nothing left to do. Connections are opened for the
// queue, not for one call, so an address that does not answer costs no call its turn: whichever
// connection opens first takes the first call. An address that refuses rests, with exponential
// backoff, and comes back through one probing connection. When no address is usable the queue
// fails at once instead of piling up.

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
        /// Addresses beyond this are ignored.
        var addressesMax = 16
    }

    /// Why a call got no connection.
    enum Refusal: Equatable {
        case noAddress, deadlinePassed
    }

    /// What the driver has to do.
    enum Verdict: Equatable {
        case nothing
        /// Open a connection under this number; then `opened` or `openingFailed`.
        case open(connection: Int, address: SocketAddress)
        /// The call left the queue for this idle connection; then `answered` or `broke`.
        case assign(call: Int, connection: Int)
        /// The call left the queue for nothing.
        case fail(call: Int, Refusal)
        /// Close this idle connection.
        case close(connection: Int)
        /// For the log: no new connections to this address for so long.
        case rests(address: SocketAddress, milliseconds: Int)
        /// For the log: the address answers again.
        case isBack(address: SocketAddress)
    }

    let limits: Limits
    private(set) var queue = CallQueue()
    private(set) var addresses = AddressTable()
    private var connections = ConnectionTable()
    /// Decided, and not yet handed out.
    private var pending: [Verdict] = []
    private var pendingStart = 0
    /// Name resolution has answered at least once, well or badly: no address means no address.
    private var isResolved = false
    /// A call came since the addresses were last looked over for one that could do with a probe.
    private var hasDemand = false
    private var isDraining = false

    init(limits: Limits) { self.limits = limits }

    /// Connections in any state.
    var connectionCount: Int { connections.count }

    /// When `next` must be asked again though nothing happened.
    var wakeTime: MonotonicTime { queue.earliestDeadline }

    /// Whether a new call would have somewhere to go.
    func isReady(at now: MonotonicTime) -> Bool { addresses.hasUsable(at: now) }

    /// Has addresses looked at as if a call had come: those without a connection get one, and those
    /// that have rested enough are probed. So a host that gets no clients because no address was
    /// usable finds out when one is.
    mutating func probe() { hasDemand = true }
}

// MARK: - Addresses

extension PoolMachine {
    /// The host's addresses as of now. Ones that are gone get no new connections, and their idle
    /// ones are closed. An empty list changes nothing: the last good answer is kept.
    mutating func resolved(_ list: [SocketAddress]) {
        isResolved = true
        guard !list.isEmpty else { return }
        hasDemand = !queue.isEmpty
        for index in addresses.list(Array(list.prefix(limits.addressesMax))) {
            closeIdle(of: index)
        }
    }

    /// The host could not be resolved; what was known stays known.
    mutating func resolutionFailed() { isResolved = true }

    private mutating func rest(_ index: Int, at now: MonotonicTime) {
        guard
            let milliseconds = addresses.rest(
                index, at: now, from: limits.restMillisecondsMin, to: limits.restMillisecondsMax)
        else { return }
        pending.append(
            .rests(address: addresses[index].socketAddress, milliseconds: milliseconds))
        closeIdle(of: index)
    }

    private mutating func recover(_ index: Int) {
        guard addresses.recover(index) else { return }
        pending.append(.isBack(address: addresses[index].socketAddress))
    }

    private mutating func closeIdle(of index: Int) {
        while let connection = addresses.popIdle(index) {
            connections[connection].state = .closing
            pending.append(.close(connection: connection))
        }
    }
}

// MARK: - Calls

extension PoolMachine {
    /// A call wants a connection by `deadline`. `isRetry` puts it in front of the others, even when
    /// the queue is full: it had its turn.
    /// - Returns: its number until it is assigned, fails or is withdrawn; nil: the queue is full.
    mutating func submit(deadline: MonotonicTime, isRetry: Bool) -> Int? {
        guard isRetry || queue.count < limits.queueMax else { return nil }
        hasDemand = true
        return queue.add(deadline: deadline, isFirst: isRetry)
    }

    /// The call must have a connection by `deadline`, not by what `submit` said.
    mutating func setDeadline(_ deadline: MonotonicTime, ofCall number: Int) {
        queue.setDeadline(deadline, of: number)
    }

    /// The call's owner does not wait any more.
    mutating func withdraw(call number: Int) { queue.remove(number) }
}

// MARK: - Connections

extension PoolMachine {
    /// The connection is ready for a call.
    mutating func opened(_ connection: Int) {
        let index = connections[connection].address
        precondition(connections[connection].state == .opening)
        addresses.openingEnded(index, isOpen: true)
        recover(index)
        makeIdle(connection)
    }

    /// The connection could not be opened. The number is free again.
    mutating func openingFailed(_ connection: Int, at now: MonotonicTime) {
        let index = connections[connection].address
        precondition(connections[connection].state == .opening)
        addresses.openingEnded(index, isOpen: false)
        connections.remove(connection)
        rest(index, at: now)
        addresses.forgetIfUnused(index)
    }

    /// The call on this connection has its answer. A connection that can't be reused is closed by
    /// the driver, who then says `closed`.
    mutating func answered(_ connection: Int, isReusable: Bool) {
        let index = connections[connection].address
        precondition(connections[connection].state == .busy)
        addresses.callEnded(index, isFault: false)
        recover(index)
        if isReusable {
            makeIdle(connection)
        } else {
            connections[connection].state = .closing
        }
    }

    /// The call on this connection came to nothing, through the address's fault or (abandoned,
    /// answered early) through nobody's. The driver closes the connection and then says `closed`.
    mutating func broke(_ connection: Int, isFault: Bool, at now: MonotonicTime) {
        let index = connections[connection].address
        precondition(connections[connection].state == .busy)
        connections[connection].state = .closing
        addresses.callEnded(index, isFault: isFault ? true : nil)
        if addresses[index].brokenCalls >= limits.brokenCallsMax { rest(index, at: now) }
    }

    /// An idle connection is about to be closed by the driver (idle for too long, bytes that nobody
    /// asked for, closed by the peer). Harmless when it is being closed already.
    mutating func retired(_ connection: Int) {
        guard connections[connection].state == .idle else { return }
        addresses.removeIdle(connection, of: connections[connection].address)
        connections[connection].state = .closing
    }

    /// A closing connection is gone. The number is free again.
    mutating func closed(_ connection: Int) {
        precondition(connections[connection].state == .closing)
        let index = connections[connection].address
        connections.remove(connection)
        addresses.forgetIfUnused(index)
    }

    /// No new idle connections from now on; the queue is still served.
    mutating func drain() {
        isDraining = true
        for index in addresses.indices { closeIdle(of: index) }
    }

    private mutating func makeIdle(_ connection: Int) {
        let index = connections[connection].address
        let isWanted = addresses[index].isListed && !(isDraining && queue.isEmpty)
        connections[connection].state = isWanted ? .idle : .closing
        if isWanted {
            addresses.pushIdle(connection, of: index)
        } else {
            pending.append(.close(connection: connection))
        }
    }
}

// MARK: - Verdicts

extension PoolMachine {
    /// The next thing to do; ask again until it is `.nothing`.
    mutating func next(at now: MonotonicTime) -> Verdict {
        if let verdict = popPending() { return verdict }
        if let call = queue.popExpired(at: now) { return .fail(call: call, .deadlinePassed) }
        if let call = queue.first {
            if let connection = addresses.popIdleOfLeastBusy() { return assign(call, connection) }
            if isResolved && !addresses.hasUsable(at: now) {
                queue.remove(call)
                return .fail(call: call, .noAddress)
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

    private mutating func assign(_ call: Int, _ connection: Int) -> Verdict {
        queue.remove(call)
        connections[connection].state = .busy
        addresses.callBegan(connections[connection].address)
        return .assign(call: call, connection: connection)
    }

    private mutating func open(_ index: Int) -> Verdict? {
        guard connections.count < limits.connectionsMax else { return nil }
        let connection = connections.add(address: index)
        addresses.openingBegan(index)
        return .open(connection: connection, address: addresses[index].socketAddress)
    }
}
