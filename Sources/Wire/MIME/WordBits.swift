// Decodes the B and Q encodings of an encoded word. RFC 2047 4.
//
// Tolerant: stray bytes in B are skipped and padding may be missing; in Q a `=` without two
// hexadecimal digits is text, and a space is a space. A fold within a word is dropped.

/// A few decoded bytes on their way to a charset decoder.
struct WordChunk {
    static let bytesMax = 128

    private var storage = InlineArray<128, UInt8>(repeating: 0)
    private(set) var count = 0

    var bytes: Bytes {
        @_lifetime(borrow self)
        get { storage.span.extracting(0..<count) }
    }

    var isFull: Bool { count == Self.bytesMax }

    mutating func append(_ byte: UInt8) {
        storage[count] = byte
        count += 1
    }
}

/// The state of decoding a word between two chunks, and between two words that are one stream.
struct WordBits {
    let encoding: EncodedWordPlace.Encoding
    private var bits: UInt32 = 0
    private var bitCount = 0

    init(_ encoding: EncodedWordPlace.Encoding) { self.encoding = encoding }

    /// Forgets a group that the previous word left open, unless `next`, the text of the next word,
    /// continues that group.
    ///
    /// Some mailers cut base64 where a line is full, others leave the padding out: both end a word
    /// within a group of four. The group was cut if the bits that are left cannot be filling, or if
    /// only both words together make whole groups.
    mutating func beginNext(_ bytes: Bytes, _ next: Range<Int>) {
        guard bitCount > 0 else { return }
        let isFilling = bitCount < 6 && bits & (1 << UInt32(bitCount) - 1) == 0
        guard isFilling else { return }
        var letters = 0
        for i in next where bytes[i].base64Value != nil || bytes[i] == 0x3D { letters += 1 }
        // Two bits are left of three letters, four of two.
        let open = 4 - bitCount / 2
        if letters % 4 == 0 || (open + letters) % 4 != 0 { bitCount = 0 }
    }

    /// Decodes from the front of `range` until `chunk` is full; returns where it stopped.
    mutating func decode(_ bytes: Bytes, _ range: Range<Int>, into chunk: inout WordChunk) -> Int {
        var i = range.lowerBound
        while i < range.upperBound && !chunk.isFull {
            switch encoding {
            case .base64:
                takeBase64(bytes[i], into: &chunk)
                i += 1
            case .quoted: i = takeQuoted(bytes, i, range.upperBound, into: &chunk)
            }
        }
        return i
    }

    private mutating func takeBase64(_ byte: UInt8, into chunk: inout WordChunk) {
        guard let value = byte.base64Value else {
            // Padding ends a group; another may follow where words were joined.
            if byte == 0x3D { bitCount = 0 }
            return
        }
        bits = bits << 6 | UInt32(value)
        bitCount += 6
        if bitCount >= 8 {
            bitCount -= 8
            chunk.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
        }
    }

    private func takeQuoted(
        _ bytes: Bytes, _ start: Int, _ limit: Int, into chunk: inout WordChunk
    ) -> Int {
        switch bytes[start] {
        case 0x3D:
            if start + 2 < limit, let high = bytes[start + 1].hexValue,
                let low = bytes[start + 2].hexValue
            {
                chunk.append(high << 4 | low)
                return start + 3
            }
            chunk.append(0x3D)
            return start + 1
        case 0x5F:
            chunk.append(0x20)
            return start + 1
        case 0x0D, 0x0A:
            var i = start
            while i < limit, bytes[i].isWhitespace { i += 1 }
            return i
        case let byte:
            chunk.append(byte)
            return start + 1
        }
    }
}
