// The addresses of the API as one pool sees them: their health, their connections, who is next.
//
// Part of `PoolMachine`: a value, time is an argument. There are few addresses (16 at most), so
// every choice is a walk over all of them.

import Reactor

/// Addresses with their health and their counts. Indices stay valid while connections exist.
struct AddressTable {
    enum Health: Equatable {
        case healthy
        /// No new connection before then; afterwards one may probe.
        case resting(until: MonotonicTime)
        /// One connection is finding out.
        case probing
    }

    struct Entry {
        var socketAddress: SocketAddress
        var health = Health.healthy
        /// In the latest answer of name resolution.
        var isListed = true
        /// Rests in a row; the exponent of the backoff.
        var rests = 0
        /// Calls in a row that broke.
        var brokenCalls = 0
        // Since it became known, for the metrics.
        var calls = 0
        var opened = 0
        var failed = 0
        var opening = 0
        var busy = 0
        /// Idle connections, the latest used last: the others may grow old and close.
        var idle: [Int] = []

        var connectionCount: Int { opening + busy + idle.count }
    }

    private var entries: [Entry] = []
    /// Where the next walk begins, so that equals take turns.
    private var turn = 0
    /// Connections that are opening, all addresses together.
    private(set) var openingCount = 0

    var indices: Range<Int> { entries.indices }

    subscript(index: Int) -> Entry { entries[index] }

    /// Makes `list` the listed addresses; returns the indices of those that are listed no more.
    mutating func list(_ list: [SocketAddress]) -> [Int] {
        var gone: [Int] = []
        for index in entries.indices where entries[index].isListed {
            guard !list.contains(entries[index].socketAddress) else { continue }
            entries[index].isListed = false
            gone.append(index)
        }
        for address in list { add(address) }
        return gone
    }

    private mutating func add(_ address: SocketAddress) {
        if let index = entries.firstIndex(where: { $0.socketAddress == address }) {
            entries[index].isListed = true
        } else if let index = entries.firstIndex(where: { !$0.isListed && $0.connectionCount == 0 })
        {
            // Closing connections may still point here; they only ask to forget an unused entry.
            entries[index] = Entry(socketAddress: address)
        } else {
            entries.append(Entry(socketAddress: address))
        }
    }

    /// Forgets what was learnt about an address that is listed no more and has no connection.
    mutating func forgetIfUnused(_ index: Int) {
        guard !entries[index].isListed, entries[index].connectionCount == 0 else { return }
        entries[index] = Entry(socketAddress: entries[index].socketAddress, isListed: false)
    }
}

// MARK: - Health

extension AddressTable {
    /// Whether a connection to it may be there soon.
    private func isUsable(_ entry: Entry, at now: MonotonicTime) -> Bool {
        guard entry.isListed else { return false }
        if case .resting(let until) = entry.health { return until <= now }
        return true
    }

    /// Whether any listed address is healthy, probing, or has rested enough to be probed.
    func hasUsable(at now: MonotonicTime) -> Bool {
        entries.contains { isUsable($0, at: now) }
    }

    /// Lets the address rest, each time twice as long up to `longest` milliseconds; returns for how
    /// long, or nil when it rests already (several connections fail together).
    mutating func rest(
        _ index: Int, at now: MonotonicTime, from shortest: Int, to longest: Int
    ) -> Int? {
        if case .resting = entries[index].health { return nil }
        let doublings = min(entries[index].rests, 30)
        let milliseconds = min(shortest << doublings, longest)
        entries[index].rests += 1
        entries[index].brokenCalls = 0
        entries[index].health = .resting(until: now.advanced(byMilliseconds: milliseconds))
        return milliseconds
    }

    /// The address has answered; returns whether that is news.
    mutating func recover(_ index: Int) -> Bool {
        entries[index].rests = 0
        guard entries[index].health != .healthy else { return false }
        entries[index].health = .healthy
        return true
    }
}

// MARK: - Counts

extension AddressTable {
    mutating func openingBegan(_ index: Int) {
        entries[index].opening += 1
        openingCount += 1
        if case .resting = entries[index].health { entries[index].health = .probing }
    }

    mutating func openingEnded(_ index: Int, isOpen: Bool) {
        entries[index].opening -= 1
        if isOpen { entries[index].opened += 1 } else { entries[index].failed += 1 }
        openingCount -= 1
    }

    mutating func callBegan(_ index: Int) {
        entries[index].busy += 1
        entries[index].calls += 1
    }

    /// - Parameter isFault: the address broke the call; false: it answered; nil: neither.
    mutating func callEnded(_ index: Int, isFault: Bool?) {
        entries[index].busy -= 1
        guard let isFault else { return }
        entries[index].brokenCalls = isFault ? entries[index].brokenCalls + 1 : 0
    }

    mutating func pushIdle(_ connection: Int, of index: Int) {
        entries[index].idle.append(connection)
    }

    mutating func popIdle(_ index: Int) -> Int? { entries[index].idle.popLast() }

    mutating func removeIdle(_ connection: Int, of index: Int) {
        entries[index].idle.removeAll { $0 == connection }
    }
}

// MARK: - Choices

extension AddressTable {
    /// The latest used idle connection of the address with the fewest calls in flight.
    mutating func popIdleOfLeastBusy() -> Int? {
        var best: Int?
        for step in entries.indices {
            let index = (turn + step) % entries.count
            guard !entries[index].idle.isEmpty else { continue }
            if best.map({ entries[index].busy < entries[$0].busy }) ?? true { best = index }
        }
        guard let best else { return nil }
        turn = (best + 1) % entries.count
        return popIdle(best)
    }

    /// The healthy address with the fewest calls and openings in flight; without any, one that has
    /// rested enough to be probed.
    func bestForOpening(at now: MonotonicTime) -> Int? {
        var best: Int?
        var rested: Int?
        for step in entries.indices {
            let index = (turn + step) % entries.count
            let entry = entries[index]
            guard isUsable(entry, at: now) else { continue }
            switch entry.health {
            case .healthy:
                let load = entry.opening + entry.busy
                if best.map({ load < entries[$0].opening + entries[$0].busy }) ?? true {
                    best = index
                }
            case .resting: rested = rested ?? index
            case .probing: break
            }
        }
        return best ?? rested
    }

    /// An address that could do with its first connection: healthy without one, or rested enough.
    func firstToWarm(at now: MonotonicTime) -> Int? {
        entries.indices.first { index in
            let entry = entries[index]
            guard isUsable(entry, at: now) else { return false }
            switch entry.health {
            case .healthy: return entry.connectionCount == 0
            case .resting: return true
            case .probing: return false
            }
        }
    }
}
