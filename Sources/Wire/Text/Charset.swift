// Which charset a label means.
//
// Labels are those of the WHATWG Encoding Standard and those that only mail uses. A label comes
// from the sender, so it never reaches iconv; only a name from our own table does.

/// A charset by its label, as the WHATWG Encoding Standard or mail names it.
package struct Charset: Equatable, Sendable {
    /// Charsets with a fast path of our own; every other one is a row of `CharsetTable.rows`.
    package enum Kind: Equatable, Sendable {
        case utf8, latin1AsWindows1252, usASCII, listed(index: Int), unknown
        /// No label, or one that says that there is none ("unknown-8bit").
        case undeclared
    }

    package var kind: Kind

    /// Needs no conversion before a `JSONEscaper`, which validates UTF-8 itself. us-ascii needs
    /// one: there undeclared 8-bit text becomes UTF-8 instead of U+FFFD.
    package var isPassThrough: Bool { kind == .utf8 }

    /// The charset of a text without a label (RFC 2045 5.2).
    package static let undeclared = Charset(kind: .undeclared)

    /// ISO-2022-JP, which text without a label often is.
    static let iso2022JP = Charset(
        kind: .listed(index: CharsetTable.index { $0.form == .shifted(.iso2022JP) }))

    static func utf16(isBigEndian: Bool) -> Charset {
        let form = CharsetForm.unicode(.utf16(bigEndian: isBigEndian, marked: true))
        return Charset(kind: .listed(index: CharsetTable.index { $0.form == form }))
    }

    /// UTF-16 or UTF-32.
    var isWide: Bool {
        guard case .listed(let index) = kind else { return false }
        switch CharsetTable.rows[index].form {
        case .unicode(.utf16), .unicode(.utf32): return true
        default: return false
        }
    }

    /// x-user-defined.
    var isUserDefined: Bool {
        guard case .listed(let index) = kind else { return false }
        return CharsetTable.rows[index].form == .userDefined
    }

    package init(kind: Kind) { self.kind = kind }

    /// The charset of a label, compared without case, punctuation and surrounding blanks or quotes.
    /// What damaged labels have around
    /// their name is left out (`CharsetLabels`).
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
