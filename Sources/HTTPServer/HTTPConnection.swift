// One HTTP/1.1 connection: carries out what the request reader and the service say.
//
// Requests are answered one after the other. What a client pipelines waits, within a bound, and
// then the client is not read. An answer that comes before its request is complete ends the
// connection, unless the rest of the body is short and announced.

import Reactor
import Wire

/// The driver of one connection.
final class HTTPConnection: StreamHandler {
    private enum State {
        /// Between requests or inside one.
        case reading
        /// The rest of a short body is read and thrown away; its answer is known.
        case discarding(HTTPAnswer)
        /// The service has the request and has not answered yet.
        case asking
        /// The answer is due later, or never.
        case waiting(HTTPAnswer)
        /// The answer is leaving.
        case sending
        /// The last answer has left, or there is none; nothing is read any more.
        case closing
    }

    /// Announced bodies up to this are read although the answer is known: the connection lives on.
    static let discardBytesMax = 262_144
    /// Bytes that a client may send ahead of its answers; above it the client is not read.
    private static let pipelineBytesMax = 65_536

    private let server: HTTPServer
    private var service: any HTTPService { server.service }
    private var stream: Stream?
    private var reader: HTTPRequestReader
    private var state = State.reading
    /// Nothing has come yet.
    private var isNew = true
    /// `read` is at work: what is left of its input is not in `pipelined`.
    private var isInRead = false
    /// The client has ended its side; what it asked before that is still answered.
    private var hasPeerEnded = false

    // The request that is read or answered.

    private var request: HTTPRequest?
    private var bodyBytesMax = 0
    private var body: [UInt8] = []
    private var closesAfterAnswer = false
    private var output: [UInt8] = []
    private var outputOffset = 0

    /// What came after the request that is being answered.
    private var pipelined: [UInt8] = []

    init(server: HTTPServer) {
        self.server = server
        reader = HTTPRequestReader(headBytesMax: server.options.headBytesMax)
        super.init()
    }

    // MARK: Events

    override func streamOpened(_ stream: Stream) {
        if stream.tls?.applicationProtocol == .http2 {
            server.speaksHTTP2(self, on: stream)
            return
        }
        self.stream = stream
        arm(server.options.requestMilliseconds)
    }

    override func streamReceived(_ stream: Stream, _ bytes: Bytes) {
        if isNew {
            isNew = false
            if server.options.knowsHTTP2, stream.tls == nil, Self.isPreface(bytes) {
                return server.speaksHTTP2(self, on: stream).streamReceived(stream, bytes)
            }
        }
        switch state {
        case .reading where pipelined.isEmpty, .discarding:
            if server.options.extendsRequests { arm(server.options.requestMilliseconds) }
            read(bytes)
        case .reading, .asking, .waiting, .sending:
            pipelined.append(bytes: bytes)
            if pipelined.count > Self.pipelineBytesMax { stream.pauseReceiving() }
        case .closing: break
        }
    }

    override func streamDrained(_ stream: Stream) {
        if case .sending = state { pump() }
    }

    /// Too slow, or idle for long enough; or a late answer is due.
    override func streamTimedOut(_ stream: Stream) {
        switch state {
        case .reading, .discarding:
            noteIfIncomplete()
            end()
        case .waiting(let answer): start(answer)
        case .sending: stream.abort()
        case .asking, .closing: break
        }
    }

    override func streamPeerEnded(_ stream: Stream) -> Bool {
        hasPeerEnded = true
        return switch state {
        case .asking, .sending: true
        case .waiting(let answer): answer.delivery != .never
        case .reading, .discarding, .closing: !pipelined.isEmpty
        }
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        noteIfIncomplete()
        releaseBody()
        pipelined = []
        self.stream = nil
        state = .closing
        server.ended(self)
    }

    /// Whether a client begins with HTTP/2 (RFC 9113 section 3.4).
    private static func isPreface(_ bytes: Bytes) -> Bool {
        let start: StaticString = "PRI * HTTP/2.0\r\n"
        return bytes.count >= start.utf8CodeUnitCount
            && bytes.extracting(0..<start.utf8CodeUnitCount).equalsIgnoringCase(start)
    }

    /// The connection ends; a request that is being read will not be complete.
    private func noteIfIncomplete() {
        if case .reading = state, reader.isInsideRequest { service.note(.incomplete) }
    }

    private func arm(_ milliseconds: Int) {
        guard let stream else { return }
        stream.deadline = stream.loop.now.advanced(byMilliseconds: milliseconds)
    }

    private func end() {
        state = .closing
        stream?.finish()
    }

    // MARK: Reading

    private func read(_ input: Bytes) {
        isInRead = true
        defer { isInRead = false }
        var offset = 0
        var wasInside = reader.isInsideRequest
        while true {
            switch state {
            case .reading, .discarding: break
            case .asking, .waiting, .sending:
                pipelined = input.extracting(offset..<input.count).copied()
                return
            case .closing: return
            }
            switch reader.next(input, &offset) {
            case .needInput:
                // The clock of a request runs from its first byte.
                if !wasInside, reader.isInsideRequest { arm(server.options.requestMilliseconds) }
                if hasPeerEnded { end() }
                return
            case .head(let request): begin(request)
            case .content(let range): take(input.extracting(range))
            case .end:
                wasInside = false
                complete()
            case .invalid(let status, let reason):
                if request != nil { service.note(.incomplete) }
                answerEarly(service.answer(to: .invalid(status: status, reason)))
            }
        }
    }

    private func begin(_ request: HTTPRequest) {
        self.request = request
        closesAfterAnswer = !request.keepAlive
        switch service.admit(request) {
        case .body(let bytesMax):
            bodyBytesMax = bytesMax
            if request.expectsContinue, request.hasBody {
                stream?.write("HTTP/1.1 100 Continue\r\n\r\n")
            }
        case .answer(let answer):
            if canDiscard(request), answer.status != 413 {
                state = .discarding(answer)
            } else {
                answerEarly(answer)
            }
        }
    }

    private func canDiscard(_ request: HTTPRequest) -> Bool {
        switch request.framing {
        case .length(let length): length <= Self.discardBytesMax && !request.expectsContinue
        case .chunked: false
        case .none, .untilClose: true
        }
    }

    private func take(_ content: Bytes) {
        service.note(.content(bytes: content.count))
        if case .discarding = state { return }
        if body.count + content.count > bodyBytesMax {
            return answerEarly(service.answer(to: .bodyTooLarge(bytesMax: bodyBytesMax)))
        }
        let isWithinBound = server.hold(content.count)
        body.append(bytes: content)
        if !isWithinBound { answerEarly(service.answer(to: .tooManyUploads)) }
    }

    private func complete() {
        if case .discarding(let answer) = state { return deliver(answer) }
        guard let request else { preconditionFailure("a request is complete that never began") }
        let whole = body
        releaseBody()
        state = .asking
        stream?.deadline = .never
        service.respond(to: request, body: whole) { [self] answer in
            // The client may have left meanwhile.
            if case .asking = state { deliver(answer) }
        }
    }

    private func releaseBody() {
        server.release(body.count)
        body = []
    }

    // MARK: Answering

    /// Answers before the body is there, and ends the connection.
    private func answerEarly(_ answer: HTTPAnswer) {
        releaseBody()
        closesAfterAnswer = true
        deliver(answer)
    }

    private func deliver(_ answer: HTTPAnswer) {
        service.note(.decided(answer, to: request))
        switch answer.delivery {
        case .now: start(answer)
        case .after(let milliseconds):
            state = .waiting(answer)
            arm(milliseconds)
        case .never:
            if hasPeerEnded { return end() }
            state = .waiting(answer)
            stream?.deadline = .never
        case .reset:
            state = .closing
            stream?.abort()
        }
    }

    private func start(_ answer: HTTPAnswer) {
        if answer.closes { closesAfterAnswer = true }
        let answer = service.finished(answer, to: request)
        output = Array(answer.head(closes: closesAfterAnswer).utf8)
        // The answer to HEAD ends with its head (RFC 9110 9.3.2).
        if request?.method != "HEAD" { output += answer.body }
        outputOffset = 0
        state = .sending
        pump()
    }

    /// Writes as much of the answer as the stream takes without growing.
    private func pump() {
        guard let stream else { return }
        arm(server.options.requestMilliseconds)
        let output = output
        while outputOffset < output.count {
            if stream.isAboveHighWater { return }
            let length = min(Stream.recordBytesMax, output.count - outputOffset)
            stream.writeRecord(output.span.extracting(outputOffset..<outputOffset + length))
            outputOffset += length
        }
        answered(stream)
    }

    private func answered(_ stream: Stream) {
        output = []
        request = nil
        if closesAfterAnswer || hasPeerEnded && pipelined.isEmpty && !isInRead { return end() }
        state = .reading
        arm(server.options.idleMilliseconds)
        if pipelined.isEmpty { return resume(stream) }
        // In the next turn: a service may answer at once, and others want their turn too.
        stream.loop.later { [self] in takePipelined() }
    }

    private func takePipelined() {
        guard let stream, case .reading = state else { return }
        let bytes = pipelined
        pipelined = []
        resume(stream)
        read(bytes.span)
    }

    private func resume(_ stream: Stream) {
        if stream.isReceivingPaused { stream.resumeReceiving() }
    }
}
