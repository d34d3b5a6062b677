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
