// What is known about API keys, shared by all loops.
//
// A valid or a refused key is remembered for the time that `KeyOptions` gives it, an outage not at
// all. One loop at a time asks about a key (single flight); the other loops that want to know are
// noted, and told through their mailboxes. So an attacker who guesses keys reaches the API at most
// once per key and refused-key time. Valid and refused keys have bounds of their own: a flood of
// wrong keys can't push out the right ones.

import APIClient
import Reactor

/// What the API said about a key.
enum KeyVerdict: Sendable, Equatable {
    case valid, refused
    /// Nothing is known of the key; the reason is a line for the log.
    case unavailable(reason: String)
}

/// Verdicts on keys. Safe to use from any loop.
final class KeyCache: Sendable {
    /// How one loop is told of a verdict that another loop was asking for.
    struct Waiter: Sendable {
        let loopIndex: Int
        /// Called on the thread of the loop that asked; it posts to its own loop.
        let tell: @Sendable (APIKey.Hash, KeyVerdict) -> Void
    }

    /// What a look-up found.
    enum Finding: Equatable {
        case known(KeyVerdict)
        /// Not known, and no loop is asking: the caller must ask, then call `settle`.
        case ask
        /// Another loop is asking; the waiter will be told.
        case wait
    }

    private struct Flight {
        /// A flight that is not settled by then is lost; the next caller asks again.
        let until: MonotonicTime
        var waiters: [Waiter]
    }

    /// One sixteenth of the keys.
    private struct Shard: Sendable {
        var valid = BoundedMap<APIKey.Hash, MonotonicTime>(countMax: KeyCache.shardEntriesMax)
        var refused = BoundedMap<APIKey.Hash, MonotonicTime>(countMax: KeyCache.shardEntriesMax)
        var flights: [APIKey.Hash: Flight] = [:]
    }

    private final class LockedShard: Sendable {
        let state = Locked(Shard())
    }

    private static let shardCount = 16
    /// 65,536 keys of each kind in all, about 4 MB at most.
    private static let shardEntriesMax = 4_096
    /// A flight is lost this much after the end of its question: the time of the hop between loops.
    private static let hopMilliseconds = 1_000

    private let shards: [LockedShard]
    private let options: KeyOptions
    private let flightMilliseconds: Int

    /// - Parameter questionMillisecondsMax: by then the pool has ended every question to the API.
    init(options: KeyOptions, questionMillisecondsMax: Int) {
        shards = (0..<KeyCache.shardCount).map { _ in LockedShard() }
        self.options = options
        flightMilliseconds = questionMillisecondsMax + Self.hopMilliseconds
    }

    /// What is known about a key at `now`; `waiter` is noted only when another loop is asking.
    func find(_ hash: APIKey.Hash, at now: MonotonicTime, waiter: Waiter) -> Finding {
        shard(of: hash).state.withLock { shard in
            if let until = shard.valid[hash], until > now { return .known(.valid) }
            if let until = shard.refused[hash], until > now { return .known(.refused) }
            if let flight = shard.flights[hash], flight.until > now {
                if !flight.waiters.contains(where: { $0.loopIndex == waiter.loopIndex }) {
                    shard.flights[hash]?.waiters.append(waiter)
                }
                return .wait
            }
            let orphans = shard.flights[hash]?.waiters ?? []
            shard.flights[hash] = Flight(
                until: now.advanced(byMilliseconds: flightMilliseconds), waiters: orphans)
            return .ask
        }
    }

    /// Whether the API found the key valid, and that is still believed.
    func knowsAsGood(_ hash: APIKey.Hash, at now: MonotonicTime) -> Bool {
        shard(of: hash).state.withLock { shard in
            shard.valid[hash].map { $0 > now } ?? false
        }
    }

    /// Notes the verdict of the flight that `find` asked for, and tells the other loops.
    func settle(_ hash: APIKey.Hash, _ verdict: KeyVerdict, at now: MonotonicTime) {
        let waiters = shard(of: hash).state.withLock { shard in
            switch verdict {
            case .valid:
                let until = now.advanced(byMilliseconds: options.validTTLMilliseconds)
                shard.valid.insert(until, for: hash)
                shard.refused.remove(hash)
            case .refused:
                let until = now.advanced(byMilliseconds: options.refusedTTLMilliseconds)
                shard.refused.insert(until, for: hash)
                shard.valid.remove(hash)
            case .unavailable: break
            }
            return shard.flights.removeValue(forKey: hash)?.waiters ?? []
        }
        for waiter in waiters { waiter.tell(hash, verdict) }
    }

    /// The API refused the key when a message was sent with it: the next login asks again.
    /// - Returns: whether it was known as good.
    @discardableResult
    func forget(_ hash: APIKey.Hash) -> Bool {
        shard(of: hash).state.withLock { shard in
            let wasKnown = shard.valid[hash] != nil
            shard.valid.remove(hash)
            return wasKnown
        }
    }

    /// An operator wants the next login to ask the API, whatever is known.
    /// - Returns: whether something was known.
    @discardableResult
    func forgetVerdict(on hash: APIKey.Hash) -> Bool {
        shard(of: hash).state.withLock { shard in
            let wasKnown = shard.valid[hash] != nil || shard.refused[hash] != nil
            shard.valid.remove(hash)
            shard.refused.remove(hash)
            return wasKnown
        }
    }

    private func shard(of hash: APIKey.Hash) -> LockedShard {
        shards[Int(truncatingIfNeeded: hash.low % UInt64(KeyCache.shardCount))]
    }
}
