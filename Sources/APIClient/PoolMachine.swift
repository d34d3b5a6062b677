// Decides which connection carries which call, and which address gets a new connection.
//
// A value without sockets, clocks or closures: events go in through the methods, and `next` hands
// out one verdict after the other until there is nothing left to do. Connections are opened for the
// queue and not for one call, so an address that does not answer delays no call: the connection
// that opens first takes the first call.
//
// Customers share by flow (`CallQueue`): checks of keys come first and have connections of their
// own; the next connection goes to the flow that holds least; uploads, whose clients may stall,
// together hold half of the connections at most. An address where nothing works rests, with
// exponential backoff, and comes back through one probing connection (`AddressTable`). When no
// address is usable, the queue fails at once and does not pile up.

import Reactor

/// The connections and the queue of one loop's pool.
struct PoolMachine {
    /// Bounds and times.
    struct Limits {
        /// Connections in any state, all addresses together.
        var connectionsMax = 256
        /// Messages that may wait for a connection.
        var queueMax = 10_000
        /// Connections that may be opening at once: bounds the handshakes of a cold start.
        var openingMax = 32
        /// An idle connection is closed after this.
        var idleMilliseconds = 30_000
        var restMillisecondsMin = 250
        var restMillisecondsMax = 15_000
        /// Calls in a row that may break on an address before it rests like one that refuses.
        var brokenCallsMax = 5
        /// A message waits so long for a fresh connection when there is one of unknown use.
        var freshMilliseconds = 1_000
        /// A slow upload lets complete messages go first for so long.
        var lateMilliseconds = 500
        /// An end without an answer crossed the request when it comes so soon after it, and after
        /// an idle time that is not shorter.
        var crossingMilliseconds = 1_000
        var crossedIdleMillisecondsMin = 250
        /// Checks of keys that stand in the queue; further ones wait with their network.
        var checksWaitingMax = 4
        /// Further addresses are ignored.
        var addressesMax = 16

        /// Connections that messages never take.
        var checkReserve: Int { max(1, connectionsMax / 16) }
        /// Connections that carry messages, at most. Of very few none is given away: there the
        /// reserve is one more.
        var messagesMax: Int {
            connectionsMax < 4 ? connectionsMax : connectionsMax - checkReserve
        }
        /// Checks of keys that may wait for a connection; their places are their own.
        var checkQueueMax: Int { max(64, queueMax / 16) }

        fileprivate var rests: AddressTable.Rests {
            AddressTable.Rests(shortest: restMillisecondsMin, longest: restMillisecondsMax)
        }
        fileprivate var idleNanoseconds: UInt64 { UInt64(clamping: idleMilliseconds) &* 1_000_000 }
        fileprivate var crossingNanoseconds: UInt64 {
            UInt64(clamping: crossingMilliseconds) &* 1_000_000
        }
        fileprivate var crossedIdleNanosecondsMin: UInt64 {
            UInt64(clamping: crossedIdleMillisecondsMin) &* 1_000_000
        }
    }

    /// Why a call got no connection.
    enum Refusal: Equatable {
        case noAddress, deadlinePassed
    }

    /// A place in the queue.
    struct Admission: Equatable {
        /// The call's number until it is assigned, fails or is withdrawn.
        var number: CallNumber
        /// The queue was full: this call of a flow with more has left it.
        var loser: CallNumber?
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
        /// Break off the upload that this connection carries, because others wait and uploads hold
        /// more than their share; then say `broke`.
        case breakOffUpload(ConnectionNumber)
        /// For the log: no new connections to this address for so long.
        case rests(address: SocketAddress, milliseconds: Int)
        /// For the log: for so long no more connections to this address than those that work.
        case limited(address: SocketAddress, connections: Int, milliseconds: Int)
        /// For the log: the address answers again.
        case isBack(address: SocketAddress)
    }

    private let limits: Limits
    private var queue = CallQueue()
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
    /// Connections that carry messages, and those of them whose message still arrives.
    private var messagesHeld = 0
    private var uploadsHeld = 0
    /// Connections that carry checks of keys.
    private var checksHeld = 0
    /// When a fault of a check was counted last.
    private var checkFaultTime = MonotonicTime.never
    /// Since when a message waits for a fresh connection although there is an idle one.
    private var freshWaitBegan: MonotonicTime?
    /// A connection that was wanted was not opened, because of what the address is known to take.
    private var isOpeningHeld = false
    /// When something can change without an event, besides the deadlines in the queue.
    private var nextChange = MonotonicTime.never
    /// What the bounds have delayed and refused.
    private(set) var counts = PoolBoundCounts()

    init(limits: Limits) { self.limits = limits }

    /// Connections in any state.
    var connectionCount: Int { connections.count }

    /// Calls that wait for a connection.
    var queuedCount: Int { queue.count }

    /// When `next` must be asked again although nothing happened.
    var wakeTime: MonotonicTime { min(queue.earliestDeadline, nextChange) }

    /// Whether the check of a key that is submitted now delays nobody for long: few checks wait, and
    /// beside messages that wait checks have half of the connections. Always while there is none.
    var takesCheck: Bool {
        guard queue.checkCount < limits.checksWaitingMax else { return false }
        guard queue.count > queue.checkCount else { return true }
        let half = addresses.capacity(upTo: limits.connectionsMax) / 2
        return checksHeld + queue.checkCount < max(1, half)
    }

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

    private mutating func note(_ setback: AddressTable.Setback, of index: AddressIndex) {
        let address = addresses.socketAddress(index)
        switch setback {
        case .none: break
        case .rests(let milliseconds):
            pending.append(.rests(address: address, milliseconds: milliseconds))
            closeIdle(of: index)
        case .limited(let connections, let milliseconds):
            pending.append(
                .limited(address: address, connections: connections, milliseconds: milliseconds))
        }
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
    /// A call wants a connection by `deadline`.
    /// - Parameters:
    ///   - flow: whose message it is; nil for the check of a key.
    ///   - isRetry: it had its turn: it comes first in its line, even when the queue is full.
    /// - Returns: nil: the queue is full, and no flow has more calls in it than this one.
    mutating func submit(
        _ kind: CallQueue.Kind, of flow: FlowNumber?, deadline: MonotonicTime, isRetry: Bool,
        at now: MonotonicTime
    ) -> Admission? {
        precondition((kind == .check) == (flow == nil), "only checks have no flow")
        var loser: CallNumber?
        if let flow {
            if !isRetry && queue.count - queue.checkCount >= limits.queueMax {
                loser = queue.loser(to: flow)
                guard let loser else { return nil }
                queue.remove(loser)
                counts.pushedOut += 1
            }
            if kind.isUpload && !mayTake(kind, flow) { counts.uploadsDelayed += 1 }
        } else if !isRetry && queue.checkCount >= limits.checkQueueMax {
            return nil
        }
        hasDemand = true
        let number = queue.add(kind, of: flow, deadline: deadline, isFirst: isRetry, at: now)
        return Admission(number: number, loser: loser)
    }

    /// From now on the call must have a connection by `deadline`.
    mutating func setDeadline(_ deadline: MonotonicTime, of call: CallNumber) {
        queue.setDeadline(deadline, of: call)
    }

    /// Nothing has to arrive of the waiting message any more.
    mutating func arrived(_ call: CallNumber) { queue.arrived(call) }

    /// The owner of the call does not wait any more.
    mutating func withdraw(_ call: CallNumber) { queue.remove(call) }

    /// Uploads that may get a connection beside those that hold one.
    private var uploadsFree: Int {
        max(1, addresses.capacity(upTo: limits.connectionsMax) / 2) - uploadsHeld
    }

    /// Whether a share lets an upload of the flow have a connection now.
    private func mayTake(_ kind: CallQueue.Kind, _ flow: FlowNumber) -> Bool {
        queue.flow(flow).uploads < uploadsFree
            && (kind == .fastUpload || queue.completeCount + queue.checkCount == 0)
    }
}

// MARK: - Flows

extension PoolMachine {
    /// A customer that shares with the others from now on.
    mutating func addFlow() -> FlowNumber { queue.addFlow() }

    /// The customer has no calls any more.
    mutating func removeFlow(_ flow: FlowNumber) { queue.removeFlow(flow) }

    /// What the flow has now.
    func holdings(of flow: FlowNumber) -> FlowHoldings {
        let flow = queue.flow(flow)
        return FlowHoldings(
            connections: flow.held, uploads: flow.uploads, waiting: flow.waiting)
    }
}

// MARK: - Connections

extension PoolMachine {
    /// The connection is ready for a call.
    /// - Returns: until when it may be idle; then say `idleTimedOut`.
    mutating func opened(
        _ connection: ConnectionNumber, at now: MonotonicTime
    ) -> MonotonicTime {
        precondition(connections.state(of: connection) == .opening)
        let index = connections.address(of: connection)
        connections.opened(connection, at: now)
        // A fresh one is good for a message however short the API's limit is.
        let deadline = keepOrClose(connection, roundTrip: 0, at: now)
        let isBack = addresses.opened(
            index, begunAt: connections.openedAt(connection), at: now,
            connectionsMax: limits.connectionsMax)
        if isBack { pending.append(.isBack(address: addresses.socketAddress(index))) }
        // The calls of this address broke since the opening began.
        if addresses.isResting(index) { closeIdle(of: index) }
        return deadline
    }

    /// The connection could not be opened. Its number is free again.
    mutating func openingFailed(_ connection: ConnectionNumber, at now: MonotonicTime) {
        precondition(connections.state(of: connection) == .opening)
        let index = connections.address(of: connection)
        let start = connections.openedAt(connection)
        move(connection, to: .free)
        note(addresses.openingFailed(index, begunAt: start, at: now, limits.rests), of: index)
        addresses.forgetIfUnused(index)
    }

    /// The call on this connection has its answer. The driver closes a connection that can't be
    /// used again, and then says `closed`.
    /// - Parameter keepAliveSeconds: how long the API keeps idle connections, if the answer says so.
    /// - Returns: until when a connection that can be used again may be idle; then say
    ///   `idleTimedOut`.
    mutating func answered(
        _ connection: ConnectionNumber, isReusable: Bool, keepAliveSeconds: Int? = nil,
        at now: MonotonicTime
    ) -> MonotonicTime {
        precondition(connections.state(of: connection) == .busy)
        let index = connections.address(of: connection)
        if addresses.callAnswered(index) {
            pending.append(.isBack(address: addresses.socketAddress(index)))
        }
        if let keepAliveSeconds { addresses.keepAliveSaid(index, seconds: keepAliveSeconds) }
        _ = unload(connection)
        if isReusable {
            connections.rested(connection, at: now)
            let roundTrip = connections.openingNanoseconds(of: connection)
            return keepOrClose(connection, roundTrip: roundTrip, at: now)
        }
        move(connection, to: .closing)
        return .never
    }

    /// The call on this connection has ended without an answer. The driver closes the connection
    /// and then says `closed`.
    /// - Parameters:
    ///   - isFault: the address is at fault; false when the call was abandoned, or its client
    ///     stalled. Faults of one flow at one time count once.
    ///   - isUnanswered: the API ended the connection before the first byte of an answer. After an
    ///     idle time that is its limit for idle connections, and no fault.
    mutating func broke(
        _ connection: ConnectionNumber, isFault: Bool, isUnanswered: Bool = false,
        at now: MonotonicTime
    ) {
        precondition(connections.state(of: connection) == .busy)
        let index = connections.address(of: connection)
        let flow = unload(connection)
        move(connection, to: .closing)
        if isUnanswered {
            let idle = connections.idleNanoseconds(
                of: connection, begunWithin: limits.crossingNanoseconds, at: now)
            if idle >= limits.crossedIdleNanosecondsMin {
                return addresses.idleClosed(index, afterNanoseconds: idle)
            }
        }
        guard isFault, noteFault(of: flow, at: now) else { return }
        let own = flow.map { queue.flow($0).held + queue.flow($0).waiting }
        let all = messagesHeld + checksHeld + queue.count
        let hasOthers = all > own ?? (checksHeld + queue.checkCount)
        note(
            addresses.callBroke(
                index, of: flow, hasOthers: hasOthers, brokenCallsMax: limits.brokenCallsMax,
                at: now, limits.rests), of: index)
    }

    /// A broken upload was not the fault of the address, but of a client that stalled.
    mutating func countClientFault() { counts.clientFaults += 1 }

    private mutating func noteFault(of flow: FlowNumber?, at now: MonotonicTime) -> Bool {
        if let flow { return queue.noteFault(flow, at: now) }
        guard checkFaultTime != now else { return false }
        checkFaultTime = now
        return true
    }

    /// The message that this connection carries has arrived whole. Harmless for another call.
    mutating func arrived(on connection: ConnectionNumber) {
        guard case .upload(let flow) = connections.load(of: connection) else { return }
        connections.carry(.message(flow), on: connection)
        uploadsHeld -= 1
        queue.uploadArrived(flow)
    }

    /// The idle connection has been idle for its time.
    /// - Returns: until when it stays, to learn from; nil: the driver closes it.
    mutating func idleTimedOut(
        _ connection: ConnectionNumber, at now: MonotonicTime
    ) -> MonotonicTime? {
        guard connections.state(of: connection) == .idle else { return nil }
        let index = connections.address(of: connection)
        let end = addresses.idleTimedOut(
            connection, of: index, at: now, longest: limits.idleNanoseconds)
        if end == nil { move(connection, to: .closing) }
        return end
    }

    /// The driver is about to close an idle connection. Harmless when the connection is closing
    /// already.
    /// - Parameter isByPeer: the API has closed it, or has said that it does.
    mutating func retired(
        _ connection: ConnectionNumber, isByPeer: Bool, at now: MonotonicTime
    ) {
        guard connections.state(of: connection) == .idle else { return }
        if isByPeer {
            let index = connections.address(of: connection)
            addresses.idleClosed(
                index, afterNanoseconds: addresses.idleAge(of: connection, index, at: now))
        }
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

    /// - Parameter roundTrip: to the API, in nanoseconds, as far as it counts as the connection's age.
    /// - Returns: until when it may be idle.
    private mutating func keepOrClose(
        _ connection: ConnectionNumber, roundTrip: UInt64, at now: MonotonicTime
    ) -> MonotonicTime {
        let index = connections.address(of: connection)
        guard addresses.isListed(index) && !(isDraining && queue.isEmpty) else {
            move(connection, to: .closing)
            pending.append(.close(connection))
            return .never
        }
        move(connection, to: .idle)
        addresses.keep(connection, of: index, since: now, roundTrip: roundTrip)
        let useful = addresses.usefulNanoseconds(
            index, roundTrip: roundTrip, upTo: limits.idleNanoseconds)
        return MonotonicTime(nanoseconds: now.nanoseconds &+ useful)
    }

    /// Every change of a connection's state, with the counts of its address.
    private mutating func move(_ connection: ConnectionNumber, to state: ConnectionTable.State) {
        let old = connections.move(connection, to: state)
        addresses.connectionMoved(
            connection, of: connections.address(of: connection), from: old, to: state)
    }

    /// The connection carries nothing any more.
    /// - Returns: whose message it carried; nil after the check of a key.
    private mutating func unload(_ connection: ConnectionNumber) -> FlowNumber? {
        let load = connections.load(of: connection)
        connections.carry(.nothing, on: connection)
        switch load {
        case .nothing: return nil
        case .check:
            checksHeld -= 1
            return nil
        case .message(let flow):
            messagesHeld -= 1
            queue.gaveBack(flow, isUpload: false)
            return flow
        case .upload(let flow):
            messagesHeld -= 1
            uploadsHeld -= 1
            queue.gaveBack(flow, isUpload: true)
            return flow
        }
    }
}

// MARK: - Verdicts

extension PoolMachine {
    /// The next thing to do; ask again until it is `.nothing`.
    mutating func next(at now: MonotonicTime) -> Verdict {
        if let verdict = popPending() { return verdict }
        if let call = queue.popExpired(at: now) { return .fail(call, .deadlinePassed) }
        nextChange = .never
        if !queue.isEmpty, let verdict = serveQueue(at: now) { return verdict }
        if hasDemand {
            if !isDraining, connections.count < messageConnectionsMax,
                let index = addresses.firstToWarm(at: now)
            {
                return open(index, at: now)
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

    /// What can be done for the calls that wait.
    private mutating func serveQueue(at now: MonotonicTime) -> Verdict? {
        if let check = queue.firstCheck, let connection = addresses.takeTurn(for: .read, at: now) {
            return assign(check, connection, at: now)
        }
        let message = nextMessage(at: now)
        if let message, let connection = addresses.takeTurn(for: .message, at: now) {
            return assign(message, connection, at: now)
        }
        if isResolved && !addresses.hasUsable(at: now), let call = queue.any {
            queue.remove(call)
            return .fail(call, .noAddress)
        }
        if let verdict = openForQueue(hasMessage: message != nil, at: now) { return verdict }
        if isOpeningHeld, let verdict = reclaim(at: now) { return verdict }
        guard let message, addresses.hasIdle else { return nil }
        return assignInNeed(message, at: now)
    }

    /// The API was found to take fewer connections than uploads had been given a share of. When
    /// uploads hold all that there are, and a check or a complete message waits, one of them is
    /// broken off: their clients may stall for a minute, and the others must not.
    private mutating func reclaim(at now: MonotonicTime) -> Verdict? {
        guard queue.checkCount + queue.completeCount > 0, uploadsHeld > 1, uploadsFree < 0,
            messagesHeld + checksHeld == uploadsHeld, !addresses.hasIdle,
            addresses.openingCount + connections.closingCount == 0
        else { return nil }
        guard let connection = connections.latestUpload(weighing: { queue.flow($0).uploads })
        else { return nil }
        counts.uploadsBrokenOff += 1
        return .breakOffUpload(connection)
    }

    /// The message that may have the next connection.
    private func nextMessage(at now: MonotonicTime) -> CallNumber? {
        guard messagesHeld < limits.messagesMax else { return nil }
        let late = UInt64(clamping: limits.lateMilliseconds) &* 1_000_000
        return queue.firstMessage(
            uploadsFree: queue.uploadCount > 0 ? uploadsFree : 0,
            lateSince: MonotonicTime(nanoseconds: now.nanoseconds &- min(now.nanoseconds, late)))
    }

    /// Gives the message a connection that may be too old, when there is no fresh one in time.
    private mutating func assignInNeed(_ message: CallNumber, at now: MonotonicTime) -> Verdict? {
        if addresses.openingCount > 0 {
            let began = freshWaitBegan ?? now
            freshWaitBegan = began
            let end = began.advanced(byMilliseconds: limits.freshMilliseconds)
            guard end <= now else {
                nextChange = min(nextChange, end)
                return nil
            }
        }
        return addresses.takeTurn(for: .messageInNeed, at: now).map {
            assign(message, $0, at: now)
        }
    }

    private mutating func assign(
        _ call: CallNumber, _ connection: ConnectionNumber, at now: MonotonicTime
    ) -> Verdict {
        let isUpload = queue.kind(of: call).isUpload
        let flow = queue.flow(of: call)
        queue.remove(call)
        move(connection, to: .busy)
        connections.began(connection, at: now)
        if let flow {
            messagesHeld += 1
            if isUpload { uploadsHeld += 1 }
            queue.took(flow, isUpload: isUpload)
            connections.carry(isUpload ? .upload(flow) : .message(flow), on: connection)
            freshWaitBegan = nil
        } else {
            checksHeld += 1
            connections.carry(.check, on: connection)
        }
        return .assign(call, to: connection)
    }
}

// MARK: - Openings

extension PoolMachine {
    /// Connections in any state up to which one may be opened for a message: the reserve is what
    /// checks of keys use, or may come to use.
    private var messageConnectionsMax: Int {
        limits.messagesMax + min(checksHeld, limits.checkReserve)
    }

    /// Opens a connection when more calls could take one than are opening, or makes room for it.
    private mutating func openForQueue(hasMessage: Bool, at now: MonotonicTime) -> Verdict? {
        let opening = addresses.openingCount
        guard opening < limits.openingMax else { return nil }
        let isForCheck = opening < queue.checkCount
        let takers = hasMessage ? messageTakers : 0
        guard isForCheck || opening < queue.checkCount + takers else {
            isOpeningHeld = false
            return nil
        }
        let isFull =
            connections.count
            >= (isForCheck ? limits.messagesMax + limits.checkReserve : messageConnectionsMax)
        if !isFull, let index = addresses.bestForOpening(at: now) {
            if !isForCheck && addresses.hasIdle { counts.connectionsTooOld += 1 }
            return open(index, at: now)
        }
        if connections.closingCount + opening < queue.checkCount + takers,
            let connection = addresses.obsoleteIdle(at: now, isFull: isFull)
        {
            move(connection, to: .closing)
            return .close(connection)
        }
        if !isFull { noteHeldOpening(at: now) }
        return nil
    }

    /// Messages that could take a connection now, as far as it matters for openings.
    private var messageTakers: Int {
        let most = min(limits.openingMax, limits.messagesMax - messagesHeld)
        return queue.takers(uploadsFree: queue.uploadCount > 0 ? uploadsFree : 0, upTo: most)
    }

    /// Every address that works has the connections that it is known to take.
    private mutating func noteHeldOpening(at now: MonotonicTime) {
        let end = addresses.openingsResume(after: now)
        guard end < .never else { return }
        nextChange = min(nextChange, end)
        if !isOpeningHeld { counts.openingsHeld += 1 }
        isOpeningHeld = true
    }

    private mutating func open(_ index: AddressIndex, at now: MonotonicTime) -> Verdict {
        let connection = connections.take(for: index, at: now)
        move(connection, to: .opening)
        return .open(connection, addresses.socketAddress(index))
    }
}
