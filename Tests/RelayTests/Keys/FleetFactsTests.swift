// What relays of a fleet tell one another: limits and keys, as each of them meets them later.

import APIClient
import Reactor
import TestSupport
import Testing

@testable import Relay

/// Carries news between relays at once; names are readable.
private final class Wire: FleetLink {
    /// Two wires do not keep each other alive.
    private struct Other: Sendable {
        unowned let wire: Wire
    }
    private struct State: Sendable {
        var others: [Other] = []
        var told: [FleetNews] = []
        var hear: (@Sendable (FleetNews, MonotonicTime) -> Void)?
    }

    private let state = Locked(State())

    static func connect(_ one: Wire, _ two: Wire) {
        one.state.withLock { $0.others = [Other(wire: two)] }
        two.state.withLock { $0.others = [Other(wire: one)] }
    }

    private static func name(_ kind: UInt64, _ account: UInt64, _ text: String) -> ContentDigest {
        let sum = text.utf8.reduce(kind) { $0 &* 31 &+ UInt64($1) }
        return ContentDigest(high: account, low: sum)
    }

    func limitName(account: UInt64, domain: String) -> ContentDigest {
        Self.name(1, account, domain)
    }
    func domainName(_ domain: String) -> ContentDigest { Self.name(2, 0, domain) }
    func keyName(account: UInt64) -> ContentDigest { Self.name(3, account, "") }

    var told: [FleetNews] { state.withLock { $0.told } }

    func tell(_ news: FleetNews) {
        let others = state.withLock { state in
            state.told.append(news)
            return state.others
        }
        for other in others {
            other.wire.state.withLock { $0.hear }?(news, FleetFactsTests.now)
        }
    }

    func listen(_ hear: @escaping @Sendable (FleetNews, MonotonicTime) -> Void) {
        state.withLock { $0.hear = hear }
    }
}

/// A relay's part of it.
private final class Member {
    let wire = Wire()
    let limits = RateLimitMemory()
    let facts: FleetFacts
    /// Another one in each process.
    let hash: APIKey.Hash

    init(_ number: UInt64) {
        hash = APIKey(text: "ps_test_\(number)").hash
        facts = FleetFacts(link: wire, limits: limits)
    }

    func name(_ domain: String) -> LimitName {
        domain.isEmpty ? .key(hash) : .domain(domain, of: hash)
    }

    func meet(_ domain: String, seconds: Int = 600) {
        let limit = RateLimit(
            kind: "daily", retryAfterSeconds: seconds, isOfDomain: !domain.isEmpty)
        limits.record(limit, on: name(domain), at: FleetFactsTests.now)
        facts.met(limit, on: name(domain), account: 7, domain: domain)
    }

    /// What a message meets `milliseconds` later.
    func find(_ domain: String, after milliseconds: Int = 1_000) -> RateLimitMemory.Finding {
        let now = FleetFactsTests.now.advanced(byMilliseconds: milliseconds)
        facts.adopt(name(domain), account: 7, domain: domain, at: now)
        return limits.find(name(domain), at: now, lease: 50_000)
    }
}

@Suite("What relays of a fleet tell one another")
struct FleetFactsTests {
    static let now = MonotonicTime(nanoseconds: 1_000_000_000_000)

    private func fleet() -> (Member, Member) {
        let (one, two) = (Member(1), Member(2))
        Wire.connect(one.wire, two.wire)
        return (one, two)
    }

    @Test("A limit that one relay has met is the other's too", arguments: ["", "a.example"])
    func limit(_ domain: String) {
        let (one, two) = fleet()
        #expect(!two.limits.mayHaveAny(at: Self.now))
        one.meet(domain)
        #expect(two.limits.mayHaveAny(at: Self.now))
        guard case .limited(let limit, _) = two.find(domain) else {
            Issue.record("no limit")
            return
        }
        #expect(limit.kind == "daily")
        #expect(limit.retryAfterSeconds == 599)
        // Others are free.
        #expect(two.find("b.example") == .free)
    }

    @Test("It is believed for five minutes from when it was met, and then one message asks")
    func probe() {
        let (one, two) = fleet()
        one.meet("a.example", seconds: 3_600)
        guard case .limited = two.find("a.example", after: 200_000) else {
            Issue.record("no limit")
            return
        }
        #expect(two.find("a.example", after: 300_000) == .probe)
        // A limit that nobody has asked for in that time is news no more.
        let (three, four) = fleet()
        three.meet("a.example", seconds: 3_600)
        #expect(four.find("a.example", after: 300_000) == .free)
    }

    @Test("Its end is the other's too, adopted or not")
    func end() {
        for isAdopted in [true, false] {
            let (one, two) = fleet()
            one.meet("a.example")
            if isAdopted { _ = two.find("a.example") }
            one.facts.ended(account: 7, domain: "a.example")
            #expect(two.find("a.example") == .free)
        }
        // And that of a limit which both have met.
        let (one, two) = fleet()
        one.meet("")
        two.meet("")
        one.facts.ended(account: 7, domain: "")
        #expect(two.find("") == .free)
    }

    @Test("An operator forgets a domain at all relays, whatever key met its limit")
    func domain() {
        let (one, two) = fleet()
        two.meet("a.example")
        two.meet("b.example")
        one.facts.forgotten(domain: "A.Example.")
        #expect(two.find("a.example") == .free)
        guard case .limited = two.find("b.example") else {
            Issue.record("the other domain's limit is gone")
            return
        }
    }

    @Test("An operator forgets the limits of a key at all relays, and those of its domains")
    func keysLimits() {
        let (one, two) = fleet()
        one.meet("a.example")
        two.meet("b.example")
        two.meet("")
        _ = two.find("a.example")
        one.facts.forgotten(limitsOf: 8)
        guard case .limited = two.find("a.example") else {
            Issue.record("another key's limits are gone")
            return
        }
        one.facts.forgotten(limitsOf: 7)
        for domain in ["", "a.example", "b.example"] {
            #expect(two.find(domain) == .free)
            #expect(one.find(domain) == .free)
        }
    }

    @Test("A key that one relay found refused is asked about once at the other")
    func key() {
        let (one, two) = fleet()
        let key = APIKey(text: "ps_test_fleet")
        #expect(!two.facts.hasForgotten(key, at: Self.now))
        one.facts.forgotten(key: key.publicHash)
        #expect(!two.facts.hasForgotten(APIKey(text: "ps_test_other"), at: Self.now))
        #expect(two.facts.hasForgotten(key, at: Self.now))
        #expect(!two.facts.hasForgotten(key, at: Self.now))
        // Who told it knows already.
        #expect(!one.facts.hasForgotten(key, at: Self.now))
        one.facts.forgotten(key: key.publicHash)
        #expect(!two.facts.hasForgotten(key, at: Self.now.advanced(byMilliseconds: 300_000)))
    }

    @Test("A limit without a known end is not told")
    func endless() {
        let one = Member(1)
        one.facts.met(
            RateLimit(kind: "", retryAfterSeconds: nil), on: .key(one.hash), account: 7, domain: "")
        #expect(one.wire.told.isEmpty)
    }
}
