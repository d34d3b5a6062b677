// A client's and a server's session in conversation: requests, answers, endings.

import TestSupport
import Testing
import Wire

@testable import HTTP2

@Suite struct HTTP2SessionTests {
    @Test("A request and its answer, to the field")
    func oneRequest() throws {
        let both = HTTP2Conversation()
        try both.client.request(Array("{\"a\":1}".utf8))
        both.run()
        #expect(
            both.server.lines.dropFirst() == [
                "request 1 :method=POST :scheme=https :authority=api.test :path=/v1/send "
                    + "authorization=Bearer ps_test_key", "end 1 after 7",
                "closed 1 NO_ERROR false",
            ])
        #expect(both.server.received[1] == Array("{\"a\":1}".utf8))
        #expect(
            both.client.lines == [
                "settings 256", "answer 1 :status=202 content-type=application/json",
                "end 1 after 2", "closed 1 NO_ERROR false",
            ])
        #expect(both.client.session.streamCount == 0)
        #expect(both.server.session.streamCount == 0)
        #expect(!both.client.session.isOver)
    }

    @Test("However the bytes are cut, both sides are told the same")
    func cutAnywhere() throws {
        func talk(_ cuts: (Int) -> [Int]?) throws -> [[String]] {
            var generator = SeededGenerator(seed: 5)
            let both = HTTP2Conversation { server, stream in
                server.inform(stream, 103)
                server.respond(stream, 202, "{\"message_id\":\"\(stream.id)\"}", trailer: "x")
            }
            for number in 0..<20 {
                try both.client.request(
                    number % 5 == 4
                        ? nil
                        : generator.bytes([0, 1, 700, 40_000, 200_000][number % 5]),
                    isUpload: number % 5 == 3)
            }
            both.run(cuts: cuts)
            both.client.session.ping(7)
            both.server.session.drain()
            both.run(cuts: cuts)
            #expect(both.client.closed.count == 20)
            #expect(both.client.failure == nil && both.server.failure == nil)
            let bodies = both.server.received.sorted { $0.key < $1.key }.map {
                "\($0.key) \($0.value.hashValue)"
            }
            return [both.client.lines, both.server.lines, bodies]
        }
        let whole = try talk { _ in nil }
        #expect(whole[0].contains("trailers 1 x-trailer=x"))
        #expect(whole[0].contains("interim 1 :status=103"))
        #expect(whole[0].contains("pong 7"))
        #expect(whole[0].last == "goaway 39 NO_ERROR")
        #expect(try talk { [Int](repeating: 1, count: $0) } == whole)
        for seed in 1...8 {
            var generator = SeededGenerator(seed: UInt64(seed))
            let other = try talk {
                Splits.plan(for: $0, longest: [2, 9, 40, 300][seed % 4], using: &generator)
            }
            #expect(other == whole)
        }
    }

    @Test("The key of each request is never indexed, and so never in the compression's table")
    func neverIndexed() throws {
        let both = HTTP2Conversation()
        both.run()
        var lengths: [Int] = []
        for number in 0..<3 {
            try both.client.request(nil, key: "Bearer ps_live_\(number)")
            let bytes = both.client.write()
            // HEADERS, and in it "never indexed, name 23 of the static table" (RFC 7541 6.2.3).
            #expect(bytes[3] == 1)
            let block = Array(bytes[9...])
            let at = try #require(block.indices.first { block[$0...].starts(with: [0x1F, 0x08]) })
            let length = Int(block[at + 2] & 0x7F)
            #expect(at + 3 + length == block.count)
            lengths.append(block.count)
            both.server.receive(bytes)
        }
        both.run()
        // The shared fields are indexed: later heads are shorter, by what the first one told.
        #expect(lengths[1] < lengths[0] && lengths[1] == lengths[2])
        #expect(
            both.server.lines.filter { $0.hasPrefix("request") }.map { $0.suffix(17) }
                == [
                    " Bearer ps_live_0", " Bearer ps_live_1", " Bearer ps_live_2",
                ].map { "n=" + $0.dropFirst() }.map { $0.suffix(17) })
    }

    @Test("REFUSED_STREAM, and streams above the last one of GOAWAY, were not processed")
    func unprocessed() throws {
        let both = HTTP2Conversation(answers: nil)
        for _ in 0..<3 { try both.client.request(Array("{}".utf8)) }
        both.run()
        let (first, second, third) = (
            try #require(both.server.streams[1]), try #require(both.server.streams[3]),
            try #require(both.server.streams[5])
        )
        both.server.session.reset(second, .refusedStream)
        both.server.session.reset(third, .internalError)
        both.run()
        #expect(both.client.closed[3]?.isUnprocessed == true)
        #expect(both.client.closed[5] == HTTP2Ending(code: .internalError, isUnprocessed: false))
        both.server.session.drain()
        // This one crosses the GOAWAY.
        let late = try both.client.request(Array("{}".utf8))
        let asked = both.client.write()
        #expect(both.client.session.isHeadSent(late))
        both.client.receive(both.server.write())
        both.server.receive(asked)
        #expect(both.client.closed[7] == HTTP2Ending(code: .refusedStream, isUnprocessed: true))
        #expect(both.client.lines.contains("goaway 5 NO_ERROR"))
        #expect(!both.client.session.canOpen)
        #expect(both.client.session.open(HTTP2Fields(), hasBody: false, isUpload: false) == nil)
        // What was taken goes on.
        both.server.respond(first, 202, "{}")
        both.run()
        #expect(both.client.received[1] == Array("{}".utf8))
        #expect(both.client.session.isOver && both.server.session.isOver)
    }

    @Test("A request that never left was not processed, whatever ends it")
    func neverSent() throws {
        let both = HTTP2Conversation()
        both.run()
        let stream = try both.client.request(Array("{}".utf8))
        #expect(!both.client.session.isHeadSent(stream))
        both.client.session.reset(stream, .cancel)
        #expect(both.client.write().isEmpty)
        both.client.takeEvents()
        #expect(both.client.closed[stream.id]?.isUnprocessed == true)
        #expect(both.client.session.streamCount == 0)
    }

    @Test("An early answer: the upload is reset, the others live")
    func earlyAnswer() throws {
        let both = HTTP2Conversation(
            server: HTTP2Options(
                role: .server, streamWindowBytes: 20_000, connectionWindowBytes: 1_000_000,
                streamsMax: 10, opensWindows: false),
            answers: { server, stream in
                if stream.id > 1 { server.respond(stream, 202, "{}") }
            })
        both.run()
        let upload = try both.client.request([UInt8](repeating: 1, count: 100_000), isUpload: true)
        try both.client.request(Array("{}".utf8))
        both.run()
        #expect(both.server.receivedBytes == 20_002)
        #expect(both.client.session.window(of: upload) == 0)
        let stream = try #require(both.server.streams[1])
        both.server.respond(stream, 413, "{\"error\":\"too large\"}")
        both.run()
        #expect(both.client.lines.contains("end 1 after 21"))
        #expect(both.client.closed[1] == nil)
        both.client.session.reset(upload, .cancel)
        both.run()
        #expect(both.client.closed[1]?.isUnprocessed == false)
        #expect(both.server.closed[1]?.code == .cancel)
        let next = try both.client.request(Array("{}".utf8))
        #expect(next.slot == upload.slot || next.slot == upload.slot + 1)
        both.run()
        #expect(both.client.closed[next.id]?.code == .noError)
    }

    @Test("No more streams at once than the peer takes; it may take fewer later")
    func concurrency() throws {
        var options = HTTP2Options.server
        options.streamsMax = 3
        let both = HTTP2Conversation(server: options, answers: nil)
        both.run()
        #expect(both.client.session.peerStreamsMax == 3)
        for _ in 0..<3 { try both.client.request(nil) }
        #expect(!both.client.session.canOpen)
        both.run()
        both.server.respond(try #require(both.server.streams[1]), 202, "")
        both.run()
        #expect(both.client.session.canOpen)
    }

    @Test("What the messaging rules forbid resets its stream, and no other")
    func malformed() throws {
        let both = HTTP2Conversation()
        both.run()
        var fields = HTTP2Fields()
        fields.add(":method", "POST")
        fields.add(":scheme", "https")
        fields.add(":path", "/")
        fields.add("content-length", "5")
        let stream = try #require(
            both.client.session.open(fields, hasBody: true, isUpload: false))
        both.client.send(Array("four".utf8)[...], on: stream)
        try both.client.request(Array("{}".utf8))
        both.run()
        #expect(both.client.closed[1]?.code == .protocolError)
        #expect(both.client.received[3] == Array("{}".utf8))
        #expect(both.server.failure == nil)
    }

    @Test("A head over the bound resets its stream")
    func largeHead() throws {
        let both = HTTP2Conversation { server, stream in
            var fields = HTTP2Fields()
            fields.add(":status", "202")
            fields.add("x-large", text: String(repeating: "a", count: 17_000))
            server.session.respond(to: stream, fields, hasBody: false)
        }
        try both.client.request(Array("{}".utf8))
        both.run()
        #expect(both.client.closed[1] == HTTP2Ending(code: .internalError, isUnprocessed: false))
        #expect(both.client.failure == nil)
    }

    @Test(
        "HTTP_1_1_REQUIRED before any answer: the request was not processed",
        arguments: [false, true])
    func demandsHTTP1(isAnswered: Bool) throws {
        let both = HTTP2Conversation(answers: nil)
        let stream = try both.client.request(Array("{}".utf8))
        both.run()
        let request = try #require(both.server.streams[stream.id])
        if isAnswered {
            var fields = HTTP2Fields()
            fields.add(":status", "202")
            both.server.session.respond(to: request, fields, hasBody: true)
            both.run()
        }
        both.server.session.reset(request, .http11Required)
        both.run()
        let ending = HTTP2Ending(code: .http11Required, isUnprocessed: !isAnswered)
        #expect(both.client.closed[stream.id] == ending)
    }

    @Test("A peer that breaks the rules gets GOAWAY with the code")
    func lastWords() {
        let client = HTTP2Peer(.client)
        _ = client.write()
        // DATA on no stream.
        client.receive([0, 0, 0, 4, 0, 0, 0, 0, 0] + [0, 0, 1, 0, 0, 0, 0, 0, 0, 0x61])
        let frames = client.write()
        // An acknowledgement of the settings may come before it.
        let goaway = frames.firstRange(of: [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
        #expect(goaway != nil && client.write().isEmpty)
        client.takeEvents()
        #expect(client.failure?.code == .protocolError && client.session.isOver)
    }

    @Test("Bytes that are not HTTP/2 end the session, on either side")
    func notHTTP2() {
        let server = HTTP2Peer(.server)
        server.receive(Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
        #expect(server.failure != nil && server.session.isOver)
        #expect(server.write().isEmpty)
        let client = HTTP2Peer(.client)
        _ = client.write()
        client.receive(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
        _ = client.write()
        client.takeEvents()
        #expect(client.failure != nil && client.session.isOver)
        #expect(!client.session.canOpen)
    }
}
