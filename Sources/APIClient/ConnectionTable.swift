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
        /// Carries a call.
        case busy
        /// Of no more use. The driver closes it, or has begun to.
        case closing

        /// Whether a connection can go from this state to `next`.
        func canBecome(_ next: State) -> Bool {
            switch self {
            case .free: next == .opening
            case .opening: next == .idle || next == .closing || next == .free
            case .idle: next == .busy || next == .closing
            case .busy: next == .idle || next == .closing
            case .closing: next == .free
            }
        }
    }

    /// What a busy connection carries.
    enum Load: Equatable {
        case nothing
        case check
        /// A message of which nothing has to arrive any more.
        case message(FlowNumber)
        /// A message that still arrives.
        case upload(FlowNumber)
    }

    private struct Entry {
        var state: State
        var address: AddressIndex
        var load = Load.nothing
        /// When its opening began.
        var openedAt: MonotonicTime
        /// How long its opening took: no round trip to the address is longer.
        var openingNanoseconds: UInt64 = 0
        /// When it was given its call, and since when it had been idle then.
        var busySince = MonotonicTime(nanoseconds: 0)
        var idleSince = MonotonicTime(nanoseconds: 0)
    }

    private var entries: [Entry] = []
    private var freeNumbers: [ConnectionNumber] = []
    /// Connections in the state `closing`.
    private(set) var closingCount = 0

    /// Numbers in use: connections in any state but free.
    var count: Int { entries.count - freeNumbers.count }

    func state(of number: ConnectionNumber) -> State { entries[number.value].state }

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
    mutating func opened(_ number: ConnectionNumber, at now: MonotonicTime) {
        entries[number.value].openingNanoseconds = now.nanoseconds(
            since: entries[number.value].openedAt)
    }

    /// The connection is idle after a call.
    mutating func rested(_ number: ConnectionNumber, at now: MonotonicTime) {
        entries[number.value].idleSince = now
    }

    /// The connection has a call.
    mutating func began(_ number: ConnectionNumber, at now: MonotonicTime) {
        entries[number.value].busySince = now
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

    /// What the connection carries.
    func load(of number: ConnectionNumber) -> Load { entries[number.value].load }

    /// Notes what the connection carries from now on.
    mutating func carry(_ load: Load, on number: ConnectionNumber) {
        entries[number.value].load = load
    }

    /// The connection whose upload began last, of the flow that weighs most. Looks at all.
    func latestUpload(weighing weight: (FlowNumber) -> Int) -> ConnectionNumber? {
        var best: (weight: Int, since: MonotonicTime, number: Int)?
        for (number, entry) in entries.enumerated() where entry.state == .busy {
            guard case .upload(let flow) = entry.load else { continue }
            let weight = weight(flow)
            if let best, (best.weight, best.since) >= (weight, entry.busySince) { continue }
            best = (weight, entry.busySince, number)
        }
        return best.map { ConnectionNumber(value: $0.number) }
    }

    /// Changes the state of a connection. `.free` gives its number back.
    /// - Returns: the state before.
    mutating func move(_ number: ConnectionNumber, to state: State) -> State {
        let old = entries[number.value].state
        precondition(old.canBecome(state), "a connection can't go from \(old) to \(state)")
        entries[number.value].state = state
        if old == .closing { closingCount -= 1 }
        if state == .closing { closingCount += 1 }
        if state == .free { freeNumbers.append(number) }
        return old
    }
}
