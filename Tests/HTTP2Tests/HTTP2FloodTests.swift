// Peers that send what costs work and brings nothing.

import TestSupport
import Testing

@testable import HTTP2

@Suite struct HTTP2FloodTests {
    /// One frame (RFC 9113 section 4.1).
    private func frame(_ type: UInt8, _ flags: UInt8, _ stream: Int, _ payload: [UInt8] = [])
        -> [UInt8]
    {
        func byte(_ value: Int, _ shift: Int) -> UInt8 { UInt8(truncatingIfNeeded: value >> shift) }
        let count = payload.count
        return [byte(count, 16), byte(count, 8), byte(count, 0), type, flags]
            + [24, 16, 8, 0].map { byte(stream, $0) } + payload
    }

    private func number(_ value: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    /// `:method: GET`, `:scheme: https`, `:path: /`, `:authority: a`.
    private static let request: [UInt8] = [0x82, 0x87, 0x84, 0x01, 0x01, 0x61]
    private static let post: [UInt8] = [0x83, 0x87, 0x84, 0x01, 0x01, 0x61]

    /// A server that has read a client's preface and settings.
    private func server() -> HTTP2Peer {
        let server = HTTP2Peer(.server)
        server.receive(Self.preface + frame(4, 0, 0))
        _ = server.write()
        return server
    }

    /// Sends `bytes`, and answers nothing until the server has failed.
    private func flood(_ peer: HTTP2Peer, _ most: Int, _ bytes: (Int) -> [UInt8]) -> Int {
        for number in 0..<most {
            peer.receive(bytes(number))
            let written = peer.write()
            peer.takeEvents()
            if peer.failure != nil {
                // GOAWAY with ENHANCE_YOUR_CALM is the last frame.
                #expect(written.count >= 17 && written[written.count - 17 + 3] == 7)
                #expect(written.suffix(4) == [0, 0, 0, 11])
                #expect(peer.session.isOver)
                return number
            }
        }
        return most
    }

    @Test(
        "SETTINGS, PING, PRIORITY, unknown frames without end",
        arguments: [
            (4, 0, HTTP2Flood.settings), (6, 8, .ping), (2, 5, .idle), (0x55, 3, .idle),
        ])
    func chores(type: Int, length: Int, expected: HTTP2Flood) {
        let server = server()
        let stream = type == 2 ? 1 : 0
        let payload = [UInt8](repeating: 0, count: length)
        let count = flood(server, 3_000) { _ in
            frame(UInt8(type), 0, stream, type == 2 ? [0, 0, 0, 9, 1] : payload)
        }
        #expect((900...1_100).contains(count))
        #expect(server.failure?.flood == expected)
        #expect(server.failure?.code == .enhanceYourCalm)
    }

    @Test("As many a second as are allowed go on for ever")
    func allowed() {
        let server = server()
        for _ in 0..<100 {
            server.rest(seconds: 1)
            for _ in 0..<90 { server.receive(frame(6, 0, 0, [UInt8](repeating: 0, count: 8))) }
            #expect(server.write().count == 90 * 17)
        }
        #expect(server.failure == nil)
    }

    @Test("Streams that are opened and reset at once")
    func rapidReset() {
        let server = server()
        let count = flood(server, 3_000) {
            frame(1, 4, $0 * 2 + 1, Self.post) + frame(3, 0, $0 * 2 + 1, [0, 0, 0, 8])
        }
        #expect((900...1_100).contains(count))
        #expect(server.failure?.flood == .reset)
        #expect(server.session.streamCount <= 1)
    }

    @Test("A client that makes the server reset its streams")
    func madeYouReset() {
        let server = server()
        let count = flood(server, 3_000) {
            frame(1, 4, $0 * 2 + 1, Self.post) + frame(8, 0, $0 * 2 + 1, [0x7F, 0xFF, 0xFF, 0xFF])
        }
        #expect(count < 1_100)
        #expect(server.failure?.flood == .invalid)
    }

    @Test("DATA frames without content")
    func emptyData() {
        let server = server()
        server.receive(frame(1, 4, 1, Self.post))
        let count = flood(server, 500) { _ in frame(0, 0, 1) }
        #expect((90...110).contains(count))
        #expect(server.failure?.flood == .emptyData)
    }

    @Test("WINDOW_UPDATE frames for nothing")
    func windowUpdates() {
        let server = server()
        let count = flood(server, 5_000) { _ in frame(8, 0, 0, [0, 0, 0, 1]) }
        #expect((1_900...2_100).contains(count))
        #expect(server.failure?.flood == .windowUpdate)
    }

    @Test(
        "A server that opens both windows after each small read of its application",
        arguments: [(512, 16_384), (4_096, 16_384), (512, 1_048_576)])
    func smallReads(bytes: Int, frameBytes: Int) throws {
        let client = HTTP2Peer(.client)
        let window = number(1 << 20)
        client.receive(frame(4, 0, 0, [0, 4] + window + [0, 5] + number(frameBytes)))
        client.receive(frame(8, 0, 0, number(1 << 20 - 65_535)))
        let length = 30 << 20
        let stream = try client.request(byteCount: length)
        var read = 0
        var frames = 0
        while read < length, client.failure == nil {
            _ = client.write()
            var updates: [UInt8] = []
            for sent in client.sentFrames[frames...] {
                for _ in 0..<(sent.count + bytes - 1) / bytes {
                    updates += frame(8, 0, Int(stream.id), number(bytes))
                    updates += frame(8, 0, 0, number(bytes))
                }
                read += sent.count
            }
            try #require(frames < client.sentFrames.count, "the upload stands still")
            frames = client.sentFrames.count
            client.receive(updates)
        }
        #expect(client.failure == nil)
        let count = flood(client, 40_000) { _ in frame(8, 0, 0, [0, 0, 0, 1]) }
        #expect(count < 32_100)
        #expect(client.failure?.flood == .windowUpdate)
    }

    @Test("CONTINUATION frames without end, and header blocks without bound")
    func continuations() {
        let small = server()
        small.receive(frame(1, 0, 1, Self.request))
        #expect(flood(small, 100) { _ in frame(9, 0, 1, [0x82]) } < 10)
        #expect(small.failure?.flood == .continuation)
        let large = server()
        large.receive(frame(1, 0, 1, Self.request))
        let piece = [UInt8](repeating: 0x82, count: 16_000)
        #expect(flood(large, 100) { _ in frame(9, 0, 1, piece) } < 5)
        #expect(large.failure?.flood == .headerList)
    }

    @Test("Answers with status 1xx without end")
    func interims() throws {
        let both = HTTP2Conversation(answers: nil)
        let stream = try both.client.request(Array("{}".utf8))
        both.run()
        for number in 0..<3_000 where both.client.failure == nil {
            both.server.inform(try #require(both.server.streams[stream.id]), 103)
            both.client.receive(both.server.write())
            if number < 900 { #expect(both.client.failure == nil) }
        }
        #expect(both.client.failure?.flood == .idle)
    }

    @Test("Answers of ours that are not read are bounded")
    func unread() {
        let server = server()
        let pings = [[UInt8]](
            repeating: frame(6, 0, 0, [UInt8](repeating: 0, count: 8)), count: 5_000)
        server.receive(pings.flatMap { $0 })
        #expect(server.failure != nil)
        #expect(server.write().count <= 1_100 * 17)
    }

    @Test("A flood ends at the same frame, however its bytes are cut")
    func cutAnywhere() {
        var bytes = Self.preface + frame(4, 0, 0)
        for stream in stride(from: 1, to: 400, by: 2) {
            bytes += frame(1, 4, stream, Self.post)
            bytes += frame(0, 0, stream)
            bytes += frame(6, 0, 0, [UInt8](repeating: 1, count: 8))
        }
        func lines(_ plan: [Int]) -> [String] {
            let server = HTTP2Peer(.server)
            server.receive(bytes, cut: plan)
            return server.lines
        }
        let whole = lines([bytes.count])
        #expect(whole.last == "failed ENHANCE_YOUR_CALM emptyData")
        for plan in Splits.plans(for: bytes.count) { #expect(lines(plan) == whole) }
    }
}
