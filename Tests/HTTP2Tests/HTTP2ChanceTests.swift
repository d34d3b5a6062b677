// Conversations by chance: bodies, resets, windows and cuts of any kind. Whatever happens, each stream
// ends once on both sides, whole bodies are whole, and no window is lost.

import TestSupport
import Testing

@testable import HTTP2

@Suite struct HTTP2ChanceTests {
    @Test("Whatever happens, streams end once, whole bodies are whole, windows come back")
    func chance() throws {
        for seed in 1...60 { try converse(SeededGenerator(seed: UInt64(seed)), "seed \(seed)") }
    }

    private func converse(_ start: SeededGenerator, _ name: Comment) throws {
        var chance = start
        func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &chance) }
        let both = HTTP2Conversation(
            server: HTTP2Options(
                role: .server, streamWindowBytes: draw(1_000...40_000),
                connectionWindowBytes: draw(65_535...200_000), streamsMax: draw(1...20),
                opensWindows: false),
            answers: { server, stream in server.respond(stream, 202, "{\"id\":\(stream.id)}") })
        var bodies: [Int32: [UInt8]] = [:]
        var reset: Set<Int32> = []
        for _ in 0..<draw(20...80) {
            if both.client.session.canOpen, draw(0...2) > 0 {
                let body = chance.bytes(draw(0...1) == 0 ? draw(0...500) : draw(0...150_000))
                let stream = try both.client.request(body, isUpload: draw(0...1) == 0)
                bodies[stream.id] = body
            }
            if draw(0...5) == 0 {
                let peer = draw(0...1) == 0 ? both.client : both.server
                if let stream = peer.streams.values.min(by: { $0.id > $1.id }) {
                    peer.session.reset(stream, [.cancel, .refusedStream, .noError][draw(0...2)])
                    reset.insert(stream.id)
                }
            }
            if draw(0...9) == 0 { both.client.session.ping(UInt64(draw(0...9))) }
            let longest = draw(1...20_000)
            both.run(most: draw(1...60_000), rounds: draw(1...3)) { count in
                Splits.plan(for: count, longest: longest, using: &chance)
            }
            consume(both.server, draw(1...30_000))
        }
        for _ in 0..<2_000 where both.client.session.streamCount > 0 {
            both.run()
            consume(both.server, 1_000_000)
        }
        both.run()
        #expect(both.client.failure == nil && both.server.failure == nil, name)
        #expect(both.client.session.streamCount == 0, name)
        #expect(both.server.session.streamCount == 0, name)
        #expect(Set(both.client.closed.keys) == Set(bodies.keys), name)
        for (id, body) in bodies where !reset.contains(id) {
            #expect(both.server.received[id, default: []] == body, name)
            #expect(both.client.received[id] == Array("{\"id\":\(id)}".utf8), name)
            #expect(both.client.closed[id]?.code == .noError, name)
        }
        // A last upload alone finds the window as it was.
        let last = try both.client.request(
            [UInt8](repeating: 1, count: 300_000), isUpload: true)
        for _ in 0..<2_000 where both.client.closed[last.id] == nil {
            both.run()
            consume(both.server, 1_000_000)
        }
        #expect(both.server.received[last.id]?.count == 300_000, name)
    }

    private func consume(_ peer: HTTP2Peer, _ most: Int) {
        for id in peer.streams.keys.sorted() {
            if let stream = peer.streams[id] { peer.session.consumed(most, of: stream) }
        }
    }
}
