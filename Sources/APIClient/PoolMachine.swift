// Decides which connection carries which call, and which address gets a new connection.
//
// A value without sockets, clocks or closures: events go in through the methods, and `next` hands
// out one verdict after the other until there is nothing left to do. Connections are opened for the
// queue and not for one call, so an address that does not answer delays no call: the connection
// that opens first takes the first call.
//
// Over HTTP/1.1 a connection carries one call, over HTTP/2 as many as its peer allows (RFC 9113 5.1.2).
// Each has a lane (`LaneTable`), and customers share how many there can be. A further HTTP/2 connection
// is opened only when the others have no room, or before the only one of an address is worn.
//
// Customers share by flow (`CallQueue`): checks of keys come first and have a reserve of their own; the
// next call is one of the flow that holds least; uploads, whose clients may stall, together hold half
// of what can be carried at most. An address where nothing works rests, with exponential backoff, and
// comes back through one probing connection (`AddressTable`). When no address is usable, the queue fails
// at once, unless one has answered within ten seconds, here or on another loop: the API restarts.

import Reactor

/// The connections and the queue of one loop's pool.
struct PoolMachine {
    private let limits: Limits
    private var queue = CallQueue()
    private var addresses: AddressTable
    private var connections = ConnectionTable()
    private var lanes = LaneTable()
    /// Decided, and not yet handed out.
    private var pending: [Verdict] = []
    private var pendingStart = 0
    /// Name resolution has answered at least once, well or badly. From then on, no address means
    /// that there is none.
    private var isResolved = false
    /// A call came after the last search for an address that should get a first connection.
    private var hasDemand = false
    private var isDraining = false
    /// Messages that are carried, and those of them that still arrive.
    private var messagesHeld = 0
    private var uploadsHeld = 0
    /// Messages that may be carried at once.
    private var messagesMax: Int
    /// Checks of keys that are carried.
    private var checksHeld = 0
    /// Since when a message waits for a fresh connection although there is an idle one.
    private var freshWaitBegan: MonotonicTime?
    /// A connection that was wanted was not opened, because of what the address is known to take.
    private var isOpeningHeld = false
    /// When something can change without an event, besides the deadlines in the queue.
    private var nextChange = MonotonicTime.never
    /// What the bounds have delayed and refused.
    private(set) var counts = PoolBoundCounts()

    init(limits: Limits) {
        self.limits = limits
        messagesMax = limits.messagesMax
        addresses = AddressTable(offersHTTP2: limits.offersHTTP2)
    }

    /// Connections in any state.
    var connectionCount: Int { connections.count }

    /// Calls that wait for a connection.
    var queuedCount: Int { queue.count }

    /// When `next` must be asked again although nothing happened.
    var wakeTime: MonotonicTime { min(queue.earliestDeadline, nextChange) }

    /// Whether the check of a key that is submitted now delays nobody for long: few checks wait, and
    /// beside messages that wait checks have half of what can be carried. Always while there is none.
    var takesCheck: Bool {
        guard queue.checkCount < limits.checksWaitingMax else { return false }
        guard queue.count > queue.checkCount else { return true }
        return checksHeld + queue.checkCount < max(1, capacity / 2)
    }

    /// For the metrics.
    var addressReports: [AddressReport] { addresses.reports }

    /// What a connection is doing.
    func state(of connection: ConnectionNumber) -> ConnectionTable.State {
        connections.state(of: connection)
    }

    /// The connection that carries the call of this lane.
    func connection(of lane: LaneNumber) -> ConnectionNumber { lanes.connection(of: lane) }

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
        for index in addresses.list(Array(list.prefix(limits.addressesMax))) { retire(index) }
        capacityChanged()
    }

    /// Closes what is idle of the address; what carries calls over HTTP/2 gets no more.
    private mutating func retire(_ index: AddressIndex) {
        closeIdle(of: index)
        while let connection = addresses.busyShared(of: index) { move(connection, to: .retiring) }
    }

    /// The address of this HTTP/2 connection refuses HTTP/2. Harmless when that is known.
    mutating func demandedHTTP1(_ connection: ConnectionNumber) {
        let index = connections.address(of: connection)
        guard addresses.demandHTTP1(index) else { return }
        pending.append(.demandsHTTP1(address: addresses.socketAddress(index)))
        retire(index)
        capacityChanged()
        hasDemand = true
    }

    /// Whether the connection is to an address that is used over HTTP/1.1 only.
    func isHTTP1Demanded(on connection: ConnectionNumber) -> Bool {
        addresses.isHTTP1Demanded(connections.address(of: connection))
    }

    /// The host could not be resolved; the addresses of the last good answer are kept.
    mutating func resolutionFailed() { isResolved = true }

    /// What other loops have told; to be said when calls wait and no address is usable.
    mutating func heard(_ answers: [LastAnswers.Answer], at now: MonotonicTime) {
        addresses.heard(answers, at: now, limits.rests)
    }

    private mutating func note(_ setback: AddressTable.Setback, of index: AddressIndex) {
        guard let verdict = Verdict(setback, of: addresses.socketAddress(index)) else { return }
        pending.append(verdict)
        guard case .rests = setback else { return }
        closeIdle(of: index)
        capacityChanged()
    }

    private mutating func closeIdle(of index: AddressIndex) {
        while let connection = addresses.latestIdle(of: index) { close(connection) }
    }

    private mutating func close(_ connection: ConnectionNumber) {
        move(connection, to: .closing)
        pending.append(.close(connection))
    }

    /// What can be carried at once may have changed.
    private mutating func capacityChanged() {
        messagesMax = addresses.messagesMax(limits)
    }

    /// Calls that can be carried at once, as far as is known.
    private var capacity: Int { addresses.capacity(limits) }
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

    /// Uploads that may be carried beside those that are.
    private var uploadsFree: Int { max(1, capacity / 2) - uploadsHeld }

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
    func holdings(of flow: FlowNumber) -> FlowHoldings { queue.flow(flow).holdings }
}

// MARK: - Connections

extension PoolMachine {
    /// The connection is ready for calls.
    /// - Parameter streamsMax: nil: it speaks HTTP/1.1. Else HTTP/2, and its peer is believed to allow
    ///   so many calls at once, until `streamsChanged`.
    /// - Returns: until when it may be idle; then say `idleTimedOut`.
    mutating func opened(
        _ connection: ConnectionNumber, streamsMax: Int?, at now: MonotonicTime
    ) -> MonotonicTime {
        precondition(connections.state(of: connection) == .opening)
        let index = connections.address(of: connection)
        connections.opened(connection, isShared: streamsMax != nil, at: now)
        addresses.speaks(index, streamsMax: streamsMax.map { min(max($0, 0), limits.streamsMax) })
        // A fresh one is good for a message however short the API's limit is.
        let deadline = keepOrClose(connection, roundTrip: nil, at: now)
        let isBack = addresses.opened(
            index, begunAt: connections.openedAt(connection), at: now,
            connectionsMax: streamsMax == nil ? limits.connectionsMax : limits.http2ConnectionsMax)
        if isBack { pending.append(.isBack(address: addresses.socketAddress(index))) }
        // The calls of this address broke since the opening began.
        if addresses.isResting(index) { closeIdle(of: index) }
        capacityChanged()
        return deadline
    }

    /// The peer of an HTTP/2 connection allows so many calls at once from now on: perhaps none, and
    /// perhaps fewer than there are. Harmless for a connection that gets no more calls.
    mutating func streamsChanged(_ connection: ConnectionNumber, to streamsMax: Int) {
        switch connections.state(of: connection) {
        case .idle, .busy:
            addresses.streamsChanged(
                connection, of: connections.address(of: connection),
                to: min(max(streamsMax, 0), limits.streamsMax))
            capacityChanged()
        case .free, .opening, .retiring, .closing: break
        }
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

    /// The call of this lane has its answer. The driver closes an HTTP/1.1 connection that can't be
    /// used again, and then says `closed`.
    /// - Parameters:
    ///   - isReusable: means nothing for HTTP/2.
    ///   - keepAliveSeconds: how long the API keeps idle connections, if the answer says so.
    /// - Returns: until when a connection that carries no call now and can be used again may be idle;
    ///   then say `idleTimedOut`.
    mutating func answered(
        _ lane: LaneNumber, isReusable: Bool, keepAliveSeconds: Int? = nil, at now: MonotonicTime
    ) -> MonotonicTime {
        let connection = lanes.connection(of: lane)
        let index = connections.address(of: connection)
        if addresses.callAnswered(index, at: now, limits.rests) {
            pending.append(.isBack(address: addresses.socketAddress(index)))
        }
        if addresses.isNews(index, at: now) {
            pending.append(.answers(address: addresses.socketAddress(index)))
        }
        _ = unload(lanes.end(lane))
        if connections.isShared(connection) {
            connections.outlivedIdling(connection)
            return streamEnded(on: connection, at: now)
        }
        if let keepAliveSeconds { addresses.keepAliveSaid(index, seconds: keepAliveSeconds) }
        if isReusable {
            connections.rested(connection, at: now)
            let roundTrip = connections.openingNanoseconds(of: connection)
            return keepOrClose(connection, roundTrip: roundTrip, at: now)
        }
        move(connection, to: .closing)
        return .never
    }

    /// The call of this lane has ended without an answer. The driver closes an HTTP/1.1 connection,
    /// and then says `closed`. An HTTP/2 connection lives on, and so do its other lanes; when it has
    /// failed as a whole, the driver says so of each of its lanes, and then `closed`.
    /// - Parameters:
    ///   - isFault: the address is at fault; false when the call was abandoned, or its client
    ///     stalled. Faults of one flow at one time count once, and so do those of one connection.
    ///   - isUnanswered: the API ended the connection before the first byte of an answer. After an
    ///     idle time that is its limit for idle connections, and no fault.
    /// - Returns: until when an HTTP/2 connection that carries no call now may be idle.
    @discardableResult
    mutating func broke(
        _ lane: LaneNumber, isFault: Bool, isUnanswered: Bool = false, at now: MonotonicTime
    ) -> MonotonicTime {
        let connection = lanes.connection(of: lane)
        let index = connections.address(of: connection)
        let flow = unload(lanes.end(lane))
        let idle = connections.idleNanoseconds(
            of: connection, begunWithin: limits.crossingNanoseconds, at: now)
        var end = MonotonicTime.never
        if connections.isShared(connection) {
            end = streamEnded(on: connection, at: now)
        } else {
            move(connection, to: .closing)
        }
        if isUnanswered, idle >= limits.crossedIdleNanosecondsMin {
            addresses.crossed(index, afterNanoseconds: idle)
        } else if isFault {
            noteFault(of: flow, on: connection, index, at: now)
        }
        return end
    }

    /// An HTTP/2 connection carries one call less.
    /// - Returns: until when it may be idle, if that was the last one.
    private mutating func streamEnded(
        on connection: ConnectionNumber, at now: MonotonicTime
    ) -> MonotonicTime {
        let index = connections.address(of: connection)
        guard addresses.streamEnded(on: connection, of: index) == 0 else { return .never }
        if connections.state(of: connection) == .retiring {
            close(connection)
            return .never
        }
        connections.rested(connection, at: now)
        let roundTrip = connections.openingNanoseconds(of: connection)
        return keepOrClose(connection, roundTrip: roundTrip, at: now)
    }

    /// A broken upload was not the fault of the address, but of a client that stalled.
    mutating func countClientFault() { counts.clientFaults += 1 }

    private mutating func noteFault(
        of flow: FlowNumber?, on connection: ConnectionNumber, _ index: AddressIndex,
        at now: MonotonicTime
    ) {
        if connections.isShared(connection), !connections.noteFault(connection, at: now) {
            return addresses.callBrokeToo(index, of: flow)
        }
        guard queue.noteFault(flow, at: now) else { return }
        let own = flow.map { queue.flow($0).held + queue.flow($0).waiting }
        let all = messagesHeld + checksHeld + queue.count
        let hasOthers = all > own ?? (checksHeld + queue.checkCount)
        note(
            addresses.callBroke(
                index, of: flow, hasOthers: hasOthers, brokenCallsMax: limits.brokenCallsMax,
                at: now, limits.rests), of: index)
    }

    /// The message of this lane has arrived whole. Harmless for another call.
    mutating func arrived(on lane: LaneNumber) {
        guard let flow = lanes.arrived(lane) else { return }
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
            addresses.idleClosed(connection, of: connections.address(of: connection), at: now)
        }
        move(connection, to: .closing)
    }

    /// The HTTP/2 connection gets no more calls; those that it carries end by themselves, and then
    /// it is closed. Without calls it is closed now. The next one is opened at once, if there is no
    /// other while it carries calls. Harmless when it is known already.
    /// - Parameter isByPeer: the API has said GOAWAY; false when we want it.
    mutating func retiring(
        _ connection: ConnectionNumber, isByPeer: Bool, at now: MonotonicTime
    ) {
        switch connections.state(of: connection) {
        case .idle:
            retired(connection, isByPeer: isByPeer, at: now)
            pending.append(.close(connection))
        case .busy:
            if isByPeer { addresses.wore(connection, of: connections.address(of: connection)) }
            move(connection, to: .retiring)
            hasDemand = true
        case .free, .opening, .retiring, .closing: break
        }
    }

    /// A connection is gone, and carries no call. Its number is free again.
    mutating func closed(_ connection: ConnectionNumber) {
        // An HTTP/2 connection whose last calls have broken with it.
        if connections.state(of: connection) == .idle, connections.isShared(connection) {
            move(connection, to: .closing)
        }
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

    /// - Parameter roundTrip: to the API, in nanoseconds; nil: the connection has carried no call.
    /// - Returns: until when it may be idle.
    private mutating func keepOrClose(
        _ connection: ConnectionNumber, roundTrip: UInt64?, at now: MonotonicTime
    ) -> MonotonicTime {
        let index = connections.address(of: connection)
        let isShared = connections.isShared(connection)
        guard
            addresses.isListed(index) && !(isDraining && queue.isEmpty)
                && !(isShared && isOneTooMany(connection))
        else {
            close(connection)
            return .never
        }
        move(connection, to: .idle)
        addresses.keep(
            connection, of: index, isShared: isShared, since: now, roundTrip: roundTrip)
        let useful = addresses.usefulNanoseconds(
            index, roundTrip: roundTrip, upTo: limits.idleNanoseconds)
        return MonotonicTime(nanoseconds: now.nanoseconds &+ useful)
    }

    /// An HTTP/2 connection that nobody expected to be one, beside as many as there may be, or that was
    /// opening when its address was found to want HTTP/1.1.
    private func isOneTooMany(_ connection: ConnectionNumber) -> Bool {
        connections.state(of: connection) == .opening
            && (addresses.sharedUsableCount >= limits.http2ConnectionsMax
                || isHTTP1Demanded(on: connection))
    }

    /// Every change of a connection's state, with the counts of its address.
    private mutating func move(_ connection: ConnectionNumber, to state: ConnectionTable.State) {
        let isShared = connections.isShared(connection)
        let old = connections.move(connection, to: state)
        addresses.connectionMoved(
            connection, of: connections.address(of: connection), isShared: isShared, from: old,
            to: state)
        if isShared && (state == .retiring || state == .closing) { capacityChanged() }
    }

    /// A lane carries this no more.
    /// - Returns: whose message it was; nil after the check of a key.
    private mutating func unload(_ load: LaneTable.Load) -> FlowNumber? {
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
            if !isDraining,
                let index = addresses.firstToWarm(at: now, full(upTo: messageConnectionsMax))
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
            nextChange = min(nextChange, addresses.awaitedChange(after: now))
            if nextChange < .never { return nil }
            queue.remove(call)
            return .fail(call, .noAddress)
        }
        if let verdict = openForQueue(hasMessage: message != nil, at: now) { return verdict }
        if isOpeningHeld || isHTTP2Full, let verdict = reclaim(at: now) { return verdict }
        guard let message, addresses.hasIdle else { return nil }
        return assignInNeed(message, at: now)
    }

    /// The API takes fewer calls than uploads had been given a share of. When uploads hold all that
    /// there are, and a check or a complete message waits, one upload is broken off: its client may
    /// stall for a minute, and the others must not.
    private mutating func reclaim(at now: MonotonicTime) -> Verdict? {
        guard queue.checkCount + queue.completeCount > 0, uploadsHeld > 1, uploadsFree < 0,
            messagesHeld + checksHeld == uploadsHeld, !addresses.hasIdle,
            addresses.openingCount + connections.closingCount == 0
        else { return nil }
        guard let lane = lanes.latestUpload(weighing: { queue.flow($0).uploads })
        else { return nil }
        counts.uploadsBrokenOff += 1
        return .breakOffUpload(lane)
    }

    /// The message that may be carried next.
    private func nextMessage(at now: MonotonicTime) -> CallNumber? {
        guard messagesHeld < messagesMax else { return nil }
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
        if connections.state(of: connection) == .idle {
            move(connection, to: .busy)
            connections.began(connection, at: now)
        }
        if connections.isShared(connection) {
            let index = connections.address(of: connection)
            if addresses.streamBegan(on: connection, of: index) { hasDemand = true }
        }
        let load: LaneTable.Load
        if let flow {
            messagesHeld += 1
            if isUpload { uploadsHeld += 1 }
            queue.took(flow, isUpload: isUpload)
            load = isUpload ? .upload(flow) : .message(flow)
            freshWaitBegan = nil
        } else {
            checksHeld += 1
            load = .check
        }
        return .assign(call, to: connection, as: lanes.take(load, on: connection, at: now))
    }
}

// MARK: - Openings

extension PoolMachine {
    /// HTTP/1.1 connections in any state up to which one may be opened for a message: the reserve is
    /// what checks of keys use, or may come to use.
    private var messageConnectionsMax: Int {
        limits.messagesMax + min(checksHeld, limits.checkReserve)
    }

    /// Of which version there may be no more connections, when there may be so many of HTTP/1.1.
    private func full(upTo http1ConnectionsMax: Int) -> AddressTable.Full {
        AddressTable.Full(
            http1: connections.count - connections.sharedCount >= http1ConnectionsMax,
            http2: isHTTP2Full)
    }

    /// Whether there may be no more HTTP/2 connections.
    private var isHTTP2Full: Bool {
        guard connections.sharedCount > 0 else { return false }
        return connections.sharedCount >= 2 * limits.http2ConnectionsMax
            || addresses.sharedUsableCount + addresses.http2OpeningCount
                >= limits.http2ConnectionsMax
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
        let full = full(
            upTo: isForCheck ? limits.messagesMax + limits.checkReserve : messageConnectionsMax)
        if let index = addresses.bestForOpening(at: now, full) {
            if !isForCheck && addresses.hasIdle { counts.connectionsTooOld += 1 }
            return open(index, at: now)
        }
        if connections.closingCount + opening < queue.checkCount + takers,
            let connection = addresses.obsoleteIdle(at: now, isFull: full.http1)
        {
            move(connection, to: .closing)
            return .close(connection)
        }
        if !full.http1 { noteHeldOpening(at: now) }
        return nil
    }

    /// Messages that could take a connection now, as far as it matters for openings.
    private var messageTakers: Int {
        let most = min(limits.openingMax, messagesMax - messagesHeld)
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
