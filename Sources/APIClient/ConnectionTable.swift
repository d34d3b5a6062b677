// The connections of one pool by number. This is the only place that holds a connection's state.
//
// Part of `PoolMachine`, which makes every change through `move`. The driver of a connection
// (`APIConnection`) asks for its state and keeps none.

import Reactor

/// A table of numbered connections. Numbers are used again.
struct ConnectionTable {
    enum State: Equatable, CaseIterable {
        /// No connection has the number.
        case free
        case opening
        /// Ready for a call.
        case idle
        /// Carries a call, over HTTP/2 one or more.
        case busy
        /// An HTTP/2 connection that carries its last calls: it gets no more.
        case retiring
        /// Of no more use. The driver closes it, or has begun to.
        case closing

        /// Whether a connection can go from this state to `next`.
        func canBecome(_ next: State) -> Bool {
            switch self {
            case .free: next == .opening
            case .opening: next == .idle || next == .closing || next == .free
            case .idle: next == .busy || next == .closing
            case .busy: next == .idle || next == .closing || next == .retiring
            case .retiring: next == .closing
            case .closing: next == .free
            }
        }
    }

    private struct Entry {
        var state: State
        var address: AddressIndex
        /// It speaks HTTP/2, so it carries calls side by side.
        var isShared = false
        /// When its opening began.
        var openedAt: MonotonicTime
        /// How long its opening took: no round trip to the address is longer.
        var openingNanoseconds: UInt64 = 0
        /// When it was given a call, and since when it had been idle then.
        var busySince = MonotonicTime(nanoseconds: 0)
        var idleSince = MonotonicTime(nanoseconds: 0)
        /// When a fault of its calls was counted last.
        var faultTime = MonotonicTime.never
    }

    private var entries: [Entry] = []
    private var freeNumbers: [ConnectionNumber] = []
    /// Connections in the state `closing`.
    private(set) var closingCount = 0
    /// HTTP/2 connections in any state after their opening.
    private(set) var sharedCount = 0

    /// Numbers in use: connections in any state but free.
    var count: Int { entries.count - freeNumbers.count }

    func state(of number: ConnectionNumber) -> State { entries[number.value].state }

    /// Whether the connection speaks HTTP/2. False before it is open.
    func isShared(_ number: ConnectionNumber) -> Bool { entries[number.value].isShared }

    /// The address that the connection goes to.
    func address(of number: ConnectionNumber) -> AddressIndex { entries[number.value].address }

    /// When the opening of the connection began.
    func openedAt(_ number: ConnectionNumber) -> MonotonicTime { entries[number.value].openedAt }

    /// How long the opening of the connection took.
    func openingNanoseconds(of number: ConnectionNumber) -> UInt64 {
        entries[number.value].openingNanoseconds
    }

    /// Takes a number for a connection to `address`, whose opening begins now. It is free until
    /// `move` says that it opens.
    mutating func take(for address: AddressIndex, at now: MonotonicTime) -> ConnectionNumber {
        let entry = Entry(state: .free, address: address, openedAt: now)
        if let number = freeNumbers.popLast() {
            entries[number.value] = entry
            return number
        }
        entries.append(entry)
        return ConnectionNumber(value: entries.count - 1)
    }

    /// The opening has ended well.
    mutating func opened(_ number: ConnectionNumber, isShared: Bool, at now: MonotonicTime) {
        entries[number.value].isShared = isShared
        if isShared { sharedCount += 1 }
        entries[number.value].openingNanoseconds = now.nanoseconds(
            since: entries[number.value].openedAt)
    }

    /// The connection is idle after its last call.
    mutating func rested(_ number: ConnectionNumber, at now: MonotonicTime) {
        entries[number.value].idleSince = now
    }

    /// The connection that was idle has a call.
    mutating func began(_ number: ConnectionNumber, at now: MonotonicTime) {
        entries[number.value].busySince = now
    }

    /// One of several calls has its answer: the peer has not ended the connection for its idle time.
    mutating func outlivedIdling(_ number: ConnectionNumber) {
        entries[number.value].idleSince = MonotonicTime(nanoseconds: 0)
    }

    /// - Returns: whether no fault of the connection was counted at this time before.
    mutating func noteFault(_ number: ConnectionNumber, at now: MonotonicTime) -> Bool {
        guard entries[number.value].faultTime != now else { return false }
        entries[number.value].faultTime = now
        return true
    }

    /// How long a busy connection had been idle after the call before, when it was given its call
    /// not longer than `nanosecondsMax` ago; else 0.
    func idleNanoseconds(
        of number: ConnectionNumber, begunWithin nanosecondsMax: UInt64, at now: MonotonicTime
    ) -> UInt64 {
        let entry = entries[number.value]
        guard entry.idleSince.nanoseconds > 0,
            now.nanoseconds(since: entry.busySince) <= nanosecondsMax
        else { return 0 }
        return entry.busySince.nanoseconds(since: entry.idleSince)
    }

    /// Changes the state of a connection. `.free` gives its number back.
    /// - Returns: the state before.
    mutating func move(_ number: ConnectionNumber, to state: State) -> State {
        let old = entries[number.value].state
        precondition(old.canBecome(state), "a connection can't go from \(old) to \(state)")
        entries[number.value].state = state
        if old == .closing { closingCount -= 1 }
        if state == .closing { closingCount += 1 }
        if state == .free {
            if entries[number.value].isShared { sharedCount -= 1 }
            freeNumbers.append(number)
        }
        return old
    }
}
