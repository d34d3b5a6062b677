// The addresses of the API as one pool sees them: their health, their counts, and which is next.
//
// Part of `PoolMachine`: a value; time is an argument. The counts of connections follow from the
// states in `ConnectionTable`: `connectionMoved` is the only function that changes them. There are
// few addresses (16 at most), so each choice walks over all of them.

import Reactor

/// Addresses with their health and their counts. Indices stay valid while connections exist.
struct AddressTable {
    enum Health: Equatable {
        case healthy
        /// No new connection before this time; after it, one may probe.
        case resting(until: MonotonicTime)
        /// One connection tries whether the address works again.
        case probing
    }

    private struct Entry {
        var socketAddress: SocketAddress
        var health = Health.healthy
        /// In the latest answer of name resolution.
        var isListed = true
        /// Rests in a row; the exponent of the backoff.
        var rests = 0
        /// Calls in a row that broke.
        var brokenCalls = 0

        // Since the address became known, for the metrics.
        var calls = 0
        var opened = 0
        var failed = 0

        // Connections by state, see `connectionMoved`.
        var opening = 0
        var busy = 0
        /// Idle connections. The one that was used last is taken first, so the others can grow old
        /// and close.
        var idle: [ConnectionNumber] = []

        var connectionCount: Int { opening + busy + idle.count }
    }

    private var entries: [Entry] = []
    /// Where the next walk begins, so that equal addresses take turns.
    private var turn = 0
    /// Connections that are opening, all addresses together.
    private(set) var openingCount = 0

    /// Every address that is known.
    var indices: [AddressIndex] { entries.indices.map { AddressIndex(value: $0) } }

    func socketAddress(_ index: AddressIndex) -> SocketAddress {
        entries[index.value].socketAddress
    }

    /// Whether the address is in the latest answer of name resolution.
    func isListed(_ index: AddressIndex) -> Bool { entries[index.value].isListed }

    /// Makes `list` the listed addresses.
    /// - Returns: the addresses that were listed before and are not any more.
    mutating func list(_ list: [SocketAddress]) -> [AddressIndex] {
        var gone: [AddressIndex] = []
        for index in entries.indices where entries[index].isListed {
            guard !list.contains(entries[index].socketAddress) else { continue }
            entries[index].isListed = false
            gone.append(AddressIndex(value: index))
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

    /// Forgets what was learnt about an address that is not listed and has no connection.
    mutating func forgetIfUnused(_ index: AddressIndex) {
        let entry = entries[index.value]
        guard !entry.isListed, entry.connectionCount == 0 else { return }
        entries[index.value] = Entry(socketAddress: entry.socketAddress, isListed: false)
    }

    /// What the metrics show of each address that is listed or has connections.
    var reports: [AddressReport] {
        entries.filter { $0.isListed || $0.connectionCount > 0 }.map { entry in
            AddressReport(
                address: entry.socketAddress, health: AddressReport.Health(entry.health),
                isListed: entry.isListed, opening: entry.opening, idle: entry.idle.count,
                busy: entry.busy, calls: entry.calls, connectionsOpened: entry.opened,
                connectionsFailed: entry.failed)
        }
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

    /// Whether any listed address is healthy, is probed, or has rested enough to be probed.
    func hasUsable(at now: MonotonicTime) -> Bool {
        entries.contains { isUsable($0, at: now) }
    }

    /// Lets the address rest. Each rest is twice as long as the one before, up to `longest`.
    /// - Parameters:
    ///   - shortest: milliseconds of the first rest.
    ///   - longest: milliseconds of the longest rest.
    /// - Returns: milliseconds of this rest; nil when it rests already (several connections fail
    ///   together).
    mutating func rest(
        _ index: AddressIndex, at now: MonotonicTime, from shortest: Int, to longest: Int
    ) -> Int? {
        let index = index.value
        if case .resting = entries[index].health { return nil }
        let doublings = min(entries[index].rests, 30)
        let milliseconds = min(shortest << doublings, longest)
        entries[index].rests += 1
        entries[index].brokenCalls = 0
        entries[index].health = .resting(until: now.advanced(byMilliseconds: milliseconds))
        return milliseconds
    }

    /// The address has answered.
    /// - Returns: whether it was not healthy before.
    mutating func recover(_ index: AddressIndex) -> Bool {
        let index = index.value
        entries[index].rests = 0
        guard entries[index].health != .healthy else { return false }
        entries[index].health = .healthy
        return true
    }

    /// A call got its answer from the address.
    mutating func callAnswered(_ index: AddressIndex) { entries[index.value].brokenCalls = 0 }

    /// A call ended without an answer.
    /// - Parameter isFault: the address is at fault.
    /// - Returns: how many calls broke in a row through the address's fault.
    mutating func callBroke(_ index: AddressIndex, isFault: Bool) -> Int {
        if isFault { entries[index.value].brokenCalls += 1 }
        return entries[index.value].brokenCalls
    }
}

// MARK: - Counts

extension AddressTable {
    /// A connection to the address has gone from one state to another: every count of connections
    /// follows from here. Opening a connection to an address that rests is a probe.
    mutating func connectionMoved(
        _ connection: ConnectionNumber, of index: AddressIndex, from old: ConnectionTable.State,
        to new: ConnectionTable.State
    ) {
        let index = index.value
        switch old {
        case .opening:
            entries[index].opening -= 1
            openingCount -= 1
            if new == .free { entries[index].failed += 1 } else { entries[index].opened += 1 }
        case .idle: removeIdle(connection, of: index)
        case .busy: entries[index].busy -= 1
        case .free, .closing: break
        }
        switch new {
        case .opening:
            entries[index].opening += 1
            openingCount += 1
            if case .resting = entries[index].health { entries[index].health = .probing }
        case .idle: entries[index].idle.append(connection)
        case .busy:
            entries[index].busy += 1
            entries[index].calls += 1
        case .free, .closing: break
        }
    }

    private mutating func removeIdle(_ connection: ConnectionNumber, of index: Int) {
        if entries[index].idle.last == connection {
            entries[index].idle.removeLast()
        } else {
            entries[index].idle.removeAll { $0 == connection }
        }
    }
}

// MARK: - Choices

extension AddressTable {
    /// The idle connection of the address that was used last.
    func latestIdle(of index: AddressIndex) -> ConnectionNumber? {
        entries[index.value].idle.last
    }

    /// The idle connection that was used last, of the address with the fewest calls in flight. It
    /// is that address's turn then.
    mutating func takeTurnOfLeastBusy() -> ConnectionNumber? {
        var best: Int?
        for step in entries.indices {
            let index = (turn + step) % entries.count
            guard !entries[index].idle.isEmpty else { continue }
            if best.map({ entries[index].busy < entries[$0].busy }) ?? true { best = index }
        }
        guard let best else { return nil }
        turn = (best + 1) % entries.count
        return entries[best].idle.last
    }

    /// The healthy address with the fewest calls and openings in flight. Without a healthy one, an
    /// address that has rested enough to be probed.
    func bestForOpening(at now: MonotonicTime) -> AddressIndex? {
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
        return (best ?? rested).map { AddressIndex(value: $0) }
    }

    /// An address that should get its first connection: healthy without one, or rested enough.
    func firstToWarm(at now: MonotonicTime) -> AddressIndex? {
        let index = entries.indices.first { index in
            let entry = entries[index]
            guard isUsable(entry, at: now) else { return false }
            switch entry.health {
            case .healthy: return entry.connectionCount == 0
            case .resting: return true
            case .probing: return false
            }
        }
        return index.map { AddressIndex(value: $0) }
    }
}
