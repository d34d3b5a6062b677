// Header fields of the same name, found in linear time.
//
// A JSON object has each key once, and names are compared without case (RFC 5322 2.2), so repeated
// fields are chained to the first one and written as one value. The hash has a random seed: nobody
// can choose names that collide.

import Reactor
import Wire

/// Fields that pass, grouped by name in the order of their first appearance. Its memory is used
/// again.
struct HeaderGroups {
    private struct Entry {
        var field: HeaderField
        var style: HeaderStyle
        /// The next entry of the same name; -1 ends.
        var next: Int32 = -1
        /// The last entry of the chain; kept in the first one.
        var last: Int32
        var isFirst: Bool
    }

    private var entries: [Entry] = []
    /// The number of an entry plus one; 0 is free. At least twice as many slots as fields.
    private var slots: [Int32] = []
    private let seed: UInt64

    init() {
        var source = Randomness()
        seed = source.next()
    }

    /// Empties it and makes room for `count` fields.
    mutating func reset(forCount count: Int) {
        entries.removeAll(keepingCapacity: true)
        var wanted = 64
        while wanted < 2 * count { wanted *= 2 }
        if slots.count == wanted {
            for index in slots.indices { slots[index] = 0 }
        } else {
            slots = [Int32](repeating: 0, count: wanted)
        }
    }

    /// Adds a field of the header block `block`.
    mutating func add(_ field: HeaderField, _ style: HeaderStyle, in block: Bytes) {
        let number = Int32(entries.count)
        var entry = Entry(field: field, style: style, last: number, isFirst: true)
        if let first = findOrInsert(block.extracting(field.name), number, in: block) {
            entry.isFirst = false
            entries[Int(entries[Int(first)].last)].next = number
            entries[Int(first)].last = number
        }
        entries.append(entry)
    }

    /// Entries in all, one for each field added.
    var count: Int { entries.count }
    /// Whether entry `index` is the first of its name.
    func isFirst(_ index: Int) -> Bool { entries[index].isFirst }
    func style(_ index: Int) -> HeaderStyle { entries[index].style }
    func field(_ index: Int) -> HeaderField { entries[index].field }
    /// The next entry of the same name.
    func next(_ index: Int) -> Int? {
        let next = entries[index].next
        return next < 0 ? nil : Int(next)
    }

    private mutating func findOrInsert(_ name: Bytes, _ number: Int32, in block: Bytes) -> Int32? {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: hash(name)) & mask
        while slots[index] != 0 {
            let found = slots[index] - 1
            if Self.isSame(block.extracting(entries[Int(found)].field.name), name) { return found }
            index = (index + 1) & mask
        }
        slots[index] = number + 1
        return nil
    }

    private func hash(_ name: Bytes) -> UInt64 {
        var hash = seed
        for index in 0..<name.count {
            let product = (hash ^ UInt64(name[index].asciiLowercased))
                .multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
            hash = product.high ^ product.low
        }
        return hash
    }

    private static func isSame(_ a: Bytes, _ b: Bytes) -> Bool {
        guard a.count == b.count else { return false }
        for index in 0..<a.count where a[index].asciiLowercased != b[index].asciiLowercased {
            return false
        }
        return true
    }
}
