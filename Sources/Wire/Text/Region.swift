// Writing bytes into memory that the writer does not own.
//
// Transforms push: they write into a region until the input is used up or the region is full, and
// say how much of the input they took. The caller then passes the next region and calls again. Text
// is written in whole UTF-8 characters and without control characters, so that it is valid wherever
// it stops.

/// A part of the caller's memory that a transform fills from the front.
package struct Region: ~Copyable {
    private let base: UnsafeMutablePointer<UInt8>

    /// Bytes that fit in all.
    package let capacity: Int

    /// Bytes written so far.
    package private(set) var count: Int

    /// - Parameter memory: writable until the region is gone; the caller keeps owning it.
    package init(_ memory: UnsafeMutableBufferPointer<UInt8>) {
        precondition(memory.baseAddress != nil)
        base = memory.baseAddress!
        capacity = memory.count
        count = 0
    }

    /// Bytes that still fit.
    package var room: Int { capacity - count }

    /// Writes one byte; there must be room.
    package mutating func append(_ byte: UInt8) {
        precondition(count < capacity)
        base[count] = byte
        count &+= 1
    }

    /// Writes as much of `bytes` as fits; returns how much that was.
    @discardableResult
    package mutating func append(_ bytes: Bytes) -> Int {
        let length = min(bytes.count, room)
        bytes.withUnsafeBufferPointer { source in
            if length > 0 { (base + count).update(from: source.baseAddress!, count: length) }
        }
        count &+= length
        return length
    }

    /// Writes all of `text`, or nothing and returns false when it does not fit.
    package mutating func append(_ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard length <= room else { return false }
        text.withUTF8Buffer { source in
            if length > 0 { (base + count).update(from: source.baseAddress!, count: length) }
        }
        count &+= length
        return true
    }

    /// Lets a kernel write into the free part; `body` returns how many bytes it wrote.
    package mutating func withRoom(_ body: (UnsafeMutablePointer<UInt8>, Int) -> Int) {
        let written = body(base + count, room)
        precondition(written >= 0 && written <= room)
        count &+= written
    }

    /// Forgets the bytes after the first `length`.
    package mutating func truncate(to length: Int) {
        precondition(length >= 0 && length <= count)
        count = length
    }

    /// The bytes written so far; valid until the next write.
    package var bytes: Bytes {
        @_lifetime(borrow self)
        get {
            let span = UnsafeBufferPointer(start: UnsafePointer(base), count: count).span
            return _overrideLifetime(span, borrowing: self)
        }
    }
}

// MARK: - Text

extension Region {
    /// Bytes of the longest UTF-8 character.
    static let characterBytesMax = 4

    /// Writes the UTF-8 form of a Unicode scalar value; there must be room for 4 bytes.
    mutating func append(scalar: UInt32) {
        assert(scalar < 0x110000 && !(0xD800..<0xE000).contains(scalar))
        precondition(room >= Self.characterBytesMax)
        withRoom { memory, _ in Self.store(scalar: scalar, at: memory) }
    }

    /// Writes the UTF-8 form of a Unicode scalar value to memory with room for 4 bytes; returns how
    /// many bytes it has.
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

    /// Turns CR, LF, NUL, tab, the other C0 controls and DEL after offset `start` into spaces, so
    /// that decoded text never starts a header or ends a line.
    mutating func replaceControls(from start: Int) {
        assert(start <= count)
        for i in start..<max(start, count) where base[i] < 0x20 || base[i] == 0x7F {
            base[i] = 0x20
        }
    }

    /// Turns U+0080 to U+009F after offset `start`, where a character begins, into spaces, two each.
    mutating func replaceWideControls(from start: Int) {
        assert(start <= count)
        var i = start
        while i + 1 < count {
            if base[i] == 0xC2, base[i + 1] < 0xA0 {
                base[i] = 0x20
                base[i + 1] = 0x20
            }
            i += 1
        }
    }

    /// Takes spaces off the end, but none before offset `start`.
    mutating func trimTrailingSpaces(from start: Int) {
        var end = count
        while end > start, base[end - 1] == 0x20 { end -= 1 }
        truncate(to: max(end, min(start, count)))
    }

    /// Writes `number` in decimal; there must be room for 20 bytes or for its digits.
    package mutating func append(decimal number: Int) {
        if number < 0 { append(0x2D) }
        var divisor: UInt = 1
        while number.magnitude / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(0x30 + number.magnitude / divisor % 10))
            divisor /= 10
        }
    }
}
