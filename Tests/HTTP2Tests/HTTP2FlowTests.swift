// Windows, the order of frames, and bodies of any size in constant memory.

import TestSupport
import Testing

@testable import HTTP2

@Suite struct HTTP2FlowTests {
    private func server(stream: Int, connection: Int) -> HTTP2Options {
        HTTP2Options(
            role: .server, streamWindowBytes: stream, connectionWindowBytes: connection,
            streamsMax: 100, opensWindows: false)
    }

    @Test("A stream stops at its window and goes on when it opens")
    func shut() throws {
        let both = HTTP2Conversation(server: server(stream: 30_000, connection: 1_000_000))
        both.run()
        try both.client.request([UInt8](repeating: 7, count: 100_000))
        both.run()
        #expect(both.server.receivedBytes == 30_000)
        var total = 30_000
        while total < 100_000 {
            let stream = try #require(both.server.streams[1])
            both.server.session.consumed(30_000, of: stream)
            both.run()
            total = min(100_000, total + 30_000)
            #expect(both.server.receivedBytes == total)
        }
        #expect(both.client.closed[1]?.code == .noError)
    }

    @Test("50 MB go through in constant memory, at most a window at a time")
    func large() throws {
        let both = HTTP2Conversation()
        both.server.keepsBodies = false
        _ = try both.client.request(byteCount: 50_000_000)
        both.run(most: 262_144)
        #expect(both.server.receivedBytes == 50_000_000)
        #expect(both.client.closed[1]?.code == .noError)
    }

    @Test("A small message goes before uploads that wait, and uploads take turns")
    func order() throws {
        let both = HTTP2Conversation()
        both.run()
        let uploads = try (0..<3).map { _ in
            try both.client.request([UInt8](repeating: 1, count: 400_000), isUpload: true).id
        }
        both.server.receive(both.client.write(most: 200_000))
        let turns = both.client.sentFrames.map(\.stream)
        #expect(turns.count >= 9)
        for index in 3..<turns.count { #expect(turns[index] == turns[index - 3]) }
        #expect(Set(turns) == Set(uploads))
        let small = try both.client.request([UInt8](repeating: 2, count: 3_000)).id
        let before = both.client.sentFrames.count
        both.server.receive(both.client.write(most: 10_000))
        #expect(both.client.sentFrames[before].stream == small)
        both.run()
        #expect(both.client.closed.count == 4)
    }

    @Test("Uploads that nobody reads leave half of the connection's window to small messages")
    func reserve() throws {
        let both = HTTP2Conversation(server: server(stream: 1_000_000, connection: 1_000_000))
        both.run()
        for _ in 0..<4 {
            try both.client.request([UInt8](repeating: 1, count: 900_000), isUpload: true)
        }
        both.run()
        #expect(both.server.receivedBytes >= 500_000)
        #expect(both.server.receivedBytes <= 500_000 + HTTP2DataFrame.countMax)
        for _ in 0..<10 { try both.client.request([UInt8](repeating: 2, count: 20_000)) }
        both.run()
        #expect(both.client.closed.count == 10)
        // The uploads go on as the window opens.
        for _ in 0..<100 {
            for stream in both.server.streams.values {
                both.server.session.consumed(1_000_000, of: stream)
            }
            both.run()
        }
        #expect(both.client.closed.count == 14)
        #expect(both.server.receivedBytes == 4 * 900_000 + 10 * 20_000)
    }

    @Test("An upload uses more than half of the connection's window: only then does Jetty open it")
    func moreThanHalf() throws {
        let both = HTTP2Conversation(server: server(stream: 524_288, connection: 1_048_576))
        both.run()
        try both.client.request([UInt8](repeating: 1, count: 900_000), isUpload: true)
        both.run()
        #expect(both.server.receivedBytes == 524_288)
        // The stream's window opens, the connection's does not.
        let stream = try #require(both.server.streams[1])
        both.server.session.consumed(276_814, of: stream)
        both.run()
        #expect(both.server.receivedBytes > 524_288)
        #expect(both.server.receivedBytes <= 524_288 + HTTP2DataFrame.countMax)
    }

    @Test("Small messages without end leave uploads a turn")
    func turns() throws {
        let both = HTTP2Conversation()
        both.run()
        let upload = try both.client.request([UInt8](repeating: 1, count: 400_000), isUpload: true)
        for _ in 0..<80 { try both.client.request([UInt8](repeating: 2, count: 16_000)) }
        both.server.receive(both.client.write(most: 1_000_000))
        let frames = both.client.sentFrames.filter { $0.stream == upload.id }
        #expect((2...4).contains(frames.count))
        both.run()
        #expect(both.client.closed.count == 81)
    }

    @Test("A frame never goes over the end of a piece, and says when the piece is used up")
    func pieces() throws {
        let both = HTTP2Conversation()
        both.run()
        let session = both.client.session
        let stream = try both.client.request([], isWhole: false)
        _ = both.client.write()
        session.offer(20_000, isLast: false, to: stream)
        guard case .data(let first) = session.next() else { return #expect(Bool(false)) }
        #expect(first.count == 16_384 && !first.isPieceDone && !first.isEnd)
        guard case .data(let second) = session.next() else { return #expect(Bool(false)) }
        #expect(second.count == 3_616 && second.isPieceDone && !second.isEnd)
        #expect(session.next() == .nothing)
        session.offer(5, isLast: false, to: stream)
        session.finish(stream)
        guard case .data(let third) = session.next() else { return #expect(Bool(false)) }
        #expect(third.count == 5 && third.isEnd)
        #expect(session.next() == .nothing)
    }

    @Test("A body may end after its last piece has gone")
    func lateEnd() throws {
        for isUpload in [false, true] {
            let both = HTTP2Conversation()
            let stream = try both.client.request(
                Array("{}".utf8), isUpload: isUpload, isWhole: false)
            both.run()
            #expect(both.server.received[1] == Array("{}".utf8))
            #expect(both.client.closed.isEmpty)
            both.client.session.finish(stream)
            both.client.session.finish(stream)
            both.run()
            #expect(both.client.closed[1]?.code == .noError)
            #expect(both.client.sentFrames.last?.count == 0)
        }
    }

    @Test("What a reset stream had not consumed is given back to the connection")
    func windowOfResetStreams() throws {
        let both = HTTP2Conversation(
            server: server(stream: 60_000, connection: 100_000), answers: nil)
        for _ in 0..<20 {
            let stream = try both.client.request([UInt8](repeating: 1, count: 50_000))
            both.run()
            both.client.session.reset(stream, .cancel)
            both.run()
        }
        #expect(both.server.receivedBytes == 20 * 50_000)
        #expect(both.client.closed.count == 20)
    }
}
