// Which charset a label means.
//
// Labels are those of the WHATWG Encoding Standard plus the ones that only mail uses. A label is
// attacker-controlled: it never reaches iconv, only a name out of our own table does.

/// A charset by its label, as the WHATWG Encoding Standard names it plus mail-only ones.
package struct Charset: Equatable, Sendable {
    /// Fast paths of our own; everything else is a row of `CharsetTable.rows`.
    package enum Kind: Equatable, Sendable {
        case utf8, latin1AsWindows1252, usASCII, listed(index: Int), unknown
    }

    package var kind: Kind

    /// Needs no conversion in front of a `JSONEscaper`, which validates UTF-8 by itself. us-ascii
    /// does need one: undeclared 8-bit becomes UTF-8 there instead of U+FFFD.
    package var isPassThrough: Bool { kind == .utf8 }

    /// What a text without a charset is (RFC 2045 5.2).
    package static let undeclared = Charset(kind: .usASCII)

    package init(kind: Kind) { self.kind = kind }

    /// The charset of a label, compared without case, punctuation and blanks or quotes around it.
    /// Labels with `/` and other oddities are `.unknown`.
    package init(label: Bytes) {
        var range = label.trimmed(0..<label.count)
        while range.count >= 2, Self.isQuote(label[range.lowerBound]),
            label[range.upperBound - 1] == label[range.lowerBound]
        {
            range = label.trimmed(range.lowerBound + 1..<range.upperBound - 1)
        }
        self.init(kind: CharsetLabels.kind(of: label.extracting(range)))
    }

    private static func isQuote(_ byte: UInt8) -> Bool { byte == 0x22 || byte == 0x27 }
}
