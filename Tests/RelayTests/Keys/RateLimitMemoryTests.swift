// Limits of keys and domains: how long they are believed, who asks again, and what MAIL hears.

import Reactor
import TestSupport
import Testing

@testable import APIClient
@testable import Relay

@Suite("Rate limit memory")
struct RateLimitMemoryTests {
    private let key = APIKey.Hash(high: 1, low: 2)
    private let memory = RateLimitMemory()
    private var shop: LimitName { .domain("shop.example", of: key) }
    private static let lease = 50_000

    private func record(
        _ seconds: Int?, on name: LimitName, at milliseconds: Int, kind: String = "daily"
    ) {
        memory.record(
            RateLimit(kind: kind, retryAfterSeconds: seconds), on: name, at: .at(milliseconds))
    }

    private func find(_ name: LimitName, at milliseconds: Int) -> String {
        switch memory.find(name, at: .at(milliseconds), lease: Self.lease) {
        case .free: "free"
        case .probe: "probe"
        case .limited(let limit, _): "limited \(limit.retryAfterSeconds ?? 0)"
        case .probed: "probed"
        }
    }

    private func atMail(_ sender: String, at milliseconds: Int) -> Int? {
        memory.limitAtMail(key, sender: sender, at: .at(milliseconds), patience: 50_000)?
            .retryAfterSeconds
    }

    @Test("A limit runs until its end; then one asks, and its success ends it for all")
    func remembers() {
        #expect(!memory.mayHaveAny(at: .at(0)))
        record(10, on: shop, at: 0)
        #expect(memory.mayHaveAny(at: .at(0)))
        #expect(find(shop, at: 8_500) == "limited 2")
        #expect(find(shop, at: 9_999) == "limited 1")
        #expect(find(.key(key), at: 9_999) == "free")
        #expect(find(shop, at: 10_000) == "probe")
        #expect(find(shop, at: 10_001) == "probed")
        memory.end(shop)
        #expect(find(shop, at: 10_002) == "free")
    }

    @Test("A limit is believed for five minutes, then one message asks, whatever the API said")
    func probes() {
        record(86_400, on: shop, at: 0)
        #expect(find(shop, at: 299_999) == "limited 86101")
        #expect(find(shop, at: 300_000) == "probe")
        #expect(find(shop, at: 300_001) == "probed")
        record(86_100, on: shop, at: 301_000)
        #expect(find(shop, at: 302_000) == "limited 86099")
        #expect(find(shop, at: 601_000) == "probe")
        memory.release(shop)
        #expect(find(shop, at: 601_001) == "probe", "the one before came to nothing")
        #expect(find(shop, at: 601_002) == "probed")
        #expect(find(shop, at: 601_001 + Self.lease) == "probe", "a probe that is lost")
    }

    @Test("A limit without an end is not remembered", arguments: [nil, 0, -5])
    func withoutEnd(_ seconds: Int?) {
        record(seconds, on: shop, at: 0)
        #expect(find(shop, at: 0) == "free")
        #expect(!memory.mayHaveAny(at: .at(0)))
    }

    @Test("No limit is believed for more than a day, and an old one is forgotten")
    func absurd() {
        record(.max, on: shop, at: 0)
        #expect(find(shop, at: 0) == "limited 86400")
        #expect(find(shop, at: 86_400_000 + 60_000) == "free")
        #expect(!memory.mayHaveAny(at: .at(86_400_000 + 60_000)))
    }

    @Test("MAIL hears of a limit that ends too late to be waited for, and of no other")
    func mail() {
        record(40, on: .key(key), at: 0)
        #expect(atMail("a.example", at: 0) == nil, "it can be waited for")
        record(60, on: .key(key), at: 0)
        #expect(atMail("a.example", at: 0) == 60)
        #expect(atMail("", at: 9_000) == 51)
        #expect(atMail("a.example", at: 10_000) == nil)
        record(3_600, on: .key(key), at: 0)
        #expect(atMail("a.example", at: 300_000) == nil, "one may ask again")
        #expect(find(.key(key), at: 300_000) == "probe")
        #expect(atMail("a.example", at: 300_001) == 3_300)
    }

    @Test("MAIL hears of a domain's limit only when its sender led there last time")
    func routes() {
        record(3_600, on: shop, at: 0)
        #expect(atMail("bounces.example", at: 0) == nil)
        memory.noteRoute(key, sender: "bounces.example", from: "shop.example")
        #expect(atMail("bounces.example", at: 0) == 3_600)
        #expect(atMail("other.example", at: 0) == nil)
        let other = APIKey.Hash(high: 3, low: 4)
        #expect(
            memory.limitAtMail(other, sender: "bounces.example", at: .at(0), patience: 0) == nil)
        memory.noteRoute(key, sender: "bounces.example", from: "warm.example")
        #expect(atMail("bounces.example", at: 0) == nil)
    }

    @Test("Operators forget the limits of a key and of a domain, however it is written")
    func forgets() {
        record(3_600, on: shop, at: 0)
        record(3_600, on: .key(key), at: 0)
        #expect(!memory.forget(domain: "warm.example"))
        let other = LimitName.domain("shop.example", of: APIKey.Hash(high: 3, low: 4))
        #expect(find(other, at: 1) == "free", "no key closes another one's domain")
        record(3_600, on: other, at: 0)
        #expect(memory.forget(domain: "Shop.EXAMPLE."))
        #expect(find(other, at: 1) == "free")
        #expect(find(shop, at: 1) == "free")
        record(3_600, on: shop, at: 0)
        record(3_600, on: other, at: 0)
        #expect(memory.forget(key: key) && !memory.forget(key: key))
        #expect(find(.key(key), at: 1) == "free")
        #expect(find(shop, at: 1) == "free", "its domains' limits with it")
        #expect(find(other, at: 1) != "free", "and nobody else's")
    }

    @Test(
        "The domain of an address is what comes after the last @, in lower case",
        arguments: [
            ("a@Shop.Example", "shop.example"), ("\"a@b\"@c.example.", "c.example"),
            ("", ""), ("postmaster", ""), ("a@", ""),
        ])
    func domains(_ address: String, _ domain: String) {
        let bytes = Array(address.utf8)
        #expect(LimitName.domain(of: bytes.span) == domain)
    }
}
