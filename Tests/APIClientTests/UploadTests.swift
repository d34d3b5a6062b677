// Bodies that are still arriving while they are sent, and keys that are checked.

import Reactor
import TestSupport
import Testing
import Wire

@testable import APIClient

@Suite("Upload")
struct UploadTests {
    private let bench = Bench()
    private let owner = TestOwner()

    @Test("A large body goes out in chunks, at the pace of the API, in bounded memory")
    func chunked() throws {
        let server = try ScriptedServer(bench.loop) { peer in
            if peer.step == 0 { peer.stream?.pauseReceiving() }
        }
        let pool = bench.pool([server.address])
        var generator = SeededGenerator(seed: 2)
        let content = generator.bytes(9_000_000)
        let call = bench.upload(to: pool, owner: owner)
        bench.feed(content, to: call, of: owner)
        bench.turn(milliseconds: 100)
        #expect(call.body?.isComplete == false && (call.body?.byteCount ?? 0) < content.count)
        let peer = try #require(server.peers.first)
        #expect(bench.loop.slabs.outstanding < 64)
        peer.step = 1
        bench.act { peer.stream?.resumeReceiving() }
        bench.turn { call.isHandedOver && call.body?.isHandedOver == true }
        bench.turn { !peer.requests.isEmpty }
        let request = try #require(peer.requests.first)
        let isWhole = request.body == content
        #expect(isWhole)
        #expect(request.head.contains("\r\nTransfer-Encoding: chunked\r\n"))
        bench.act {
            peer.send("HTTP/1.1 202 OK\r\nContent-Length: 18\r\n\r\n{\"message_id\":\"x\"}")
        }
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["202 x"] && owner.wants > 0)
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test(
        "Bodies of every size around a slab's edge arrive whole, in both framings",
        arguments: [1, 14_845, 14_846, 14_847, 31_221, 31_222, 31_223])
    func edges(_ count: Int) throws {
        let server = try ScriptedServer(bench.loop, script: ScriptedServer.accepting)
        let pool = bench.pool([server.address])
        var generator = SeededGenerator(seed: UInt64(count))
        let content = generator.bytes(count)
        _ = bench.send(content, to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        let call = bench.upload(to: pool, owner: owner)
        bench.feed(content, to: call, of: owner)
        bench.turn { owner.results.count == 2 }
        let late = bench.upload(to: pool, owner: owner)
        bench.turn(milliseconds: 5)
        bench.act { bench.feed(content, to: late, of: owner) }
        bench.turn { owner.results.count == 3 }
        #expect(server.peers.flatMap { $0.requests }.allSatisfy { $0.body == content })
        #expect(server.requestCount == 3 && bench.loop.slabs.outstanding == 0)
    }

    @Test("An early refusal ends the upload, and the API never sees its end")
    func early() throws {
        let server = try ScriptedServer(bench.loop) { peer in
            guard peer.step == 0, peer.received.count > 100_000 else { return }
            peer.step = 1
            peer.send("HTTP/1.1 413 Too large\r\nContent-Length: 0\r\n\r\n")
        }
        let pool = bench.pool([server.address])
        let call = bench.upload(to: pool, owner: owner)
        let content = [UInt8](repeating: 0x61, count: 10_000)
        owner.onWanted = { call in
            for _ in 0..<20 { call.body?.append(content.span) }
            call.bodyGrew()
        }
        owner.onWanted(call)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["413"])
        call.body?.discard()
        bench.turn {
            server.peers.allSatisfy { $0.closeReason != nil } && pool.connectionCount == 0
        }
        #expect(server.requestCount == 0 && bench.loop.slabs.outstanding == 0)
    }

    @Test("A success in the middle of an upload is not a success")
    func earlySuccess() throws {
        let server = try ScriptedServer(bench.loop) { peer in
            guard peer.step == 0, peer.received.count > 10_000 else { return }
            peer.step = 1
            peer.send("HTTP/1.1 202 OK\r\nContent-Length: 18\r\n\r\n{\"message_id\":\"x\"}")
        }
        let pool = bench.pool([server.address])
        let call = bench.upload(to: pool, owner: owner)
        call.body?.append([UInt8](repeating: 0x61, count: 100_000).span)
        call.bodyGrew()
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["uncertain"])
        call.body?.discard()
    }

    @Test("An abandoned upload ends in a reset, without its last chunk")
    func abandoned() throws {
        let server = try ScriptedServer(bench.loop) { _ in }
        let pool = bench.pool([server.address])
        let call = bench.upload(to: pool, owner: owner)
        call.body?.append([UInt8](repeating: 0x61, count: 100_000).span)
        call.bodyGrew()
        bench.turn { (server.peers.first?.received.count ?? 0) > 50_000 }
        bench.act {
            call.abandon()
            call.body?.discard()
        }
        bench.turn { server.peers[0].closeReason != nil && pool.connectionCount == 0 }
        #expect(server.requestCount == 0 && owner.results.isEmpty)
        #expect(server.peers[0].closeReason == .system(errno: 104))
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("A call abandoned after its hand-over leaves a good connection")
    func abandonedLate() throws {
        let server = try ScriptedServer(bench.loop, script: ScriptedServer.accepting)
        let pool = bench.pool([server.address])
        let call = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { call.isHandedOver }
        call.abandon()
        bench.turn { server.requestCount == 1 }
        bench.turn(milliseconds: 20)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["202 m0-2"])
    }

    @Test("A cut-through upload that breaks is not sent, and not sent again")
    func broken() throws {
        let server = try ScriptedServer(bench.loop) { peer in
            if peer.received.count > 20_000 { peer.stream?.abort() }
        }
        let pool = bench.pool([server.address])
        let call = bench.upload(to: pool, owner: owner)
        call.body?.append([UInt8](repeating: 0x61, count: 100_000).span)
        call.bodyGrew()
        bench.turn { owner.results.count == 1 }
        bench.turn(milliseconds: 20)
        #expect(owner.summary == ["not sent"] && server.peers.count == 1)
        call.body?.discard()
    }

    @Test("A silent client's upload goes on byte by byte, and arrives whole")
    func trickles() throws {
        let server = try ScriptedServer(bench.loop, script: ScriptedServer.accepting)
        let pool = bench.pool([server.address])
        var generator = SeededGenerator(seed: 4)
        let content = generator.bytes(100_000)
        let call = bench.upload(to: pool, owner: owner)
        bench.act {
            call.body?.append(content.span.extracting(0..<60_000))
            call.bodyGrew()
        }
        bench.turn { (call.body?.pendingBytes ?? .max) < 16_384 && !server.peers.isEmpty }
        for _ in 0..<30 {
            let before = server.peers[0].received.count
            bench.act { #expect(call.trickle()) }
            bench.turn {
                let received = server.peers[0].received
                return received.count > before
                    && received.suffix(9).starts(with: Array("0001\r\n".utf8))
            }
        }
        bench.act {
            call.body?.append(content.span.extracting(60_000..<100_000))
            call.body?.complete()
            call.bodyCompleted(deadline: bench.loop.now.advanced(byMilliseconds: 15_000))
        }
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["202 m0-1"] && server.peers[0].requests[0].body == content)
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("Nothing trickles while the API does not read, nor before the request has begun")
    func tricklesNot() throws {
        let server = try ScriptedServer(bench.loop) { $0.stream?.pauseReceiving() }
        let pool = bench.pool([server.address])
        let call = bench.upload(to: pool, owner: owner)
        call.body?.append([0x7B].span)
        #expect(!call.trickle(), "it waits for a connection")
        bench.turn { !server.peers.isEmpty }
        bench.turn(milliseconds: 5)
        bench.act { #expect(!call.trickle(), "there is no request yet") }
        let content = [UInt8](repeating: 0x61, count: 20_000_000)
        bench.act {
            call.body?.append(content.span)
            call.bodyGrew()
        }
        bench.turn(milliseconds: 50)
        bench.act { #expect(!call.trickle(), "the socket is full") }
        bench.act {
            call.abandon()
            call.body?.discard()
        }
    }

    @Test("An upload that trickled and is ended is the fault of its silent client")
    func tricklesInVain() throws {
        let server = try ScriptedServer(bench.loop) { _ in }
        let pool = bench.pool([server.address])
        let call = bench.upload(to: pool, owner: owner)
        bench.act {
            call.body?.append([UInt8](repeating: 0x61, count: 50_000).span)
            call.bodyGrew()
        }
        bench.turn { (call.body?.pendingBytes ?? .max) < 16_384 && !server.peers.isEmpty }
        bench.turn(milliseconds: 1_020)
        bench.act { #expect(call.trickle()) }
        bench.act { server.peers[0].stream?.abort() }
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["not sent"])
        #expect(pool.report.counters.bounds.clientFaults == 1)
        call.body?.discard()
    }

    @Test("Over TLS it is the same")
    func tls() throws {
        let context = try TLSContext.selfSignedServer(names: ["127.0.0.1"])
        let path = "/tmp/postscale-relay-test-\(UInt64.random(in: 0 ... .max)).pem"
        try TemporaryFile.write(try #require(context.certificatePEM), to: path)
        defer { TemporaryFile.remove(path) }
        let client = try TLSContext.client(caFile: path)
        let server = try ScriptedServer(
            bench.loop, tls: context, script: ScriptedServer.accepting)
        let pool = bench.pool([server.address], tls: client)
        var generator = SeededGenerator(seed: 3)
        let content = generator.bytes(1_000_000)
        let call = bench.upload(to: pool, owner: owner)
        bench.feed(content, to: call, of: owner)
        bench.turn { owner.results.count == 1 }
        _ = bench.send(content, to: pool, owner: owner)
        bench.turn { owner.results.count == 2 }
        #expect(owner.summary == ["202 m0-1", "202 m0-2"])
        #expect(server.peers[0].requests.allSatisfy { $0.body == content })
        #expect(bench.loop.slabs.outstanding == 0)
    }
}
