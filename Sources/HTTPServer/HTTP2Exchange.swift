// One request of an HTTP/2 connection and its answer: what `HTTPConnection` does for a connection, for
// one stream.

import HTTP2
import Reactor
import Wire

/// The life of one stream, as its service sees it.
final class HTTP2Exchange: TimerHandler {
    private enum State {
        /// The request is arriving.
        case reading
        /// The rest of a short body is read and thrown away; its answer is known.
        case discarding(HTTPAnswer)
        /// The service has the request and has not answered yet.
        case asking
        /// The answer is due later, or never.
        case waiting(HTTPAnswer)
        /// The answer is leaving, or has left.
        case sending
        case ended
    }

    let stream: HTTP2Stream
    private unowned let connection: HTTP2Connection
    private var service: any HTTPService { connection.server.service }
    private var state = State.reading
    private var request: HTTPRequest?
    private var bodyBytesMax = 0
    private var body: [UInt8] = []
    /// All of the request has come.
    private(set) var isComplete = false
    private var output: ArraySlice<UInt8> = []
    private var timer: LoopTimer?

    init(_ stream: HTTP2Stream, of connection: HTTP2Connection) {
        self.stream = stream
        self.connection = connection
        super.init()
    }

    /// The client, or the network, is to do something next.
    var isMoving: Bool {
        switch state {
        case .reading, .discarding, .sending: true
        case .asking, .waiting, .ended: false
        }
    }

    // MARK: Reading

    func begin(_ request: HTTPRequest) {
        self.request = request
        switch service.admit(request) {
        case .body(let bytesMax):
            bodyBytesMax = bytesMax
            if request.expectsContinue, request.hasBody { connection.inform(stream) }
        case .answer(let answer):
            if canDiscard(request), answer.status != 413 {
                state = .discarding(answer)
            } else {
                deliver(answer)
            }
        }
    }

    private func canDiscard(_ request: HTTPRequest) -> Bool {
        guard case .length(let length) = request.framing else { return request.framing == .none }
        return length <= HTTPConnection.discardBytesMax && !request.expectsContinue
    }

    func take(_ content: Bytes) {
        service.note(.content(bytes: content.count))
        guard case .reading = state else { return }
        if body.count + content.count > bodyBytesMax {
            return refuse(.bodyTooLarge(bytesMax: bodyBytesMax))
        }
        let isWithinBound = connection.server.hold(content.count)
        body.append(bytes: content)
        if !isWithinBound { refuse(.tooManyUploads) }
    }

    func complete() {
        isComplete = true
        if case .discarding(let answer) = state { return deliver(answer) }
        guard case .reading = state, let request else { return }
        let whole = body
        releaseBody()
        state = .asking
        service.respond(to: request, body: whole) { [self] answer in
            // The client may have left meanwhile.
            if case .asking = state { deliver(answer) }
        }
    }

    private func releaseBody() {
        connection.server.release(body.count)
        body = []
    }

    // MARK: Answering

    func refuse(_ refusal: HTTPRefusal) {
        releaseBody()
        deliver(service.answer(to: refusal))
    }

    private func deliver(_ answer: HTTPAnswer) {
        service.note(.decided(answer, to: request))
        switch answer.delivery {
        case .now: start(answer)
        case .after(let milliseconds):
            state = .waiting(answer)
            let timer = LoopTimer(loop: connection.loop, handler: self)
            timer.arm(at: connection.loop.now.advanced(byMilliseconds: milliseconds))
            self.timer = timer
        case .never: state = .waiting(answer)
        case .reset:
            state = .sending
            connection.reset(stream, .internalError)
        }
    }

    override func timerFired(_ timer: LoopTimer) {
        self.timer = nil
        if case .waiting(let answer) = state { start(answer) }
    }

    private func start(_ answer: HTTPAnswer) {
        let answer = service.finished(answer, to: request)
        // The answer to HEAD ends with its head (RFC 9110 9.3.2).
        let hasBody = request?.method != "HEAD" && !answer.body.isEmpty
        output = answer.body[...]
        state = .sending
        connection.respond(stream, answer, hasBody: hasBody)
        if !hasBody, !isComplete { connection.reset(stream, .noError) }
    }

    /// The next bytes of the answer's body.
    func nextContent(_ count: Int) -> ArraySlice<UInt8> {
        defer { output = output.dropFirst(count) }
        return output.prefix(count)
    }

    /// The stream or its connection has ended. Harmless when called again.
    func end() {
        switch state {
        case .reading, .discarding: service.note(.incomplete)
        case .asking, .waiting, .sending, .ended: break
        }
        releaseBody()
        timer?.cancel()
        timer = nil
        output = []
        state = .ended
    }
}
