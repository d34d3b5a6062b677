// The HTTP/2 connections of one address: how many calls each carries, may carry, and has carried.
//
// Part of `AddressTable`: a value. There are few (16 that can be given calls, and as many that carry
// their last ones), so each choice walks over all of them. A server may say GOAWAY after a number of
// calls (nginx: `keepalive_requests`). The number is learnt, so that the next connection is open
// before the one is worn; it is forgotten when a connection carries more.

import Reactor

/// HTTP/2 connections from their opening until they are closed.
struct SharedConnections {
    private struct Item {
        var connection: ConnectionNumber
        /// Calls that it may carry at once.
        var streamsMax: Int
        /// Calls that it carries.
        var calls = 0
        /// Calls that it was given.
        var served = 0
        /// It gets no more calls.
        var isRetiring = false
        /// Since when it carries no call.
        var idleSince = MonotonicTime(nanoseconds: 0)

        var isIdle: Bool { calls == 0 && !isRetiring }
    }

    /// A smaller number of calls is no limit that is worth a connection in advance.
    private static let servedMin = 8

    private var items: [Item] = []
    /// Those that can be given calls.
    private(set) var usableCount = 0
    /// Calls on all of them.
    private(set) var callCount = 0
    /// Calls that a new one carries at once.
    private(set) var streamsMax = 0
    /// What the peer's settings said last.
    private var streamsSaid = Int.max
    /// The API takes so many calls on one connection, as far as is known.
    private var servedMax: Int?
    /// The one that is used is almost worn, and there is no other.
    private(set) var wantsSuccessor = false

    var isEmpty: Bool { items.isEmpty }

    private func place(of connection: ConnectionNumber) -> Int {
        guard let place = items.firstIndex(where: { $0.connection == connection }) else {
            preconditionFailure("an HTTP/2 connection is in its address")
        }
        return place
    }

    // MARK: - Connections come and go

    /// The next connection carries so many calls at once. Its peer's settings come later: no more
    /// calls than those of the last one allowed, because those that are refused use up their tries.
    mutating func expect(streamsMax: Int) { self.streamsMax = min(streamsMax, streamsSaid) }

    mutating func add(_ connection: ConnectionNumber) {
        items.append(Item(connection: connection, streamsMax: streamsMax))
        usableCount += 1
        wantsSuccessor = false
    }

    /// Gives the connection no more calls.
    mutating func retire(_ connection: ConnectionNumber) {
        let place = place(of: connection)
        items[place].isRetiring = true
        usableCount -= 1
        wantsSuccessor = false
    }

    /// Forgets a connection that carries no call. Harmless for one that is not here.
    mutating func remove(_ connection: ConnectionNumber) {
        guard let place = items.firstIndex(where: { $0.connection == connection }) else { return }
        precondition(items[place].calls == 0, "a connection closes after its last call")
        if !items[place].isRetiring { usableCount -= 1 }
        items.remove(at: place)
    }

    /// The connection carries no call since now.
    mutating func rested(_ connection: ConnectionNumber, at now: MonotonicTime) {
        items[place(of: connection)].idleSince = now
    }

    mutating func change(_ connection: ConnectionNumber, to streamsMax: Int) {
        items[place(of: connection)].streamsMax = streamsMax
        self.streamsMax = streamsMax
        streamsSaid = streamsMax
    }

    // MARK: - Calls come and go

    /// - Returns: whether a successor is wanted from now on.
    mutating func began(_ connection: ConnectionNumber) -> Bool {
        let place = place(of: connection)
        items[place].calls += 1
        items[place].served += 1
        callCount += 1
        guard let servedMax else { return false }
        if items[place].served > servedMax { self.servedMax = nil }
        let worn = servedMax - max(1, servedMax / 8)
        guard items[place].served == worn,
            !items.contains(where: { !$0.isRetiring && $0.served < worn })
        else { return false }
        wantsSuccessor = true
        return true
    }

    /// - Returns: the calls that the connection still carries.
    mutating func ended(_ connection: ConnectionNumber) -> Int {
        let place = place(of: connection)
        items[place].calls -= 1
        callCount -= 1
        return items[place].calls
    }

    /// The API takes no more calls on the connection.
    mutating func wore(_ connection: ConnectionNumber) {
        let served = items[place(of: connection)].served
        servedMax = served < SharedConnections.servedMin ? nil : served
    }

    // MARK: - Choices

    /// Whether one more call can be put on a connection.
    var hasRoom: Bool {
        for item in items where !item.isRetiring && item.calls < item.streamsMax { return true }
        return false
    }

    /// The connection with room that carries fewest calls.
    var roomiest: ConnectionNumber? {
        var best: Item?
        for item in items where !item.isRetiring && item.calls < item.streamsMax {
            if best.map({ item.calls < $0.calls }) ?? true { best = item }
        }
        return best?.connection
    }

    /// The idle connection that was opened last.
    var latestIdle: ConnectionNumber? { items.last { $0.isIdle }?.connection }

    /// A connection that carries calls and can be given more.
    var firstBusy: ConnectionNumber? {
        items.first { $0.calls > 0 && !$0.isRetiring }?.connection
    }

    /// Since when the connection is idle; nil when it is not.
    func idleSince(_ connection: ConnectionNumber) -> MonotonicTime? {
        items.first { $0.connection == connection && $0.isIdle }?.idleSince
    }

    /// Whether the connection has carried no call.
    func isFresh(_ connection: ConnectionNumber) -> Bool {
        items[place(of: connection)].served == 0
    }

    /// Idle connections that were opened before this one, and have carried a call as it has, or none
    /// as it has.
    func idlePlace(_ connection: ConnectionNumber) -> Int {
        let isFresh = isFresh(connection)
        return items.prefix { $0.connection != connection }
            .count { $0.isIdle && ($0.served == 0) == isFresh }
    }

    // MARK: - Counts

    var idleCount: Int { items.count { $0.isIdle } }

    /// Those that carry calls, their last ones too.
    var busyCount: Int { items.count { $0.calls > 0 } }

    /// Calls that those that can be given calls carry at once.
    var usableStreams: Int {
        var sum = 0
        for item in items where !item.isRetiring { sum += item.streamsMax }
        return sum
    }
}
