// An API that takes few streams on a connection (SETTINGS_MAX_CONCURRENT_STREAMS; RFC 9113 5.1.2), and says so
// only after the connection is open.

import HTTP2
import Reactor
import TestSupport
import Testing

@testable import APIClient

@Suite("HTTP/2 to an API that takes few streams")
struct HTTP2StreamLimitTests {
    private let bench = Bench()

    private func pool(streams: Int) throws -> (HTTP2ScriptedServer, ConnectionPool) {
        var options = HTTP2Options.server
        options.streamsMax = streams
        let server = try HTTP2ScriptedServer(
            bench.loop, options: options, script: HTTP2ScriptedServer.accepting)
        return (server, bench.pool([server.address]) { $0.http = .http2 })
    }

    /// Starts eight calls at once, as a group of hidden recipients does, with bodies that can't be sent again.
    /// - Returns: their owners and contents.
    private func begin(
        _ pace: APICall.Pace, in pool: ConnectionPool
    ) -> [(owner: TestOwner, content: [UInt8])] {
        let flow = pool.makeFlow()
        return (0..<8).map { number in
            let owner = TestOwner()
            let call = APICall(
                kind: .send, key: APIKey(text: "ps_test_k"), flow: flow,
                body: RequestBody(pool: bench.loop.slabs), owner: owner, deadline: .never,
                pace: pace)
            pool.start(call)
            let content = [UInt8](repeating: 0x61 + UInt8(number), count: 300_000)
            bench.feed(content, to: call, of: owner)
            return (owner, content)
        }
    }

    @Test(
        "Bodies that can't be sent again are never refused, however few streams there are",
        arguments: [1, 2, 3, 100], [APICall.Pace.here, .fast, .slow])
    func unrepeatable(streams: Int, pace: APICall.Pace) throws {
        let (server, pool) = try pool(streams: streams)
        // It leaves before them, and needs to know nothing.
        let check = APICall(
            kind: .checkKey, key: APIKey(text: "ps_test_k"), flow: nil, body: nil,
            owner: TestOwner(), deadline: bench.loop.now.advanced(byMilliseconds: 15_000))
        pool.start(check)
        let sends = begin(pace, in: pool)
        bench.turn { sends.allSatisfy { $0.owner.results.count == 1 } }
        #expect(sends.allSatisfy { $0.owner.summary[0].hasPrefix("202") })
        let posts = server.requests.filter { $0.fields.contains(":method=POST") }
        #expect(posts.allSatisfy { $0.isComplete }, "none was cut off")
        #expect(
            Set(posts.map { $0.body }) == Set(sends.map { $0.content }), "each arrived, whole")
        #expect(posts.count == 8)
        #expect(bench.loop.slabs.outstanding == 0)
    }

    @Test("They go beside small messages that did not wait for the API to say how many it takes")
    func mixed() throws {
        let (server, pool) = try pool(streams: 1)
        let owner = TestOwner()
        for _ in 0..<4 { _ = bench.send([0x7B, 0x7D], to: pool, owner: owner) }
        let sends = begin(.here, in: pool)
        bench.turn { owner.results.count == 4 && sends.allSatisfy { $0.owner.results.count == 1 } }
        #expect(owner.summary.allSatisfy { $0.hasPrefix("202") })
        #expect(sends.allSatisfy { $0.owner.summary[0].hasPrefix("202") })
        #expect(server.requests.allSatisfy { $0.isComplete || $0.resetCode != nil })
    }
}
