// One HTTP/1.1 connection to the API: carries one call after the other, closes.
//
// It promises that an unfinished upload can never look finished to the API: whatever ends an upload
// early ends the connection with a reset. It never decides whether a request is sent again
// (`RetryRule` does) or which call comes next (`PoolMachine` does), and it asks the pool for its
// state instead of keeping one.

import Reactor
import Wire

/// A keep-alive connection of a `ConnectionPool`.
final class APIConnection: StreamHandler, APITransport, APILane {
    private let connection: ConnectionNumber
    private let address: SocketAddress
    private let pool: ConnectionPool
    private var stream: Stream?
    /// Of the call that it carries, or carried last.
    private(set) var number = LaneNumber(value: 0)

    /// The call that it carries; set while the connection is busy.
    private var call: APICall?
    private var writer: RequestWriter
    private var reader = ResponseReader()
    /// When an upload that the API does not read is given up.
    private var stallDeadline = MonotonicTime.never
    /// When the last bytes of an upload were written that its client had just brought, and where all
    /// that was written of it ends in the bytes of the connection.
    private var uploadTime = MonotonicTime.never
    private var uploadEnd: UInt64 = 0
    /// The next slab is allowed on the line.
    private var hasTurn = false
    /// An upload of which nothing came for this long has a client that stalls.
    private static let stallMilliseconds = 1_000
    /// The API has ended the connection, and nothing of the call's request was acknowledged then.
    private var hasEndedUnread = false

    init(
        number: ConnectionNumber, address: SocketAddress, pool: ConnectionPool, stream: Stream
    ) {
        connection = number
        self.address = address
        self.pool = pool
        self.stream = stream
        writer = RequestWriter(head: pool.head)
        super.init()
    }

    private var now: MonotonicTime { pool.loop.now }

    /// The stream is open.
    func start() {
        stream?.deadline = pool.opened(connection, as: self, .http1, at: address)
    }

    func begin(_ call: APICall, as number: LaneNumber) {
        precondition(self.call == nil, "a connection carries one call at a time")
        self.call = call
        self.number = number
        call.carried(by: self)
        reader.reset()
        writer.begin(call, on: stream)
        stallDeadline = .never
        uploadTime = now
        uploadEnd = 0
        hasEndedUnread = false
        advance(call)
    }

    func lane(_ number: LaneNumber) -> (any APILane)? { call == nil ? nil : self }

    func close() {
        stream?.deadline = .never
        stream?.finish()
    }

    // MARK: - The request

    func bodyGrew() {
        guard let call else { return }
        _ = write(call)
        setDeadline(call)
    }

    func trickle() -> Bool {
        guard let call, let stream, stream.queuedBytes == 0, call.body?.trickle() == true else {
            return false
        }
        bodyGrew()
        return true
    }

    override func streamDrained(_ stream: Stream) {
        guard let call else { return }
        advance(call)
    }

    /// Writes on, and tells the owner when that made room for more.
    private func advance(_ call: APICall) {
        if write(call), let body = call.body, !body.isComplete { pool.wantBody(call) }
        setDeadline(call)
    }

    private func write(_ call: APICall) -> Bool {
        guard let stream else { return false }
        let pendingBytes = call.body?.pendingBytes ?? 0
        let hasMoved =
            pool.isPaced ? writePaced(call, to: stream) : writer.write(call, to: stream)
        if hasMoved && !call.isHandedOver {
            let bytes = pendingBytes - (call.body?.pendingBytes ?? 0)
            if bytes > RequestBody.trickleBytes { uploadTime = now }
            uploadEnd = stream.sealedEnd()
        }
        return hasMoved
    }

    /// Writes slab by slab, each when it is the turn of the call's customer on the line.
    private func writePaced(_ call: APICall, to stream: Stream) -> Bool {
        guard let body = call.body, let flow = call.flow else {
            return writer.write(call, to: stream)
        }
        var hasMoved = false
        while !call.isHandedOver, !stream.isAboveHighWater, let slab = body.nextReady {
            let isSmall = body.isComplete && body.byteCount <= slab.count
            guard
                hasTurn || pool.mayWrite(slab.count, number, of: flow.number, isSmall: isSmall)
            else { break }
            hasTurn = false
            hasMoved = writer.write(call, to: stream, slabsMax: 1) || hasMoved
        }
        // Only the end of the framing may be missing.
        if body.isHandedOver { _ = writer.write(call, to: stream) }
        return hasMoved
    }

    func writeInTurn() {
        guard let call else { return }
        hasTurn = true
        advance(call)
        hasTurn = false
    }

    /// Whether the call is an upload whose client has been silent: the kernel has taken everything
    /// that came of it, and nothing came for a while. A slab that is not full does not count,
    /// because the client has not filled it in that time.
    private func isStalledByClient(_ call: APICall) -> Bool {
        guard !call.isHandedOver, call.pace != .here, let body = call.body, !body.isComplete,
            body.nextReady == nil, let stream, stream.queuedBytes == 0,
            !stream.certainlyKept(upTo: uploadEnd)
        else { return false }
        return now.milliseconds(since: uploadTime) >= Self.stallMilliseconds
    }

    /// The call's own deadline, or that of an upload that stalls.
    private func setDeadline(_ call: APICall) {
        guard let stream else { return }
        let isStalled = !call.isHandedOver && stream.isAboveHighWater
        if !isStalled {
            stallDeadline = .never
        } else if stallDeadline == .never {
            stallDeadline = now.advanced(byMilliseconds: pool.options.timeoutMilliseconds)
        }
        stream.deadline = min(call.deadline, stallDeadline)
    }

    func callAbandoned() {
        guard let call, !call.isHandedOver else { return }
        breakOff()
        pool.brokeOff(number, isFault: false)
        pool.finish(call, notSent: "abandoned")
    }

    func breakOffUpload() {
        guard let call else { return }
        breakOff()
        pool.brokeOff(number, isFault: false)
        pool.finish(call, notSent: "the API takes fewer connections, and complete messages waited")
    }

    // MARK: - The answer

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        guard let call else {
            // Nobody asked for these bytes.
            pool.retired(connection)
            return stream.abort()
        }
        guard writer.isHeadWritten else {
            return callBroke(call, "bytes in front of the request")
        }
        let verdict = reader.feed(bytes)
        if call.isHandedOver, reader.needsNoRequest { call.body?.release() }
        switch verdict {
        case .needMore: break
        case .complete(let isReusable): answered(call, isReusable: isReusable)
        case .broken(let reason): callBroke(call, reason)
        }
    }

    private func answered(_ call: APICall, isReusable: Bool) {
        guard let stream else { return }
        if reader.status == 408, isUnread(stream) { return answeredIdleTime(call) }
        // Only a Retry-After needs the clock.
        let now = reader.retryAfter.isEmpty ? 0 : pool.loop.readWallClock()
        let keepAliveSeconds = reader.keepAliveSeconds
        let response = reader.takeResponse(now: now)
        guard call.isHandedOver, !stream.certainlyKept(upTo: call.wireEnd) else {
            return answeredEarly(call, response)
        }
        self.call = nil
        let deadline = pool.answered(
            number, isReusable: isReusable, keepAliveSeconds: keepAliveSeconds)
        if isReusable { stream.deadline = deadline } else { close() }
        pool.finish(call, response)
    }

    /// Whether the peer's kernel has acknowledged nothing of the request: nobody can have read it.
    private func isUnread(_ stream: Stream) -> Bool {
        writer.isHeadWritten && stream.certainlyUnacknowledged(from: writer.wireStart)
    }

    private func unreadProgress(of call: APICall) -> RequestProgress {
        .unacknowledged(isBodyHeld: call.body?.isHeld ?? true)
    }

    /// The 408 crossed the request on its way: it is for the time that the connection was idle.
    private func answeredIdleTime(_ call: APICall) {
        let requestID = reader.requestID
        breakOff()
        pool.brokeOff(number, isFault: true, isUnanswered: true)
        pool.callBroke(
            call, at: address, progress: unreadProgress(of: call),
            reason: "408 for the idle connection", requestID: requestID)
    }

    /// The API answered before it had the whole request: sending stops, and the connection is of
    /// no more use. A success for half a message is nothing that a client may be told.
    private func answeredEarly(_ call: APICall, _ response: APIResponse) {
        if response.status == 408, call.pace != .here, call.body?.isComplete == false {
            pool.countClientFault()
        }
        breakOff()
        _ = pool.answered(number, isReusable: false, keepAliveSeconds: nil)
        guard (200...299).contains(response.status) else {
            return pool.finish(call, response)
        }
        pool.uncertain(
            call, at: address, reason: "accepted before the end of the request",
            requestID: response.requestID)
    }

    /// Ends the connection under its call with a reset; what was queued is thrown away.
    private func breakOff() {
        call = nil
        stream?.abort()
    }

    /// The connection failed under the call.
    /// - Parameter isEnded: the API has ended it.
    private func callBroke(_ call: APICall, _ reason: String, isEnded: Bool = false) {
        var progress = writer.progress(of: call, on: stream)
        if progress == .handedOver, hasEndedUnread, !reader.hasBegun {
            progress = unreadProgress(of: call)
        }
        let requestID = reader.requestID
        let isClientFault = isStalledByClient(call)
        if isClientFault { pool.countClientFault() }
        breakOff()
        pool.brokeOff(
            number, isFault: !isClientFault,
            isUnanswered: isEnded && !isClientFault && !reader.hasBegun)
        pool.callBroke(call, at: address, progress: progress, reason: reason, requestID: requestID)
    }

    // MARK: - The end

    override func streamTimedOut(_ stream: Stream) {
        if let call { return callTimedOut(call) }
        if let end = pool.idleTimedOut(connection) {
            stream.deadline = end
        } else {
            close()
        }
    }

    /// The deadline is no reason to try again: nobody would wait for the answer.
    private func callTimedOut(_ call: APICall) {
        let requestID = reader.requestID
        let isHandedOver = writer.progress(of: call, on: stream) == .handedOver
        breakOff()
        pool.brokeOff(number, isFault: true)
        if isHandedOver {
            pool.uncertain(call, at: address, reason: "no answer in time", requestID: requestID)
        } else {
            pool.notTaken(call)
        }
    }

    override func streamPeerEnded(_ stream: Stream) -> Bool {
        hasEndedUnread = call != nil && isUnread(stream)
        // Before it is closed no call may be put on it.
        if call == nil { pool.retired(connection) }
        return false
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        if let call { closedUnder(call, reason) } else { pool.retired(connection) }
        pool.closed(connection)
        // The stream and its handler hold each other; this is the last call.
        self.stream = nil
        call = nil
    }

    private func closedUnder(_ call: APICall, _ reason: CloseReason) {
        if reason == .peer, writer.isHeadWritten, case .complete = reader.peerClosed() {
            answered(call, isReusable: false)
        } else {
            callBroke(call, reason.words, isEnded: true)
        }
    }
}
