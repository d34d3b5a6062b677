// The transfer encodings of mail by their labels (RFC 2045 6.1).

/// How the bytes of a leaf are encoded.
package enum TransferEncoding: Equatable, Sendable {
    /// 7bit, 8bit, binary, absent.
    case identity
    case base64
    case quotedPrintable
    case uuencode
    /// A label that nobody knows; the content is passed on untouched.
    case unknown

    /// Reads a Content-Transfer-Encoding value: the first word without case, white space and
    /// hyphens, up to a `;` or a comment. Empty is absent.
    package init(label: Bytes) {
        self = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { memory in
            var word = Region(memory)
            for index in 0..<label.count {
                let byte = label[index]
                if byte == UInt8(ascii: ";") || byte == UInt8(ascii: "(") { break }
                if byte.isWhitespace || byte == .hyphen || byte == UInt8(ascii: "\"") { continue }
                guard word.room > 0 else { break }
                word.append(byte)
            }
            return Self.named(word.bytes)
        }
    }

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
