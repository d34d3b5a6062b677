// The sandbox on a loop of its own, spoken to over a blocking socket.

import Reactor
import TestSupport
import Testing

@testable import Log
@testable import Sandbox

@Suite struct SandboxServerTests {
    /// A sandbox for the length of `body`, which gets the port.
    private func withSandbox(_ body: (UInt16) throws -> Void) throws {
        let port = ServerPort()
        let options = SandboxOptions(
            addresses: [try #require(SocketAddress("127.0.0.1:0"))], hostname: "api.test",
            slowMilliseconds: 50)
        let group = try LoopGroup(count: 1, backend: testBackend) { loop in
            let server = try SandboxServer(loop: loop, options: options, log: EventLog.silent())
            port.number = server.addresses[0].port
            return server
        }
        defer {
            group.stop()
            group.join()
        }
        try body(port.number)
    }

    /// Sends `pieces`, each with a system call of its own, and reads until the server closes.
    private func exchange(_ port: UInt16, _ pieces: [String]) -> String {
        guard let client = PlainClient(port: port) else { return "no connection" }
        for piece in pieces { client.send(piece) }
        return client.receiveAll()
    }

    private static let body =
        #"{"from":"a@b.test","to":["c@d.test"],"subject":"s","text_body":"t"}"#

    private func send(
        key: String, host: String = "localhost", extra: String = "Connection: close\r\n"
    ) -> String {
        "POST /v1/send HTTP/1.1\r\nHost: \(host)\r\nAuthorization: Bearer \(key)\r\n\(extra)"
            + "Content-Type: application/json\r\nContent-Length: \(Self.body.utf8.count)\r\n\r\n"
    }

    @Test(
        "A send is answered, and the connection closed when that was asked for",
        arguments: [
            ("ps_live_x", "202"), ("ps_test_x", "202"), ("ps_test_slow", "202"),
            ("ps_test_created", "201"), ("ps_test_down", "503"), ("nonsense", "401"),
        ])
    func answers(key: String, status: String) throws {
        try withSandbox { port in
            let answer = exchange(port, [send(key: key), Self.body])
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
            #expect(answer.contains("\r\nX-Request-ID: req_"))
            #expect(answer.contains("\r\nConnection: close\r\n"))
        }
    }

    @Test("Pipelined requests are answered in order, the slow one too")
    func pipelining() throws {
        try withSandbox { port in
            let requests =
                send(key: "ps_test_slow", extra: "") + Self.body
                + send(key: "ps_test_down", extra: "") + Self.body
                + "GET /sandbox/stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            let answers = exchange(port, [requests])
            let statuses = answers.split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
            #expect(statuses == ["202", "503", "200"])
            #expect(answers.contains(#""requests":3,"incomplete":0,"accepted":1,"refused":1"#))
        }
    }

    @Test("100 Continue comes before the body is sent")
    func expectation() throws {
        try withSandbox { port in
            let head = send(
                key: "ps_test_x", extra: "Expect: 100-continue\r\nConnection: close\r\n")
            let answer = exchange(port, [head, Self.body])
            #expect(answer.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 "))
        }
    }

    @Test(
        "Only IP addresses, localhost and the sandbox's own name are answered",
        arguments: [
            ("127.0.0.1:8587", "200"), ("localhost", "200"), ("[::1]", "200"), ("Api.Test", "200"),
            ("evil.example", "421"), ("127.0.0.1.evil.example:8587", "421"), ("", "421"),
        ])
    func host(host: String, status: String) throws {
        try withSandbox { port in
            for path in ["/", "/sandbox/messages", "/v1/emails"] {
                let answer = exchange(
                    port,
                    [
                        "GET \(path) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n"
                            + "Authorization: Bearer ps_test_x\r\n\r\n"
                    ])
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(path)")
            }
            let sent = exchange(port, [send(key: "ps_test_x", host: host), Self.body])
            #expect(sent.hasPrefix("HTTP/1.1 \(status == "200" ? "202" : status) "))
        }
    }

    @Test("A lost answer: the message is kept, the connection is reset")
    func lost() throws {
        try withSandbox { port in
            #expect(exchange(port, [send(key: "ps_test_lost"), Self.body]) == "")
            let list = exchange(
                port,
                ["GET /sandbox/stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"])
            #expect(list.contains(#""accepted":1,"refused":0"#))
        }
    }

    @Test("A page in front of the API has a Server and no JSON")
    func page() throws {
        try withSandbox { port in
            let answer = exchange(port, [send(key: "ps_test_send_403_page"), Self.body])
            #expect(answer.hasPrefix("HTTP/1.1 403 "))
            #expect(answer.contains("\r\nServer: nginx\r\n"))
            #expect(!answer.contains("X-Request-ID"))
            #expect(answer.contains("\r\nContent-Type: text/html\r\n"))
            #expect(answer.contains("\r\n\r\n<html>"))
        }
    }

    @Test("A reset key's connection ends without an answer")
    func reset() throws {
        try withSandbox { port in
            #expect(exchange(port, [send(key: "ps_test_reset"), Self.body]) == "")
        }
    }
}
