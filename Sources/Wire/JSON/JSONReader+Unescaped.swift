// The text that a JSON string stands for (RFC 8259 7): for short strings that are kept.

extension JSONReader {
    /// The text of a `.string` or `.key` range, unescaped. Surrogates without a partner and invalid
    /// UTF-8 become U+FFFD.
    package static func unescaped(_ input: Bytes, _ range: Range<Int>) -> String {
        let text = input.extracting(range)
        if text.firstIndex(of: UInt8(ascii: "\\")) == nil { return text.copiedText() }
        var units: [UInt8] = []
        units.reserveCapacity(range.count)
        var at = range.lowerBound
        while at < range.upperBound {
            if input[at] == UInt8(ascii: "\\") && at + 1 < range.upperBound {
                at = unescape(input, at, range.upperBound, into: &units)
            } else {
                units.append(input[at])
                at += 1
            }
        }
        return String(decoding: units, as: UTF8.self)
    }

    /// The same as UTF-8; nothing but the result is allocated where nothing is escaped.
    package static func unescapedBytes(_ input: Bytes, _ range: Range<Int>) -> [UInt8] {
        var bytes: [UInt8] = []
        unescape(input, range, into: &bytes)
        return bytes
    }

    /// The same in place of what `bytes` held, whose memory is used again.
    package static func unescape(_ input: Bytes, _ range: Range<Int>, into bytes: inout [UInt8]) {
        bytes.removeAll(keepingCapacity: true)
        let text = input.extracting(range)
        if text.firstIndex(of: UInt8(ascii: "\\")) == nil, text.isValidUTF8 {
            text.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
        } else {
            bytes.append(contentsOf: unescaped(input, range).utf8)
        }
    }

    /// Appends what the escape at `at` stands for; returns the offset behind it.
    private static func unescape(
        _ input: Bytes, _ at: Int, _ end: Int, into units: inout [UInt8]
    ) -> Int {
        switch input[at + 1] {
        case UInt8(ascii: "b"): units.append(0x08)
        case UInt8(ascii: "f"): units.append(0x0C)
        case UInt8(ascii: "n"): units.append(0x0A)
        case UInt8(ascii: "r"): units.append(0x0D)
        case UInt8(ascii: "t"): units.append(0x09)
        case UInt8(ascii: "u"):
            guard let high = codeUnit(input, at, end) else { fallthrough }
            if let low = codeUnit(input, at + 6, end), UTF16.isLeadSurrogate(high),
                UTF16.isTrailSurrogate(low)
            {
                append(0x10000 + (UInt32(high & 0x3FF) << 10 | UInt32(low & 0x3FF)), to: &units)
                return at + 12
            }
            append(UInt32(high), to: &units)
            return at + 6
        default: units.append(input[at + 1])
        }
        return at + 2
    }

    /// The four hexadecimal digits of `\uXXXX` at `at`.
    private static func codeUnit(_ input: Bytes, _ at: Int, _ end: Int) -> UInt16? {
        guard at + 6 <= end, input[at] == UInt8(ascii: "\\"), input[at + 1] == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt16 = 0
        for i in at + 2..<at + 6 {
            guard let digit = input[i].hexValue else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }

    private static func append(_ scalar: UInt32, to units: inout [UInt8]) {
        units.append(contentsOf: String(Unicode.Scalar(scalar) ?? "\u{FFFD}").utf8)
    }
}
