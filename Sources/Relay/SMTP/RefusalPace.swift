// How often the log says that a key's MAIL is refused: a mail server with a long queue asks many
// times a second, and one line a minute tells as much.
//
// A count for each key, bounded, shared by all loops, in use only while a MAIL is refused.

import APIClient
import Reactor

/// Says which refusal of a key is logged. Safe to use from any loop.
final class RefusalPace: Sendable {
    /// Between two lines of a key.
    static let intervalMilliseconds = 60_000
    /// Keys that are counted at most; the older half is forgotten first.
    static let keysMax = 8_192

    private struct Entry {
        var silentUntil: MonotonicTime
        /// Refused since the last line.
        var count = 0
    }

    private let entries = Locked(BoundedMap<APIKey.Hash, Entry>(countMax: keysMax))

    /// A command of this key is refused.
    /// - Returns: for a line in the log, how many were refused since the last one, this one
    ///   included; nil when the last line is less than a minute old.
    func note(_ key: APIKey.Hash, at now: MonotonicTime) -> Int? {
        entries.withLock { entries in
            if var entry = entries[key], entry.silentUntil > now {
                entry.count += 1
                entries.insert(entry, for: key)
                return nil
            }
            let count = (entries[key]?.count ?? 0) + 1
            let silentUntil = now.advanced(byMilliseconds: Self.intervalMilliseconds)
            entries.insert(Entry(silentUntil: silentUntil), for: key)
            return count
        }
    }
}
