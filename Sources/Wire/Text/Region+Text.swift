// Writing text into a region: whole UTF-8 characters or none, no control characters.
//
// Every decoder of header text and bodies writes through these, so that what it wrote is valid
// UTF-8 wherever it stops.

extension Region {
    /// Bytes that the longest UTF-8 character takes.
    static let characterBytesMax = 4

    /// Writes the UTF-8 form of a Unicode scalar value; there must be room for 4 bytes.
    mutating func append(scalar: UInt32) {
        assert(scalar < 0x110000 && !(0xD800..<0xE000).contains(scalar))
        precondition(room >= Self.characterBytesMax)
        withRoom { memory, _ in Self.store(scalar: scalar, at: memory) }
    }

    /// Writes the UTF-8 form of a Unicode scalar value to memory with room for 4 bytes; returns
    /// how many bytes it takes.
    static func store(scalar: UInt32, at memory: UnsafeMutablePointer<UInt8>) -> Int {
        switch scalar {
        case 0..<0x80:
            memory[0] = UInt8(scalar)
            return 1
        case 0x80..<0x800:
            memory[0] = UInt8(0xC0 | scalar >> 6)
            memory[1] = UInt8(0x80 | scalar & 0x3F)
            return 2
        case 0x800..<0x10000:
            memory[0] = UInt8(0xE0 | scalar >> 12)
            memory[1] = UInt8(0x80 | scalar >> 6 & 0x3F)
            memory[2] = UInt8(0x80 | scalar & 0x3F)
            return 3
        default:
            memory[0] = UInt8(0xF0 | scalar >> 18)
            memory[1] = UInt8(0x80 | scalar >> 12 & 0x3F)
            memory[2] = UInt8(0x80 | scalar >> 6 & 0x3F)
            memory[3] = UInt8(0x80 | scalar & 0x3F)
            return 4
        }
    }

    /// Turns CR, LF, NUL, tab and the other C0 controls behind offset `start` into spaces, so that
    /// decoded text can never start a header or end a line.
    mutating func replaceControls(from start: Int) {
        assert(start <= count)
        for i in start..<max(start, count) where base[i] < 0x20 { base[i] = 0x20 }
    }

    /// Takes spaces off the end, but none in front of offset `start`.
    mutating func trimTrailingSpaces(from start: Int) {
        var end = count
        while end > start, base[end - 1] == 0x20 { end -= 1 }
        truncate(to: max(end, min(start, count)))
    }
}
