// One HTTP/1.1 connection to the API: opens, carries one call after the other, closes.
//
// It promises that an upload which was not finished can never look finished to the API: whatever
// ends it early ends the connection with a reset. It never decides whether a request is sent again
// (RetryRule does) nor which call comes next (PoolMachine does).

import Glibc
import Reactor
import Wire

/// A keep-alive connection of a `ConnectionPool`.
final class APIConnection: StreamHandler {
    enum State: Equatable { case opening, idle, busy, closing }

    let number: Int
    let address: SocketAddress
    let pool: ConnectionPool
    private(set) var stream: Stream?
    private(set) var state = State.opening

    /// The call that it carries; set while busy.
    private(set) var call: APICall?
    private var reader = ResponseReader()
    /// The framing of the request that is being written.
    private(set) var isChunked = false
    /// The head of the request was written, and so at least one byte.
    var isHeadWritten = false
    /// Where in the bytes of the connection the request begins.
    private var wireStart: UInt64 = 0
    /// When an upload that the API does not read is given up.
    private var stallDeadline = MonotonicTime.never
    /// Why we are closing it, if it is us.
    private var closeCause: String?

    init(number: Int, address: SocketAddress, pool: ConnectionPool) {
        self.number = number
        self.address = address
        self.pool = pool
        super.init()
    }

    private var now: MonotonicTime { pool.loop.now }

    /// Connects; `streamOpened` or `streamClosed` follows.
    func open() {
        let stream = Stream.connect(
            loop: pool.loop, to: address, tls: pool.tls, serverName: pool.options.endpoint.host,
            handler: self)
        stream.deadline = now.advanced(byMilliseconds: pool.options.connectTimeoutMilliseconds)
        self.stream = stream
    }

    /// Carries `call` from now on; the connection must be idle.
    func begin(_ call: APICall) {
        precondition(state == .idle)
        state = .busy
        self.call = call
        call.place = .onConnection(self)
        call.tries += 1
        reader.reset()
        isHeadWritten = false
        isChunked = call.body.map { !$0.isComplete } ?? false
        stallDeadline = .never
        wireStart = stream?.sealedEnd() ?? 0
        advance(call)
    }

    /// Closes an idle connection.
    func close() {
        state = .closing
        stream?.deadline = .never
        stream?.finish()
    }

    override func streamOpened(_ stream: Stream) {
        guard state == .opening else { return }
        becomeIdle(stream)
        pool.connectionOpened(self)
    }

    private func becomeIdle(_ stream: Stream) {
        state = .idle
        call = nil
        stream.deadline = now.advanced(byMilliseconds: pool.options.idleTimeoutMilliseconds)
    }

    // MARK: - The request

    /// The owner wrote more of the body, or completed it.
    func bodyGrew() {
        guard let call, state == .busy else { return }
        _ = writeRequest(call)
        setDeadline(call)
    }

    override func streamDrained(_ stream: Stream) {
        guard let call, state == .busy else { return }
        advance(call)
    }

    /// Writes on, and tells the owner when that made room for more.
    private func advance(_ call: APICall) {
        if writeRequest(call), let body = call.body, !body.isComplete { pool.wantBody(call) }
        setDeadline(call)
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

    /// Nobody waits for the call any more. What was handed over whole may still be acted on, and
    /// its connection stays good; anything else is cut off, so that it can't look complete.
    func callAbandoned() {
        guard let call, state == .busy, !call.isHandedOver else { return }
        breakOff(call)
        pool.brokeOff(self, isFault: false)
        pool.finish(call, .notSent(reason: "abandoned"))
    }

    // MARK: - The answer

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        guard state == .busy, let call else {
            guard state == .idle else { return }
            pool.retired(self)
            state = .closing
            stream.abort()
            return
        }
        guard isHeadWritten else {
            return callBroke(call, "bytes in front of the request")
        }
        if call.isHandedOver { call.body?.release() }
        switch reader.feed(bytes) {
        case .needMore: break
        case .complete(let isReusable): answered(call, isReusable: isReusable)
        case .broken(let reason): callBroke(call, reason)
        }
    }

    private func answered(_ call: APICall, isReusable: Bool) {
        guard let stream else { return }
        let response = reader.response(now: pool.loop.readWallClock())
        reader.reset()
        guard call.isHandedOver, !stream.certainlyKept(upTo: call.wireEnd) else {
            return answeredEarly(call, response)
        }
        if isReusable {
            becomeIdle(stream)
        } else {
            self.call = nil
            close()
        }
        pool.answered(self, isReusable: isReusable)
        pool.finish(call, .response(response))
    }

    /// The API answered before it had the whole request: sending stops, and the connection is of
    /// no further use. A success for half a message is nothing that a client may be told.
    private func answeredEarly(_ call: APICall, _ response: APIResponse) {
        breakOff(call)
        pool.answered(self, isReusable: false)
        guard (200...299).contains(response.status) else {
            return pool.finish(call, .response(response))
        }
        pool.uncertain(
            call, on: self, reason: "accepted before the end of the request",
            requestID: response.requestID)
    }

    /// Ends the connection under the call: with a reset, whatever was queued thrown away.
    private func breakOff(_ call: APICall) {
        self.call = nil
        state = .closing
        stream?.abort()
    }

    /// The connection failed under the call.
    private func callBroke(_ call: APICall, _ reason: String) {
        let progress = progress(of: call)
        let requestID = reader.requestID
        breakOff(call)
        pool.brokeOff(self, isFault: true)
        pool.callBroke(call, on: self, progress: progress, reason: reason, requestID: requestID)
    }

    private func progress(of call: APICall) -> RequestProgress {
        guard isHeadWritten else { return .nothingWritten }
        guard let stream else { return .handedOver }
        if call.isHandedOver && !stream.certainlyKept(upTo: call.wireEnd) { return .handedOver }
        let isBodyHeld = call.body?.isHeld ?? true
        // What an upload has queued is gone with the queue, whether the kernel has seen it or not.
        if isBodyHeld, stream.certainlyKept(upTo: wireStart + 1) { return .nothingWritten }
        return .partlyWritten(isBodyHeld: isBodyHeld)
    }

    // MARK: - The end

    override func streamTimedOut(_ stream: Stream) {
        switch state {
        case .opening:
            closeCause = "timed out"
            stream.abort()
        case .idle:
            pool.retired(self)
            close()
        case .busy:
            if let call { callTimedOut(call) }
        case .closing:
            stream.abort()
        }
    }

    /// The deadline is not a reason to try again: nobody would wait for the answer.
    private func callTimedOut(_ call: APICall) {
        let requestID = reader.requestID
        let isHandedOver = progress(of: call) == .handedOver
        breakOff(call)
        pool.brokeOff(self, isFault: true)
        if isHandedOver {
            pool.uncertain(call, on: self, reason: "no answer in time", requestID: requestID)
        } else {
            pool.notTaken(call)
        }
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        switch state {
        case .opening:
            state = .closing
            pool.openingFailed(self, reason: closeCause ?? reason.words)
        case .idle:
            pool.retired(self)
            state = .closing
            pool.closed(self)
        case .busy:
            if let call { closedUnder(call, reason) }
            pool.closed(self)
        case .closing:
            pool.closed(self)
        }
        // The stream and its handler hold each other; this is the last call.
        self.stream = nil
        call = nil
    }

    private func closedUnder(_ call: APICall, _ reason: CloseReason) {
        if reason == .peer, isHeadWritten, case .complete = reader.peerClosed() {
            answered(call, isReusable: false)
        } else {
            callBroke(call, reason.words)
        }
    }
}

extension CloseReason {
    /// For the log and for `APIResult`.
    var words: String {
        switch self {
        case .local: "closed by us"
        case .peer: "closed by the API"
        case .system(let code): String(cString: strerror(code))
        case .tls(let reason): "TLS: \(reason)"
        }
    }
}
