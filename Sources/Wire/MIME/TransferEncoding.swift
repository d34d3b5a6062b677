// The transfer encodings of mail by their labels (RFC 2045 6.1).

/// How the bytes of a leaf are encoded.
package enum TransferEncoding: Equatable, Sendable {
    /// 7bit, 8bit, binary, absent.
    case identity
    case base64
    case quotedPrintable
    case uuencode
    /// An unknown label; the content is passed on untouched.
    case unknown

    /// Reads a Content-Transfer-Encoding value without comments, case, white space, hyphens and
    /// quotes, up to a `;`; if that is unknown, its first word. Empty means absent. The name of a
    /// charset is no encoding, and means that there is none.
    package init(label: Bytes) {
        let main = FieldParameters(label).main
        let value = label.extracting(main)
        var end = 0
        while end < value.count, !value[end].isWhitespace, value[end] != UInt8(ascii: ",") {
            end += 1
        }
        self = Self.read(label)
        if self == .unknown { self = Self.ofWord(value) }
        if self == .unknown, end < value.count { self = Self.read(value.extracting(0..<end)) }
        if self == .unknown, Charset(label: value).kind != .unknown { self = .identity }
    }

    private static func read(_ label: Bytes) -> TransferEncoding {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * labelBytesMax) { memory in
            var main = Region(UnsafeMutableBufferPointer(rebasing: memory[..<labelBytesMax]))
            FieldParameters(label).writeMain(label, into: &main)
            var word = Region(UnsafeMutableBufferPointer(rebasing: memory[labelBytesMax...]))
            for index in 0..<main.count {
                let byte = main.bytes[index]
                if byte != .hyphen, byte != UInt8(ascii: "\"") { word.append(byte) }
            }
            return named(word.bytes)
        }
    }

    /// The encoding that an encoded word names (RFC 2047 2, which forbids it here), if content cannot
    /// be read without it; else `.unknown`, so that it is counted.
    private static func ofWord(_ value: Bytes) -> TransferEncoding {
        guard value.startsIgnoringCase("=?"),
            let first = value.firstIndex(of: questionMark, from: 2),
            let second = value.firstIndex(of: questionMark, from: first + 1),
            second == first + 2,
            let end = value.firstIndex(of: questionMark, from: second + 1),
            end - second - 1 <= labelBytesMax
        else { return .unknown }
        let text = value.extracting(second + 1..<end)
        guard value[first + 1].asciiLowercased == UInt8(ascii: "b") else { return needed(text) }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: labelBytesMax) { memory in
            var region = Region(memory)
            var decoder = Base64Decoder()
            _ = decoder.feed(text, into: &region)
            _ = decoder.finish(into: &region)
            return needed(region.bytes)
        }
    }

    private static func needed(_ label: Bytes) -> TransferEncoding {
        let encoding = read(label)
        return encoding == .identity ? .unknown : encoding
    }

    private static let questionMark = UInt8(ascii: "?")

    /// Bytes of a label that are read; every known label is shorter.
    private static let labelBytesMax = 32

    private static func named(_ word: Bytes) -> TransferEncoding {
        if word.isEmpty || word.equalsIgnoringCase("7bit") || word.equalsIgnoringCase("8bit")
            || word.equalsIgnoringCase("7bits") || word.equalsIgnoringCase("8bits")
            || word.equalsIgnoringCase("binary")
        {
            return .identity
        }
        if word.equalsIgnoringCase("base64") { return .base64 }
        if word.equalsIgnoringCase("quotedprintable") { return .quotedPrintable }
        if word.equalsIgnoringCase("uuencode") || word.equalsIgnoringCase("xuuencode")
            || word.equalsIgnoringCase("xuue") || word.equalsIgnoringCase("uue")
        {
            return .uuencode
        }
        return .unknown
    }
}
