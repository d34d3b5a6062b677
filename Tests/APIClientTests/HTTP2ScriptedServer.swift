// An HTTP/2 server that a test tells what to do, on the loop and in the thread of the test.

import HTTP2
import Reactor
import TestSupport
import Wire

/// A request as the server sees it.
struct HTTP2Request {
    let stream: HTTP2Stream
    /// Names and values: "name=value", in their order.
    let fields: [String]
    var body: [UInt8] = []
    var isComplete = false
    /// The code with which the stream ended, when that was before the request's end.
    var resetCode: HTTP2ErrorCode?
}

/// One connection as the server sees it.
final class HTTP2ScriptedPeer: StreamHandler {
    typealias Script = (HTTP2ScriptedPeer) -> Void

    let number: Int
    let session: HTTP2Session
    private let script: Script
    private(set) var stream: Reactor.Stream?
    private(set) var requests: [HTTP2Request] = []
    /// What came, as bytes of the connection.
    private(set) var raw: [UInt8] = []
    private(set) var closeReason: CloseReason?
    /// With which the client has said GOAWAY last.
    private(set) var goawayCode: HTTP2ErrorCode?
    /// For the script only.
    var step = 0
    /// For the script only: what it has done once.
    var answered: Set<Int> = []
    private var answers: [Int32: ArraySlice<UInt8>] = [:]

    init(number: Int, options: HTTP2Options, script: @escaping Script) {
        self.number = number
        self.script = script
        session = HTTP2Session(options)
        super.init()
    }

    /// Requests that are complete and were not answered.
    var complete: [HTTP2Request] { requests.filter { $0.isComplete } }

    override func streamOpened(_ stream: Reactor.Stream) {
        if let tls = stream.tls, tls.applicationProtocol != .http2 {
            // A client that has chosen HTTP/1.1 gets a 202 for each message.
            let peer = ScriptedPeer(number: number, script: ScriptedServer.accepting)
            stream.handOver(to: peer)
            return peer.streamOpened(stream)
        }
        self.stream = stream
        script(self)
        write()
    }

    override func streamReceived(_ stream: Reactor.Stream, _ bytes: Bytes) {
        raw += bytes.copied()
        session.receive(bytes, now: stream.loop.now.nanoseconds)
        takeEvents(bytes)
        script(self)
        write()
    }

    override func streamDrained(_ stream: Reactor.Stream) { write() }

    override func streamClosed(_ stream: Reactor.Stream, _ reason: CloseReason) {
        closeReason = reason
        self.stream = nil
    }

    private func takeEvents(_ input: Bytes) {
        let session = session
        while let event = session.nextEvent() {
            switch event {
            case .head(let stream, let head) where head.kind == .request:
                let bytes = session.headBytes
                let fields = session.fields(of: head).map { name, value in
                    bytes.extracting(name).copiedText() + "="
                        + bytes.extracting(value).copiedText()
                }
                requests.append(HTTP2Request(stream: stream, fields: fields))
            case .data(let stream, let range):
                change(stream) { $0.body += input.extracting(range).copied() }
            case .end(let stream): change(stream) { $0.isComplete = true }
            case .goaway(_, let code): goawayCode = code
            case .closed(let stream, let ending):
                change(stream) { if !$0.isComplete { $0.resetCode = ending.code } }
            default: break
            }
        }
    }

    private func change(_ stream: HTTP2Stream, _ work: (inout HTTP2Request) -> Void) {
        guard let index = requests.firstIndex(where: { $0.stream.id == stream.id }) else { return }
        work(&requests[index])
    }

    /// Answers; the body goes when the script returns, or with `write`.
    func respond(
        _ request: HTTP2Request, _ status: Int, _ body: String = "",
        fields more: [(name: StaticString, value: StaticString)] = [], isWhole: Bool = true
    ) {
        var fields = HTTP2Fields()
        fields.add(":status", text: "\(status)")
        for field in more { fields.add(field.name, field.value) }
        session.respond(to: request.stream, fields, hasBody: !body.isEmpty)
        guard !body.isEmpty else { return }
        answers[request.stream.id] = Array(body.utf8)[...]
        session.offer(body.utf8.count, isLast: isWhole, to: request.stream)
    }

    /// Answers with 202 and the number of the stream.
    func accept(_ request: HTTP2Request) {
        respond(request, 202, #"{"message_id":"m\#(number)-\#(request.stream.id)"}"#)
    }

    func write() {
        guard let stream else { return }
        let session = session
        writing: while true {
            switch session.next() {
            case .nothing: break writing
            case .bytes: stream.write(session.output)
            case .data(let frame):
                let id = frame.stream.id
                let head = frame.head
                stream.write(head.span)
                let content = answers[id] ?? []
                stream.write(Array(content.prefix(frame.count)).span)
                answers[id] = content.dropFirst(frame.count)
            }
        }
        let nothing: [UInt8] = []
        takeEvents(nothing.span)
    }
}

/// A server that runs a script when a connection opens and when bytes come.
final class HTTP2ScriptedServer: ListenerHandler {
    private(set) var peers: [HTTP2ScriptedPeer] = []
    private var listener: Listener?
    private let options: HTTP2Options
    private let script: HTTP2ScriptedPeer.Script

    var address: SocketAddress { listener!.address }
    var requests: [HTTP2Request] { peers.flatMap { $0.requests } }

    init(
        _ loop: Loop, tls: TLSContext? = nil, options: HTTP2Options = .server,
        script: @escaping HTTP2ScriptedPeer.Script
    ) throws {
        self.options = options
        self.script = script
        super.init()
        listener = try Listener(
            loop: loop, address: SocketAddress("127.0.0.1:0")!, tls: tls, bounds: .known,
            handler: self)
    }

    override func accepted(
        _ address: SocketAddress, on listener: Listener
    ) -> StreamHandler? {
        let peer = HTTP2ScriptedPeer(number: peers.count, options: options, script: script)
        peers.append(peer)
        return peer
    }

    func close() { listener?.close() }

    /// Answers each whole request with 202.
    static func accepting(_ peer: HTTP2ScriptedPeer) {
        for request in peer.complete.dropFirst(peer.step) {
            peer.step += 1
            peer.accept(request)
        }
    }
}
