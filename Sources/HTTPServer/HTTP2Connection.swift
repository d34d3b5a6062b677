// One HTTP/2 connection: carries out what its session and the service say (RFC 9113).
//
// The same service answers as over HTTP/1.1 and does not see a difference. A stream is what there is a
// connection: an answer that comes before its request is complete ends the stream, a reset in place of
// an answer resets the stream, and an answer that closes the connection lets the other streams end
// first. Bounded as the session is (streams, windows, heads, floods), and by the server's bounds of
// bodies.

import HTTP2
import Reactor
import Wire

/// The driver of one connection.
final class HTTP2Connection: StreamHandler {
    let server: HTTPServer
    let loop: Loop
    private var stream: Stream?
    private let session: HTTP2Session
    /// By the slots of their streams.
    private var exchanges: [HTTP2Exchange?] = []
    /// The events of the session are being taken: they are followed by a `pump`.
    private var isTaking = false
    /// The deadline is that of requests and answers on their way.
    private var isRequestTimed = false

    init(server: HTTPServer, stream: Stream) {
        self.server = server
        self.stream = stream
        loop = stream.loop
        var options = HTTP2Options.server
        options.headBytesMax = server.options.headBytesMax
        session = HTTP2Session(options)
        super.init()
    }

    /// The handshake is done.
    func begin() {
        pump()
        setDeadline()
    }

    // MARK: Events of the connection

    override func streamReceived(_ stream: Stream, _ bytes: Bytes) {
        session.receive(bytes, now: loop.now.nanoseconds)
        takeEvents(bytes)
        pump()
        if server.options.extendsRequests { isRequestTimed = false }
        setDeadline()
    }

    override func streamDrained(_ stream: Stream) {
        pump()
        isRequestTimed = false
        setDeadline()
    }

    /// Too slow, or idle for long enough.
    override func streamTimedOut(_ stream: Stream) {
        if stream.isAboveHighWater { return stream.abort() }
        session.drain()
        pump()
        stream.finish()
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        for exchange in exchanges { exchange?.end() }
        exchanges = []
        self.stream = nil
        server.ended(self)
    }

    /// What is being read or written has a time; a service that thinks has not.
    private func setDeadline() {
        guard let stream else { return }
        let open = exchanges.compactMap { $0 }
        if open.contains(where: \.isMoving) || stream.isAboveHighWater {
            if !isRequestTimed { arm(server.options.requestMilliseconds) }
            isRequestTimed = true
        } else {
            isRequestTimed = false
            open.isEmpty ? arm(server.options.idleMilliseconds) : (stream.deadline = .never)
        }
    }

    private func arm(_ milliseconds: Int) {
        stream?.deadline = loop.now.advanced(byMilliseconds: milliseconds)
    }

    // MARK: Events of the session

    private func takeEvents(_ input: Bytes) {
        isTaking = true
        defer { isTaking = false }
        while let event = session.nextEvent() {
            switch event {
            case .head(let stream, let head) where head.kind == .request: begin(stream, head)
            case .data(let stream, let range): exchange(stream)?.take(input.extracting(range))
            case .end(let stream): exchange(stream)?.complete()
            case .closed(let stream, _):
                exchange(stream)?.end()
                if stream.slot < exchanges.count { exchanges[stream.slot] = nil }
            case .head, .window, .settings, .goaway, .pong, .failed: break
            }
        }
    }

    private func exchange(_ stream: HTTP2Stream) -> HTTP2Exchange? {
        guard stream.slot < exchanges.count, exchanges[stream.slot]?.stream == stream else {
            return nil
        }
        return exchanges[stream.slot]
    }

    private func begin(_ stream: HTTP2Stream, _ head: HTTP2Head) {
        let exchange = HTTP2Exchange(stream, of: self)
        while exchanges.count <= stream.slot { exchanges.append(nil) }
        exchanges[stream.slot] = exchange
        switch HTTP2RequestReader.read(head, of: session) {
        case .request(let request): exchange.begin(request)
        case .invalid(let reason): exchange.refuse(.invalid(status: 400, reason))
        }
    }

    // MARK: For exchanges

    func inform(_ stream: HTTP2Stream) {
        var fields = HTTP2Fields()
        fields.add(":status", "100")
        session.inform(stream, fields)
        changed()
    }

    func respond(_ stream: HTTP2Stream, _ answer: HTTPAnswer, hasBody: Bool) {
        var fields = HTTP2Fields()
        fields.add(":status", text: String(answer.status))
        fields.add("content-type", text: answer.contentType)
        fields.add("content-length", text: String(answer.body.count))
        for header in answer.headers { fields.add(header.name, text: header.value) }
        session.respond(to: stream, fields, hasBody: hasBody)
        if hasBody { session.offer(answer.body.count, isLast: true, to: stream) }
        if answer.closes { session.drain() }
        changed()
    }

    func reset(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        session.reset(stream, code)
        changed()
    }

    /// There is something to write: at once, or when the events at hand are taken.
    private func changed() {
        guard !isTaking else { return }
        pump()
        isRequestTimed = false
        setDeadline()
    }

    // MARK: Writing

    private func pump() {
        guard let stream else { return }
        let session = session
        writing: while !stream.isAboveHighWater {
            switch session.next() {
            case .nothing: break writing
            case .bytes(let isSecret): stream.write(session.output, isSecret: isSecret)
            case .data(let frame): write(frame, to: stream)
            }
        }
        let nothing: [UInt8] = []
        takeEvents(nothing.span)
        if session.isOver { stream.finish() }
    }

    private func write(_ frame: HTTP2DataFrame, to stream: Stream) {
        guard let exchange = exchange(frame.stream) else {
            preconditionFailure("a body without its exchange")
        }
        let head = frame.head
        stream.write(head.span)
        stream.write(exchange.nextContent(frame.count).span)
        // What the client still sends is of no interest (RFC 9113 section 8.1).
        if frame.isEnd, !exchange.isComplete { session.reset(frame.stream, .noError) }
    }
}
