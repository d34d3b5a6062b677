// What one customer, one stalled client or one stingy API costs the others: on sockets.

import Reactor
import TestSupport
import Testing
import Wire

@testable import APIClient

@Suite("Connection pool: what others meet")
struct PoolHealthTests {
    private let bench = Bench()
    private let owner = TestOwner()
    private let greedy = TestOwner()

    private func check(_ pool: ConnectionPool, owner: TestOwner) {
        pool.start(
            APICall(
                kind: .checkKey, key: APIKey(text: "ps_test_k"), flow: nil, body: nil,
                owner: owner, deadline: bench.loop.now.advanced(byMilliseconds: 15_000)))
    }

    /// Uploads of one customer of which so many bytes come, and then nothing.
    private func stall(
        _ count: Int, on pool: ConnectionPool, bytes: Int = 40_000
    ) -> [APICall] {
        let flow = pool.makeFlow()
        return (0..<count).map { _ in
            let call = bench.upload(to: pool, owner: greedy, flow: flow)
            call.body?.append([UInt8](repeating: 0x20, count: bytes).span)
            call.bodyGrew()
            return call
        }
    }

    private func discard(_ calls: [APICall]) {
        bench.act {
            for call in calls {
                call.abandon()
                call.body?.discard()
            }
        }
    }

    @Test(
        "Uploads that stall hold their share of the connections, and nobody else waits for them",
        arguments: [2, 4, 32])
    func stalledUploads(_ connectionsMax: Int) throws {
        let server = try ScriptedServer(bench.loop, script: ScriptedServer.accepting)
        let pool = bench.pool([server.address]) { $0.connectionsMax = connectionsMax }
        let calls = stall(256, on: pool)
        bench.turn(milliseconds: 50)
        let own = max(1, (connectionsMax / 2 + 1) / 2)
        #expect(server.peers.count == own)
        for _ in 0..<8 { _ = bench.send([0x7B, 0x7D], to: pool, owner: owner) }
        for _ in 0..<2 { check(pool, owner: owner) }
        bench.turn { owner.results.count == 10 }
        #expect(owner.summary.allSatisfy { $0.hasPrefix("20") }, "\(owner.summary)")
        #expect(pool.report.queued == 256 - own)
        discard(calls)
        bench.turn { pool.report.queued == 0 }
    }

    @Test("An upload that waits for its share is not sent when its time is up")
    func waitsInVain() throws {
        let server = try ScriptedServer(bench.loop) { _ in }
        let pool = bench.pool([server.address]) {
            $0.connectionsMax = 2
            $0.timeoutMilliseconds = 100
        }
        let calls = stall(2, on: pool, bytes: 20_000)
        bench.turn { greedy.results.count == 1 }
        #expect(greedy.summary == ["not sent"] && server.peers.count == 1)
        discard(calls)
    }

    @Test("Uploads whose client stalls are given up by the API, and its address stays in use")
    func clientFaults() throws {
        let server = try ScriptedServer(bench.loop, script: ScriptedServer.accepting)
        let pool = bench.pool([server.address])
        let calls = stall(6, on: pool)
        bench.turn(milliseconds: 1_100)
        for peer in server.peers {
            bench.act { peer.stream?.abort() }
            bench.turn(milliseconds: 2)
        }
        bench.turn { greedy.results.count == 6 }
        #expect(pool.isReady && pool.report.counters.bounds.clientFaults == 6)
        for _ in 0..<3 { _ = bench.send([0x7B, 0x7D], to: pool, owner: owner) }
        bench.turn { owner.results.count == 3 }
        #expect(owner.summary.allSatisfy { $0.hasPrefix("202") })
        discard(calls)
    }

    @Test("Uploads that break while their client sends are faults of the address")
    func apiFaults() throws {
        let server = try ScriptedServer(bench.loop) { peer in
            if peer.received.count > 20_000 { peer.stream?.abort() }
        }
        let pool = bench.pool([server.address])
        for _ in 0..<5 {
            let calls = stall(1, on: pool)
            let count = greedy.results.count
            bench.turn { greedy.results.count == count + 1 }
            discard(calls)
        }
        #expect(!pool.isReady && pool.report.counters.bounds.clientFaults == 0)
    }

    @Test("A 408 to an upload whose client stalls counts against nobody")
    func timeoutAnswer() throws {
        let server = try ScriptedServer(bench.loop) { peer in
            guard peer.received.count > 20_000, peer.step == 0 else { return }
            peer.step = 1
            peer.send(
                "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        }
        let pool = bench.pool([server.address])
        let calls = stall(6, on: pool)
        bench.turn { greedy.results.count == 6 }
        #expect(pool.isReady && pool.report.counters.bounds.clientFaults == 6)
        discard(calls)
    }

    @Test("An API that takes four connections and closes more carries forty messages over the four")
    func fewConnections() throws {
        let context = try TLSContext.selfSignedServer(names: ["127.0.0.1"])
        let path = "/tmp/postscale-relay-test-\(UInt64.random(in: 0 ... .max)).pem"
        try TemporaryFile.write(try #require(context.certificatePEM), to: path)
        defer { TemporaryFile.remove(path) }
        let server = try ScriptedServer(
            bench.loop, tls: context, script: ScriptedServer.accepting)
        server.connectionsMax = 4
        let pool = bench.pool([server.address], tls: try TLSContext.client(caFile: path))
        for _ in 0..<40 { _ = bench.send([0x7B, 0x7D], to: pool, owner: owner) }
        bench.turn { owner.results.count == 40 }
        #expect(owner.summary.allSatisfy { $0.hasPrefix("202") }, "\(owner.summary)")
        #expect(server.peers.count <= 5)
        // It is the same for those that come later.
        for _ in 0..<40 { _ = bench.send([0x7B, 0x7D], to: pool, owner: owner) }
        bench.turn { owner.results.count == 80 }
        #expect(owner.summary.allSatisfy { $0.hasPrefix("202") })
        // When it takes more again, the pool finds out.
        server.connectionsMax = .max
        bench.turn(milliseconds: 600)
        for _ in 0..<40 { _ = bench.send([0x7B, 0x7D], to: pool, owner: owner) }
        bench.turn { owner.results.count == 120 }
        #expect(owner.summary.allSatisfy { $0.hasPrefix("202") })
    }

    @Test("An API that says how long it keeps idle connections is not asked on older ones")
    func keepAlive() throws {
        let server = try ScriptedServer(bench.loop) { peer in
            while peer.step < peer.requests.count {
                peer.step += 1
                peer.send(
                    "HTTP/1.1 202 Accepted\r\nKeep-Alive: timeout=1\r\nContent-Length: 18\r\n\r\n"
                        + "{\"message_id\":\"x\"}")
            }
        }
        let pool = bench.pool([server.address])
        for (round, wait) in [0, 100, 700].enumerated() {
            bench.turn(milliseconds: wait)
            _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
            bench.turn { owner.results.count == round + 1 }
        }
        #expect(server.peers.count == 2 && server.peers[0].requests.count == 2)
        #expect(pool.report.counters.bounds.connectionsTooOld == 1)
    }

    @Test("A full queue makes room for the customer that has fewest calls in it")
    func queueFull() throws {
        let server = try ScriptedServer(bench.loop) { _ in }
        let pool = bench.pool([server.address]) {
            $0.connectionsMax = 1
            $0.queueMax = 3
        }
        let flow = pool.makeFlow()
        for _ in 0..<5 { _ = bench.send([0x7B, 0x7D], to: pool, owner: greedy, flow: flow) }
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { greedy.results.count == 3 }
        #expect(greedy.summary == ["not sent", "not sent", "not sent"] && owner.results.isEmpty)
        #expect(pool.report.counters.bounds.pushedOut == 1)
        #expect(pool.holdings(of: flow).waiting + pool.holdings(of: flow).connections == 2)
    }

    @Test("The key does not stay in the slabs of a request")
    func wiped() throws {
        let server = try ScriptedServer(bench.loop, script: ScriptedServer.accepting)
        let pool = bench.pool([server.address])
        let body = RequestBody(pool: bench.loop.slabs)
        body.append([0x7B, 0x7D].span)
        body.complete()
        let slab = try #require(body.nextReady)
        let call = APICall(
            kind: .send, key: APIKey(text: "ps_test_secret"), flow: pool.makeFlow(), body: body,
            owner: owner, deadline: bench.loop.now.advanced(byMilliseconds: 15_000))
        pool.start(call)
        bench.turn { call.isHandedOver }
        let memory = UnsafeBufferPointer(start: slab.payload, count: slab.end)
        #expect(!String(decoding: memory, as: UTF8.self).contains("secret"))
        bench.turn { owner.results.count == 1 }
        #expect(server.peers[0].requests[0].head.contains("Bearer ps_test_secret\r\n"))
    }
}
