// The addresses of the API as one pool sees them: their health, their counts, and which is next.
//
// Part of `PoolMachine`: a value; time is an argument. The counts of connections follow from the
// states in `ConnectionTable`: `connectionMoved` is the only function that changes them. There are
// few addresses (16 at most), so each choice walks over all of them.
//
// What an address speaks, HTTP/1.1 or HTTP/2, is learnt from the connection that opened last, and
// forgotten when it rests. An address may have connections of both kinds, because several servers may
// stand behind one. While it is unknown, and for HTTP/2, one connection opens at a time.
//
// An address that agrees on HTTP/2 and then demands HTTP/1.1 is used over that until it rests: then it
// may be another server, or one that does not speak HTTP/1.1 at all. To try HTTP/2 again now and then
// would cost a message each time that its client must send again; not to try it costs connections.
//
// An address with a working connection is believed. When an opening fails beside it, the number of
// connections aimed at falls to those that work, and rises again by doubling (slow start), through
// one opening after each rest. Only an address where nothing works rests as a whole.

import Reactor

/// Addresses with their health and their counts. Indices stay valid while connections exist.
struct AddressTable {
    /// For so long an answer that came after another one is no news to other loops.
    private static let newsMilliseconds = 500

    private var entries: [Entry] = []
    /// What an address speaks of which nothing is known.
    private let firstVersion: AddressReport.Version
    /// Where the next walk begins, so that equal addresses take turns.
    private var turn = 0
    /// Connections that are opening, all addresses together.
    private(set) var openingCount = 0
    /// HTTP/2 connections that can be given calls, all addresses together.
    private(set) var sharedUsableCount = 0

    /// - Parameter offersHTTP2: what an address speaks is unknown at first; else it is HTTP/1.1.
    init(offersHTTP2: Bool) { firstVersion = offersHTTP2 ? .unknown : .http1 }

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
        } else if let index = entries.firstIndex(where: { !$0.isListed && $0.isUnused }) {
            // Closing connections may still point here; they only ask to forget an unused entry.
            entries[index] = Entry(socketAddress: address, version: firstVersion)
        } else {
            entries.append(Entry(socketAddress: address, version: firstVersion))
        }
    }

    /// Forgets what was learnt about an address that is not listed and has no connection.
    mutating func forgetIfUnused(_ index: AddressIndex) {
        let entry = entries[index.value]
        guard !entry.isListed, entry.isUnused else { return }
        entries[index.value] = Entry(
            socketAddress: entry.socketAddress, version: firstVersion, isListed: false)
    }

    /// What the metrics show of each address that is listed or has connections.
    var reports: [AddressReport] {
        entries.filter { $0.isListed || !$0.isUnused }.map { entry in
            AddressReport(
                address: entry.socketAddress, version: entry.version,
                health: AddressReport.Health(entry.health), isListed: entry.isListed,
                opening: entry.opening, idle: entry.idle.count + entry.shared.idleCount,
                busy: entry.busy + entry.shared.busyCount, callsInFlight: entry.inFlight,
                calls: entry.calls, connectionsOpened: entry.opened,
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

    /// When something may change for calls that wait although no address is usable: an address has
    /// answered not long ago, and will be tried again. `.never` when there is none to wait for.
    func awaitedChange(after now: MonotonicTime) -> MonotonicTime {
        var earliest = MonotonicTime.never
        for entry in entries where entry.isListed && entry.isAwaitedUntil > now {
            guard case .resting(let until) = entry.health else { continue }
            earliest = min(earliest, until, entry.isAwaitedUntil)
        }
        return earliest
    }

    /// Whether other loops are to hear of an answer that has just come: twice a second, as
    /// long as answers come.
    mutating func isNews(_ index: AddressIndex, at now: MonotonicTime) -> Bool {
        guard entries[index.value].isNewsFrom <= now else { return false }
        entries[index.value].isNewsFrom = now.advanced(
            byMilliseconds: AddressTable.newsMilliseconds)
        return true
    }

    /// When addresses answered last, on whichever loop: calls wait for these as if the answers had come here. One
    /// that rests is tried soon.
    mutating func heard(_ answers: [LastAnswers.Answer], at now: MonotonicTime, _ rests: Rests) {
        for answer in answers {
            let place = entries.firstIndex { $0.socketAddress == answer.address }
            guard let place else { continue }
            let end = answer.time.advanced(byMilliseconds: rests.awaited)
            entries[place].isAwaitedUntil = max(entries[place].isAwaitedUntil, end)
            guard end > now, case .resting(let until) = entries[place].health else { continue }
            let soon = min(
                until, entries[place].restBegan.advanced(byMilliseconds: rests.longestWhileAwaited))
            entries[place].health = .resting(until: soon)
            entries[place].openingsRestUntil = soon
        }
    }

    /// Whether the address gets neither new connections nor calls.
    func isResting(_ index: AddressIndex) -> Bool {
        if case .resting = entries[index.value].health { return true }
        return false
    }

    private mutating func forgetVersion(of index: Int) {
        entries[index].isHTTP1Demanded = false
        entries[index].version = firstVersion
    }

    /// Begins a rest. Each is twice as long as the one before, up to the longest.
    /// - Returns: its milliseconds.
    private mutating func beginRest(_ index: Int, at now: MonotonicTime, _ rests: Rests) -> Int {
        let longest =
            entries[index].isAwaitedUntil > now ? rests.longestWhileAwaited : rests.longest
        let doubled = rests.shortest << min(entries[index].rests, 30)
        let milliseconds = min(doubled, longest)
        // At its longest it doubles no more, so that it goes on from there when that grows.
        if doubled < longest { entries[index].rests += 1 }
        entries[index].restBegan = now
        entries[index].openingsRestUntil = now.advanced(byMilliseconds: milliseconds)
        return milliseconds
    }

    /// An opening has failed that began at `start`, and its connection is counted no more. Several
    /// that began together count once.
    mutating func openingFailed(
        _ index: AddressIndex, begunAt start: MonotonicTime, at now: MonotonicTime, _ rests: Rests
    ) -> Setback {
        let index = index.value
        if case .resting = entries[index].health { return .none }
        let working = entries[index].working
        entries[index].aim = max(1, working)
        let isKnown = start < entries[index].restBegan && now < entries[index].openingsRestUntil
        if working > 0 || entries[index].opening > 0 {
            let milliseconds = isKnown ? nil : beginRest(index, at: now, rests)
            if entries[index].health == .probing, entries[index].opening == 0 {
                // The probe has failed, whatever still works: there is another one.
                entries[index].health = .resting(until: entries[index].openingsRestUntil)
            }
            guard let milliseconds else { return .none }
            return .limited(connections: entries[index].aim, milliseconds: milliseconds)
        }
        let milliseconds =
            isKnown
            ? entries[index].openingsRestUntil.milliseconds(since: now)
            : beginRest(index, at: now, rests)
        entries[index].brokenCalls = 0
        entries[index].health = .resting(until: entries[index].openingsRestUntil)
        forgetVersion(of: index)
        return .rests(milliseconds: milliseconds)
    }

    /// A connection has opened whose opening began at `start`, and is counted as working.
    /// - Parameter connectionsMax: a limit from there on is none.
    /// - Returns: whether the address was not healthy before, and now is.
    mutating func opened(
        _ index: AddressIndex, begunAt start: MonotonicTime, at now: MonotonicTime,
        connectionsMax: Int
    ) -> Bool {
        let index = index.value
        let aim = entries[index].aim
        guard aim < .max else { return false }
        let working = entries[index].working
        entries[index].aim = max(aim, working)
        guard start >= entries[index].restBegan, now >= entries[index].openingsRestUntil else {
            return false
        }
        if working >= aim {
            entries[index].aim = 2 * aim >= connectionsMax ? .max : max(2 * aim, working)
            entries[index].rests = 0
        }
        guard entries[index].health != .healthy else { return false }
        entries[index].health = .healthy
        return true
    }

    /// A call got its answer from the address.
    /// - Returns: whether the address was not healthy before.
    mutating func callAnswered(
        _ index: AddressIndex, at now: MonotonicTime, _ rests: Rests
    ) -> Bool {
        let index = index.value
        entries[index].isAwaitedUntil = now.advanced(byMilliseconds: rests.awaited)
        entries[index].brokenCalls = 0
        guard entries[index].health != .healthy else { return false }
        entries[index].health = .healthy
        entries[index].rests = 0
        entries[index].aim = .max
        entries[index].openingsRestUntil = MonotonicTime(nanoseconds: 0)
        return true
    }

    /// One more call ended with the connection whose end was counted.
    mutating func callBrokeToo(_ index: AddressIndex, of flow: FlowNumber?) {
        entries[index.value].lastFault = flow
    }

    /// A call ended without an answer, and the address is at fault. Calls of one flow alone make an
    /// address rest only when nobody else has any.
    /// - Parameters:
    ///   - flow: whose call it was; nil for the check of a key.
    ///   - hasOthers: other flows have calls.
    ///   - brokenCallsMax: so many in a row make the address rest.
    mutating func callBroke(
        _ index: AddressIndex, of flow: FlowNumber?, hasOthers: Bool, brokenCallsMax: Int,
        at now: MonotonicTime, _ rests: Rests
    ) -> Setback {
        let index = index.value
        let isSame = entries[index].brokenCalls > 0 && entries[index].lastFault == flow
        entries[index].lastFault = flow
        if isSame && hasOthers && entries[index].brokenCalls + 1 >= brokenCallsMax { return .none }
        entries[index].brokenCalls += 1
        guard entries[index].brokenCalls >= brokenCallsMax else { return .none }
        if case .resting = entries[index].health { return .none }
        let milliseconds = beginRest(index, at: now, rests)
        entries[index].brokenCalls = 0
        entries[index].aim = 1
        entries[index].health = .resting(until: entries[index].openingsRestUntil)
        forgetVersion(of: index)
        return .rests(milliseconds: milliseconds)
    }
}

// MARK: - Counts

extension AddressTable {
    /// A connection to the address has gone from one state to another: every count of connections
    /// follows from here. Opening a connection to an address that rests is a probe. A connection
    /// that has become idle is `keep`t then.
    /// - Parameter isShared: it speaks HTTP/2.
    mutating func connectionMoved(
        _ connection: ConnectionNumber, of index: AddressIndex, isShared: Bool,
        from old: ConnectionTable.State, to new: ConnectionTable.State
    ) {
        let index = index.value
        if isShared { sharedMoved(connection, of: index, from: old, to: new) }
        switch old {
        case .opening:
            entries[index].opening -= 1
            openingCount -= 1
            if new == .free { entries[index].failed += 1 } else { entries[index].opened += 1 }
        case .idle where !isShared: removeIdle(connection, of: index)
        case .busy where !isShared: entries[index].busy -= 1
        case .idle, .busy, .retiring, .free, .closing: break
        }
        switch new {
        case .opening:
            entries[index].opening += 1
            openingCount += 1
            if case .resting = entries[index].health { entries[index].health = .probing }
        case .busy where !isShared:
            entries[index].busy += 1
            entries[index].calls += 1
        case .busy, .idle, .retiring, .free, .closing: break
        }
    }

    private mutating func sharedMoved(
        _ connection: ConnectionNumber, of index: Int, from old: ConnectionTable.State,
        to new: ConnectionTable.State
    ) {
        let before = entries[index].shared.usableCount
        switch new {
        case .idle where old == .opening: entries[index].shared.add(connection)
        case .retiring: entries[index].shared.retire(connection)
        case .closing: entries[index].shared.remove(connection)
        case .idle, .busy, .opening, .free: break
        }
        sharedUsableCount += entries[index].shared.usableCount - before
    }

    /// A connection is idle from now on.
    /// - Parameter roundTrip: to the API, in nanoseconds; nil: the connection is fresh.
    mutating func keep(
        _ connection: ConnectionNumber, of index: AddressIndex, isShared: Bool,
        since now: MonotonicTime, roundTrip: UInt64?
    ) {
        if isShared { return entries[index.value].shared.rested(connection, at: now) }
        let isFresh = roundTrip == nil
        entries[index.value].idle.append(
            Idle(connection: connection, since: now, roundTrip: roundTrip ?? 0, isFresh: isFresh))
    }

    private mutating func removeIdle(_ connection: ConnectionNumber, of index: Int) {
        if entries[index].idle.last?.connection == connection {
            entries[index].idle.removeLast()
        } else {
            entries[index].idle.removeAll { $0.connection == connection }
        }
    }
}

// MARK: - Idle connections

extension AddressTable {
    /// Idle connections of an address that are kept beyond the age at which they are used, so that
    /// the limits of the API are learnt from how long they live: so many that have carried a call, and
    /// so many fresh ones.
    private static let learnersMax = 2

    /// An answer of the address said `Keep-Alive: timeout=N`.
    mutating func keepAliveSaid(_ index: AddressIndex, seconds: Int) {
        entries[index.value].idleLimits.said(seconds: seconds)
    }

    /// How long a connection that is idle from now on may be given messages: at most `longest`.
    /// - Parameter roundTrip: to the API, in nanoseconds; nil: the connection is fresh.
    func usefulNanoseconds(
        _ index: AddressIndex, roundTrip: UInt64?, upTo longest: UInt64
    ) -> UInt64 {
        let limit = entries[index.value].idleLimits[isFresh: roundTrip == nil]
        guard limit.isKnown, limit.nanoseconds < longest else { return longest }
        return limit.nanoseconds - min(limit.nanoseconds, roundTrip ?? 0)
    }

    /// The API has closed an idle connection.
    mutating func idleClosed(
        _ connection: ConnectionNumber, of index: AddressIndex, at now: MonotonicTime
    ) {
        let index = index.value
        if let idle = entries[index].idle.first(where: { $0.connection == connection }) {
            let age = now.nanoseconds(since: idle.since)
            entries[index].idleLimits.closed(isFresh: idle.isFresh, afterNanoseconds: age)
        } else if let since = entries[index].shared.idleSince(connection), since < now {
            // One that is idle since this moment may be so because its last calls broke with it.
            entries[index].idleLimits.closed(
                isFresh: entries[index].shared.isFresh(connection),
                afterNanoseconds: now.nanoseconds(since: since))
        }
    }

    /// The API has closed a connection that had been idle for so long before it got its last call.
    mutating func crossed(_ index: AddressIndex, afterNanoseconds age: UInt64) {
        entries[index.value].idleLimits.closed(isFresh: false, afterNanoseconds: age)
    }

    /// What becomes of a connection that has been idle for its time.
    /// - Parameter longest: our own idle timeout in nanoseconds.
    /// - Returns: until when it is kept to learn from; nil when it is of no more use.
    mutating func idleTimedOut(
        _ connection: ConnectionNumber, of index: AddressIndex, at now: MonotonicTime,
        longest: UInt64
    ) -> MonotonicTime? {
        let index = index.value
        let since: MonotonicTime
        let isFresh: Bool
        let place: Int
        let idle = entries[index].idle
        if let own = idle.first(where: { $0.connection == connection }) {
            (since, isFresh) = (own.since, own.isFresh)
            place = idle.prefix { $0.connection != connection }.count { $0.isFresh == isFresh }
        } else if let begun = entries[index].shared.idleSince(connection) {
            (since, isFresh) = (begun, entries[index].shared.isFresh(connection))
            place = entries[index].shared.idlePlace(connection)
        } else {
            return nil
        }
        let end = MonotonicTime(nanoseconds: since.nanoseconds &+ longest)
        guard now < end else {
            entries[index].idleLimits.livedToTheEnd(isFresh: isFresh)
            return nil
        }
        return place < AddressTable.learnersMax ? end : nil
    }

    /// The oldest idle HTTP/1.1 connection of an address that may have no more, when it is too old for
    /// messages: one is opened in its place.
    func obsoleteIdle(at now: MonotonicTime, isFull: Bool) -> ConnectionNumber? {
        for entry in entries where isUsable(entry, at: now) && (isFull || !entry.mayOpen(at: now)) {
            guard let oldest = entry.idle.first else { continue }
            let limit = entry.idleLimits[isFresh: oldest.isFresh]
            if limit.isKnown, oldest.age(at: now) > limit.nanoseconds { return oldest.connection }
        }
        return nil
    }
}

// MARK: - Choices

extension AddressTable {
    /// The idle connection of the address that was used last.
    func latestIdle(of index: AddressIndex) -> ConnectionNumber? {
        entries[index.value].idle.last?.connection ?? entries[index.value].shared.latestIdle
    }

    /// For which calls an idle connection is wanted.
    enum Need {
        /// For one that may be repeated: any will do.
        case read
        /// For a message: one that is not too old.
        case message
        /// For a message that no fresh connection can be opened for: one that is not too old as far
        /// as is known.
        case messageInNeed
    }

    /// A connection for one more call, of the address with the fewest calls in flight: the HTTP/2
    /// connection with the fewest calls, or the idle one that was used last. It is that address's
    /// turn then. nil when there is none for this need. An HTTP/2 connection is never too old: a
    /// request that crosses its GOAWAY may be sent again (RFC 9113 6.8).
    mutating func takeTurn(for need: Need, at now: MonotonicTime) -> ConnectionNumber? {
        var best: Int?
        for step in entries.indices {
            let index = (turn + step) % entries.count
            guard let idle = entries[index].idle.last else {
                if entries[index].hasStream,
                    best.map({ entries[$0].inFlight > entries[index].inFlight }) ?? true
                {
                    best = index
                }
                continue
            }
            if let best, entries[best].inFlight <= entries[index].inFlight { continue }
            guard
                need == .read || entries[index].hasStream
                    || isYoung(idle, of: index, need, at: now)
            else { continue }
            best = index
        }
        guard let best else { return nil }
        turn = (best + 1) % entries.count
        if entries[best].hasStream { return stream(of: best, at: now) }
        return entries[best].idle.last?.connection
    }

    private mutating func stream(of index: Int, at now: MonotonicTime) -> ConnectionNumber? {
        guard let connection = entries[index].shared.roomiest else { return nil }
        if let since = entries[index].shared.idleSince(connection) {
            entries[index].idleLimits.outlived(
                isFresh: entries[index].shared.isFresh(connection),
                nanoseconds: now.nanoseconds(since: since))
        }
        return connection
    }

    private mutating func isYoung(
        _ idle: Idle, of index: Int, _ need: Need, at now: MonotonicTime
    ) -> Bool {
        if entries[index].idleLimits[isFresh: idle.isFresh].isKnown {
            learnFromOldest(of: index, at: now)
        } else if need == .messageInNeed {
            return true
        }
        return idle.age(at: now) <= entries[index].idleLimits[isFresh: idle.isFresh].nanoseconds
    }

    /// The connections that are kept to learn from are the oldest ones.
    private mutating func learnFromOldest(of index: Int, at now: MonotonicTime) {
        for place in 0..<min(2 * AddressTable.learnersMax, entries[index].idle.count) {
            let oldest = entries[index].idle[place]
            entries[index].idleLimits.outlived(
                isFresh: oldest.isFresh, nanoseconds: now.nanoseconds(since: oldest.since))
        }
    }

    /// Whether there is an idle HTTP/1.1 connection.
    var hasIdle: Bool { entries.contains { !$0.idle.isEmpty } }

    /// When an address may first be tried with one more connection than it has; `.never` when none
    /// is held back.
    func openingsResume(after now: MonotonicTime) -> MonotonicTime {
        var earliest = MonotonicTime.never
        for entry in entries where entry.isListed && entry.openingsRestUntil > now {
            earliest = min(earliest, entry.openingsRestUntil)
        }
        return earliest
    }

    /// Of which version there may be no more connections.
    struct Full {
        /// HTTP/1.1, and where the version is unknown.
        var http1: Bool
        var http2: Bool

        fileprivate func holds(_ version: AddressReport.Version) -> Bool {
            version == .http2 ? http2 : http1
        }
    }

    /// The healthy address with the fewest calls and openings in flight. Without a healthy one, an
    /// address that has rested enough to be probed.
    func bestForOpening(at now: MonotonicTime, _ full: Full) -> AddressIndex? {
        var best: Int?
        var rested: Int?
        for step in entries.indices {
            let index = (turn + step) % entries.count
            let entry = entries[index]
            guard isUsable(entry, at: now), !full.holds(entry.version) else { continue }
            switch entry.health {
            case .healthy:
                guard entry.mayOpen(at: now) else { continue }
                let load = entry.opening + entry.inFlight
                if best.map({ load < entries[$0].opening + entries[$0].inFlight }) ?? true {
                    best = index
                }
            case .resting: rested = rested ?? index
            case .probing: break
            }
        }
        return (best ?? rested).map { AddressIndex(value: $0) }
    }

    /// An address that should get its first connection, or the next one before its only one is
    /// worn: healthy without one, or rested enough.
    func firstToWarm(at now: MonotonicTime, _ full: Full) -> AddressIndex? {
        let index = entries.indices.first { index in
            // After most messages: looked at in place.
            if case .healthy = entries[index].health, entries[index].connectionCount > 0,
                !entries[index].shared.wantsSuccessor
            {
                return false
            }
            let entry = entries[index]
            guard isUsable(entry, at: now), !full.holds(entry.version) else { return false }
            switch entry.health {
            case .healthy:
                return entry.connectionCount == 0
                    || entry.shared.wantsSuccessor && entry.mayOpen(at: now)
            case .resting: return true
            case .probing: return false
            }
        }
        return index.map { AddressIndex(value: $0) }
    }
}

// MARK: - HTTP/2

extension AddressTable {
    /// A connection to the address is open: over HTTP/2 it carries so many calls at once; nil:
    /// HTTP/1.1.
    mutating func speaks(_ index: AddressIndex, streamsMax: Int?) {
        let isHTTP1 = streamsMax == nil || entries[index.value].isHTTP1Demanded
        entries[index.value].version = isHTTP1 ? .http1 : .http2
        if let streamsMax { entries[index.value].shared.expect(streamsMax: streamsMax) }
    }

    /// The address is used over HTTP/1.1 only, until it rests.
    /// - Returns: whether that is news.
    mutating func demandHTTP1(_ index: AddressIndex) -> Bool {
        guard !entries[index.value].isHTTP1Demanded else { return false }
        entries[index.value].isHTTP1Demanded = true
        entries[index.value].version = .http1
        return true
    }

    func isHTTP1Demanded(_ index: AddressIndex) -> Bool { entries[index.value].isHTTP1Demanded }

    /// An HTTP/2 connection carries so many calls at once from now on.
    mutating func streamsChanged(
        _ connection: ConnectionNumber, of index: AddressIndex, to streamsMax: Int
    ) {
        entries[index.value].shared.change(connection, to: streamsMax)
    }

    /// An HTTP/2 connection carries one more call.
    /// - Returns: whether the next connection should be opened before this one is worn.
    mutating func streamBegan(on connection: ConnectionNumber, of index: AddressIndex) -> Bool {
        entries[index.value].calls += 1
        return entries[index.value].shared.began(connection)
    }

    /// An HTTP/2 connection carries one call less.
    /// - Returns: how many it carries.
    mutating func streamEnded(on connection: ConnectionNumber, of index: AddressIndex) -> Int {
        entries[index.value].shared.ended(connection)
    }

    /// The API takes no more calls on the HTTP/2 connection.
    mutating func wore(_ connection: ConnectionNumber, of index: AddressIndex) {
        entries[index.value].shared.wore(connection)
    }

    /// An HTTP/2 connection of the address that carries calls and can be given more.
    func busyShared(of index: AddressIndex) -> ConnectionNumber? {
        entries[index.value].shared.firstBusy
    }

    /// Openings of addresses that speak HTTP/2.
    var http2OpeningCount: Int {
        var sum = 0
        for entry in entries where entry.version == .http2 { sum += entry.opening }
        return sum
    }
}

// MARK: - How many calls can be carried at once

extension AddressTable {
    /// Calls that the listed addresses take together, as far as is known.
    func capacity(_ limits: PoolMachine.Limits) -> Int {
        var connections = 0
        var streams = 0
        var left = limits.http2ConnectionsMax
        for entry in entries where entry.isListed {
            if entry.version == .http2 {
                let count = min(entry.aim, left)
                streams += count * entry.shared.streamsMax
                left -= count
            } else if connections < limits.connectionsMax {
                connections += min(entry.aim, limits.connectionsMax)
            }
        }
        return min(connections, limits.connectionsMax) + streams
    }

    /// Messages that may be carried at once.
    func messagesMax(_ limits: PoolMachine.Limits) -> Int {
        let streams = streamCount(http2ConnectionsMax: limits.http2ConnectionsMax)
        return (mayUseHTTP1 ? limits.messagesMax : 0) + limits.messagesMax(ofStreams: streams)
    }

    /// Whether some address speaks HTTP/1.1, or may come to.
    private var mayUseHTTP1: Bool {
        let http2 = entries.count { $0.isListed && $0.version == .http2 }
        return http2 == 0 || entries.contains { $0.isListed && $0.version != .http2 }
    }

    /// Streams of the HTTP/2 connections that there are, and of those that can be opened beside them:
    /// each may have as many as the address with most, and one at least.
    private func streamCount(http2ConnectionsMax: Int) -> Int {
        var sum = 0
        var most = 0
        for entry in entries {
            sum += entry.shared.usableStreams
            if entry.isListed && entry.version == .http2 {
                most = max(most, entry.shared.streamsMax, 1)
            }
        }
        return sum + max(0, http2ConnectionsMax - sharedUsableCount) * most
    }
}
