// What this relay has heard from its fleet, and what it tells the fleet: limits, and keys that are not
// good any more. Without a fleet nothing here costs anything.
//
// A limit is heard under a name that does not lead back to key or domain. So it waits here until a
// message comes that it is about, and is this relay's own then. No news is older than five minutes.

import APIClient
import Reactor
import Synchronization

/// The relay's part in its fleet. Safe to use from any thread.
final class FleetFacts: Sendable {
    private struct Heard: Sendable {
        let limit: FleetNews.Limit
        let at: MonotonicTime
    }

    /// A limit that `RateLimitMemory` has.
    private struct Known: Sendable {
        let name: LimitName
        let key: ContentDigest
        let domain: ContentDigest?
    }

    private struct State: Sendable {
        var heard = BoundedMap<ContentDigest, Heard>(countMax: FleetFacts.countMax)
        var known = BoundedMap<ContentDigest, Known>(countMax: FleetFacts.countMax)
        /// Until when the next login has to ask.
        var keys = BoundedMap<ContentDigest, MonotonicTime>(countMax: FleetFacts.countMax)
    }

    private static let countMax = 16_384
    /// So long a limit is believed, and longer than a key is.
    private static let newsMilliseconds = 300_000

    private let link: (any FleetLink)?
    private let limits: RateLimitMemory
    private let state = Locked(State())
    /// When the last news is over, so that a relay that has heard none looks at one number.
    private let limitsEnd = Atomic<UInt64>(0)
    private let keysEnd = Atomic<UInt64>(0)

    init(link: (any FleetLink)?, limits: RateLimitMemory) {
        self.link = link
        self.limits = limits
        link?.listen { [weak self] news, now in self?.hear(news, at: now) }
    }

    // MARK: Limits

    /// Makes what the fleet knows of a key and domain this relay's own; of the key without a domain.
    func adopt(_ name: LimitName, account: UInt64, domain: String, at now: MonotonicTime) {
        guard let link, now.nanoseconds < limitsEnd.load(ordering: .relaxed) else { return }
        let called = link.limitName(account: account, domain: domain)
        let found: Heard? = state.withLock { state in
            guard let heard = state.heard[called] else { return nil }
            state.heard.remove(called)
            guard now.milliseconds(since: heard.at) < Self.newsMilliseconds else { return nil }
            state.known.insert(
                Known(name: name, key: heard.limit.key, domain: heard.limit.domain), for: called)
            return heard
        }
        guard let found else { return }
        let limit = RateLimit(
            kind: found.limit.kind, retryAfterSeconds: (found.limit.milliseconds + 999) / 1_000,
            isOfDomain: found.limit.domain != nil)
        limits.record(limit, on: name, at: found.at)
    }

    /// The API has spoken of a limit.
    func met(_ limit: RateLimit, on name: LimitName, account: UInt64, domain: String) {
        guard let link, let seconds = limit.retryAfterSeconds, seconds > 0 else { return }
        let called = link.limitName(account: account, domain: domain)
        let ofKey = link.keyName(account: account)
        let ofDomain = domain.isEmpty ? nil : link.domainName(domain)
        state.withLock {
            $0.known.insert(Known(name: name, key: ofKey, domain: ofDomain), for: called)
        }
        link.tell(
            .limited(
                FleetNews.Limit(
                    name: called, key: ofKey, domain: ofDomain,
                    milliseconds: min(seconds, RateLimitMemory.secondsMax) * 1_000,
                    kind: limit.kind)))
    }

    /// A limit that was known has ended.
    func ended(account: UInt64, domain: String) {
        guard let link else { return }
        let called = link.limitName(account: account, domain: domain)
        state.withLock { state in
            state.known.remove(called)
            state.heard.remove(called)
        }
        link.tell(.limitEnded(called))
    }

    /// An operator has ended the limits of a domain, whatever key met them.
    func forgotten(domain: String) {
        guard let link else { return }
        let called = link.domainName(LimitName.normalized(domain))
        forget { _, domain in domain == called }
        link.tell(.domainForgotten(called))
    }

    /// An operator has ended all limits that a key met.
    func forgotten(limitsOf account: UInt64) {
        guard let link else { return }
        let called = link.keyName(account: account)
        forget { key, _ in key == called }
        link.tell(.keyLimitsForgotten(called))
    }

    // MARK: Keys

    /// Whether the fleet found this key refused, or an operator wants it to be asked about: then what is
    /// known of it does not count. True once.
    func hasForgotten(_ key: APIKey, at now: MonotonicTime) -> Bool {
        guard let link, now.nanoseconds < keysEnd.load(ordering: .relaxed) else { return false }
        let called = link.keyName(account: key.publicHash)
        return state.withLock { state in
            guard let until = state.keys[called] else { return false }
            state.keys.remove(called)
            return until > now
        }
    }

    /// The API has refused the key, or an operator wants it to be asked about.
    func forgotten(key account: UInt64) {
        guard let link else { return }
        link.tell(.keyForgotten(link.keyName(account: account)))
    }

    // MARK: News

    private func hear(_ news: FleetNews, at now: MonotonicTime) {
        let end = now.advanced(byMilliseconds: Self.newsMilliseconds)
        switch news {
        case .limited(let limit):
            state.withLock { $0.heard.insert(Heard(limit: limit, at: now), for: limit.name) }
            limitsEnd.max(end.nanoseconds, ordering: .relaxed)
            limits.expectAny(until: end)
        case .limitEnded(let name):
            let known: Known? = state.withLock { state in
                let known = state.known[name]
                state.heard.remove(name)
                state.known.remove(name)
                return known
            }
            if let known { limits.end(known.name) }
        case .domainForgotten(let forgotten): forget { _, domain in domain == forgotten }
        case .keyLimitsForgotten(let forgotten): forget { key, _ in key == forgotten }
        case .keyForgotten(let name):
            state.withLock { $0.keys.insert(end, for: name) }
            keysEnd.max(end.nanoseconds, ordering: .relaxed)
        }
    }

    /// Ends the limits that `isMeant` chooses by key and domain.
    private func forget(_ isMeant: (_ key: ContentDigest, _ domain: ContentDigest?) -> Bool) {
        let names: [LimitName] = state.withLock { state in
            var names: [LimitName] = []
            state.heard.removeAll(entries: { _, heard in
                isMeant(heard.limit.key, heard.limit.domain)
            })
            state.known.removeAll(entries: { _, known in
                guard isMeant(known.key, known.domain) else { return false }
                names.append(known.name)
                return true
            })
            return names
        }
        for name in names { limits.end(name) }
    }
}
