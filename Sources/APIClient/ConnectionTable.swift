// The connections of one pool by number. This is the only place that holds a connection's state.
//
// Part of `PoolMachine`, which makes every change through `move`. The driver of a connection
// (`APIConnection`) asks for its state and keeps none.

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

    private struct Entry {
        var state: State
        var address: AddressIndex
    }

    private var entries: [Entry] = []
    private var freeNumbers: [ConnectionNumber] = []

    /// Numbers in use: connections in any state but free.
    var count: Int { entries.count - freeNumbers.count }

    func state(of number: ConnectionNumber) -> State { entries[number.value].state }

    /// The address that the connection goes to.
    func address(of number: ConnectionNumber) -> AddressIndex { entries[number.value].address }

    /// Takes a number for a connection to `address`. It is free until `move` says that it opens.
    mutating func take(for address: AddressIndex) -> ConnectionNumber {
        let entry = Entry(state: .free, address: address)
        if let number = freeNumbers.popLast() {
            entries[number.value] = entry
            return number
        }
        entries.append(entry)
        return ConnectionNumber(value: entries.count - 1)
    }

    /// Changes the state of a connection. `.free` gives its number back.
    /// - Returns: the state before.
    mutating func move(_ number: ConnectionNumber, to state: State) -> State {
        let old = entries[number.value].state
        precondition(old.canBecome(state), "a connection can't go from \(old) to \(state)")
        entries[number.value].state = state
        if state == .free { freeNumbers.append(number) }
        return old
    }
}
