// The bytes of a character that the end of an input cut, kept for the next input. Fixed size, no
// allocation.

/// The first bytes of a character whose rest has not come yet.
struct Carry {
    /// No charset has a longer character.
    static let bytesMax = 16

    private var storage = InlineArray<16, UInt8>(repeating: 0)
    private(set) var count = 0

    var bytes: Bytes {
        @_lifetime(borrow self)
        get { storage.span.extracting(0..<count) }
    }

    mutating func append(_ byte: UInt8) {
        precondition(count < Self.bytesMax)
        storage[count] = byte
        count += 1
    }

    mutating func removeLast() {
        precondition(count > 0)
        count -= 1
    }

    /// Keeps only `rest`.
    mutating func keep(_ rest: Bytes) {
        precondition(rest.count <= Self.bytesMax)
        for i in rest.indices { storage[i] = rest[i] }
        count = rest.count
    }
}
