// The occupant of each slot of a loop, and its generation.
//
// A token finds its occupant by one index and one comparison. A slot that is released answers to no
// token from that moment, and is used again only after the tick is over. So a later completion of
// the same batch cannot reach the next occupant.

/// What a slot is used for.
package enum Occupant {
    case nobody
    case stream(Stream)
    case listener(Listener)
    case timer(LoopTimer)
}

/// The slots of one loop.
package struct SlotTable {
    private struct Entry {
        var occupant: Occupant
        var generation: UInt32
    }

    private var entries: [Entry] = []
    private var free: [Int32] = []
    private var released: [Int32] = []

    /// Slots in use.
    package private(set) var count = 0

    /// One past the highest slot ever used.
    package var endSlot: Int { entries.count }

    /// Takes a slot; `occupy` puts its occupant there.
    mutating func reserve() -> Token {
        count += 1
        if let slot = free.popLast() {
            return Token(slot: Int(slot), generation: entries[Int(slot)].generation)
        }
        entries.append(Entry(occupant: .nobody, generation: 1))
        return Token(slot: entries.count - 1, generation: 1)
    }

    /// Puts an occupant into a reserved slot.
    mutating func occupy(_ token: Token, _ occupant: Occupant) {
        precondition(entries[token.slot].generation == token.generation)
        entries[token.slot].occupant = occupant
    }

    /// The occupant that `token` names; `.nobody` if the slot has been released since.
    func find(_ token: Token) -> Occupant {
        let slot = token.slot
        guard slot < entries.count, entries[slot].generation == token.generation else {
            return .nobody
        }
        return entries[slot].occupant
    }

    /// The present occupant of a slot.
    package func occupant(at slot: Int) -> Occupant {
        slot < entries.count ? entries[slot].occupant : .nobody
    }

    /// Releases a slot. From now on its token finds `.nobody`.
    mutating func release(_ token: Token) {
        precondition(entries[token.slot].generation == token.generation)
        entries[token.slot].occupant = .nobody
        entries[token.slot].generation = (token.generation + 1) & 0xFF_FFFF
        released.append(Int32(token.slot))
        count -= 1
    }

    /// Makes the slots that were released during this tick available again.
    mutating func recycle() {
        guard !released.isEmpty else { return }
        free.append(contentsOf: released)
        released.removeAll(keepingCapacity: true)
    }
}
