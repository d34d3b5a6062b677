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
        /// A word with an encoded word in it, which may hold anything.
        case encoded(Range<Int>)
        /// An encoded word that is nothing but a comma: Python 3.8 to 3.12.1 encode the list's own.
        case encodedComma(Range<Int>)
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

    /// Where the next token is looked for.
    private(set) var offset = 0
    /// Up to here addresses stand without brackets, and commas are missing (`AddressEntry.split`).
    private(set) var splitEnd = 0
    private var comments = CommentSearch()
    private var areQuotesClosed = true
    private var terminator = TerminatorSearch()

    /// Continues at `offset`, where a token ended or an entry began.
    mutating func goBack(to offset: Int) { self.offset = offset }

    /// Continues at `begin`: up to where it is now addresses stand without brackets.
    mutating func split(from begin: Int) {
        splitEnd = offset
        offset = begin
    }

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
            default: return word(value, from: start)
            }
        }
        return nil
    }

    private mutating func word(_ value: Bytes, from start: Int) -> Token {
        var i = start
        var isEncoded = false
        scan: while i < value.count {
            switch value[i] {
            case 0x20, 0x09, 0x0D, 0x0A, 0x22, 0x28, 0x29, 0x2C, 0x3A, 0x3B, 0x3C, 0x3E: break scan
            case 0x5B:
                // A domain literal may hold colons: user@[IPv6:::1].
                i = i > start && value[i - 1] == 0x40 ? endOfLiteral(value, from: i) : i + 1
            case 0x3D:
                guard let place = encodedWord(value, at: i) else {
                    i += 1
                    continue
                }
                if place.isComma(value) {
                    guard i == start else { break scan }
                    offset = place.end
                    return .encodedComma(start..<offset)
                }
                isEncoded = true
                i = place.end
            default: i += 1
            }
        }
        offset = i
        return isEncoded ? .encoded(start..<i) : .word(start..<i)
    }

    /// RFC 2047 5 (3) forbids specials in an encoded word of a phrase; some mailers write them, also
    /// blanks and quotes.
    private mutating func encodedWord(_ value: Bytes, at start: Int) -> EncodedWordPlace? {
        guard start + 1 < value.count, value[start + 1] == 0x3F,
            let word = EncodedWordPlace(
                value, at: start, limit: value.count, terminator: &terminator)
        else { return nil }
        guard word.end - start > Self.looseWordBytesMax else { return word }
        for i in word.text where value[i].isWhitespace || value[i] == 0x22 { return nil }
        return word
    }

    /// A longer word, four times the longest legal one, is none if it has blanks or quotes.
    private static let looseWordBytesMax = 300

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
