// The server over HTTP/2 on a loop of its own, with a client on the same loop: the services are those
// of HTTP/1.1 and answer alike.

import Glibc
import HTTP2
import Reactor
import TestSupport
import Testing
import Wire

@testable import HTTPServer

/// A request of a test.
private struct Request: Sendable {
    var method = "GET"
    var path: String
    var bodyBytes = 0
    var fields: [String] = []
    /// The request stays unfinished.
    var isOpen = false
}

/// What a client was told, in words; read from the test's thread.
private final class Results: Sendable {
    private let lines = Locked<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}

/// A connection that sends all its requests at once, and writes down what comes.
private final class HTTP2Client: StreamHandler {
    private let session = HTTP2Session(.client)
    private let requests: [Request]
    private let results: Results
    private var bodies: [Int32: (status: Int, text: [UInt8])] = [:]
    private var paths: [Int32: String] = [:]

    init(_ requests: [Request], _ results: Results) {
        self.requests = requests
        self.results = results
        super.init()
    }

    override func streamOpened(_ stream: Stream) {
        guard stream.tls?.applicationProtocol == .http2 else { return results.add("no HTTP/2") }
        for request in requests { send(request) }
        pump(stream)
    }

    private func send(_ request: Request) {
        var fields = HTTP2Fields()
        fields.add(":method", text: request.method)
        fields.add(":scheme", "https")
        fields.add(":authority", "localhost")
        fields.add(":path", text: request.path)
        for field in request.fields {
            let sides = field.split(separator: ":", maxSplits: 1)
            fields.add(String(sides[0]), text: String(sides[1]))
        }
        let hasBody = request.bodyBytes > 0 || request.isOpen
        guard let stream = session.open(fields, hasBody: hasBody, isUpload: true) else {
            return results.add("no stream")
        }
        paths[stream.id] = request.path
        if request.bodyBytes > 0 {
            session.offer(request.bodyBytes, isLast: !request.isOpen, to: stream)
        }
    }

    private func pump(_ stream: Stream) {
        let session = session
        writing: while true {
            switch session.next() {
            case .nothing: break writing
            case .bytes: stream.write(session.output)
            case .data(let frame):
                stream.write(frame.head.span)
                stream.write([UInt8](repeating: 0x61, count: frame.count).span)
            }
        }
        let nothing: [UInt8] = []
        takeEvents(nothing.span)
    }

    override func streamReceived(_ stream: Stream, _ bytes: Bytes) {
        session.receive(bytes, now: stream.loop.now.nanoseconds)
        takeEvents(bytes)
        pump(stream)
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) { results.add("closed") }

    private func takeEvents(_ input: Bytes) {
        while let event = session.nextEvent() {
            switch event {
            case .head(let stream, let head):
                if head.kind == .interim {
                    results.add("\(paths[stream.id] ?? ""): \(head.status)")
                } else {
                    bodies[stream.id] = (head.status, [])
                }
            case .data(let stream, let range):
                bodies[stream.id]?.text += input.extracting(range).copied()
            case .end(let stream):
                guard let (status, body) = bodies[stream.id] else { break }
                let text =
                    body.count > 100 ? "\(body.count) bytes" : String(decoding: body, as: UTF8.self)
                results.add("\(paths[stream.id] ?? ""): \(status) \(text)")
            case .closed(let stream, let ending):
                if ending.code != .noError || bodies[stream.id] == nil {
                    results.add("\(paths[stream.id] ?? ""): \(ending.code)")
                }
            case .goaway(let last, let code): results.add("goaway \(last) \(code)")
            case .failed: results.add("failed \(session.failure?.reason ?? "")")
            case .window, .settings, .pong: break
            }
        }
    }
}

@Suite struct HTTP2ServerTests {
    /// Certificates that were written.
    private static let files = Locked(0)
    private static let options = HTTPServerOptions(
        connectionsMax: 8, headBytesMax: 4_096, uploadBytesMax: 2_000_000,
        idleMilliseconds: 60_000, requestMilliseconds: 60_000, extendsRequests: true)

    /// Lets one connection send `requests`, until `count` lines have come.
    private func ask(
        _ requests: [Request], _ count: Int, _ options: HTTPServerOptions = options
    ) throws -> (lines: [String], notes: [String]) {
        let results = Results()
        let notes = ScriptedService.Notes()
        let address = try #require(SocketAddress("127.0.0.1:0"))
        let serverTLS = try TLSContext.selfSignedServer(names: ["localhost"], speaksHTTP2: true)
        let number = Self.files.withLock { count in
            count += 1
            return count
        }
        let file = "/tmp/http2-test-\(getpid())-\(number).pem"
        try TemporaryFile.write(try #require(serverTLS.certificatePEM), to: file)
        defer { TemporaryFile.remove(file) }
        let clientTLS = try TLSContext.client(caFile: file, protocols: [.http2, .http11])
        let group = try LoopGroup(count: 1, backend: testBackend) { loop in
            let server = try HTTPServer(
                loop: loop, addresses: [address], tls: serverTLS, options: options,
                service: ScriptedService(notes: notes))
            _ = Stream.connect(
                loop: loop, to: server.addresses[0], tls: clientTLS, serverName: "localhost",
                handler: HTTP2Client(requests, results))
            return server
        }
        defer {
            group.stop()
            group.join()
        }
        for _ in 0..<1_000 where results.all.count < count { usleep(5_000) }
        // Nothing else comes.
        usleep(20_000)
        return (results.all, notes.all)
    }

    @Test("Streams are answered side by side, each when its answer is there")
    func concurrent() throws {
        let (lines, notes) = try ask(
            [
                Request(path: "/hold"), Request(path: "/slow"),
                Request(method: "POST", path: "/1", bodyBytes: 70_000), Request(path: "/2?q"),
                Request(path: "/free"),
            ], 5)
        #expect(
            Set(lines) == [
                "/hold: 200 freed", "/slow: 200 GET /slow 0", "/1: 200 POST /1 70000",
                "/2?q: 200 GET /2 0", "/free: 200 GET /free 0",
            ])
        #expect(lines.last == "/slow: 200 GET /slow 0")
        #expect(notes.filter { $0.hasPrefix("opened") } == ["opened 1"])
    }

    @Test("A reset is the stream's, and a closing answer lets the others end")
    func endings() throws {
        let (lines, _) = try ask(
            [
                Request(path: "/reset"), Request(path: "/never"), Request(path: "/slow"),
                Request(path: "/closing"),
            ], 4)
        #expect(lines.first == "/reset: INTERNAL_ERROR")
        #expect(lines.contains("/closing: 200 GET /closing 0"))
        #expect(lines.contains("goaway 7 NO_ERROR"))
        #expect(lines.contains("/slow: 200 GET /slow 0"))
        #expect(!lines.contains("closed"), "a request waits")
    }

    @Test("After a closing answer, and when all streams have ended, the connection is closed")
    func closing() throws {
        let (lines, notes) = try ask([Request(path: "/slow"), Request(path: "/closing")], 4)
        #expect(lines.last == "closed")
        #expect(lines.contains("/slow: 200 GET /slow 0"))
        #expect(notes.last == "closed 0")
    }

    @Test("An early answer ends its stream and no other; short bodies are read to their end")
    func early() throws {
        let (lines, notes) = try ask(
            [
                Request(method: "POST", path: "/too-large", bodyBytes: 5_000_000),
                Request(
                    method: "POST", path: "/refused", bodyBytes: 3_000,
                    fields: ["content-length:3000"]),
                Request(method: "POST", path: "/over", bodyBytes: 1_500_000),
                Request(method: "POST", path: "/1", bodyBytes: 5),
            ], 4)
        #expect(
            Set(lines) == [
                "/too-large: 413 too large", "/refused: 401 refused", "/over: 413 over 1000000",
                "/1: 200 POST /1 5",
            ])
        #expect(!notes.contains("incomplete"))
    }

    @Test("Bodies of all streams together have a bound")
    func uploads() throws {
        let requests = (1...3).map {
            Request(method: "POST", path: "/\($0)", bodyBytes: 900_000, isOpen: true)
        }
        let (lines, notes) = try ask(requests, 1)
        #expect(lines.count == 1 && lines[0].hasSuffix("503 uploads"))
        #expect(notes.contains { $0.hasPrefix("decided 503") })
    }

    @Test("100 Continue, HEAD, large answers, and paths that are none")
    func others() throws {
        let (lines, _) = try ask(
            [
                Request(
                    method: "POST", path: "/a", bodyBytes: 3,
                    fields: ["expect:100-continue", "content-length:3"]),
                Request(method: "HEAD", path: "/b"), Request(path: "/big"),
                Request(path: "/c", fields: ["authorization:a", "authorization:b"]),
                Request(method: "OPTIONS", path: "*"),
            ], 6)
        #expect(
            Set(lines) == [
                "/a: 100", "/a: 200 POST /a 3", "/b: 200 ",
                "/big: 200 \(ScriptedService.bigBytes) bytes", "/c: 400 repeated header field",
                "*: 400 no path",
            ])
    }

    @Test("A request that does not go on, and a connection that rests, end in time")
    func slow() throws {
        var options = Self.options
        options.requestMilliseconds = 100
        let (lines, notes) = try ask(
            [Request(method: "POST", path: "/a", bodyBytes: 3, isOpen: true)], 2, options)
        #expect(lines == ["goaway 1 NO_ERROR", "closed"])
        #expect(notes.contains("incomplete"))
        options.requestMilliseconds = 60_000
        options.idleMilliseconds = 100
        let (others, _) = try ask([Request(path: "/a")], 3, options)
        #expect(others == ["/a: 200 GET /a 0", "goaway 1 NO_ERROR", "closed"])
    }
}
