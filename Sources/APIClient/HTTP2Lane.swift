// One request over one stream of an HTTP/2 connection, and its answer (RFC 9113 sections 5 and 8.1): what
// `APIConnection` and `RequestWriter` are to HTTP/1.1.
//
// The body is sent from its slabs without a copy. The head of each DATA frame is written right before its
// content: into the slab's gap, or over bytes that were sent already and are then restored. The request's
// HEADERS frame goes before the first of them, so a small message is one record.
//
// END_STREAM leaves only with the last byte of a complete body. Whatever ends a request early resets its
// stream; the other streams go on.

import Glibc
import HTTP2
import Reactor
import Wire

/// A lane of an `HTTP2Carrier`. It is used again for another call.
final class HTTP2Lane: APILane {
    /// An upload of which nothing came for this long has a client that stalls.
    private static let stallMilliseconds = 1_000
    /// A body of more bytes goes after those of small messages.
    private static let smallBytesMax = 32_768

    private unowned let carrier: HTTP2Carrier
    private let pool: ConnectionPool
    private let session: HTTP2Session
    private let stream: Stream
    private(set) var number = LaneNumber(value: 0)
    /// Its place among the lanes of the carrier that carry a call; -1 when it waits for one.
    private(set) var place = -1

    /// nil when the lane waits for another call.
    private(set) var call: APICall?
    /// nil until the request has begun; until the stream is closed.
    private(set) var requestStream: HTTP2Stream?
    private var answer = HTTP2Answer()

    /// The HEADERS frame is written, and begins there in the bytes of the connection.
    private var isHeadWritten = false
    private var wireStart: UInt64 = 0
    /// The slabs stay until the answer begins.
    private var holdsBody = false
    /// The slab that the session was offered is `nextReady`, and so many of its bytes have left.
    private var isOffered = false
    private var sentOfSlab = 0
    /// When the request moved last, and where the last of its body ends in the bytes of the connection.
    private var movedAt = MonotonicTime.never
    private var bodyEnd: UInt64 = 0
    /// When bytes moved last that the client had just brought.
    private var broughtAt = MonotonicTime.never
    /// The next slab is allowed on the line.
    private var hasTurn = false
    /// The API has ended the connection, and nothing of the request was acknowledged then.
    private var hasEndedUnread = false

    init(carrier: HTTP2Carrier, pool: ConnectionPool, session: HTTP2Session, stream: Stream) {
        self.carrier = carrier
        self.pool = pool
        self.session = session
        self.stream = stream
    }

    private var now: MonotonicTime { pool.loop.now }

    /// Nothing is left of the call that it carried.
    var isFree: Bool { call == nil && requestStream == nil }

    /// For the carrier, which keeps the list: see `place`.
    func stand(at place: Int) { self.place = place }

    // MARK: - The request

    /// Carries `call` from now on.
    func begin(_ call: APICall, as number: LaneNumber) {
        precondition(isFree, "a lane carries one call at a time")
        self.call = call
        self.number = number
        answer.reset()
        isHeadWritten = false
        isOffered = false
        sentOfSlab = 0
        movedAt = now
        broughtAt = now
        bodyEnd = 0
        hasTurn = false
        hasEndedUnread = false
        call.carried(by: self)
        advance()
    }

    func bodyGrew() {
        advance()
        carrier.write()
    }

    func trickle() -> Bool {
        guard let call, let requestStream, !isOffered, !stream.isAboveHighWater,
            session.connectionWindow > 0, session.window(of: requestStream) > 0,
            call.body?.trickle() == true
        else { return false }
        bodyGrew()
        return true
    }

    func writeInTurn() {
        hasTurn = true
        advance()
        hasTurn = false
        carrier.write()
    }

    /// Opens the stream as soon as there is something to send, and gives the session what is ready.
    func advance() {
        guard let call, !call.isHandedOver else { return }
        carrier.wakeUp(at: call.deadline)
        if requestStream == nil {
            guard hasSomething(call), mayOffer(call) else { return }
            guard session.canOpen, session.hasPeerSettings || isRepeatable(call) else {
                return carrier.waitForStream(self)
            }
            open(call)
        }
        offer(call)
    }

    private func hasSomething(_ call: APICall) -> Bool {
        call.body.map { $0.isHandedOver || $0.nextReady != nil } ?? true
    }

    /// Whether the call can be sent again when the peer refuses its stream. Any other waits until the
    /// peer has said how many streams it takes.
    private func isRepeatable(_ call: APICall) -> Bool { call.body?.isComplete ?? true }

    /// Whether it is the turn of the call's customer on the line, when that has a rate.
    private func mayOffer(_ call: APICall) -> Bool {
        guard pool.isPaced, !hasTurn, let body = call.body, let flow = call.flow,
            let slab = body.nextReady
        else { return true }
        let isSmall = body.isComplete && body.byteCount <= slab.count
        let mayWrite = pool.mayWrite(slab.count, number, of: flow.number, isSmall: isSmall)
        hasTurn = mayWrite
        return mayWrite
    }

    private func open(_ call: APICall) {
        let body = call.body
        holdsBody = isRepeatable(call)
        let isUpload = body.map { !$0.isComplete || $0.byteCount > Self.smallBytesMax } ?? false
        let length = holdsBody ? body?.byteCount : nil
        requestStream = pool.withFields(of: call, length: length) { fields in
            session.open(fields, hasBody: body != nil, isUpload: isUpload)
        }
        guard let requestStream else { preconditionFailure("the session takes a stream") }
        carrier.opened(requestStream, by: self)
    }

    /// Gives the session the next slab of the body, or its end.
    private func offer(_ call: APICall) {
        guard let requestStream, let body = call.body else { return }
        if isOffered {
            // All of the body is in the slab that has not left: the end goes with it.
            guard body.isComplete, let slab = body.nextReady, slab.count == body.pendingBytes
            else { return }
            return session.finish(requestStream)
        }
        if let slab = body.nextReady {
            guard mayOffer(call) else { return }
            hasTurn = false
            let isLast = body.isComplete && slab.count == body.pendingBytes
            isOffered = true
            sentOfSlab = 0
            noteMoved(slab)
            session.offer(slab.count, isLast: isLast, to: requestStream)
        } else if body.isHandedOver {
            session.finish(requestStream)
        }
    }

    private func noteMoved(_ slab: Slab) {
        movedAt = now
        if slab.count > RequestBody.trickleBytes { broughtAt = movedAt }
    }

    // MARK: - Writing

    /// Puts the request's HEADERS frame in front of the slab that is offered.
    /// - Returns: false when there is no such slab, or no room.
    func hold(_ head: Bytes) -> Bool {
        guard isOffered, sentOfSlab == 0, let slab = call?.body?.nextReady,
            head.count <= slab.start - HTTP2DataFrame.headBytes
        else { return false }
        let place = slab.payload + slab.start - HTTP2DataFrame.headBytes - head.count
        head.withUnsafeBufferPointer { source in
            if let start = source.baseAddress { place.update(from: start, count: head.count) }
        }
        return true
    }

    /// Something else is written before the slab: writes the HEADERS frame, `count` bytes, alone.
    func writeHeld(_ count: Int) {
        guard let slab = call?.body?.nextReady else { preconditionFailure("the head is held") }
        noteHead()
        let place = slab.payload + slab.start - HTTP2DataFrame.headBytes - count
        stream.write(UnsafeBufferPointer(start: place, count: count).span, isSecret: true)
        explicit_bzero(place, count)
    }

    /// The HEADERS frame is about to be written.
    func noteHead() {
        isHeadWritten = true
        wireStart = stream.sealedEnd()
    }

    /// The HEADERS frame was written, and nothing follows it.
    func headWritten() {
        guard let call, call.body == nil else { return }
        call.handedOver(wireEnd: stream.sealedEnd())
    }

    /// Writes a DATA frame.
    /// - Parameter heldCount: bytes of the HEADERS frame right before it; 0 when that was written.
    func write(_ frame: HTTP2DataFrame, heldCount: Int) {
        guard let call, let body = call.body else {
            preconditionFailure("a frame belongs to a call with a body")
        }
        if frame.count > 0 {
            guard isOffered, let slab = body.nextReady else {
                preconditionFailure("what was offered is still there")
            }
            noteMoved(slab)
            if heldCount > 0 { noteHead() }
            writeContent(frame, from: slab, heldCount: heldCount)
            bodyEnd = stream.sealedEnd()
            if frame.isPieceDone {
                isOffered = false
                body.handedOver(slab, isHeld: holdsBody)
            }
        } else {
            let head = frame.head
            stream.write(head.span)
        }
        if frame.isEnd {
            call.handedOver(wireEnd: stream.sealedEnd())
        } else if frame.isPieceDone {
            if !body.isComplete { pool.wantBody(call) }
            offer(call)
        }
    }

    private func writeContent(_ frame: HTTP2DataFrame, from slab: Slab, heldCount: Int) {
        let headBytes = HTTP2DataFrame.headBytes
        let place = slab.payload + slab.start + sentOfSlab - headBytes
        let record = UnsafeBufferPointer(
            start: place - heldCount, count: heldCount + headBytes + frame.count)
        if sentOfSlab == 0 {
            frame.writeHead(to: place)
            stream.writeRecord(record.span, isSecret: heldCount > 0)
            // The key is not left in memory.
            if heldCount > 0 { explicit_bzero(place - heldCount, heldCount) }
        } else {
            // Bytes of the body stand there, which may have to be sent again.
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: headBytes) { kept in
                guard let kept = kept.baseAddress else { return }
                kept.update(from: place, count: headBytes)
                frame.writeHead(to: place)
                stream.writeRecord(record.span)
                place.update(from: kept, count: headBytes)
            }
        }
        sentOfSlab += frame.count
    }

    // MARK: - The answer

    func take(_ head: HTTP2Head) {
        guard let call else { return }
        judge(answer.take(head, of: session), of: call)
        if call.isHandedOver, answer.needsNoRequest { call.body?.release() }
    }

    func take(_ content: Bytes) {
        guard let call else { return }
        judge(answer.keep(content), of: call)
    }

    private func judge(_ verdict: HTTP2Answer.Verdict, of call: APICall) {
        switch verdict {
        case .needMore: break
        case .isEnough: answered(call, isEnded: false)
        case .broken(let reason): broke(call, reason, isFault: true)
        }
    }

    /// The API has sent all of its answer.
    func answerEnded() {
        guard let call else { return }
        guard answer.status > 0 else {
            return broke(call, "an end without an answer", isFault: true)
        }
        answered(call, isEnded: true)
    }

    private func answered(_ call: APICall, isEnded: Bool) {
        if answer.status == 411, !holdsBody, pool.fallsBack {
            return lengthWanted(call, isEnded: isEnded)
        }
        // Only a Retry-After needs the clock.
        let now = answer.retryAfter.isEmpty ? 0 : pool.loop.readWallClock()
        let response = answer.takeResponse(now: now)
        let isWhole = call.isHandedOver && !stream.certainlyKept(upTo: call.wireEnd)
        let isClientLate = call.pace != .here && call.body?.isComplete == false
        end(resets: !isEnded || !call.isHandedOver)
        carrier.rested(
            until: pool.answered(number, isReusable: true, keepAliveSeconds: nil))
        if !isWhole, response.status == 408, isClientLate { pool.countClientFault() }
        // A success for half a message is nothing that a client may be told.
        if isWhole || !(200...299).contains(response.status) {
            pool.finish(call, response)
        } else {
            pool.uncertain(
                call, at: carrier.address, reason: "accepted before the end of the request",
                requestID: response.requestID)
        }
    }

    /// The API takes no body without Content-Length (411): it was not acted on, and over HTTP/1.1 the
    /// same may be taken in chunks. What was written of it is gone, so the client has to come again.
    private func lengthWanted(_ call: APICall, isEnded: Bool) {
        end(resets: !isEnded || !call.isHandedOver)
        carrier.demandedHTTP1()
        carrier.rested(
            until: pool.answered(number, isReusable: true, keepAliveSeconds: nil))
        pool.lengthWanted(call)
    }

    // MARK: - Ends

    /// The lane carries nothing any more.
    private func end(resets: Bool = true) {
        if resets, let requestStream { session.reset(requestStream, .cancel) }
        call = nil
        isOffered = false
        carrier.left(self)
    }

    func callAbandoned() {
        guard let call, !call.isHandedOver else { return }
        end()
        carrier.rested(until: pool.brokeOff(number, isFault: false))
        pool.finish(call, notSent: "abandoned")
        carrier.write()
    }

    func breakOffUpload() {
        guard let call else { return }
        end()
        carrier.rested(until: pool.brokeOff(number, isFault: false))
        pool.finish(call, notSent: "the API takes fewer streams, and complete messages waited")
        carrier.write()
    }

    /// The stream is closed; the lane may be used again.
    func closed(_ ending: HTTP2Ending) {
        requestStream = nil
        guard let call else { return }
        let reason = "the API reset the stream: \(ending.code)"
        if ending.code == .http11Required { carrier.demandedHTTP1() }
        guard ending.isUnprocessed else { return broke(call, reason, isFault: true) }
        let progress: RequestProgress =
            isHeadWritten ? .refused(isBodyHeld: call.body?.isHeld ?? true) : .nothingWritten
        // No fault: a GOAWAY ends a connection in order, and a peer may allow fewer streams than we knew.
        broke(call, reason, isFault: false, progress: progress)
    }

    /// The stream has failed under the call, and the connection has not.
    private func broke(
        _ call: APICall, _ reason: String, isFault: Bool, progress known: RequestProgress? = nil
    ) {
        // What is queued leaves with the other streams, whether the kernel has seen it or not.
        let progress: RequestProgress =
            known
            ?? (call.isHandedOver
                ? .handedOver
                : isHeadWritten
                    ? .partlyWritten(isBodyHeld: call.body?.isHeld ?? true) : .nothingWritten)
        let isClientFault = isFault && isStalledByClient(call)
        if isClientFault { pool.countClientFault() }
        let requestID = answer.requestID
        end()
        carrier.rested(until: pool.brokeOff(number, isFault: isFault && !isClientFault))
        pool.callBroke(
            call, at: carrier.address, progress: progress, reason: reason, requestID: requestID)
    }

    /// The stream never opened, and does not open on this connection.
    func giveBack() {
        guard let call, requestStream == nil else { return }
        broke(call, "the connection takes no new streams", isFault: false)
    }

    /// The peer has ended the connection.
    func noteEnd() {
        hasEndedUnread =
            isHeadWritten && call != nil && stream.certainlyUnacknowledged(from: wireStart)
    }

    /// Whether the stream still has bytes of the request, which an abort would keep from the API.
    var hasQueuedBytes: Bool {
        guard let call, isHeadWritten else { return false }
        let end = call.isHandedOver ? call.wireEnd : max(wireStart + 1, bodyEnd)
        return stream.certainlyKept(upTo: end)
    }

    /// How far the request got when the connection is broken off now, as the kernel has said so far.
    var progress: RequestProgress {
        guard let call, isHeadWritten else { return .nothingWritten }
        let isBodyHeld = call.body?.isHeld ?? true
        if call.isHandedOver && !stream.certainlyKept(upTo: call.wireEnd) {
            let isUnread = hasEndedUnread && !answer.hasBegun
            return isUnread ? .unacknowledged(isBodyHeld: isBodyHeld) : .handedOver
        }
        if isBodyHeld, stream.certainlyKept(upTo: wireStart + 1) { return .nothingWritten }
        return .partlyWritten(isBodyHeld: isBodyHeld)
    }

    /// The connection has failed under the call.
    /// - Parameter isEnded: the API has ended it.
    func connectionBroke(_ reason: String, progress: RequestProgress, isEnded: Bool) {
        guard let call else { return }
        let isUnanswered = isEnded && !answer.hasBegun
        let requestID = answer.requestID
        end(resets: false)
        requestStream = nil
        carrier.rested(until: pool.brokeOff(number, isFault: true, isUnanswered: isUnanswered))
        pool.callBroke(
            call, at: carrier.address, progress: progress, reason: reason, requestID: requestID)
    }

    // MARK: - Time

    /// When the call is given up: its own deadline, or that of a body that the API does not read.
    var deadline: MonotonicTime {
        guard let call else { return .never }
        guard isOffered, !call.isHandedOver else { return call.deadline }
        return min(
            call.deadline, movedAt.advanced(byMilliseconds: pool.options.timeoutMilliseconds))
    }

    /// The deadline has passed. That is no reason to try again: nobody would wait for the answer.
    func timedOut() {
        guard let call else { return }
        let requestID = answer.requestID
        end()
        carrier.rested(until: pool.brokeOff(number, isFault: true))
        if call.isHandedOver {
            pool.uncertain(
                call, at: carrier.address, reason: "no answer in time", requestID: requestID)
        } else {
            pool.notTaken(call)
        }
    }

    /// Whether the call is an upload whose client has been silent: the kernel has taken everything
    /// that came of it, and nothing came for a while.
    private func isStalledByClient(_ call: APICall) -> Bool {
        guard !call.isHandedOver, call.pace != .here, let body = call.body, !body.isComplete,
            body.nextReady == nil, !stream.certainlyKept(upTo: bodyEnd)
        else { return false }
        return now.milliseconds(since: broughtAt) >= Self.stallMilliseconds
    }
}
