// Finds an address among the envelope's recipients in constant time.
//
// Open addressing over a keyed hash: nobody can choose addresses that collide. A header may name ten
// thousand addresses and the envelope a hundred; each is looked at once.

import Reactor
import Wire

/// A small hash table from addresses to numbers. Its memory is used again.
struct RecipientTable {
    /// Whether local parts that differ in case alone are the same address.
    let ignoringLocalCase: Bool

    /// Number plus one; 0 is free. The count is a power of two, at least twice the entries.
    private var slots: [Int32] = []
    /// There are so few entries that looking at each is cheaper than hashing.
    private var isLinear = false
    private let seed: UInt64

    /// With at most so many entries nothing is hashed.
    private static let linearMax = 4

    init(ignoringLocalCase: Bool) {
        self.ignoringLocalCase = ignoringLocalCase
        var source = Randomness()
        seed = source.next() | 1
    }

    /// How many entries have room.
    var capacity: Int { slots.count / 2 }

    /// Empties the table and makes room for `count` entries.
    mutating func reset(forCount count: Int) {
        isLinear = count <= Self.linearMax
        var wanted = 16
        while wanted < 2 * count { wanted *= 2 }
        if slots.count == wanted {
            for index in slots.indices { slots[index] = 0 }
        } else {
            slots = [Int32](repeating: 0, count: wanted)
        }
    }

    /// - Parameter addresses: everything that was stored, in the order of the numbers, from 0 on.
    /// - Returns: the number stored for `address`. When there is none, `number` is stored, if given.
    mutating func find(_ address: Bytes, in addresses: AddressArena, orInsert number: Int32? = nil)
        -> Int32?
    {
        if isLinear {
            for number in 0..<addresses.count
            where AddressParser.same(
                addresses.bytes(number), address, ignoringLocalCase: ignoringLocalCase)
            {
                return Int32(number)
            }
            return nil
        }
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: hash(address)) & mask
        while slots[index] != 0 {
            let found = slots[index] - 1
            if AddressParser.same(
                addresses.bytes(Int(found)), address, ignoringLocalCase: ignoringLocalCase)
            {
                return found
            }
            index = (index + 1) & mask
        }
        if let number { slots[index] = number + 1 }
        return nil
    }

    /// Quotes and backslashes of a local part are left out: they may stand where they change
    /// nothing, and `same` ignores them.
    private func hash(_ address: Bytes) -> UInt64 {
        var mark = address.count
        while mark > 0, address[mark - 1] != 0x40 { mark -= 1 }
        var hash = seed
        for index in 0..<address.count {
            var byte = address[index]
            if index < mark && (byte == 0x22 || byte == 0x5C) { continue }
            if index >= mark || ignoringLocalCase { byte = byte.asciiLowercased }
            let product = (hash ^ UInt64(byte)).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
            hash = product.high ^ product.low
        }
        return hash
    }
}

/// Addresses one after the other in memory that is used again.
struct AddressArena {
    private var text: [UInt8] = []
    private var ends: [Int] = []

    /// Addresses held.
    var count: Int { ends.count }

    mutating func removeAll() {
        text.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
    }

    mutating func append(_ address: Bytes) {
        address.withUnsafeBufferPointer { text.append(contentsOf: $0) }
        ends.append(text.count)
    }

    /// Address `index`; valid until the next change.
    @_lifetime(borrow self)
    func bytes(_ index: Int) -> Bytes {
        text.span.extracting((index == 0 ? 0 : ends[index - 1])..<ends[index])
    }
}
