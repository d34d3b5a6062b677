// Encoded words in header text. RFC 2047, RFC 2231 5, and what mailers make of them.
//
// Promises: valid UTF-8 without CR, LF, NUL or other C0 controls, linear time, no allocation.
// Tolerated: words that touch other text or are in quoted strings, spaces and folds within a word,
// words over 75 bytes, lower-case b and q, missing base64 padding. A word of an unknown charset
// whose content is not UTF-8 stays as it is written: the reader of the delivered message may know
// the charset.

/// What decoding had to change; summed into the metrics.
package struct DecodeLosses: Equatable, Sendable {
    package var replacedCharacters = 0
    package var unknownCharsets = 0
    package var truncated = 0
    /// Entries of an address list without an addr-spec.
    package var malformedAddresses = 0
    /// Addresses that were found inside encoded words, where no address may be.
    package var encodedAddresses = 0
    package init() {}
}

/// Decodes RFC 2047 in unstructured text: unfolds, joins adjacent encoded words, reads undeclared
/// 8-bit text word by word as UTF-8 or else windows-1252.
package enum EncodedWord {
    /// - Parameters:
    ///   - value: a whole field value, with its folding.
    ///   - output: has room for 4 × `value.count` + 64 bytes; beyond its room the text is cut
    ///     between characters and counted.
    package static func decode(
        _ value: Bytes, charsets: CharsetCache, into output: inout Region,
        losses: inout DecodeLosses
    ) {
        var text = EncodedText(charsets, output)
        text.write(value, 0..<value.count, into: &output, &losses)
        text.finish(into: &output, &losses)
    }
}

extension EncodedWord {
    /// The same in an array of its own, for the few values that are read again after decoding.
    static func decoded(
        _ value: Bytes, charsets: CharsetCache, losses: inout DecodeLosses
    ) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 4 * value.count + 64) { memory, count in
            var region = Region(memory)
            decode(value, charsets: charsets, into: &region, losses: &losses)
            count = region.count
        }
    }
}

/// Where the parts of an encoded word are: `=?charset*language?encoding?text?=`.
struct EncodedWordPlace {
    enum Encoding { case base64, quoted }

    /// No charset has a longer name.
    private static let charsetBytesMax = 64

    var charset: Range<Int>
    var encoding: Encoding
    var text: Range<Int>
    /// The offset after the closing `?=`.
    var end: Int

    /// The word that begins at `start`; nil when there is none. `terminator` tells where the next
    /// `?=` is. It is asked once per word, so unclosed words do not make the search quadratic.
    init?(_ bytes: Bytes, at start: Int, limit: Int, terminator: inout TerminatorSearch) {
        let head = start + 2
        guard head <= limit, bytes[start] == 0x3D, bytes[start + 1] == 0x3F else { return nil }
        var i = head
        var language: Int?
        while i < limit, i - head <= Self.charsetBytesMax, bytes[i] != 0x3F {
            if bytes[i].isWhitespace { return nil }
            if bytes[i] == 0x2A, language == nil { language = i }
            i += 1
        }
        guard i + 2 < limit, bytes[i] == 0x3F, bytes[i + 2] == 0x3F else { return nil }
        switch bytes[i + 1].asciiLowercased {
        case 0x62: encoding = .base64
        case 0x71: encoding = .quoted
        default: return nil
        }
        charset = head..<(language ?? i)
        guard let close = terminator.next(bytes, from: i + 3, limit: limit) else { return nil }
        text = i + 3..<close
        end = close + 2
        if Self.beginsWord(bytes, text) { return nil }
    }

    /// Whether the word's content is a comma and nothing else but blanks.
    func isComma(_ bytes: Bytes) -> Bool {
        guard text.count <= 16 else { return false }
        var chunk = WordChunk()
        var bits = WordBits(encoding)
        _ = bits.decode(bytes, text, into: &chunk)
        let content = chunk.bytes
        let comma = content.trimmed(0..<content.count)
        return comma.count == 1 && content[comma.lowerBound] == 0x2C
    }

    /// Whether another word begins within `text`: then this one was not closed. The `=?` that
    /// base64 padding makes with the closing `?=` does not count.
    private static func beginsWord(_ bytes: Bytes, _ text: Range<Int>) -> Bool {
        var from = text.lowerBound
        let part = bytes.extracting(0..<text.upperBound)
        while let mark = part.firstIndex(of: 0x3D, from: from), mark + 1 < text.upperBound {
            if part[mark + 1] == 0x3F { return true }
            from = mark + 1
        }
        return false
    }
}

/// Finds the `?=` that closes an encoded word; looks at no byte twice.
struct TerminatorSearch {
    /// Where the first `?=` at or after `searchedFrom` is; nil when there is none.
    private var found: Int?
    private var searchedFrom = Int.max

    /// The first `?=` in `from..<limit`, with `limit` and `bytes` the same at every call.
    mutating func next(_ bytes: Bytes, from: Int, limit: Int) -> Int? {
        if from >= searchedFrom, found.map({ $0 >= from }) ?? true { return found }
        searchedFrom = from
        found = nil
        let part = bytes.extracting(0..<limit)
        var i = from
        while let mark = part.firstIndex(of: 0x3F, from: i) {
            if mark + 1 < limit, part[mark + 1] == 0x3D {
                found = mark
                break
            }
            i = mark + 1
        }
        return found
    }
}
