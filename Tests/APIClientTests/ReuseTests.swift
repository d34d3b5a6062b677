// The moment of reuse: a connection that the API ends while the next request is put on it.
//
// The server is a plain blocking socket in the test's own thread. So FIN and reset are in the kernel
// exactly when the test wants them: after the last thing that the loop has heard, and before the
// first byte that it sends. On loopback either is there when the call returns.

import Glibc
import Reactor
import TestSupport
import Testing
import Wire

@testable import APIClient

/// A listening socket whose connections the test serves by hand.
private final class HandServer {
    private let listener: Int32
    private(set) var connections: [Int32] = []
    let address: SocketAddress

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                bind(listener, name, size) == 0 && Glibc.listen(listener, 16) == 0
                    && getsockname(listener, name, &size) == 0
            }
        }
        try #require(status)
        address = try #require(SocketAddress("127.0.0.1:\(UInt16(bigEndian: name.sin_port))"))
    }

    deinit {
        for connection in connections where connection >= 0 { Glibc.close(connection) }
        Glibc.close(listener)
    }

    /// Takes a connection that is waiting.
    func accept() -> Int {
        connections.append(Glibc.accept(listener, nil, nil))
        return connections.count - 1
    }

    /// What has arrived, as text.
    func read(_ number: Int) -> String {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(connections[number], &bytes, bytes.count, Int32(MSG_DONTWAIT))
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }

    func write(_ number: Int, _ text: String) {
        _ = send(connections[number], text, text.utf8.count, 0)
    }

    func finish(_ number: Int) {
        Glibc.close(connections[number])
        connections[number] = -1
    }

    func reset(_ number: Int) {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            connections[number], SOL_SOCKET, SO_LINGER, &linger,
            socklen_t(MemoryLayout<Glibc.linger>.size))
        finish(number)
    }
}

@Suite("Reuse of connections")
struct ReuseTests {
    private let bench = Bench()
    private let owner = TestOwner()

    private static let accepted =
        "HTTP/1.1 202 Accepted\r\nContent-Length: 18\r\n\r\n{\"message_id\":\"x\"}"

    /// A pool with one idle connection, which has carried a call.
    private func idleConnection(_ server: HandServer) -> ConnectionPool {
        let pool = bench.pool([server.address])
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { pool.connectionCount == 1 && pool.isReady }
        bench.turn(milliseconds: 20)
        serve(server, server.accept())
        return pool
    }

    /// Answers the request on a connection when it has arrived.
    private func serve(_ server: HandServer, _ number: Int) {
        let before = owner.results.count
        var request = ""
        bench.turn {
            request += server.read(number)
            return request.hasSuffix("{}")
        }
        server.write(number, Self.accepted)
        bench.turn { owner.results.count == before + 1 }
    }

    enum End: CaseIterable { case finish, reset }

    @Test(
        "An end that came before the call was put on the connection costs nothing",
        arguments: End.allCases)
    func before(_ end: End) throws {
        let server = try HandServer()
        let pool = idleConnection(server)
        // It is in the kernel when the call is made; the tick that hears of it assigns the call.
        if end == .finish { server.finish(0) } else { server.reset(0) }
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn(milliseconds: 20)
        serve(server, server.accept())
        #expect(owner.summary == ["202 x", "202 x"])
        bench.turn { pool.connectionCount == 1 }
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("A reset between hearing and sending: the kernel takes no byte, and the call is repeated")
    func between() throws {
        let server = try HandServer()
        let pool = idleConnection(server)
        var handed: APICall?
        // In the next tick, after its events: the reset, then the pool's pass, which assigns.
        bench.act { [bench, owner] in
            bench.loop.later { server.reset(0) }
            handed = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        }
        bench.turn(milliseconds: 20)
        if testBackend == .uring, owner.results.count == 2 {
            // The end was heard during the send: nobody knows what became of the request.
            #expect(owner.summary.last == "uncertain" && handed?.tries == 1)
            return
        }
        serve(server, server.accept())
        #expect(handed?.tries == 2, "it was on the dead connection first")
        #expect(owner.summary == ["202 x", "202 x"])
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("An end after a request that left is uncertain, and the request is not repeated")
    func after() throws {
        for end in End.allCases {
            let server = try HandServer()
            let pool = idleConnection(server)
            let before = owner.results.count
            _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
            bench.turn(milliseconds: 20)
            if end == .finish { server.finish(0) } else { server.reset(0) }
            bench.turn { owner.results.count == before + 1 }
            bench.turn(milliseconds: 20)
            #expect(owner.summary.last == "uncertain")
            #expect(pool.connectionCount == 0)
        }
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("A FIN between hearing and sending: the request met a closed socket, and is repeated")
    func finBetween() throws {
        let server = try HandServer()
        let pool = idleConnection(server)
        var handed: APICall?
        bench.act { [bench, owner] in
            bench.loop.later { server.finish(0) }
            handed = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        }
        bench.turn(milliseconds: 20)
        if testBackend == .uring, owner.results.count == 2 {
            // The end was heard during the send: nobody knows what became of the request.
            #expect(owner.summary.last == "uncertain" && handed?.tries == 1)
            return
        }
        serve(server, server.accept())
        #expect(handed?.tries == 2, "it was on the dead connection first")
        #expect(owner.summary == ["202 x", "202 x"])
        #expect(pool.report.counters.retries.unacknowledged == 1)
        #expect(bench.loop.slabs.outstanding == 0)
    }

    private static let timedOut =
        "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

    @Test("A 408 that crosses the request is for the idle connection, and the request is repeated")
    func idle408() throws {
        let server = try HandServer()
        let pool = idleConnection(server)
        var handed: APICall?
        bench.act { [bench, owner] in
            bench.loop.later {
                server.write(0, Self.timedOut)
                server.finish(0)
            }
            handed = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        }
        bench.turn(milliseconds: 20)
        if testBackend == .uring, owner.results.count == 2 {
            #expect(owner.summary.last == "408" && handed?.tries == 1)
            return
        }
        serve(server, server.accept())
        #expect(handed?.tries == 2)
        #expect(owner.summary == ["202 x", "202 x"])
        #expect(pool.report.counters.retries.unacknowledged == 1)
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("A 408 after the request has arrived is an answer to it, and it is not repeated")
    func late408() throws {
        let server = try HandServer()
        let pool = idleConnection(server)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn(milliseconds: 20)
        server.write(0, Self.timedOut)
        bench.turn { owner.results.count == 2 }
        #expect(owner.summary.last?.hasPrefix("408") == true)
        #expect(pool.report.counters.retries.unacknowledged == 0)
    }

    @Test(
        "A reset under an upload that has given slabs back: it can't be repeated, and is not sent")
    func uploadBetween() throws {
        let server = try HandServer()
        let pool = idleConnection(server)
        var handed: APICall?
        bench.act { [bench, owner] in
            bench.loop.later { server.reset(0) }
            let call = bench.upload(to: pool, owner: owner)
            call.body?.append([UInt8](repeating: 0x20, count: 40_000).span)
            call.bodyGrew()
            handed = call
        }
        bench.turn { owner.results.count == 2 }
        #expect(handed?.tries == 1 && handed?.body?.isHeld == false)
        #expect(owner.summary.last == "not sent")
        handed?.body?.discard()
        #expect(bench.loop.slabs.outstanding == 0)
    }
}
