// The pool against scripted servers on loopback: keep-alive, retries, dead addresses, deadlines.

import Reactor
import TestSupport
import Testing
import Wire

@testable import APIClient

@Suite("Connection pool")
struct ConnectionPoolTests {
    private let bench = Bench()
    private let owner = TestOwner()

    @Test("Calls one after the other share a connection")
    func keepAlive() throws {
        let server = try ScriptedServer(bench.loop, script: ScriptedServer.accepting)
        let pool = bench.pool([server.address])
        for round in 1...3 {
            _ = bench.send(Array("{\"n\":\(round)}".utf8), to: pool, owner: owner)
            bench.turn { owner.results.count == round }
        }
        #expect(owner.summary == ["202 m0-1", "202 m0-2", "202 m0-3"])
        #expect(server.peers.count == 1)
        let request = try #require(server.peers.first?.requests.last)
        #expect(request.body == Array("{\"n\":3}".utf8))
        #expect(request.head.contains("\r\nContent-Length: 7\r\n"))
        #expect(request.head.contains("\r\nAuthorization: Bearer ps_test_k\r\n"))
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("Calls at the same time get a connection each")
    func parallel() throws {
        let server = try ScriptedServer(bench.loop, script: ScriptedServer.accepting)
        let pool = bench.pool([server.address])
        for _ in 0..<50 { _ = bench.send([0x7B, 0x7D], to: pool, owner: owner) }
        bench.turn { owner.results.count == 50 }
        #expect(Set(owner.summary).count == 50 && owner.summary.allSatisfy { $0.hasPrefix("202") })
        #expect(server.requestCount == 50)
    }

    @Test("A connection that the API closed is not used again, and nothing is sent twice")
    func closedBetween() throws {
        let server = try ScriptedServer(bench.loop) { peer in
            ScriptedServer.accepting(peer)
            if peer.step == 1 { peer.stream?.finish() }
        }
        let pool = bench.pool([server.address])
        var left = 5
        owner.onFinished = { [bench, owner] _ in
            left -= 1
            if left > 0 { _ = bench.send([0x7B, 0x7D], to: pool, owner: owner) }
        }
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 5 }
        // A FIN that comes after the request was handed over leaves it uncertain. Both results are
        // right; a second sending is not.
        #expect(server.requestCount <= 5)
        #expect(owner.summary.allSatisfy { $0.hasPrefix("202") || $0 == "uncertain" })
        owner.onFinished = { _ in }
    }

    @Test("A held request that was cut off before its last byte is sent again")
    func resent() throws {
        let server = try ScriptedServer(bench.loop) { peer in
            if peer.number == 0 {
                if !peer.received.isEmpty { peer.stream?.abort() }
            } else {
                ScriptedServer.accepting(peer)
            }
        }
        let pool = bench.pool([server.address])
        var generator = SeededGenerator(seed: 1)
        let content = generator.bytes(8_000_000)
        _ = bench.send(content, to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["202 m1-1"], "\(owner.results)")
        let isWhole = server.peers.last?.requests.first?.body == content
        #expect(isWhole)
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("A request that was handed over whole is never sent again")
    func uncertain() throws {
        let server = try ScriptedServer(bench.loop) { peer in
            if !peer.requests.isEmpty { peer.stream?.abort() }
        }
        let pool = bench.pool([server.address])
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        bench.turn(milliseconds: 50)
        #expect(owner.summary == ["uncertain"])
        #expect(server.peers.count == 1 && server.requestCount == 1)
    }

    static let unreadable: [String] = [
        "SSH-2.0-x\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 202 OK\r\nX: " + String(repeating: "x", count: 17_000),
        String(repeating: "HTTP/1.1 102 Processing\r\n\r\n", count: 100),
        "HTTP/1.1 202 OK\r\nContent-Length: 70000\r\n\r\n" + String(repeating: " ", count: 70_000),
    ]

    @Test("An answer that can't be read is an uncertain one", arguments: unreadable)
    func garbage(_ answer: String) throws {
        let server = try ScriptedServer(bench.loop) { peer in
            if !peer.requests.isEmpty { peer.send(answer) }
        }
        let pool = bench.pool([server.address])
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["uncertain"])
        bench.turn { server.peers.allSatisfy { $0.closeReason != nil } }
        #expect(server.requestCount == 1)
    }

    @Test("An answer cut short is uncertain, with the request id that was seen")
    func truncated() throws {
        let server = try ScriptedServer(bench.loop) { peer in
            guard !peer.requests.isEmpty else { return }
            peer.send("HTTP/1.1 202 OK\r\nX-Request-ID: r-9\r\nContent-Length: 9\r\n\r\n{}")
            peer.stream?.finish()
        }
        let pool = bench.pool([server.address])
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        guard case .uncertain(_, let requestID) = owner.results[0] else {
            Issue.record("\(owner.summary)")
            return
        }
        #expect(requestID == "r-9")
    }

    @Test("Two dead addresses of three cost no call")
    func deadAddresses() throws {
        let server = try ScriptedServer(bench.loop, script: ScriptedServer.accepting)
        let pool = bench.pool([
            SocketAddress("127.0.0.1:1")!, server.address, SocketAddress("127.0.0.1:2")!,
        ])
        for round in 1...4 {
            _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
            bench.turn { owner.results.count == round }
        }
        #expect(owner.summary.allSatisfy { $0.hasPrefix("202") })
    }

    @Test("With every address refusing, calls fail at once, and nothing was sent")
    func refused() throws {
        let pool = bench.pool([SocketAddress("127.0.0.1:1")!])
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(!pool.isReady)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        #expect(owner.results.count == 1, "an owner is never called during its own call")
        bench.turn { owner.results.count == 2 }
        #expect(owner.summary == ["not sent", "not sent"])
    }

    @Test("No answer by the deadline is uncertain; no connection by then is not sent")
    func deadline() throws {
        let server = try ScriptedServer(bench.loop) { _ in }
        let pool = bench.pool([server.address]) { $0.connectionsMax = 1 }
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner, milliseconds: 120)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner, milliseconds: 60)
        bench.turn { owner.results.count == 2 }
        #expect(owner.summary == ["not sent", "uncertain"])
    }

    @Test(
        "Idle connections are closed after a while, on bytes that belong to no call, and at drain")
    func idle() throws {
        let server = try ScriptedServer(bench.loop) { peer in
            ScriptedServer.accepting(peer)
            if peer.number == 1, peer.step == 1 { peer.send("HTTP/1.1 408 Timeout\r\n\r\n") }
        }
        let pool = bench.pool([server.address]) { $0.idleTimeoutMilliseconds = 100 }
        for round in 1...2 {
            _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
            bench.turn { owner.results.count == round }
            bench.turn { server.peers.last?.closeReason != nil && pool.connectionCount == 0 }
        }
        let patient = bench.pool([server.address])
        _ = bench.send([0x7B, 0x7D], to: patient, owner: owner)
        bench.turn { owner.results.count == 3 }
        #expect(patient.connectionCount == 1)
        patient.drain()
        bench.turn { patient.connectionCount == 0 }
        #expect(server.peers.count == 3 && owner.summary.allSatisfy { $0.hasPrefix("202") })
    }

    @Test(
        "When the loop ends, every call that is left has its result, and nothing keeps the pool alive"
    )
    func loopEnds() throws {
        let server = try ScriptedServer(bench.loop) { _ in }
        weak var trace: ConnectionPool?
        try withExtendedLifetime(bench.pool([server.address]) { $0.connectionsMax = 1 }) { pool in
            trace = pool
            for _ in 0..<2 { _ = bench.send([0x7B, 0x7D], to: pool, owner: owner) }
            bench.turn { server.requestCount == 1 }
            #expect(owner.results.isEmpty)
            bench.loop.stop()
            bench.loop.run()
            #expect(owner.summary == ["uncertain", "not sent"])
            _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
            try #require(pool.connectionCount == 0)
        }
        #expect(trace == nil)
    }
}
