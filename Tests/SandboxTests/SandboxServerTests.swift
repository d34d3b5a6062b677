// The sandbox on a loop of its own, spoken to over a blocking socket.

import Glibc
import Reactor
import Synchronization
import TestSupport
import Testing

@testable import Log
@testable import Sandbox

@Suite struct SandboxServerTests {
    /// Hands the server's port from its thread to the test's.
    private final class Port: Sendable {
        let number = Mutex<UInt16>(0)
    }

    /// A sandbox for the length of `body`, which gets the port.
    private func withSandbox(_ body: (UInt16) throws -> Void) throws {
        let port = Port()
        let options = SandboxOptions(
            addresses: [try #require(SocketAddress("127.0.0.1:0"))], slowMilliseconds: 50)
        let group = try LoopGroup(count: 1, backend: testBackend) { loop in
            let server = try SandboxServer(loop: loop, options: options, log: EventLog.silent())
            port.number.withLock { $0 = server.addresses[0].port }
            return server
        }
        defer {
            group.stop()
            group.join()
        }
        try body(port.number.withLock { $0 })
    }

    /// Sends `pieces`, each with a system call of its own, and reads until the server closes.
    private func exchange(_ port: UInt16, _ pieces: [String]) -> String {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { return "no connection" }
        for piece in pieces {
            _ = Glibc.send(descriptor, piece, piece.utf8.count, Int32(MSG_NOSIGNAL))
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count <= 0 { return String(decoding: answer, as: UTF8.self) }
            answer.append(contentsOf: buffer[..<count])
        }
    }

    private static let body =
        #"{"from":"a@b.test","to":["c@d.test"],"subject":"s","text_body":"t"}"#

    private func send(key: String, extra: String = "Connection: close\r\n") -> String {
        "POST /v1/send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(key)\r\n\(extra)"
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
                + "GET /sandbox/stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
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

    @Test("A reset key's connection ends without an answer")
    func reset() throws {
        try withSandbox { port in
            #expect(exchange(port, [send(key: "ps_test_reset"), Self.body]) == "")
        }
    }
}
