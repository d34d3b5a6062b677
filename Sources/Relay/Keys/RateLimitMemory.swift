// Which keys the API has told to wait, and until when, so that MAIL can be refused before a byte
// is uploaded. Shared by all loops; bounded, because keys are many.

import APIClient
import Reactor

/// Which keys are throttled until when: what MAIL asks before a byte is uploaded. Bounded memory.
final class RateLimitMemory: Sendable {
    private struct Entry {
        var kind: String
        var until: MonotonicTime
    }

    /// Keys remembered at most; the oldest half is forgotten first.
    static let keysMax = 65_536
    /// No limit is believed for longer than a day: the longest one that the API knows.
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

    /// Remembers a limit; one without a known end is not remembered.
    func record(_ limit: RateLimit, on key: APIKey.Hash, at now: MonotonicTime) {
        guard let seconds = limit.retryAfterSeconds, seconds > 0 else { return }
        let until = now.advanced(byMilliseconds: min(seconds, RateLimitMemory.secondsMax) * 1_000)
        entries.withLock { $0.insert(Entry(kind: limit.kind, until: until), for: key) }
    }
}
