// Which limits the API has spoken of, and until when, so that nobody asks in vain. Shared by all
// loops, and bounded, because keys and domains are many.
//
// A limit of a domain that is warming up is filed under the From domain that was sent to the API, for
// the key that met it: the relay cannot know whose domain it is, and nobody may close another
// customer's. Any other limit is the key's. None is believed for longer than five minutes without asking again: then, as
// when its time is over, one message goes through as a probe. A success ends the limit at once.
// Nothing here makes a call or waits; time is an argument.

import APIClient
import Reactor
import Synchronization
import Wire

/// Whose limit it is.
package enum LimitName: Hashable, Sendable {
    case key(APIKey.Hash)
    /// In lower case, without the dot at its end; and the key that met the limit.
    case domain(String, of: APIKey.Hash)

    /// The domain of an address, as limits are filed; empty when the address has none.
    static func domain(of address: Bytes) -> String {
        var at = address.count
        while at > 0, address[at - 1] != 0x40 { at -= 1 }
        guard at > 0 else { return "" }
        let bytes = address.extracting(at..<address.count).copied()
        return normalized(String(decoding: bytes, as: UTF8.self))
    }

    /// A domain as limits are filed; empty for one that no name can have.
    static func normalized(_ domain: String) -> String {
        var domain = domain.lowercased()
        if domain.hasSuffix(".") { domain.removeLast() }
        return domain.utf8.count <= 255 ? domain : ""
    }
}

/// The limits that the API has spoken of. Safe to use from any loop.
package final class RateLimitMemory: Sendable {
    /// What a message meets under one name.
    enum Finding: Equatable {
        /// No limit is known.
        case free
        /// One is known, and the caller is the one that asks the API again.
        case probe
        /// The limit runs until then.
        case limited(RateLimit, until: MonotonicTime)
        /// Somebody else asks the API again just now.
        case probed(RateLimit, until: MonotonicTime)
    }

    private struct Entry {
        let kind: String
        let isOfDomain: Bool
        /// When the limit ends, as the API said.
        let until: MonotonicTime
        /// When one message may ask again.
        let askAgainAt: MonotonicTime
        /// Until then somebody is asking.
        var probedUntil = MonotonicTime(nanoseconds: 0)

        /// With the seconds that are left (rounded up).
        func limit(at now: MonotonicTime) -> RateLimit {
            let left = until.milliseconds(since: now)
            return RateLimit(
                kind: kind, retryAfterSeconds: max(1, (left + 999) / 1_000),
                isOfDomain: isOfDomain)
        }
    }

    /// A key and the domain of a MAIL FROM.
    private struct Route: Hashable {
        let key: APIKey.Hash
        let sender: String
    }

    private struct State {
        var limits = BoundedMap<LimitName, Entry>(countMax: limitsMax)
        /// The From domain that a route led to last time.
        var routes = BoundedMap<Route, String>(countMax: routesMax)
    }

    /// Limits remembered at most; the older half is forgotten first.
    static let limitsMax = 65_536
    private static let routesMax = 16_384
    /// No limit is believed for longer than a day, which is the longest one that the API knows.
    static let secondsMax = 86_400
    /// So long without asking again.
    static let believedMilliseconds = 300_000
    /// A limit whose time has been over for so long is forgotten without a probe.
    private static let forgottenMilliseconds = 60_000

    private let state = Locked(State())
    /// When the last limit is forgotten, so that a relay without limits looks at one number.
    private let lastEnd = Atomic<UInt64>(0)

    package init() {}

    /// Whether there may be a limit at all. Cheap: for every message.
    func mayHaveAny(at now: MonotonicTime) -> Bool {
        now.nanoseconds < lastEnd.load(ordering: .relaxed)
    }

    /// What a message under `name` meets. After `probe` one of `record`, `end` and `release` follows.
    /// - Parameter lease: milliseconds after which a probe that came to nothing counts no more.
    func find(_ name: LimitName, at now: MonotonicTime, lease: Int) -> Finding {
        state.withLock { state in
            guard var entry = state.limits[name] else { return .free }
            guard now < entry.until.advanced(byMilliseconds: Self.forgottenMilliseconds) else {
                state.limits.remove(name)
                return .free
            }
            guard now >= entry.askAgainAt else {
                return .limited(entry.limit(at: now), until: entry.until)
            }
            guard now >= entry.probedUntil else {
                return .probed(entry.limit(at: now), until: entry.until)
            }
            entry.probedUntil = now.advanced(byMilliseconds: lease)
            state.limits.insert(entry, for: name)
            return .probe
        }
    }

    /// What MAIL is refused for: a limit of the key, or of the domain that this sender led to last
    /// time, which ends later than `patience` milliseconds from now and may not be probed yet.
    func limitAtMail(
        _ key: APIKey.Hash, sender: String, at now: MonotonicTime, patience: Int
    ) -> RateLimit? {
        state.withLock { state in
            let domain = state.routes[Route(key: key, sender: sender)]
            for name in [.key(key), domain.map { .domain($0, of: key) }] as [LimitName?] {
                guard let name, let entry = state.limits[name],
                    entry.until > now.advanced(byMilliseconds: patience),
                    now < entry.askAgainAt || now < entry.probedUntil
                else { continue }
                return entry.limit(at: now)
            }
            return nil
        }
    }

    /// The From domain that messages of `sender` with this key have now.
    func noteRoute(_ key: APIKey.Hash, sender: String, from domain: String) {
        state.withLock { state in
            let route = Route(key: key, sender: sender)
            if state.routes[route] != domain { state.routes.insert(domain, for: route) }
        }
    }

    /// Remembers a limit; one without a known end is not remembered.
    /// - Returns: when it ends.
    @discardableResult
    func record(_ limit: RateLimit, on name: LimitName, at now: MonotonicTime) -> MonotonicTime? {
        guard let seconds = limit.retryAfterSeconds, seconds > 0 else { return nil }
        let milliseconds = min(seconds, Self.secondsMax) * 1_000
        let until = now.advanced(byMilliseconds: milliseconds)
        let entry = Entry(
            kind: limit.kind, isOfDomain: limit.isOfDomain, until: until,
            askAgainAt: now.advanced(
                byMilliseconds: min(milliseconds, Self.believedMilliseconds)))
        state.withLock { $0.limits.insert(entry, for: name) }
        let forgotten = until.advanced(byMilliseconds: Self.forgottenMilliseconds).nanoseconds
        lastEnd.max(forgotten, ordering: .relaxed)
        return until
    }

    /// The API has accepted a message under `name`, or an operator knows better.
    /// - Returns: whether a limit was known.
    @discardableResult
    func end(_ name: LimitName) -> Bool {
        state.withLock { state in
            let isKnown = state.limits[name] != nil
            state.limits.remove(name)
            return isKnown
        }
    }

    /// The probe under `name` has come to nothing: the next message asks again.
    func release(_ name: LimitName) {
        state.withLock { state in
            guard var entry = state.limits[name] else { return }
            entry.probedUntil = MonotonicTime(nanoseconds: 0)
            state.limits.insert(entry, for: name)
        }
    }

    // MARK: For operators

    /// Forgets the limits of a sending domain, whatever key met them. Looks at every limit.
    /// - Returns: whether one was known.
    @discardableResult
    package func forget(domain: String) -> Bool {
        let wanted = LimitName.normalized(domain)
        return state.withLock { state in
            state.limits.removeAll { name in
                if case .domain(let domain, of: _) = name { domain == wanted } else { false }
            } > 0
        }
    }

    /// Forgets the limits that a key met: its own, and those of its domains. Looks at every limit.
    /// - Returns: whether one was known.
    @discardableResult
    package func forget(key: APIKey.Hash) -> Bool {
        state.withLock { state in
            state.limits.removeAll { name in
                switch name {
                case .key(let met), .domain(_, of: let met): met == key
                }
            } > 0
        }
    }
}
