// Servers that agree on HTTP/2 and break its rules, or refuse it.

import HTTP2
import Reactor
import TestSupport
import Testing
import Wire

@testable import APIClient

@Suite("HTTP/2 to an API that breaks its rules or refuses it")
struct HTTP2FaultTests {
    private let bench = Bench()
    private let owner = TestOwner()

    /// A pool that speaks HTTP/2 by prior knowledge.
    private func pool(_ server: HTTP2ScriptedServer) -> ConnectionPool {
        bench.pool([server.address]) { $0.http = .http2 }
    }

    private func server(script: @escaping HTTP2ScriptedPeer.Script) throws -> HTTP2ScriptedServer {
        try HTTP2ScriptedServer(bench.loop, script: script)
    }

    /// DATA on no stream, which is no frame that a peer may send.
    private static let fault: [UInt8] = [0, 0, 1, 0, 0, 0, 0, 0, 0, 0x61]

    @Test("A peer that breaks the rules hears why, and is left")
    func fault() throws {
        let server = try server { peer in
            guard peer.number == 0, !peer.complete.isEmpty, peer.answered.insert(1).inserted
            else { return HTTP2ScriptedServer.accepting(peer) }
            peer.stream?.write(Self.fault.span)
        }
        let pool = pool(server)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["uncertain"])
        bench.turn { server.peers[0].closeReason != nil }
        #expect(server.peers[0].goawayCode == .protocolError)
        #expect(server.peers[0].closeReason == .peer)
        #expect(pool.report.counters.connectionsFaulty == 1)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 2 }
        #expect(owner.summary.last == "202 m1-1" && bench.loop.slabs.outstanding == 0)
    }

    @Test("It hears nothing while something of a request is queued, which may then be sent again")
    func faultInRequest() throws {
        let server = try server { peer in
            guard peer.number == 0, !peer.requests.isEmpty, peer.answered.insert(1).inserted
            else { return HTTP2ScriptedServer.accepting(peer) }
            peer.stream?.pauseReceiving()
            peer.stream?.write(Self.fault.span)
        }
        let pool = pool(server)
        var generator = SeededGenerator(seed: 6)
        let content = generator.bytes(8_000_000)
        _ = bench.send(content, to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["202 m1-1"] && server.peers[0].goawayCode == nil)
        #expect(server.requests.last?.body == content)
    }

    // MARK: - An API that refuses HTTP/2

    /// A server that agrees on HTTP/2, and takes HTTP/1.1, and a pool that offers both.
    private func choosing(
        _ script: @escaping HTTP2ScriptedPeer.Script
    ) throws -> (server: HTTP2ScriptedServer, pool: ConnectionPool) {
        let context = try TLSContext.selfSignedServer(names: ["127.0.0.1"], speaksHTTP2: true)
        let path = "/tmp/postscale-relay-test-\(UInt64.random(in: 0 ... .max)).pem"
        try TemporaryFile.write(try #require(context.certificatePEM), to: path)
        defer { TemporaryFile.remove(path) }
        let server = try HTTP2ScriptedServer(bench.loop, tls: context, script: script)
        let pool = bench.pool(
            [server.address],
            tls: try TLSContext.client(caFile: path, protocols: APIHTTPChoice.auto.offered),
            http1TLS: try TLSContext.client(caFile: path))
        return (server, pool)
    }

    @Test("What HTTP_1_1_REQUIRED was said of is sent again over HTTP/1.1, and so is what follows")
    func demandsHTTP1() throws {
        let (server, pool) = try choosing { peer in
            for request in peer.complete where peer.answered.insert(Int(request.stream.id)).inserted
            {
                peer.session.reset(request.stream, .http11Required)
            }
        }
        for round in 1...3 {
            _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
            bench.turn { owner.results.count == round }
        }
        #expect(owner.summary == ["202 m1-1", "202 m1-2", "202 m1-3"])
        #expect(server.peers.count == 2 && pool.report.counters.retries.refused == 1)
        #expect(pool.report.addresses[0].version == .http1)
        bench.turn { server.peers[0].closeReason != nil }
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("The same, said of the connection")
    func demandsHTTP1Together() throws {
        let (server, pool) = try choosing { peer in
            guard !peer.complete.isEmpty, peer.answered.insert(1).inserted else { return }
            // GOAWAY, last stream 0, HTTP_1_1_REQUIRED.
            let frame: [UInt8] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13]
            peer.stream?.write(frame.span)
        }
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["202 m1-1"] && server.peers.count == 2)
    }

    @Test("A 411 to an upload over HTTP/2 refuses it for now, and what follows goes over HTTP/1.1")
    func wantsLength() throws {
        let (server, pool) = try choosing { peer in
            for request in peer.requests where peer.answered.insert(Int(request.stream.id)).inserted
            {
                // Its words would be believed as the API's.
                peer.respond(request, 411, #"{"error":"length required"}"#)
            }
        }
        let call = bench.upload(to: pool, owner: owner)
        bench.feed([UInt8](repeating: 0x61, count: 300_000), to: call, of: owner)
        bench.turn { owner.results.count == 1 }
        call.body?.discard()
        #expect(owner.summary == ["not sent"])
        let next = bench.upload(to: pool, owner: owner)
        bench.feed([UInt8](repeating: 0x61, count: 300_000), to: next, of: owner)
        bench.turn { owner.results.count == 2 }
        #expect(owner.summary.last == "202 m1-1" && server.peers.count == 2)
        #expect(pool.report.addresses[0].version == .http1)
    }

    @Test("A connection whose window is never opened again gets no more calls")
    func windowForgotten() throws {
        var options = HTTP2Options.server
        options.opensWindows = false
        options.connectionWindowBytes = 200_000
        let server = try HTTP2ScriptedServer(
            bench.loop, options: options, script: HTTP2ScriptedServer.accepting)
        let pool = pool(server)
        let content = [UInt8](repeating: 0x61, count: 3_000_000)
        let owners = (stuck: TestOwner(), next: TestOwner())
        let stuck = bench.upload(to: pool, owner: owners.stuck)
        bench.feed(content, to: stuck, of: owners.stuck)
        let start = MonotonicTime.readClock()
        bench.turn { server.peers.count == 2 }
        let took = MonotonicTime.readClock().milliseconds(since: start)
        #expect((5_000...10_000).contains(took), "\(took) ms")
        let next = bench.upload(to: pool, owner: owners.next)
        bench.feed(content, to: next, of: owners.next)
        bench.turn { server.peers[1].requests.first?.body.count ?? 0 >= 100_000 }
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["202 m1-3"])
        #expect(server.peers[0].requests.count == 1 && server.peers[0].closeReason == nil)
        stuck.body?.discard()
        next.body?.discard()
    }

    @Test("Where nothing but HTTP/2 may be spoken, it is refused for the moment")
    func demandsHTTP1InVain() throws {
        let server = try server { peer in
            for request in peer.requests where peer.answered.insert(Int(request.stream.id)).inserted
            {
                if request.fields.contains(where: { $0.hasPrefix("content-length") }) {
                    peer.session.reset(request.stream, .http11Required)
                } else {
                    peer.respond(request, 411, "no")
                }
            }
        }
        let pool = pool(server)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["not sent"] && server.requests.count == 3)
        let call = bench.upload(to: pool, owner: owner)
        bench.feed([UInt8](repeating: 0x61, count: 300_000), to: call, of: owner)
        bench.turn { owner.results.count == 2 }
        call.body?.discard()
        #expect(owner.summary.last == "411" && server.peers.count == 1)
        #expect(pool.report.addresses[0].version == .http2)
    }
}
