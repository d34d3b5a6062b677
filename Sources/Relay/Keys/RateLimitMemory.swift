// Which keys the API has told to wait, and until when, so that MAIL is refused before the client
// uploads a byte. Shared by all loops, and bounded, because keys are many.

import APIClient
import Reactor

/// The keys that the API has told to wait. Safe to use from any loop.
final class RateLimitMemory: Sendable {
    private struct Entry {
        let kind: String
        let until: MonotonicTime
    }

    /// Keys remembered at most; the older half is forgotten first.
    static let keysMax = 65_536
    /// No limit is believed for longer than a day, which is the longest one that the API knows.
    static let secondsMax = 86_400

    private let entries = Locked(BoundedMap<APIKey.Hash, Entry>(countMax: keysMax))

    init() {}

    /// The limit that still runs at `now`, with the seconds that are left (rounded up); else nil.
    func limit(on key: APIKey.Hash, at now: MonotonicTime) -> RateLimit? {
        entries.withLock { entries in
            guard let entry = entries[key] else { return nil }
            guard entry.until > now else {
                entries.remove(key)
                return nil
            }
            let left = entry.until.milliseconds(since: now)
            return RateLimit(kind: entry.kind, retryAfterSeconds: max(1, (left + 999) / 1_000))
        }
    }

    /// An operator wants the API to be asked again for this domain: limits of domains are not
    /// remembered yet.
    /// - Returns: whether there was a limit.
    package func forget(domain: String) -> Bool { false }

    /// The same for the limit of a key.
    package func forget(key: APIKey.Hash) -> Bool {
        entries.withLock { entries in
            guard entries[key] != nil else { return false }
            entries.remove(key)
            return true
        }
    }

    /// Remembers a limit; one without a known end is not remembered.
    func record(_ limit: RateLimit, on key: APIKey.Hash, at now: MonotonicTime) {
        guard let seconds = limit.retryAfterSeconds, seconds > 0 else { return }
        let until = now.advanced(byMilliseconds: min(seconds, RateLimitMemory.secondsMax) * 1_000)
        entries.withLock { $0.insert(Entry(kind: limit.kind, until: until), for: key) }
    }
}
