// News of the fleet, as they look in the server.

import Testing

@testable import LedgerServer
@testable import Relay

@Suite("News of the fleet")
struct NewsTests {
    private static let name = ContentDigest(high: 1, low: 2)
    private static let key = ContentDigest(high: .max, low: 5)
    private static let domain = ContentDigest(high: 3, low: .max)

    private static let news: [FleetNews] = [
        .limited(
            FleetNews.Limit(
                name: name, key: key, domain: domain, milliseconds: 60_000,
                kind: "per minute, a warm-up")),
        .limited(
            FleetNews.Limit(name: name, key: key, domain: nil, milliseconds: 60_000, kind: "")),
        .limitEnded(name), .domainForgotten(domain), .keyLimitsForgotten(key),
        .keyForgotten(name),
    ]

    @Test("Others read what was told, and its teller does not", arguments: news)
    func telling(_ news: FleetNews) {
        let bytes = ServerNews.bytes(news, from: 7)
        #expect(ServerNews.read(bytes, age: 0, unlessFrom: 8) == news)
        #expect(ServerNews.read(bytes, age: 0, unlessFrom: 7) == nil)
        #expect(ServerNews.read(bytes, age: 300_000, unlessFrom: 8) == nil)
    }

    @Test("A limit counts as long as is left of it")
    func age() {
        let bytes = ServerNews.bytes(Self.news[0], from: 7)
        guard case .limited(let limit) = ServerNews.read(bytes, age: 59_000, unlessFrom: 8) else {
            Issue.record("no limit")
            return
        }
        #expect(limit.milliseconds == 1_000)
        #expect(ServerNews.read(bytes, age: 60_000, unlessFrom: 8) == nil)
    }

    @Test(
        "What no relay has told is passed over",
        arguments: [
            "", "1", "1 0 key", "1 0 key x", "2 0 key 00000000000000010000000000000002",
            "1 0 limit 00000000000000010000000000000002",
            "1 0 what 00000000000000010000000000000002",
        ])
    func nonsense(_ text: String) {
        #expect(ServerNews.read(Array(text.utf8), age: 0, unlessFrom: 8) == nil)
    }
}
