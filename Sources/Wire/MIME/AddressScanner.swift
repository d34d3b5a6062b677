// The tokens of an address list. RFC 5322 3.2, made tolerant.
//
// Promises: every byte is looked at a bounded number of times. A quote, comment or bracket that is
// not closed is text; after one was found open, no other of its kind is searched for.

/// Walks an address list token by token.
struct AddressScanner: Sendable {
    /// Ranges are into the list.
    enum Token {
        /// A run of anything but specials and white space; dots and `@` are part of it.
        case word(Range<Int>)
        /// With its quotes.
        case quoted(Range<Int>)
        /// With its parentheses.
        case comment(Range<Int>)
        /// From `<` up to its `>`, which is not in the range.
        case angle(Range<Int>)
        /// `,` or `;`
        case separator
        /// `:`
        case groupStart
    }

    private var offset = 0
    private var comments = CommentSearch()
    private var areQuotesClosed = true

    /// Continues at `offset`, where a token ended.
    mutating func goBack(to offset: Int) { self.offset = offset }

    mutating func next(_ value: Bytes) -> Token? {
        while offset < value.count {
            let start = offset
            switch value[start] {
            case 0x20, 0x09, 0x0D, 0x0A, 0x3E:  // a stray > is ignored
                offset += 1
            case 0x2C, 0x3B:
                offset += 1
                return .separator
            case 0x3A:
                offset += 1
                return .groupStart
            case 0x22:
                if let end = endOfQuoted(value, from: start) {
                    offset = end
                    return .quoted(start..<end)
                }
                offset += 1
            case 0x28:
                if let end = comments.end(value, from: start, limit: value.count) {
                    offset = end
                    return .comment(start..<end)
                }
                offset += 1
            case 0x29: offset += 1
            case 0x3C:
                if let end = endOfAngle(value, from: start) {
                    offset = end + 1
                    return .angle(start..<end)
                }
                offset += 1
            default:
                offset = endOfWord(value, from: start)
                return .word(start..<offset)
            }
        }
        return nil
    }

    private func endOfWord(_ value: Bytes, from start: Int) -> Int {
        var i = start
        while i < value.count {
            switch value[i] {
            case 0x20, 0x09, 0x0D, 0x0A, 0x22, 0x28, 0x29, 0x2C, 0x3A, 0x3B, 0x3C, 0x3E: return i
            case 0x5B:
                // A domain literal may hold colons: user@[IPv6:::1].
                i = i > start && value[i - 1] == 0x40 ? endOfLiteral(value, from: i) : i + 1
            case 0x3D:
                // The text of an encoded word may hold commas, colons and brackets.
                i = endOfEncodedWord(value, from: i) ?? i + 1
            default: i += 1
            }
        }
        return i
    }

    /// RFC 2047 5 (3) forbids specials in an encoded word of a phrase; some mailers write them.
    private func endOfEncodedWord(_ value: Bytes, from start: Int) -> Int? {
        let limit = min(value.count, start + Self.encodedWordBytesMax)
        var terminator = TerminatorSearch()
        guard
            let word = EncodedWordPlace(value, at: start, limit: limit, terminator: &terminator)
        else { return nil }
        for i in word.text where value[i].isWhitespace || value[i] == 0x22 { return nil }
        return word.end
    }

    /// A longer word, four times the longest legal one, is not recognised.
    private static let encodedWordBytesMax = 300

    private func endOfLiteral(_ value: Bytes, from start: Int) -> Int {
        let literalBytesMax = 256
        var i = start + 1
        while i < value.count, i - start < literalBytesMax {
            switch value[i] {
            case 0x5D: return i + 1
            case 0x3A, 0x2E, 0x2D: break
            case let byte where byte.asciiLowercased &- 0x61 < 26 || byte &- 0x30 < 10: break
            default: return start + 1
            }
            i += 1
        }
        return start + 1
    }

    private mutating func endOfQuoted(_ value: Bytes, from start: Int) -> Int? {
        guard areQuotesClosed else { return nil }
        if let end = Self.endOfQuoted(value, from: start, limit: value.count) { return end }
        areQuotesClosed = false
        return nil
    }

    /// The offset after the quoted string that begins at `start`; nil when it is not closed.
    static func endOfQuoted(_ value: Bytes, from start: Int, limit: Int) -> Int? {
        var i = start + 1
        while i < limit {
            if value[i] == 0x22 { return i + 1 }
            i += value[i] == 0x5C ? 2 : 1
        }
        return nil
    }

    /// The `>` that belongs to the `<` at `start`; nil when another `<`, the end, or a comma
    /// outside a route comes first. A quoted local part may hold all of these.
    private mutating func endOfAngle(_ value: Bytes, from start: Int) -> Int? {
        var i = start + 1
        while i < value.count, value[i].isWhitespace { i += 1 }
        let isRoute = i < value.count && value[i] == 0x40
        if i < value.count, value[i] == 0x22, let end = endOfQuoted(value, from: i) { i = end }
        while i < value.count {
            if value[i] == 0x3E { return i }
            if value[i] == 0x3C || value[i] == 0x2C && !isRoute { return nil }
            i += 1
        }
        return nil
    }
}
