// The server on a loop of its own, spoken to over blocking sockets: framing, order, bounds, ends.

import Glibc
import Reactor
import TestSupport
import Testing
import Wire

@testable import HTTPServer

/// Does what a request's path says.
final class ScriptedService: HTTPService {
    /// What the server told, in words; read from the test's thread.
    final class Notes: Sendable {
        private let lines = Locked<[String]>([])
        func add(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    static let bigBytes = 4_000_000

    private let notes: Notes
    private var held: [(HTTPAnswer) -> Void] = []

    init(notes: Notes) { self.notes = notes }

    func admit(_ request: HTTPRequest) -> HTTPAdmission {
        switch request.path {
        case "/refused": .answer(Self.answer(401, "refused"))
        case "/too-large": .answer(Self.answer(413, "too large"))
        default: .body(bytesMax: 1_000_000)
        }
    }

    func respond(
        to request: HTTPRequest, body: [UInt8], _ reply: @escaping (HTTPAnswer) -> Void
    ) {
        var answer = Self.answer(200, "\(request.method) \(request.path) \(body.count)")
        switch request.path {
        case "/hold": return held.append(reply)
        case "/free":
            for reply in held { reply(Self.answer(200, "freed")) }
            held = []
        case "/slow": answer.delivery = .after(milliseconds: 50)
        case "/never": answer.delivery = .never
        case "/reset": answer.delivery = .reset
        case "/closing": answer.closes = true
        case "/big": answer.body = [UInt8](repeating: 0x61, count: Self.bigBytes)
        default: break
        }
        reply(answer)
    }

    func answer(to refusal: HTTPRefusal) -> HTTPAnswer {
        switch refusal {
        case .invalid(let status, let reason): Self.answer(status, reason)
        case .bodyTooLarge(let bytesMax): Self.answer(413, "over \(bytesMax)")
        case .tooManyUploads: Self.answer(503, "uploads")
        }
    }

    func finished(_ answer: HTTPAnswer, to request: HTTPRequest?) -> HTTPAnswer {
        var answer = answer
        answer.headers.append(("X-Path", request?.path ?? "none"))
        return answer
    }

    func note(_ event: HTTPEvent) {
        switch event {
        case .opened(let count): notes.add("opened \(count)")
        case .closed(let count): notes.add("closed \(count)")
        case .content: break
        case .incomplete: notes.add("incomplete")
        case .decided(let answer, let request):
            notes.add("decided \(answer.status) \(request?.path ?? "none")")
        }
    }

    private static func answer(_ status: Int, _ text: String) -> HTTPAnswer {
        HTTPAnswer(status: status, contentType: "text/plain", body: Array(text.utf8))
    }
}

@Suite struct HTTPServerTests {
    /// A server for the length of `body`, which gets a maker of clients.
    private func withServer(
        _ options: HTTPServerOptions = HTTPServerOptions(
            connectionsMax: 8, headBytesMax: 4_096, uploadBytesMax: 2_000_000,
            idleMilliseconds: 60_000, requestMilliseconds: 60_000, extendsRequests: false),
        _ body: (() throws -> PlainClient, ScriptedService.Notes) throws -> Void
    ) throws {
        let notes = ScriptedService.Notes()
        let port = ServerPort()
        let address = try #require(SocketAddress("127.0.0.1:0"))
        let group = try LoopGroup(count: 1, backend: testBackend) { loop in
            let server = try HTTPServer(
                loop: loop, addresses: [address], tls: nil, options: options,
                service: ScriptedService(notes: notes))
            port.number = server.addresses[0].port
            return server
        }
        defer {
            group.stop()
            group.join()
        }
        try body({ try #require(PlainClient(port: port.number)) }, notes)
    }

    private func head(_ method: String, _ path: String, _ fields: String...) -> String {
        "\(method) \(path) HTTP/1.1\r\nHost: x\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
    }

    private static let close = "Connection: close"

    /// The statuses of the answers in `text`, in their order.
    private func statuses(_ text: String) -> [String] {
        text.split(separator: "HTTP/1.1 ").map { String($0.prefix(3)) }
    }

    @Test("An answer has its head to the byte, and the connection ends when that was asked for")
    func oneAnswer() throws {
        try withServer { connect, _ in
            let client = try connect()
            client.send(head("GET", "/a?b=c", Self.close))
            #expect(
                client.receiveAll()
                    == "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n"
                    + "X-Path: /a\r\nConnection: close\r\n\r\nGET /a 0")
            #expect(!client.wasReset)
        }
    }

    @Test("A connection carries one request after the other")
    func keepAlive() throws {
        try withServer { connect, notes in
            let client = try connect()
            for number in 0..<5 {
                client.send(head("POST", "/\(number)", "Content-Length: 2") + "ab")
                #expect(client.receive(until: "\(number) 2").hasPrefix("HTTP/1.1 200 OK\r\n"))
            }
            #expect(notes.all.filter { $0.hasPrefix("opened") } == ["opened 1"])
        }
    }

    @Test("Pipelined requests are answered in order, whether at once, slowly or later")
    func pipelining() throws {
        try withServer { connect, _ in
            let client = try connect()
            client.send(
                head("GET", "/1") + head("GET", "/slow") + head("GET", "/hold") + head("GET", "/2")
                    + head("POST", "/3", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n"
                    + head("GET", "/refused") + head("GET", "/4", Self.close) + head("GET", "/5"))
            _ = client.receive(until: "/slow 0")
            let other = try connect()
            other.send(head("GET", "/free", Self.close))
            _ = other.receiveAll()
            let rest = client.receiveAll()
            #expect(statuses(rest) == ["200", "200", "200", "401", "200"])
            let paths = rest.split(separator: "\r\n").filter { $0.hasPrefix("X-Path: ") }
            #expect(
                paths.map { $0.dropFirst(8) } == ["/hold", "/2", "/3", "/refused", "/4"])
        }
    }

    @Test("Cut into single bytes, requests and bodies are the same")
    func bytewise() throws {
        try withServer { connect, _ in
            let client = try connect()
            let requests =
                "\r\n" + head("POST", "/a", "Content-Length: 3") + "abc"
                + head("GET", "/b", Self.close)
            for byte in requests { client.send(String(byte)) }
            #expect(statuses(client.receiveAll()) == ["200", "200"])
        }
    }

    @Test("A client that ends its side still gets its answers")
    func halfClosed() throws {
        try withServer { connect, notes in
            let client = try connect()
            client.send(head("GET", "/1") + head("GET", "/slow") + head("GET", "/2"))
            client.finish()
            #expect(statuses(client.receiveAll()) == ["200", "200", "200"])
            let silent = try connect()
            silent.send(head("GET", "/never"))
            silent.finish()
            #expect(silent.receiveAll() == "", "an answer that never comes is not waited for")
            #expect(!notes.all.contains("incomplete"))
        }
    }

    @Test("HEAD is answered without the body, and the next answer is in its place")
    func headRequests() throws {
        try withServer { connect, _ in
            let client = try connect()
            client.send(head("HEAD", "/a") + head("GET", "/b", Self.close))
            let answers = client.receiveAll()
            #expect(answers.contains("Content-Length: 9\r\nX-Path: /a\r\n\r\nHTTP/1.1 200"))
            #expect(answers.hasSuffix("GET /b 0"))
        }
    }

    @Test("100 Continue comes before the body, and not for a request that is refused")
    func expectation() throws {
        try withServer { connect, _ in
            let fields = ["Expect: 100-continue", "Content-Length: 3", Self.close]
            let client = try connect()
            client.send(head("POST", "/a", fields[0], fields[1], fields[2]))
            #expect(client.receive(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            client.send("abc")
            #expect(client.receiveAll().hasSuffix("POST /a 3"))
            let refused = try connect()
            refused.send(head("POST", "/refused", fields[0], fields[1], fields[2]))
            #expect(statuses(refused.receiveAll()) == ["401"])
        }
    }

    @Test("The short body of a refused request is read away, and the connection lives on")
    func discarded() throws {
        try withServer { connect, _ in
            let client = try connect()
            let body = String(repeating: "x", count: 200_000)
            client.send(head("POST", "/refused", "Content-Length: 200000") + body)
            client.send(head("GET", "/a", Self.close))
            #expect(statuses(client.receiveAll()) == ["401", "200"])
        }
    }

    @Test(
        "The body of a refused request that is long, chunked or too large ends the connection",
        arguments: [
            ("/refused", "Content-Length: 300000", "401"),
            ("/refused", "Transfer-Encoding: chunked", "401"),
            ("/too-large", "Content-Length: 5", "413"),
        ])
    func refusedEarly(path: String, field: String, status: String) throws {
        try withServer { connect, _ in
            let client = try connect()
            client.send(head("POST", path, field))
            let answer = client.receiveAll()
            #expect(statuses(answer) == [status])
            #expect(answer.contains("\r\nConnection: close\r\n"))
        }
    }

    @Test("A body is bounded, announced or not")
    func bodyBound() throws {
        try withServer { connect, _ in
            for field in ["Content-Length: 1000001", "Transfer-Encoding: chunked"] {
                let client = try connect()
                client.send(head("POST", "/a", field))
                if field.contains("chunked") { client.send("f4241\r\n") }
                client.send(String(repeating: "x", count: 1_000_001))
                let answer = client.receive(until: "over 1000000")
                #expect(statuses(answer) == ["413"], "\(field)")
            }
        }
    }

    @Test("All bodies together are bounded, and an upload that ends makes room")
    func uploads() throws {
        try withServer { connect, notes in
            func begin() throws -> PlainClient {
                let client = try connect()
                client.send(head("POST", "/a", "Content-Length: 900001"))
                client.send(String(repeating: "x", count: 900_000))
                return client
            }
            let first = try begin()
            let second = try begin()
            let third = try begin()
            // Which of the three crosses the bound depends on the order of their bytes. None of them
            // may be complete before: it would make room.
            while !notes.all.contains("decided 503 /a") { usleep(1_000) }
            let clients = [first, second, third]
            for client in clients { client.send("x") }
            let answers = clients.map { statuses($0.receive(until: "Content-Length")) }
            #expect(answers.count { $0 == ["503"] } == 1)
            #expect(answers.count { $0 == ["200"] } == 2)
            let fourth = try begin()
            fourth.send("x")
            #expect(statuses(fourth.receive(until: "Content-Length")) == ["200"])
            #expect(notes.all.count { $0 == "decided 503 /a" } == 1)
        }
    }

    @Test("What is no request is answered, and the connection ends")
    func noRequest() throws {
        try withServer { connect, notes in
            for (text, status) in [
                ("nonsense\r\n\r\n", "400"), ("GET / HTTP/2.0\r\n\r\n", "505"),
                (String(repeating: "G", count: 5_000), "431"),
            ] {
                let client = try connect()
                client.send(text)
                #expect(statuses(client.receiveAll()) == [status])
            }
            #expect(!notes.all.contains("incomplete"), "no request had begun")
            let client = try connect()
            client.send(head("POST", "/a", "Transfer-Encoding: chunked") + "nonsense\r\n")
            #expect(statuses(client.receiveAll()) == ["400"])
            #expect(notes.all.contains("incomplete"))
        }
    }

    @Test("A request that breaks off is told of, a connection that rests is not")
    func incomplete() throws {
        try withServer { connect, notes in
            var client: PlainClient? = try connect()
            client?.send(head("GET", "/a"))
            _ = client?.receive(until: "GET /a 0")
            client = nil
            client = try connect()
            client?.send(head("POST", "/b", "Content-Length: 9") + "x")
            client?.finish()
            #expect(client?.receiveAll() == "")
            client = nil
            try wait { notes.all.count { $0.hasPrefix("closed") } == 2 }
            #expect(notes.all.count { $0 == "incomplete" } == 1)
        }
    }

    @Test("A reset is a reset, and an answer may end its connection")
    func ends() throws {
        try withServer { connect, _ in
            let reset = try connect()
            reset.send(head("GET", "/reset"))
            #expect(reset.receiveAll() == "")
            #expect(reset.wasReset)
            let closing = try connect()
            closing.send(head("GET", "/closing"))
            #expect(closing.receiveAll().contains("\r\nConnection: close\r\n"))
        }
    }

    @Test("One connection too many is closed at once; when one has ended there is room again")
    func connections() throws {
        try withServer { connect, notes in
            var clients = try (0..<8).map { _ in try connect() }
            try wait { notes.all.contains("opened 8") }
            #expect(try connect().receiveAll() == "")
            clients.removeLast()
            try wait { notes.all.contains("closed 7") }
            let client = try connect()
            client.send(head("GET", "/a", Self.close))
            #expect(statuses(client.receiveAll()) == ["200"])
        }
    }

    @Test("A slow reader gets a large answer whole")
    func largeAnswer() throws {
        try withServer { connect, _ in
            let client = try connect()
            client.send(head("GET", "/big") + head("GET", "/after", Self.close))
            // Longer than the kernel's buffers can hide; the server waits and nobody is cut off.
            rest(milliseconds: 100)
            let answers = client.receiveAll()
            #expect(answers.utf8.count > ScriptedService.bigBytes)
            #expect(answers.hasSuffix("GET /after 0"))
        }
    }

    private static func timed(request: Int, idle: Int, extends: Bool) -> HTTPServerOptions {
        HTTPServerOptions(
            connectionsMax: 8, headBytesMax: 4_096, uploadBytesMax: 2_000_000,
            idleMilliseconds: idle, requestMilliseconds: request, extendsRequests: extends)
    }

    @Test("A request must be whole in time, however steadily its bytes come")
    func slowRequest() throws {
        try withServer(Self.timed(request: 200, idle: 5_000, extends: false)) { connect, notes in
            let client = try connect()
            client.send(head("POST", "/a", "Content-Length: 100"))
            for _ in 0..<10 {
                client.send("x")
                rest(milliseconds: 50)
            }
            #expect(client.receiveAll() == "")
            #expect(notes.all.contains("incomplete"))
        }
    }

    @Test("With extension a request may take long, as long as its bytes come")
    func extendedRequest() throws {
        try withServer(Self.timed(request: 400, idle: 400, extends: true)) { connect, _ in
            let client = try connect()
            client.send(head("POST", "/a", "Content-Length: 10", Self.close))
            for _ in 0..<10 {
                client.send("x")
                rest(milliseconds: 100)
            }
            #expect(client.receiveAll().hasSuffix("POST /a 10"))
            let silent = try connect()
            silent.send("GET")
            #expect(silent.receiveAll() == "")
        }
    }

    @Test("Between requests a connection rests no longer than it may")
    func idle() throws {
        try withServer(Self.timed(request: 5_000, idle: 100, extends: false)) { connect, _ in
            let client = try connect()
            client.send(head("GET", "/a"))
            #expect(statuses(client.receiveAll()) == ["200"])
            #expect(!client.wasReset)
        }
    }

    @Test("An answer that the service takes long for is waited for")
    func heldAnswer() throws {
        try withServer(Self.timed(request: 100, idle: 100, extends: false)) { connect, _ in
            let client = try connect()
            client.send(head("GET", "/hold"))
            rest(milliseconds: 300)
            let other = try connect()
            other.send(head("GET", "/free", Self.close))
            #expect(statuses(other.receiveAll()) == ["200"])
            #expect(client.receive(until: "freed").hasPrefix("HTTP/1.1 200"))
        }
    }

    private func wait(_ condition: () -> Bool) throws {
        for _ in 0..<1_000 {
            if condition() { return }
            rest(milliseconds: 5)
        }
        Issue.record("nothing happened within five seconds")
    }
}

private func rest(milliseconds: Int) {
    usleep(UInt32(milliseconds) * 1_000)
}
