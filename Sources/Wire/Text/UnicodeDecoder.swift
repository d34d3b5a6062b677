// UTF-7, UTF-16 and UTF-32: whole characters in runs, cut or odd ones byte by byte.
//
// iconv knows them too, but keeps their byte order or base64 state in its descriptor, which is
// shared. RFC 2152, RFC 2781, WHATWG Encoding Standard 14 (UTF-16 without a mark is little-endian).

/// The state between two bytes of a Unicode encoding form.
struct UnicodeDecoder {
    private var scheme: UnicodeScheme
    /// Bits gathered, and how many: bytes of a unit, or base64.
    private var bits: UInt32 = 0
    private var bitCount = 0
    /// A high surrogate that waits for its low one; 0 for none.
    private var high: UInt32 = 0
    private var isAtStart = true
    /// UTF-7: after a `+`, before the byte that ends its base64; and whether `+` was the last byte.
    private var isInBase64 = false
    private var isJustOpened = false

    init(_ scheme: UnicodeScheme) { self.scheme = scheme }

    /// 8-bit bytes may be UTF-8: this is 7-bit text, outside of a shift.
    var isDirectUTF7: Bool {
        if case .utf7 = scheme { return !isInBase64 }
        return false
    }

    /// A character has begun and is not complete.
    var isCut: Bool {
        if high != 0 { return true }
        if case .utf7 = scheme { return false }
        return bitCount > 0
    }

    /// Writes the whole, valid characters of `input` from `start`; returns how many bytes they
    /// have. 0: the next byte needs `take`.
    mutating func takeRun(_ input: Bytes, from start: Int, into output: inout Region) -> Int {
        switch scheme {
        case .utf16(let bigEndian, _):
            guard bitCount == 0 && high == 0 && !isAtStart else { return 0 }
            return Self.utf16Run(input, from: start, bigEndian, into: &output)
        case .utf7:
            guard !isInBase64 else { return 0 }
            // No further than there is room, and no further than the next shift: what was searched
            // is taken, so that each byte is searched once.
            let window = input.extracting(start..<min(input.count, start + output.room))
            let plus = window.firstIndex(of: 0x2B) ?? window.count
            let text = window.extracting(0..<plus)
            let taken = output.append(text.extracting(0..<text.asciiRun(from: 0)))
            if taken > 0 { isAtStart = false }
            return taken
        case .utf32: return 0
        }
    }

    private static func utf16Run(
        _ input: Bytes, from start: Int, _ bigEndian: Bool, into output: inout Region
    ) -> Int {
        var taken = 0
        input.withUnsafeBytes { bytes in
            output.withRoom { memory, room in
                func unit(_ at: Int) -> UInt32 {
                    let raw = bytes.loadUnaligned(fromByteOffset: start + at, as: UInt16.self)
                    return UInt32(bigEndian ? raw.bigEndian : raw.littleEndian)
                }
                let count = bytes.count - start
                var written = 0
                while taken + 1 < count && written + Region.characterBytesMax <= room {
                    var scalar = unit(taken)
                    var width = 2
                    if scalar & 0xF800 == 0xD800 {
                        guard scalar < 0xDC00, taken + 3 < count else { break }
                        let low = unit(taken + 2)
                        guard low & 0xFC00 == 0xDC00 else { break }
                        scalar = 0x10000 + (scalar & 0x3FF) << 10 + (low & 0x3FF)
                        width = 4
                    }
                    written += Region.store(scalar: scalar, at: memory + written)
                    taken += width
                }
                return written
            }
        }
        return taken
    }

    /// Writes at most 10 bytes. Returns how many U+FFFD are among them.
    mutating func take(_ byte: UInt8, into output: inout Region) -> Int {
        switch scheme {
        case .utf7: takeUTF7(byte, into: &output)
        case .utf16(let bigEndian, let marked):
            takeUnit(byte, 16, bigEndian, marked, into: &output)
        case .utf32(let bigEndian, let marked):
            takeUnit(byte, 32, bigEndian, marked, into: &output)
        }
    }

    private mutating func takeUnit(
        _ byte: UInt8, _ size: Int, _ bigEndian: Bool, _ marked: Bool, into output: inout Region
    ) -> Int {
        bits = bigEndian ? bits << 8 | UInt32(byte) : bits | UInt32(byte) << UInt32(bitCount)
        bitCount += 8
        guard bitCount == size else { return 0 }
        let unit = bits
        bits = 0
        bitCount = 0
        defer { isAtStart = false }
        if isAtStart {
            if unit == 0xFEFF { return 0 }
            if marked && unit == (size == 16 ? 0xFFFE : 0xFFFE_0000) {
                scheme =
                    size == 16
                    ? .utf16(bigEndian: !bigEndian, marked: false)
                    : .utf32(bigEndian: !bigEndian, marked: false)
                return 0
            }
        }
        if size == 16 { return write(unit: unit, into: &output) }
        let isScalar = unit < 0x110000 && !(0xD800..<0xE000).contains(unit)
        output.append(scalar: isScalar ? unit : 0xFFFD)
        return isScalar ? 0 : 1
    }

    /// Writes a UTF-16 code unit, joining surrogates.
    private mutating func write(unit: UInt32, into output: inout Region) -> Int {
        let waiting = high
        high = 0
        if waiting != 0 {
            if (0xDC00..<0xE000).contains(unit) {
                output.append(scalar: 0x10000 + (waiting - 0xD800) << 10 + (unit - 0xDC00))
                return 0
            }
            output.append(scalar: 0xFFFD)
        }
        var replaced = waiting != 0 ? 1 : 0
        // UTF-7 has no other place where a mark is taken off.
        if isAtStart, unit == 0xFEFF {
            isAtStart = false
            return replaced
        }
        isAtStart = false
        switch unit {
        case 0xD800..<0xDC00: high = unit
        case 0xDC00..<0xE000:
            output.append(scalar: 0xFFFD)
            replaced += 1
        default: output.append(scalar: unit)
        }
        return replaced
    }

    private mutating func takeUTF7(_ byte: UInt8, into output: inout Region) -> Int {
        guard isInBase64 else { return takeDirect(byte, into: &output) }
        let wasJustOpened = isJustOpened
        isJustOpened = false
        if let value = byte.base64Value {
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            guard bitCount >= 16 else { return 0 }
            bitCount -= 16
            let unit = bits >> UInt32(bitCount) & 0xFFFF
            bits &= (1 << UInt32(bitCount)) - 1
            return write(unit: unit, into: &output)
        }
        isInBase64 = false
        bits = 0
        bitCount = 0
        var replaced = 0
        if high != 0 {
            high = 0
            output.append(scalar: 0xFFFD)
            replaced = 1
        }
        if byte == 0x2D {
            if wasJustOpened { output.append(0x2B) }
            return replaced
        }
        return replaced + takeDirect(byte, into: &output)
    }

    private mutating func takeDirect(_ byte: UInt8, into output: inout Region) -> Int {
        if byte == 0x2B {
            isInBase64 = true
            isJustOpened = true
            return 0
        }
        isAtStart = false
        output.append(scalar: byte < 0x80 ? UInt32(byte) : 0xFFFD)
        return byte < 0x80 ? 0 : 1
    }
}
