// One side of a conversation in memory: a session, the bodies that it sends, what it was told.

import TestSupport
import Testing
import Wire

@testable import HTTP2

/// A session with an owner that does what tests need.
final class HTTP2Peer {
    let session: HTTP2Session
    /// The events in words, in their order.
    private(set) var lines: [String] = []
    /// What came of each stream's body.
    private(set) var received: [Int32: [UInt8]] = [:]
    private(set) var receivedBytes = 0
    private(set) var streams: [Int32: HTTP2Stream] = [:]
    private(set) var closed: [Int32: HTTP2Ending] = [:]
    var failure: HTTP2Failure? { session.failure }
    /// Whether bodies are kept, or only counted.
    var keepsBodies = true
    /// Answers to complete requests: status and body. nil: the test answers.
    var answers: ((HTTP2Peer, HTTP2Stream) -> Void)?
    /// The DATA frames that left: streams and lengths.
    private(set) var sentFrames: [(stream: Int32, count: Int)] = []
    private var bodies: [Int32: ArraySlice<UInt8>] = [:]
    private var longBodies: [Int32: Int] = [:]
    /// Streams whose body goes on after what was given.
    private var openBodies: Set<Int32> = []
    private let pieceBytes: Int
    private var now: UInt64 = 0

    init(_ options: HTTP2Options, pieceBytes: Int = 16_000) {
        session = HTTP2Session(options)
        self.pieceBytes = pieceBytes
    }

    /// A client's request with a body, or without one.
    @discardableResult
    func request(
        _ body: [UInt8]?, isUpload: Bool = false, key: String = "Bearer ps_test_key",
        isWhole: Bool = true
    ) throws -> HTTP2Stream {
        var fields = HTTP2Fields()
        fields.add(":method", body == nil ? "GET" : "POST")
        fields.add(":scheme", "https")
        fields.add(":authority", "api.test")
        fields.add(":path", "/v1/send")
        fields.add("authorization", Array(key.utf8).span, isSecret: true)
        let stream = try #require(
            session.open(fields, hasBody: body != nil, isUpload: isUpload))
        streams[stream.id] = stream
        if let body { send(body[...], on: stream, isWhole: isWhole) }
        return stream
    }

    /// A body of so many bytes that is never in memory.
    func request(byteCount: Int) throws -> HTTP2Stream {
        let stream = try request([], isUpload: true, isWhole: false)
        longBodies[stream.id] = byteCount
        offer(stream)
        return stream
    }

    func respond(_ stream: HTTP2Stream, _ status: Int, _ body: String, trailer: String? = nil) {
        var fields = HTTP2Fields()
        fields.add(":status", text: String(status))
        fields.add("content-type", "application/json")
        session.respond(to: stream, fields, hasBody: !body.isEmpty)
        if let trailer {
            var fields = HTTP2Fields()
            fields.add("x-trailer", text: trailer)
            session.trail(stream, fields)
        }
        if !body.isEmpty { send(Array(body.utf8)[...], on: stream) }
    }

    func inform(_ stream: HTTP2Stream, _ status: Int) {
        var fields = HTTP2Fields()
        fields.add(":status", text: String(status))
        session.inform(stream, fields)
    }

    func send(_ body: ArraySlice<UInt8>, on stream: HTTP2Stream, isWhole: Bool = true) {
        bodies[stream.id] = body
        if !isWhole { openBodies.insert(stream.id) } else { openBodies.remove(stream.id) }
        offer(stream)
    }

    private func offer(_ stream: HTTP2Stream) {
        let isOpen = openBodies.contains(stream.id)
        if let left = longBodies[stream.id] {
            let count = min(left, pieceBytes)
            longBodies[stream.id] = left - count
            if left > 0 { session.offer(count, isLast: left == count, to: stream) }
            return
        }
        guard let body = bodies[stream.id] else { return }
        let count = min(body.count, pieceBytes)
        let isLast = count == body.count && !isOpen
        if count > 0 || isLast { session.offer(count, isLast: isLast, to: stream) }
        if isLast, count == 0 { bodies[stream.id] = nil }
    }

    /// Writes until nothing is left, or `most` bytes are there.
    func write(most: Int = .max) -> [UInt8] {
        let session = session
        var bytes: [UInt8] = []
        while bytes.count < most {
            switch session.next() {
            case .nothing: return bytes
            case .bytes: bytes.append(bytes: session.output)
            case .data(let frame): bytes += content(of: frame)
            }
        }
        return bytes
    }

    private func content(of frame: HTTP2DataFrame) -> [UInt8] {
        sentFrames.append((frame.stream.id, frame.count))
        var bytes = [UInt8](repeating: 0, count: HTTP2DataFrame.headBytes)
        bytes.withUnsafeMutableBufferPointer { frame.writeHead(to: $0.baseAddress!) }
        if longBodies[frame.stream.id] != nil {
            bytes += [UInt8](repeating: 0x61, count: frame.count)
        } else if let body = bodies[frame.stream.id] {
            bytes += body.prefix(frame.count)
            bodies[frame.stream.id] = body.dropFirst(frame.count)
            if bodies[frame.stream.id]?.isEmpty == true { bodies[frame.stream.id] = nil }
        }
        if frame.isPieceDone, !frame.isEnd { offer(frame.stream) }
        return bytes
    }

    /// Receives `bytes` cut as the plan says, and takes the events.
    func receive(_ bytes: [UInt8], cut plan: [Int]? = nil) {
        var offset = 0
        for length in plan ?? [bytes.count] {
            now += 1_000
            let piece = bytes.span.extracting(offset..<offset + length)
            session.receive(piece, now: now)
            takeEvents(piece)
            offset += length
        }
    }

    func rest(seconds: UInt64) { now += seconds * 1_000_000_000 }

    func takeEvents() {
        let nothing: [UInt8] = []
        takeEvents(nothing.span)
    }

    private func takeEvents(_ input: Bytes) {
        let session = session
        while let event = session.nextEvent() {
            switch event {
            case .head(let stream, let head):
                streams[stream.id] = stream
                let bytes = session.headBytes
                var text: [String] = []
                for (name, value) in session.fields(of: head) {
                    text.append(
                        bytes.extracting(name).copiedText() + "="
                            + bytes.extracting(value).copiedText())
                }
                lines.append("\(head.kind) \(stream.id) " + text.joined(separator: " "))
            case .data(let stream, let range):
                receivedBytes += range.count
                if keepsBodies {
                    received[stream.id, default: []] += input.extracting(range).copied()
                }
            case .end(let stream):
                lines.append("end \(stream.id) after \(received[stream.id]?.count ?? 0)")
                answers?(self, stream)
            case .window: break
            case .closed(let stream, let ending):
                closed[stream.id] = ending
                lines.append("closed \(stream.id) \(ending.code) \(ending.isUnprocessed)")
            case .settings(let count): lines.append("settings \(count)")
            case .goaway(let last, let code): lines.append("goaway \(last) \(code)")
            case .pong(let number): lines.append("pong \(number)")
            case .failed:
                guard let failure = session.failure else { preconditionFailure("no failure") }
                lines.append("failed \(failure.code) \(failure.flood?.rawValue ?? failure.reason)")
            }
        }
    }
}

/// A client and a server that talk until both are silent.
struct HTTP2Conversation {
    let client: HTTP2Peer
    let server: HTTP2Peer

    init(
        client: HTTP2Options = .client, server: HTTP2Options = .server,
        answers: ((HTTP2Peer, HTTP2Stream) -> Void)? = { $0.respond($1, 202, "{}") }
    ) {
        self.client = HTTP2Peer(client)
        self.server = HTTP2Peer(server)
        self.server.answers = answers
    }

    /// - Parameter cuts: how what each side says is cut; whole without it.
    func run(
        most: Int = .max, rounds: Int = 100_000, cuts: (Int) -> [Int]? = { _ in nil }
    ) {
        for _ in 0..<rounds {
            let asked = client.write(most: most)
            client.takeEvents()
            server.receive(asked, cut: cuts(asked.count))
            let answered = server.write(most: most)
            server.takeEvents()
            client.receive(answered, cut: cuts(answered.count))
            if asked.isEmpty, answered.isEmpty { return }
        }
    }
}
