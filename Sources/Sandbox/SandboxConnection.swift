// One HTTP/1.1 connection to the sandbox: carries out what the reader and the service say.
//
// Requests are answered one after the other; what a client pipelines waits, within a bound. An
// early answer ends the connection behind it, because the rest of the body is not read.

import Reactor
import Wire

/// The driver of one connection.
final class SandboxConnection: StreamHandler {
    private enum State {
        /// Between requests or inside one.
        case reading
        /// The rest of a short body is read away; its answer is known.
        case discarding(SandboxAnswer)
        /// The answer is due later, or never.
        case waiting(SandboxAnswer)
        /// The answer is leaving.
        case sending
        /// The last answer has left; nothing is read any more.
        case closing
    }

    /// Announced bodies up to this are read although the answer is known: the connection lives on.
    private static let discardBytesMax = 262_144
    /// Pipelined bytes held while an answer is due.
    private static let pipelineBytesMax = 65_536

    private let service: SandboxService
    private let acceptor: SandboxAcceptor
    private var stream: Stream?
    private var state = State.reading
    private var reader = SandboxRequestReader()
    private var request: SandboxRequest?
    private var body: [UInt8] = []
    private var bodyBytesMax = 0
    private var pipelined: [UInt8] = []
    private var output: [UInt8] = []
    private var outputOffset = 0
    private var closesBehindAnswer = false
    private var isEnding = false

    init(service: SandboxService, acceptor: SandboxAcceptor) {
        self.service = service
        self.acceptor = acceptor
        super.init()
    }

    /// Closes now when nothing is in flight, else behind the answer.
    func closeWhenIdle() {
        isEnding = true
        if case .reading = state, request == nil { end() }
    }

    // MARK: events

    override func streamOpened(_ stream: Stream) {
        self.stream = stream
        if isEnding { end() } else { armIdleDeadline() }
    }

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        switch state {
        case .reading, .discarding:
            armIdleDeadline()
            read(bytes)
        case .waiting, .sending:
            pipelined.append(bytes: bytes)
            if pipelined.count > Self.pipelineBytesMax { stream.pauseReceiving() }
        case .closing:
            break
        }
    }

    override func streamDrained(_ stream: Stream) {
        if case .sending = state { pump() }
    }

    override func streamTimedOut(_ stream: Stream) {
        if case .waiting(let answer) = state, case .after = answer.delivery {
            start(answer)
        } else {
            end()
        }
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        if isReading, reader.isInsideRequest { service.statistics.incomplete += 1 }
        releaseBody()
        self.stream = nil
        acceptor.remove(self)
    }

    private var isReading: Bool {
        if case .reading = state { return true }
        return false
    }

    private func armIdleDeadline() {
        guard let stream else { return }
        stream.deadline = stream.loop.now.advanced(
            byMilliseconds: service.options.idleTimeoutMilliseconds)
    }

    private func end() {
        state = .closing
        stream?.finish()
    }

    // MARK: reading

    private func read(_ input: Bytes) {
        var offset = 0
        while true {
            switch state {
            case .reading, .discarding: break
            case .waiting, .sending:
                pipelined.append(bytes: input.extracting(offset..<input.count))
                return
            case .closing: return
            }
            switch reader.next(input, &offset) {
            case .needInput: return
            case .head(let request): begin(request)
            case .content(let range): take(input.extracting(range))
            case .end: complete()
            case .invalid(let status, let reason):
                service.statistics.incomplete += request == nil ? 0 : 1
                answerEarly(.error(status, .text, reason))
            }
        }
    }

    private func begin(_ request: SandboxRequest) {
        self.request = request
        closesBehindAnswer = !request.keepAlive
        switch service.admit(request) {
        case .body(let bytesMax):
            bodyBytesMax = bytesMax
            if request.expectsContinue { stream?.write("HTTP/1.1 100 Continue\r\n\r\n") }
        case .answer(let answer):
            if canDiscard(request), answer.status != 413 {
                state = .discarding(answer)
            } else {
                answerEarly(answer)
            }
        }
    }

    private func canDiscard(_ request: SandboxRequest) -> Bool {
        switch request.framing {
        case .length(let length):
            length <= Self.discardBytesMax && !request.expectsContinue
        case .chunked: false
        case .none, .untilClose: true
        }
    }

    private func take(_ content: Bytes) {
        service.statistics.bodyBytes += content.count
        if case .discarding = state { return }
        if body.count + content.count > bodyBytesMax {
            return answerEarly(.tooLarge("request body exceeds \(bodyBytesMax) bytes"))
        }
        service.uploadBytes += content.count
        body.append(bytes: content)
        if service.uploadBytes > service.options.uploadBytesMax {
            answerEarly(.error(503, .text, "too many uploads at once"))
        }
    }

    private func complete() {
        guard let request else { return }
        if case .discarding(let answer) = state {
            state = .reading
            return deliver(answer)
        }
        let answer = service.respond(to: request, body: body)
        releaseBody()
        deliver(answer)
    }

    private func releaseBody() {
        service.uploadBytes -= body.count
        body = []
    }

    // MARK: answering

    /// Answers before the body is there, and ends the connection.
    private func answerEarly(_ answer: SandboxAnswer) {
        releaseBody()
        closesBehindAnswer = true
        deliver(answer)
    }

    private func deliver(_ answer: SandboxAnswer) {
        if request?.path == "/v1/send" { service.noteRefusal(answer) }
        switch answer.delivery {
        case .now:
            start(answer)
        case .after(let milliseconds):
            state = .waiting(answer)
            if let stream {
                stream.deadline = stream.loop.now.advanced(byMilliseconds: milliseconds)
            }
        case .never:
            state = .waiting(answer)
            stream?.deadline = .never
        case .reset:
            state = .closing
            stream?.abort()
        }
    }

    private func start(_ answer: SandboxAnswer) {
        let closes = closesBehindAnswer || answer.closes || isEnding
        let requestID = "req_" + SandboxText.randomHex(16)
        if answer.status >= 400 { service.statistics.refused += 1 }
        log(answer, requestID)
        closesBehindAnswer = closes
        output = Array(answer.head(requestID: requestID, closes: closes).utf8)
        output.append(contentsOf: answer.body)
        outputOffset = 0
        state = .sending
        pump()
    }

    /// Writes as much of the answer as the stream takes without growing.
    private func pump() {
        guard let stream else { return }
        armIdleDeadline()
        let output = output
        while outputOffset < output.count {
            if stream.isAboveHighWater { return }
            let length = min(16_384, output.count - outputOffset)
            stream.writeRecord(output.span.extracting(outputOffset..<outputOffset + length))
            outputOffset += length
        }
        answered()
    }

    private func answered() {
        output = []
        request = nil
        if closesBehindAnswer { return end() }
        state = .reading
        if stream?.isReceivingPaused ?? false { stream?.resumeReceiving() }
        if !pipelined.isEmpty {
            let bytes = pipelined
            pipelined = []
            read(bytes.span)
        }
    }

    private func log(_ answer: SandboxAnswer, _ requestID: String) {
        service.log.event(
            .debug, "sandbox-answer",
            [
                "method": request?.method ?? "", "path": request?.path ?? "",
                "status": String(answer.status), "request_id": requestID,
            ])
    }
}
