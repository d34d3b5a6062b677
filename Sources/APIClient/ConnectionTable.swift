// The connections of a pool by number: which address each belongs to, and what it is doing.

/// A table of numbered connections whose numbers are reused.
struct ConnectionTable {
    enum State: Equatable { case free, opening, idle, busy, closing }

    struct Entry {
        var state: State
        /// Index in the `AddressTable`.
        var address: Int
    }

    private var entries: [Entry] = []
    private var freeNumbers: [Int] = []

    /// Connections in any state but free.
    var count: Int { entries.count - freeNumbers.count }

    subscript(number: Int) -> Entry {
        get { entries[number] }
        set { entries[number] = newValue }
    }

    /// A new connection that is opening.
    mutating func add(address: Int) -> Int {
        let entry = Entry(state: .opening, address: address)
        if let number = freeNumbers.popLast() {
            entries[number] = entry
            return number
        }
        entries.append(entry)
        return entries.count - 1
    }

    /// Frees the number.
    mutating func remove(_ number: Int) {
        precondition(entries[number].state != .free)
        entries[number].state = .free
        freeNumbers.append(number)
    }
}
