// Rate limits of keys, and how long they are remembered.

import Reactor
import TestSupport
import Testing

@testable import APIClient
@testable import Relay

@Suite("Rate limit memory")
struct RateLimitMemoryTests {
    private let key = APIKey.Hash(high: 1, low: 2)

    @Test("A limit is known until its end, with the seconds left")
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
