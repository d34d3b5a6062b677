// What is known about API keys, shared by all loops.
//
// A verdict lives for its own time: valid ones for `validKeyTTLMilliseconds`, refused ones for
// `refusedKeyTTLMilliseconds`, an outage for no time at all. One loop at a time asks about a key
// (single flight); others that want to know are noted and told through their own mailbox. So
// guessing reaches the API at most once per key and refused-key time. Valid and refused keys have
// bounds of their own: a flood of wrong keys can't push out the right ones.

import APIClient
import Reactor

/// What the API said about a key.
enum KeyVerdict: Sendable { case valid, refused, unavailable }

/// Verdicts on keys, shared by all loops: valid for 60 s, refused for 10 s, single flight.
final class KeyCache: Sendable {
    /// How one loop is told of a verdict that another loop was asking for.
    struct Waiter: Sendable {
        let loopIndex: Int
        /// Called on the asking loop's thread; hops to its own loop.
        let tell: @Sendable (APIKey.Hash, KeyVerdict) -> Void
    }

    /// What a look-up found.
    enum Finding: Equatable {
        case known(KeyVerdict)
        /// Nobody knows and nobody asks: the caller must ask, then call `settle`.
        case ask
        /// Somebody asks; the waiter will be told.
        case wait
    }

    private struct Flight {
        /// A flight that was not settled by then was lost; the next caller asks again.
        var until: MonotonicTime
        var waiters: [Waiter]
    }

    private struct Shard: Sendable {
        var valid = BoundedMap<APIKey.Hash, MonotonicTime>(countMax: KeyCache.shardEntriesMax)
        var refused = BoundedMap<APIKey.Hash, MonotonicTime>(countMax: KeyCache.shardEntriesMax)
        var flights: [APIKey.Hash: Flight] = [:]
    }

    private static let shardCount = 16
    /// 65,536 keys of each kind in all, about 4 MB at most.
    private static let shardEntriesMax = 4_096

    private final class LockedShard: Sendable {
        let state = Locked(Shard())
    }

    private let shards: [LockedShard]
    private let validMilliseconds: Int
    private let refusedMilliseconds: Int
    private let flightMilliseconds: Int

    init(options: APIOptions) {
        shards = (0..<KeyCache.shardCount).map { _ in LockedShard() }
        validMilliseconds = options.validKeyTTLMilliseconds
        refusedMilliseconds = options.refusedKeyTTLMilliseconds
        // The pool ends every call by its deadline; the second is for the hop between loops.
        flightMilliseconds = options.timeoutMilliseconds + 1_000
    }

    /// What is known about a key at `now`; `waiter` is noted only when somebody else asks.
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

    /// Notes the verdict of the flight that `find` asked for, and tells the other loops.
    func settle(_ hash: APIKey.Hash, _ verdict: KeyVerdict, at now: MonotonicTime) {
        let waiters = shard(of: hash).state.withLock { shard in
            switch verdict {
            case .valid:
                let until = now.advanced(byMilliseconds: validMilliseconds)
                shard.valid.insert(until, for: hash)
                shard.refused.remove(hash)
            case .refused:
                let until = now.advanced(byMilliseconds: refusedMilliseconds)
                shard.refused.insert(until, for: hash)
                shard.valid.remove(hash)
            case .unavailable: break
            }
            return shard.flights.removeValue(forKey: hash)?.waiters ?? []
        }
        for waiter in waiters { waiter.tell(hash, verdict) }
    }

    /// The API refused the key while sending: the next login asks again.
    func forget(_ hash: APIKey.Hash) {
        shard(of: hash).state.withLock { $0.valid.remove(hash) }
    }

    private func shard(of hash: APIKey.Hash) -> LockedShard {
        shards[Int(truncatingIfNeeded: hash.low % UInt64(KeyCache.shardCount))]
    }
}
