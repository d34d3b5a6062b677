// Bounds on what one address and one network may do: connections, TLS handshakes, guessed keys.
//
// A prefix is a /24 of IPv4 or a /64 of IPv6, because an attacker has the whole of it. All loops
// share the counts, in shards. Live connections and a constant bound the memory.

import Reactor

/// Per-address bounds on hostile behaviour; a prefix is /64 for IPv6 and /24 for IPv4.
package struct AbuseLimits: Sendable, Equatable {
    package var connectionsPerAddressMax = 1_000
    package var connectionsPerPrefixMax = 4_000
    /// Failed logins in ten minutes before an address is turned away.
    package var failedLoginsPerAddressMax = 300
    package var failedLoginsPerPrefixMax = 1_000
    /// TLS handshakes begun in a minute.
    package var handshakesPerAddressMax = 6_000
    package var handshakesPerPrefixMax = 24_000

    package init() {}
}

/// Connections, handshakes and failed logins per address and prefix. Safe to use from any loop.
package final class AbuseThrottle: Sendable {
    /// Failed logins are counted for this long.
    static let windowMilliseconds = 600_000
    /// Handshakes are counted for this long.
    static let handshakeWindowMilliseconds = 60_000
    /// Entries of a shard beyond which those without a connection are forgotten.
    static let entriesPerShardMax = 4_096
    private static let shardCount = 16

    private struct Key: Hashable {
        var high: UInt64
        var low: UInt64
        var isPrefix: Bool
    }

    private struct Entry {
        var connections = 0
        var failedLogins = 0
        var handshakes = 0
        var windowStart = MonotonicTime(nanoseconds: 0)
        var handshakeWindowStart = MonotonicTime(nanoseconds: 0)

        /// Forgets what happened in a window that is over.
        mutating func refresh(at now: MonotonicTime) {
            if now.milliseconds(since: windowStart) >= windowMilliseconds {
                failedLogins = 0
                windowStart = now
            }
            if now.milliseconds(since: handshakeWindowStart) >= handshakeWindowMilliseconds {
                handshakes = 0
                handshakeWindowStart = now
            }
        }

        /// It holds nothing that could count later.
        var isBlank: Bool { connections == 0 && failedLogins == 0 && handshakes == 0 }
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        var limits: AbuseLimits
        /// Above this many entries, old ones are removed.
        var entriesMax = entriesPerShardMax

        init(limits: AbuseLimits) { self.limits = limits }
    }

    /// An address lies in the shard of its prefix, so that one lock covers both entries.
    private final class Shard: Sendable {
        let state: Locked<State>

        init(limits: AbuseLimits) { state = Locked(State(limits: limits)) }
    }

    private let shards: [Shard]

    init(limits: AbuseLimits) {
        shards = (0..<Self.shardCount).map { _ in Shard(limits: limits) }
    }

    /// Replaces the limits; the counts stay.
    package func change(_ limits: AbuseLimits) {
        for shard in shards { shard.state.withLock { $0.limits = limits } }
    }

    /// Entries held, for tests and metrics.
    var entryCount: Int { shards.reduce(0) { $0 + $1.state.withLock { $0.entries.count } } }

    /// Whether a new connection may stay. If so it is counted, and `disconnected` must follow.
    /// - Parameter free: connections that could still come from anywhere. A network has at most as
    ///   many as that, and at least one.
    package func admits(
        _ address: SocketAddress, at now: MonotonicTime, free: Int = .max
    ) -> Bool {
        let share = max(free, 1)
        return admits(address, at: now, counting: { $0.connections += 1 }) { one, all, limits in
            one.connections < limits.connectionsPerAddressMax
                && all.connections < min(limits.connectionsPerPrefixMax, share)
        }
    }

    /// A connection that was admitted has ended.
    func disconnected(_ address: SocketAddress, at now: MonotonicTime) {
        let (own, prefix) = Self.keys(address)
        shard(prefix).state.withLock { state in
            for key in [own, prefix] {
                guard var entry = state.entries[key] else { continue }
                entry.connections = max(0, entry.connections - 1)
                entry.refresh(at: now)
                state.entries[key] = entry.isBlank ? nil : entry
            }
            Self.makeRoom(in: &state, at: now)
        }
    }

    /// Whether a TLS handshake may begin. If so it is counted; refused ones are not, so that a
    /// client that keeps trying gets its share of each minute.
    func admitsHandshake(_ address: SocketAddress, at now: MonotonicTime) -> Bool {
        admits(address, at: now, counting: { $0.handshakes += 1 }) { one, all, limits in
            one.handshakes < limits.handshakesPerAddressMax
                && all.handshakes < limits.handshakesPerPrefixMax
        }
    }

    /// Counts for the address and for its prefix when both are within their limits.
    @inline(__always)
    private func admits(
        _ address: SocketAddress, at now: MonotonicTime, counting count: (inout Entry) -> Void,
        _ areWithinLimits: (_ one: Entry, _ all: Entry, AbuseLimits) -> Bool
    ) -> Bool {
        let (own, prefix) = Self.keys(address)
        return shard(prefix).state.withLock { state in
            var one = state.entries[own] ?? Entry()
            var all = state.entries[prefix] ?? Entry()
            one.refresh(at: now)
            all.refresh(at: now)
            guard areWithinLimits(one, all, state.limits) else { return false }
            count(&one)
            count(&all)
            state.entries[own] = one
            state.entries[prefix] = all
            Self.makeRoom(in: &state, at: now)
            return true
        }
    }

    /// A login was refused.
    func loginFailed(_ address: SocketAddress, at now: MonotonicTime) {
        let (own, prefix) = Self.keys(address)
        shard(prefix).state.withLock { state in
            for key in [own, prefix] {
                var entry = state.entries[key] ?? Entry()
                entry.refresh(at: now)
                entry.failedLogins += 1
                state.entries[key] = entry
            }
        }
    }

    /// Whether the API may be asked about a key from this address: neither the address nor its
    /// network has failed too often. It may connect all the same, because its good customers log in
    /// with keys that are known.
    func mayLogIn(_ address: SocketAddress, at now: MonotonicTime) -> Bool {
        let (own, prefix) = Self.keys(address)
        return shard(prefix).state.withLock { state in
            [
                (own, state.limits.failedLoginsPerAddressMax),
                (prefix, state.limits.failedLoginsPerPrefixMax),
            ]
            .allSatisfy { key, most in
                guard var entry = state.entries[key] else { return true }
                entry.refresh(at: now)
                return entry.failedLogins < most
            }
        }
    }

    /// Keeps the table within its bound. Addresses with a connection are never forgotten. When they
    /// are most of the table, it is searched again only after it has doubled, so that a search costs
    /// little per entry.
    private static func makeRoom(in state: inout State, at now: MonotonicTime) {
        guard state.entries.count > state.entriesMax else { return }
        forgetSome(of: &state.entries, at: now)
        state.entriesMax = max(entriesPerShardMax, 2 * state.entries.count)
    }

    /// First removes what is out of date. If that is not enough, removes every address without a
    /// connection, and keeps its prefix, because a spread-out attack shows there.
    private static func forgetSome(of entries: inout [Key: Entry], at now: MonotonicTime) {
        entries = entries.filter { _, entry in
            entry.connections > 0
                || now.milliseconds(since: entry.windowStart) < windowMilliseconds
        }
        guard entries.count > entriesPerShardMax / 2 else { return }
        entries = entries.filter { key, entry in entry.connections > 0 || key.isPrefix }
        guard entries.count > entriesPerShardMax / 2 else { return }
        entries = entries.filter { _, entry in entry.connections > 0 }
    }

    private func shard(_ prefix: Key) -> Shard {
        let mixed = (prefix.high ^ prefix.low >> 8) &* 0x9E37_79B9_7F4A_7C15
        return shards[Int(mixed >> 60)]
    }

    private static func keys(_ address: SocketAddress) -> (own: Key, prefix: Key) {
        let (high, low) = address.addressBits
        let network = Network(of: address)
        return (
            Key(high: high, low: low, isPrefix: false),
            Key(high: network.high, low: network.low, isPrefix: true)
        )
    }
}

/// The prefix of an address: /24 of IPv4, /64 of IPv6.
struct Network: Hashable {
    let high: UInt64
    let low: UInt64

    init(of address: SocketAddress) {
        let (high, low) = address.addressBits
        let isIPv4 = high == 0 && low >> 32 == 0xFFFF
        self.high = high
        self.low = isIPv4 ? low & ~0xFF : 0
    }
}
