// Keys, their hashes, and what is remembered about them.

import Reactor
import Synchronization
import Testing
import Wire

@testable import APIClient
@testable import Relay

@Suite("API key")
struct APIKeyTests {
    @Test("Only visible ASCII of 1 to 512 characters may reach a header")
    func wellFormed() {
        for good in ["a", "ps_live_abc-DEF.~", String(repeating: "k", count: 512)] {
            #expect(APIKey(text: good).isWellFormed)
        }
        for bad in [
            "", " a", "a b", "a\r\nX: y", "ä", "\u{7F}", String(repeating: "k", count: 513),
        ] {
            let key = APIKey(text: bad)
            #expect(!key.isWellFormed)
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1_024) { memory in
                var region = Region(memory)
                #expect(!key.write(into: &region) && region.count == 0)
            }
        }
    }

    @Test("No description shows the key")
    func hidden() {
        let key = APIKey(text: "ps_live_secret")
        var dumped = ""
        dump(key, to: &dumped)
        for text in ["\(key)", String(reflecting: key), String(describing: key), dumped] {
            #expect(!text.contains("secret") && !text.contains("hash"))
        }
    }

    @Test("The hash names the key and nothing else")
    func hash() {
        #expect(APIKey(text: "a").hash == APIKey(text: "a").hash)
        #expect(APIKey(text: "a").hash != APIKey(text: "b").hash)
    }
}

@Suite("Key cache")
struct KeyCacheTests {
    private let cache = KeyCache(options: KeyOptions(), questionMillisecondsMax: 50_000)

    private func waiter(
        _ loop: Int, _ tell: @escaping @Sendable (APIKey.Hash, KeyVerdict) -> Void = { _, _ in }
    ) -> KeyCache.Waiter {
        KeyCache.Waiter(loopIndex: loop, tell: tell)
    }

    private func hash(_ number: UInt64) -> APIKey.Hash { APIKey.Hash(high: 1, low: number) }

    @Test("A verdict lives for its own time")
    func times() {
        for (number, verdict, lives) in [
            (1, KeyVerdict.valid, 60_000), (2, .refused, 10_000),
        ] {
            let key = hash(UInt64(number))
            #expect(cache.find(key, at: .at(0), waiter: waiter(0)) == .ask)
            cache.settle(key, verdict, at: .at(0))
            #expect(cache.find(key, at: .at(lives - 1), waiter: waiter(0)) == .known(verdict))
            #expect(cache.find(key, at: .at(lives), waiter: waiter(0)) == .ask)
        }
    }

    @Test("An outage is not remembered")
    func outage() {
        #expect(cache.find(hash(3), at: .at(0), waiter: waiter(0)) == .ask)
        cache.settle(hash(3), .unavailable, at: .at(0))
        #expect(cache.find(hash(3), at: .at(0), waiter: waiter(0)) == .ask)
    }

    @Test("One asks, the other loops are told once each")
    func singleFlight() {
        final class Notes: Sendable { let told = Mutex<[Int]>([]) }
        let notes = Notes()
        #expect(cache.find(hash(4), at: .at(0), waiter: waiter(0)) == .ask)
        for loop in [1, 2, 1, 2] {
            let finding = cache.find(
                hash(4), at: .at(1),
                waiter: waiter(loop) { _, verdict in
                    if verdict == .refused { notes.told.withLock { $0.append(loop) } }
                })
            #expect(finding == .wait)
        }
        cache.settle(hash(4), .refused, at: .at(2))
        #expect(notes.told.withLock { $0 } == [1, 2])
    }

    @Test("A flight that was lost does not block the key for ever")
    func lostFlight() {
        #expect(cache.find(hash(5), at: .at(0), waiter: waiter(0)) == .ask)
        #expect(cache.find(hash(5), at: .at(50_999), waiter: waiter(1)) == .wait)
        #expect(cache.find(hash(5), at: .at(51_000), waiter: waiter(1)) == .ask)
    }

    @Test("A forgotten key is asked about again")
    func forget() {
        _ = cache.find(hash(6), at: .at(0), waiter: waiter(0))
        cache.settle(hash(6), .valid, at: .at(0))
        cache.forget(hash(6))
        #expect(cache.find(hash(6), at: .at(1), waiter: waiter(0)) == .ask)
    }

    @Test("A flood of wrong keys does not push out a right one")
    func flood() {
        _ = cache.find(hash(7), at: .at(0), waiter: waiter(0))
        cache.settle(hash(7), .valid, at: .at(0))
        for number in 100..<200_000 {
            cache.settle(hash(UInt64(number)), .refused, at: .at(1))
        }
        #expect(cache.find(hash(7), at: .at(2), waiter: waiter(0)) == .known(.valid))
    }
}

@Suite("Bounded map")
struct BoundedMapTests {
    @Test("It never holds more than its bound and keeps the younger half")
    func bound() {
        var map = BoundedMap<Int, Int>(countMax: 10)
        for number in 0..<1_000 {
            map.insert(number, for: number)
            #expect(map.count <= 10)
            #expect(map[number] == number && map[max(0, number - 4)] != nil)
        }
        map.remove(999)
        #expect(map[999] == nil)
    }
}

@Suite("Rate limit memory")
struct RateLimitMemoryTests {
    private let key = APIKey.Hash(high: 1, low: 2)

    @Test("A limit is known until its end, with the seconds that are left")
    func remembers() {
        let memory = RateLimitMemory()
        memory.record(RateLimit(kind: "daily", retryAfterSeconds: 10), on: key, at: .at(0))
        let limit = memory.limit(on: key, at: .at(8_500))
        #expect(limit == RateLimit(kind: "daily", retryAfterSeconds: 2))
        #expect(memory.limit(on: key, at: .at(9_999))?.retryAfterSeconds == 1)
        #expect(memory.limit(on: key, at: .at(10_000)) == nil)
    }

    @Test("A limit without an end is not remembered", arguments: [nil, 0, -5])
    func withoutEnd(_ seconds: Int?) {
        let memory = RateLimitMemory()
        memory.record(RateLimit(kind: "", retryAfterSeconds: seconds), on: key, at: .at(0))
        #expect(memory.limit(on: key, at: .at(0)) == nil)
    }

    @Test("No limit is believed for more than a day")
    func absurd() {
        let memory = RateLimitMemory()
        memory.record(RateLimit(kind: "", retryAfterSeconds: .max), on: key, at: .at(0))
        #expect(memory.limit(on: key, at: .at(0))?.retryAfterSeconds == 86_400)
    }
}
