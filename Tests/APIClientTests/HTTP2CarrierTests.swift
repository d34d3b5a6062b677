// Calls over HTTP/2 against a real server of HTTP/2 on loopback: streams, bodies, answers, ends.

import HTTP2
import Reactor
import TestSupport
import Testing
import Wire

@testable import APIClient

@Suite("HTTP/2 to the API")
struct HTTP2CarrierTests {
    private let bench = Bench()
    private let owner = TestOwner()

    /// A pool that speaks HTTP/2 by prior knowledge.
    private func pool(
        _ server: HTTP2ScriptedServer, adjust: (inout APIOptions) -> Void = { _ in }
    ) -> ConnectionPool {
        bench.pool([server.address]) {
            $0.http = .http2
            adjust(&$0)
        }
    }

    private func server(
        _ options: HTTP2Options = .server, script: @escaping HTTP2ScriptedPeer.Script
    ) throws -> HTTP2ScriptedServer {
        try HTTP2ScriptedServer(bench.loop, options: options, script: script)
    }

    private static let expectedFields = [
        ":method=POST", ":scheme=http", ":path=/v1/send", "accept=application/json",
        "content-type=application/json", "authorization=Bearer ps_test_k", "content-length=7",
    ]

    // MARK: - Requests

    @Test("Calls one after the other share a connection, and their heads say what HTTP/1.1 says")
    func oneByOne() throws {
        let server = try server(script: HTTP2ScriptedServer.accepting)
        let pool = pool(server)
        for round in 1...3 {
            _ = bench.send(Array("{\"n\":\(round)}".utf8), to: pool, owner: owner)
            bench.turn { owner.results.count == round }
        }
        #expect(owner.summary == ["202 m0-1", "202 m0-3", "202 m0-5"])
        #expect(server.peers.count == 1)
        let request = try #require(server.requests.last)
        #expect(request.body == Array("{\"n\":3}".utf8))
        for field in Self.expectedFields { #expect(request.fields.contains(field)) }
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("Calls at the same time share a connection, and are answered in any order")
    func together() throws {
        let server = try server { peer in
            guard peer.complete.count == 80, peer.step == 0 else { return }
            peer.step = 1
            for request in peer.complete.reversed() { peer.accept(request) }
        }
        let pool = pool(server)
        for _ in 0..<80 { _ = bench.send([0x7B, 0x7D], to: pool, owner: owner) }
        bench.turn { owner.results.count == 80 }
        #expect(Set(owner.summary).count == 80 && server.peers.count == 1)
        #expect(owner.summary.first == "202 m0-159" && owner.summary.last == "202 m0-1")
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("A second connection is opened when the streams of the first are all taken")
    func full() throws {
        var options = HTTP2Options.server
        options.streamsMax = 4
        let server = try server(options) { _ in }
        let pool = pool(server)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { server.requests.count == 1 }
        bench.turn(milliseconds: 20)
        for _ in 0..<7 { _ = bench.send([0x7B, 0x7D], to: pool, owner: owner) }
        bench.turn { server.requests.count == 8 }
        #expect(server.peers.map { $0.requests.count } == [4, 4])
        for peer in server.peers {
            bench.act {
                for request in peer.complete { peer.accept(request) }
                peer.write()
            }
        }
        bench.turn { owner.results.count == 8 }
        #expect(owner.summary.allSatisfy { $0.hasPrefix("202") })
    }

    @Test("Small messages pass an upload that the API does not read")
    func beside() throws {
        var options = HTTP2Options.server
        options.opensWindows = false
        options.connectionWindowBytes = 200_000
        let server = try server(options, script: HTTP2ScriptedServer.accepting)
        let pool = pool(server)
        let call = bench.upload(to: pool, owner: owner)
        bench.feed([UInt8](repeating: 0x61, count: 3_000_000), to: call, of: owner)
        bench.turn { (server.requests.first?.body.count ?? 0) >= 100_000 }
        bench.turn(milliseconds: 20)
        #expect((server.requests.first?.body.count ?? 0) < 150_000)
        for round in 1...5 {
            _ = bench.send(
                [UInt8](repeating: 0x62, count: 4_000), to: pool, owner: TestOwner())
            bench.turn { server.requests.filter { $0.isComplete }.count == round }
        }
        #expect(server.peers.count == 1 && !server.requests[0].isComplete)
        bench.act {
            call.abandon()
            call.body?.discard()
        }
    }

    @Test("A check of a key is a GET without a body")
    func check() throws {
        let server = try server(script: HTTP2ScriptedServer.accepting)
        let pool = pool(server)
        let call = APICall(
            kind: .checkKey, key: APIKey(text: "ps_test_k"), flow: nil, body: nil, owner: owner,
            deadline: bench.loop.now.advanced(byMilliseconds: 15_000))
        pool.start(call)
        bench.turn { owner.results.count == 1 }
        let request = try #require(server.requests.first)
        #expect(request.fields.contains(":method=GET"))
        #expect(request.fields.contains(":path=/v1/emails?limit=1"))
        #expect(!request.fields.contains { $0.hasPrefix("content-length") })
    }

    @Test("Over TLS both sides agree on HTTP/2, when both have it")
    func negotiated() throws {
        for (http, speaksHTTP2, expected) in [
            (APIHTTPChoice.auto, true, 2), (.auto, false, 1), (.http11, true, 1), (.http2, true, 2),
            (.http2, false, 0),
        ] {
            let context = try TLSContext.selfSignedServer(
                names: ["127.0.0.1"], speaksHTTP2: speaksHTTP2)
            let path = "/tmp/postscale-relay-test-\(UInt64.random(in: 0 ... .max)).pem"
            try TemporaryFile.write(try #require(context.certificatePEM), to: path)
            defer { TemporaryFile.remove(path) }
            let client = try TLSContext.client(caFile: path, protocols: http.offered)
            let owner = TestOwner()
            let old = try ScriptedServer(
                bench.loop, tls: context, script: ScriptedServer.accepting)
            let new = try HTTP2ScriptedServer(
                bench.loop, tls: context, script: HTTP2ScriptedServer.accepting)
            let address = expected == 2 ? new.address : old.address
            let pool = bench.pool([address], tls: client) { $0.http = http }
            _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
            bench.turn { owner.results.count == 1 }
            let summary = [0: ["not sent"], 1: ["202 m0-1"], 2: ["202 m0-1"]][expected]
            #expect(owner.summary == summary, "\(http)")
            pool.drain()
        }
    }

    @Test(
        "Bodies of every size around a slab's edge arrive whole, held and cut through",
        arguments: [1, 14_845, 14_846, 14_847, 31_218, 31_219, 31_220, 100_000])
    func edges(_ count: Int) throws {
        // Small windows cut the slabs into frames at odd places.
        var options = HTTP2Options.server
        options.streamWindowBytes = 10_007
        let server = try server(options, script: HTTP2ScriptedServer.accepting)
        let pool = pool(server)
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
        #expect(server.requests.count == 3)
        #expect(server.requests.allSatisfy { $0.body == content && $0.isComplete })
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("A silent client's upload goes on byte by byte, and arrives whole")
    func trickles() throws {
        let server = try server(script: HTTP2ScriptedServer.accepting)
        let pool = pool(server)
        var generator = SeededGenerator(seed: 4)
        let content = generator.bytes(100_000)
        let call = bench.upload(to: pool, owner: owner)
        bench.act {
            #expect(!call.trickle(), "it waits for a connection")
            call.body?.append(content.span.extracting(0..<60_000))
            call.bodyGrew()
        }
        bench.turn { (call.body?.pendingBytes ?? .max) < 16_384 }
        bench.turn { server.requests.first?.body.count == 60_000 - (call.body?.pendingBytes ?? 0) }
        for _ in 0..<30 {
            let before = server.requests[0].body.count
            bench.act { #expect(call.trickle()) }
            bench.turn { server.requests[0].body.count == before + 1 }
        }
        bench.act {
            call.body?.append(content.span.extracting(60_000..<100_000))
            call.body?.complete()
            call.bodyCompleted(deadline: bench.loop.now.advanced(byMilliseconds: 15_000))
        }
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["202 m0-1"] && server.requests[0].body == content)
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("Nothing trickles while a window is shut", arguments: [true, false])
    func tricklesNot(isOfStream: Bool) throws {
        var options = HTTP2Options.server
        options.opensWindows = false
        if isOfStream {
            options.streamWindowBytes = 14_846
        } else {
            options.connectionWindowBytes = 65_535
        }
        let server = try server(options, script: HTTP2ScriptedServer.accepting)
        let pool = pool(server)
        let count = isOfStream ? 14_846 + 2_000 : 65_535 + 16_000
        let call = bench.upload(to: pool, owner: owner)
        // What is ready fits into the window, and fills it.
        bench.act {
            call.body?.append([UInt8](repeating: 0x61, count: count).span)
            call.bodyGrew()
        }
        bench.turn { (server.requests.first?.body.count ?? 0) >= 14_846 }
        bench.turn(milliseconds: 20)
        bench.act { #expect(!call.trickle()) }
        bench.act {
            call.abandon()
            call.body?.discard()
        }
    }

    @Test("A client is paused while the windows are shut, and memory stays bounded")
    func windows() throws {
        var options = HTTP2Options.server
        options.streamWindowBytes = 65_535
        options.opensWindows = false
        var isOpen = false
        var consumed = 0
        let server = try server(options) { peer in
            if isOpen, let request = peer.requests.first {
                peer.session.consumed(request.body.count - consumed, of: request.stream)
                consumed = request.body.count
            }
            HTTP2ScriptedServer.accepting(peer)
        }
        let pool = pool(server)
        var generator = SeededGenerator(seed: 2)
        let content = generator.bytes(3_000_000)
        let call = bench.upload(to: pool, owner: owner)
        bench.feed(content, to: call, of: owner)
        bench.turn(milliseconds: 100)
        #expect(server.requests.first?.body.count == 65_535)
        #expect((call.body?.byteCount ?? .max) < 400_000 && bench.loop.slabs.outstanding < 32)
        isOpen = true
        bench.act {
            let peer = server.peers[0]
            peer.session.consumed(65_535, of: peer.requests[0].stream)
            consumed = 65_535
            peer.write()
        }
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["202 m0-1"])
        let isWhole = server.requests[0].body == content
        #expect(isWhole && bench.loop.slabs.outstanding == 0)
    }

    @Test("The key is never indexed, and does not stay in the slabs of a request")
    func key() throws {
        let server = try server(script: HTTP2ScriptedServer.accepting)
        let pool = pool(server)
        for round in 1...2 {
            let body = RequestBody(pool: bench.loop.slabs)
            body.append([0x7B, 0x7D].span)
            body.complete()
            let slab = try #require(body.nextReady)
            let call = APICall(
                kind: .send, key: APIKey(text: "ps_test_secret"), flow: pool.makeFlow(),
                body: body, owner: owner,
                deadline: bench.loop.now.advanced(byMilliseconds: 15_000))
            pool.start(call)
            bench.turn { call.isHandedOver }
            // The value is Huffman coded on the wire: nothing but zeros may be left of the head.
            let memory = UnsafeBufferPointer(
                start: slab.payload, count: slab.start - HTTP2DataFrame.headBytes)
            #expect(memory.suffix(60).allSatisfy { $0 == 0 })
            bench.turn { owner.results.count == round }
        }
        let peer = server.peers[0]
        #expect(
            peer.requests.allSatisfy { $0.fields.contains("authorization=Bearer ps_test_secret") })
        // "Never indexed, name 23 of the static table" (RFC 7541 section 6.2.3), in each head.
        let mark: [UInt8] = [0x1F, 0x08]
        let marks = peer.raw.indices.dropLast().count { Array(peer.raw[$0...$0 + 1]) == mark }
        #expect(marks == 2)
    }

    @Test("A request is complete at its very last byte, and at none before")
    func prefixes() throws {
        let server = try server(script: HTTP2ScriptedServer.accepting)
        let pool = pool(server)
        var generator = SeededGenerator(seed: 4)
        let call = bench.upload(to: pool, owner: owner)
        bench.feed(generator.bytes(40_000), to: call, of: owner)
        bench.turn { owner.results.count == 1 }
        let raw = server.peers[0].raw
        // Another server reads the same bytes, one by one.
        let reader = HTTP2Session(.server)
        var ends: [Int] = []
        for (index, byte) in raw.enumerated() {
            reader.receive([byte].span, now: UInt64(index))
            while let event = reader.nextEvent() {
                if case .end = event { ends.append(index) }
            }
        }
        // Nothing follows the request but the acknowledgement of settings, 9 bytes.
        #expect(ends.count == 1 && raw.count - 1 - ends[0] <= 9, "\(ends) of \(raw.count)")
    }

    // MARK: - Answers

    @Test("An early refusal ends the stream alone, and the API never sees the upload's end")
    func early() throws {
        let server = try server { peer in
            HTTP2ScriptedServer.accepting(peer)
            guard let request = peer.requests.first, request.body.count > 50_000,
                !request.isComplete, request.resetCode == nil, peer.answered.insert(1).inserted
            else { return }
            peer.respond(request, 413, "too large")
        }
        let pool = pool(server)
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
        bench.turn { server.requests[0].resetCode != nil }
        #expect(server.requests[0].resetCode == .cancel && !server.requests[0].isComplete)
        // The connection goes on.
        owner.onWanted = { _ in }
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 2 }
        #expect(owner.summary.last == "202 m0-3" && server.peers.count == 1)
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("A success in the middle of an upload is not a success")
    func earlySuccess() throws {
        let server = try server { peer in
            guard let request = peer.requests.first, request.body.count > 10_000,
                peer.answered.insert(1).inserted
            else { return }
            peer.accept(request)
        }
        let pool = pool(server)
        let call = bench.upload(to: pool, owner: owner)
        call.body?.append([UInt8](repeating: 0x61, count: 100_000).span)
        call.bodyGrew()
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["uncertain"])
        call.body?.discard()
    }

    @Test("Interim answers and trailers are skipped, and an error says who answered")
    func heads() throws {
        let server = try server { peer in
            for request in peer.complete.dropFirst(peer.step) {
                peer.step += 1
                var interim = HTTP2Fields()
                interim.add(":status", "103")
                peer.session.inform(request.stream, interim)
                if peer.step == 1 {
                    peer.respond(
                        request, 429, #"{"error":"slow"}"#,
                        fields: [
                            ("retry-after", "7"), ("server", "front"), ("x-request-id", "r-1"),
                        ])
                    var trailers = HTTP2Fields()
                    trailers.add("x-trailer", "1")
                    peer.session.trail(request.stream, trailers)
                } else {
                    peer.accept(request)
                }
            }
        }
        let pool = pool(server)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        guard case .response(let response) = owner.results[0] else {
            Issue.record("\(owner.summary)")
            return
        }
        #expect(response.status == 429 && response.retryAfterSeconds == 7)
        #expect(response.requestID == "r-1" && response.origin?.server == "front")
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 2 }
        #expect(owner.summary == ["429", "202 m0-3"])
    }

    @Test("A success that is too long is uncertain, and an error is cut")
    func long() throws {
        let server = try server { peer in
            for request in peer.complete.dropFirst(peer.step) {
                peer.step += 1
                let body = String(repeating: " ", count: 70_000)
                peer.respond(request, peer.step == 1 ? 202 : 500, body)
            }
        }
        let pool = pool(server)
        for round in 1...2 {
            _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
            bench.turn { owner.results.count == round }
        }
        #expect(owner.summary == ["uncertain", "500"] && server.peers.count == 1)
    }

    // MARK: - Ends

    @Test("A stream that was refused is sent again, one that was reset after its end is not")
    func resets() throws {
        let server = try server { peer in
            for request in peer.complete.dropFirst(peer.step) {
                peer.step += 1
                switch peer.step {
                case 1: peer.session.reset(request.stream, .refusedStream)
                case 2: peer.accept(request)
                default: peer.session.reset(request.stream, .internalError)
                }
            }
        }
        let pool = pool(server)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["202 m0-3"] && pool.report.counters.retries.refused == 1)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 2 }
        bench.turn(milliseconds: 30)
        #expect(owner.summary.last == "uncertain" && server.requests.count == 3)
    }

    @Test("An upload that is reset before its end was not acted on, and is not sent again")
    func resetUpload() throws {
        let server = try server { peer in
            guard let request = peer.requests.first, request.body.count > 20_000 else { return }
            peer.session.reset(request.stream, .internalError)
        }
        let pool = pool(server)
        let call = bench.upload(to: pool, owner: owner)
        call.body?.append([UInt8](repeating: 0x61, count: 100_000).span)
        call.bodyGrew()
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["not sent"] && server.requests.count == 1)
        call.body?.discard()
    }

    @Test("An abandoned upload ends in a reset of its stream, without its end")
    func abandoned() throws {
        let server = try server(script: HTTP2ScriptedServer.accepting)
        let pool = pool(server)
        let call = bench.upload(to: pool, owner: owner)
        call.body?.append([UInt8](repeating: 0x61, count: 100_000).span)
        call.bodyGrew()
        bench.turn { (server.requests.first?.body.count ?? 0) > 50_000 }
        bench.act {
            call.abandon()
            call.body?.discard()
        }
        bench.turn { server.requests[0].resetCode != nil }
        #expect(server.requests[0].resetCode == .cancel && owner.results.isEmpty)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["202 m0-3"] && bench.loop.slabs.outstanding == 0)
    }

    @Test("A call abandoned after its hand-over goes on")
    func abandonedLate() throws {
        let server = try server(script: HTTP2ScriptedServer.accepting)
        let pool = pool(server)
        let call = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { call.isHandedOver }
        call.abandon()
        bench.turn { server.requests.first?.isComplete == true }
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["202 m0-3"] && server.requests[0].resetCode == nil)
    }

    @Test("A connection that breaks leaves what was handed over uncertain")
    func broken() throws {
        let server = try server { peer in
            if !peer.complete.isEmpty { peer.stream?.abort() }
        }
        let pool = pool(server)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        bench.turn(milliseconds: 30)
        #expect(owner.summary == ["uncertain"] && server.requests.count == 1)
    }

    @Test("A call that comes after the API's end gets another connection")
    func ended() throws {
        let server = try server { peer in
            HTTP2ScriptedServer.accepting(peer)
            guard peer.number == 0, !peer.complete.isEmpty else { return }
            peer.write()
            peer.stream?.finish()
        }
        let pool = pool(server)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 2 }
        #expect(owner.summary == ["202 m0-1", "202 m1-1"])
    }

    @Test("A connection that breaks ends each of its calls as far as it had come")
    func brokenTogether() throws {
        var options = HTTP2Options.server
        options.opensWindows = false
        options.streamWindowBytes = 65_535
        let server = try server(options) { peer in
            if peer.number > 0 {
                HTTP2ScriptedServer.accepting(peer)
            } else if peer.complete.count == 2, peer.requests.count == 3 {
                peer.stream?.abort()
            }
        }
        let pool = pool(server)
        let owners = [TestOwner(), TestOwner(), TestOwner()]
        _ = bench.send([UInt8](repeating: 0x61, count: 65_536), to: pool, owner: owners[0])
        for owner in owners.dropFirst() { _ = bench.send([0x7B, 0x7D], to: pool, owner: owner) }
        bench.turn { owners.allSatisfy { $0.results.count == 1 } || server.peers.count > 1 }
        // The window of the second connection is too small for the first call as well.
        bench.turn { owners[1].results.count + owners[2].results.count == 2 }
        #expect(owners[1].summary == ["uncertain"] && owners[2].summary == ["uncertain"])
        bench.turn { server.peers.count == 2 && !server.peers[1].requests.isEmpty }
        #expect(owners[0].results.isEmpty)
        #expect(pool.report.counters.retries.partlyWritten == 1)
    }

    @Test("Streams above the last one of a GOAWAY are sent again, those below go on")
    func goawayBetween() throws {
        let server = try server { peer in
            guard peer.number == 0 else { return HTTP2ScriptedServer.accepting(peer) }
            guard peer.complete.count == 3, peer.answered.insert(1).inserted else { return }
            // GOAWAY, last stream 1, NO_ERROR.
            let frame: [UInt8] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
            peer.stream?.write(frame.span)
        }
        let pool = pool(server)
        for _ in 0..<3 { _ = bench.send([0x7B, 0x7D], to: pool, owner: owner) }
        bench.turn { owner.results.count == 2 }
        #expect(Set(owner.summary) == ["202 m1-1", "202 m1-3"])
        #expect(pool.report.counters.retries.refused == 2)
        bench.act {
            let peer = server.peers[0]
            peer.accept(peer.requests[0])
            peer.write()
        }
        bench.turn { owner.results.count == 3 }
        #expect(owner.summary.last == "202 m0-1")
    }

    @Test("A held request that was cut off before its last byte is sent again")
    func resent() throws {
        let server = try server { peer in
            if peer.number > 0 {
                HTTP2ScriptedServer.accepting(peer)
            } else if peer.requests.contains(where: { !$0.body.isEmpty }) {
                peer.stream?.abort()
            }
        }
        let pool = pool(server)
        var generator = SeededGenerator(seed: 1)
        let content = generator.bytes(8_000_000)
        _ = bench.send(content, to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["202 m1-1"], "\(owner.results)")
        let isWhole = server.requests.last?.body == content
        #expect(isWhole && bench.loop.slabs.outstanding == 0)
    }

    @Test("After a GOAWAY what goes on is answered, and what comes gets another connection")
    func goaway() throws {
        let server = try server { peer in
            guard peer.number == 0, !peer.complete.isEmpty else {
                return HTTP2ScriptedServer.accepting(peer)
            }
            peer.session.drain()
        }
        let pool = pool(server)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { server.requests.first?.isComplete == true }
        bench.turn(milliseconds: 20)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["202 m1-1"])
        bench.act {
            let peer = server.peers[0]
            peer.accept(peer.requests[0])
            peer.write()
        }
        bench.turn { owner.results.count == 2 }
        #expect(owner.summary == ["202 m1-1", "202 m0-1"])
        bench.turn { server.peers[0].closeReason != nil }
        #expect(server.requests.count == 2)
    }

    @Test("An API that is silent and answers no PING is given up within some seconds")
    func silent() throws {
        let server = try server { peer in
            if peer.number == 0, !peer.complete.isEmpty { peer.stream?.pauseReceiving() }
            if peer.number > 0 { HTTP2ScriptedServer.accepting(peer) }
        }
        let pool = pool(server)
        let start = MonotonicTime.readClock()
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        let took = MonotonicTime.readClock().milliseconds(since: start)
        #expect(owner.summary == ["uncertain"] && (4_500...6_000).contains(took), "\(took) ms")
        #expect(pool.report.counters.connectionsSilent == 1)
    }

    @Test("An API that answers PINGs may take its time")
    func slow() throws {
        let server = try server { _ in }
        let pool = pool(server)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { !server.requests.isEmpty }
        bench.turn(milliseconds: 5_600)
        #expect(owner.results.isEmpty && pool.connectionCount == 1)
        bench.act {
            let peer = server.peers[0]
            peer.accept(peer.requests[0])
            peer.write()
        }
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["202 m0-1"])
    }

    @Test("A peer that floods is cut off")
    func flood() throws {
        let server = try server { peer in
            guard peer.number == 0, !peer.complete.isEmpty, peer.answered.insert(1).inserted
            else { return HTTP2ScriptedServer.accepting(peer) }
            let ping: [UInt8] = [0, 0, 8, 6, 0, 0, 0, 0, 0] + [UInt8](repeating: 1, count: 8)
            for _ in 0..<2_000 { peer.stream?.write(ping.span) }
        }
        let pool = pool(server)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["uncertain"])
        bench.turn { server.peers[0].closeReason != nil }
        #expect(server.peers[0].goawayCode == .enhanceYourCalm)
        #expect(pool.report.counters.connectionsFaulty == 1)
    }

    @Test("An API that does not take the request in time did not get it")
    func notTaken() throws {
        var options = HTTP2Options.server
        options.opensWindows = false
        options.streamWindowBytes = 65_535
        let server = try server(options) { _ in }
        let pool = pool(server)
        _ = bench.send(
            [UInt8](repeating: 0x61, count: 200_000), to: pool, owner: owner, milliseconds: 300)
        bench.turn { owner.results.count == 1 }
        #expect(owner.summary == ["not sent"])
        bench.turn { server.requests[0].resetCode != nil }
        #expect(server.requests[0].body.count == 65_535 && pool.connectionCount == 1)
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("With a rate for the line, bodies leave in turns and arrive whole")
    func paced() throws {
        let server = try server(script: HTTP2ScriptedServer.accepting)
        let pool = pool(server) { $0.bytesPerSecondMax = 400_000 }
        var generator = SeededGenerator(seed: 5)
        let content = generator.bytes(60_000)
        _ = bench.send(content, to: pool, owner: owner)
        _ = bench.send([0x7B, 0x7D], to: pool, owner: owner)
        bench.turn { owner.results.count == 2 }
        #expect(owner.summary.allSatisfy { $0.hasPrefix("202") })
        #expect(server.requests.contains { $0.body == content })
        #expect(bench.loop.slabs.outstanding == 0)
    }
}
