// Writes the addr-spec and the display name of an entry of an address list.

enum AddressSpec {
    /// Writes the addr-spec in `range` without comments, blanks and route; false when it has no
    /// local part, no `@` or no domain. Text that is not ASCII stays UTF-8 (RFC 6532).
    static func write(
        _ value: Bytes, _ range: Range<Int>, _ charsets: CharsetCache,
        into output: inout Region, _ losses: inout DecodeLosses
    ) -> Bool {
        let begin = output.count
        let start = afterRoute(value, afterScheme(value, range))
        var decoder = CharsetDecoder(.undeclared, cache: charsets)
        var comments = CommentSearch()
        var i = start
        while i < range.upperBound {
            if value[i] == 0x28, let end = comments.end(value, from: i, limit: range.upperBound) {
                i = end
            } else if value[i] == 0x22,
                let end = AddressScanner.endOfQuoted(value, from: i, limit: range.upperBound)
            {
                writeQuoted(value, i + 1..<end - 1, &decoder, into: &output)
                i = end
            } else {
                let end = plainEnd(value, i, range.upperBound)
                feed(value.extracting(i..<end), &decoder, into: &output)
                i = max(end, i + 1)
                if end < i, !value[end].isDroppedInAddress {
                    feed(value.extracting(end..<i), &decoder, into: &output)
                }
            }
        }
        if !decoder.finish(into: &output) { losses.truncated += 1 }
        losses.replacedCharacters += decoder.replacedCount
        return isAddress(output.bytes.extracting(begin..<output.count))
    }

    /// The end of the bytes from `start` that are written as they are.
    private static func plainEnd(_ value: Bytes, _ start: Int, _ limit: Int) -> Int {
        var i = start
        while i < limit, !value[i].isDroppedInAddress, value[i] != 0x28, value[i] != 0x22 { i += 1 }
        return i
    }

    private static func feed(
        _ bytes: Bytes, _ decoder: inout CharsetDecoder, into output: inout Region
    ) {
        if !bytes.isEmpty { _ = decoder.feed(bytes, into: &output) }
    }

    /// "mailto:a@b" is a URL (RFC 6068) that some programs put between the brackets.
    private static func afterScheme(_ value: Bytes, _ range: Range<Int>) -> Range<Int> {
        let scheme: StaticString = "mailto:"
        guard value.extracting(range).startsIgnoringCase(scheme) else { return range }
        return range.lowerBound + scheme.utf8CodeUnitCount..<range.upperBound
    }

    /// RFC 5322 4.4: "@a,@b:user@host" has a route that is dropped.
    private static func afterRoute(_ value: Bytes, _ range: Range<Int>) -> Int {
        guard !range.isEmpty, value[range.lowerBound] == 0x40 else { return range.lowerBound }
        for i in range where value[i] == 0x3A { return i + 1 }
        return range.lowerBound
    }

    /// Writes a quoted string's content: without quotes if it is a dot-atom, quoted otherwise.
    private static func writeQuoted(
        _ value: Bytes, _ content: Range<Int>, _ decoder: inout CharsetDecoder,
        into output: inout Region
    ) {
        let isBare = isDotAtom(value.extracting(content))
        if !isBare { feedASCII(0x22, &decoder, into: &output) }
        var i = content.lowerBound
        while i < content.upperBound {
            if value[i] == 0x5C, i + 1 < content.upperBound { i += 1 }
            if !isBare, value[i] == 0x22 || value[i] == 0x5C {
                feedASCII(0x5C, &decoder, into: &output)
            }
            let byte = value[i]
            if byte == 0x20 || byte == 0x09 {
                feedASCII(0x20, &decoder, into: &output)
            } else if byte > 0x20 && byte != 0x7F {
                feed(value.extracting(i..<i + 1), &decoder, into: &output)
            }
            i += 1
        }
        if !isBare { feedASCII(0x22, &decoder, into: &output) }
    }

    private static func feedASCII(
        _ byte: UInt8, _ decoder: inout CharsetDecoder, into output: inout Region
    ) {
        let one: InlineArray<1, UInt8> = [byte]
        feed(one.span, &decoder, into: &output)
    }

    /// RFC 5322 3.2.3 and RFC 6532 3.2: text without dots at the ends or next to each other.
    private static func isDotAtom(_ text: Bytes) -> Bool {
        guard !text.isEmpty else { return false }
        var wasDot = true
        for i in text.indices {
            if text[i] == 0x2E {
                if wasDot { return false }
                wasDot = true
            } else {
                guard text[i].isAtext else { return false }
                wasDot = false
            }
        }
        return !wasDot
    }

    private static func isAddress(_ text: Bytes) -> Bool {
        guard let at = AddressParser.domainMark(text) else { return false }
        return at > 0 && at + 1 < text.count
    }
}

/// Where a display name is.
struct DisplayName {
    var range: Range<Int>
    /// The content of a comment, where quotes and parentheses are text, or else a phrase.
    var isComment: Bool

    /// Writes it as text: without quotes and backslashes, without comments, encoded words decoded
    /// wherever they are.
    static func write(
        _ value: Bytes, _ name: DisplayName, _ charsets: CharsetCache,
        into output: inout Region, _ losses: inout DecodeLosses
    ) {
        var text = EncodedText(charsets, output)
        let range = name.range
        let isComment = name.isComment
        var comments = CommentSearch()
        var isQuoted = false
        var start = range.lowerBound
        var i = start
        while i < range.upperBound {
            switch value[i] {
            case 0x22 where !isComment:
                text.write(value, start..<i, into: &output, &losses)
                isQuoted.toggle()
                start = i + 1
            case 0x5C where (isQuoted || isComment) && i + 1 < range.upperBound:
                text.write(value, start..<i, into: &output, &losses)
                start = i + 1
                i += 1
            case 0x28 where !isQuoted && !isComment:
                if let end = comments.end(value, from: i, limit: range.upperBound) {
                    text.write(value, start..<i, into: &output, &losses)
                    text.blank()
                    start = end
                    i = end - 1
                }
            default: break
            }
            i += 1
        }
        text.write(value, min(start, range.upperBound)..<range.upperBound, into: &output, &losses)
        text.finish(into: &output, &losses)
    }
}

extension UInt8 {
    /// Blanks, controls and brackets, which an addr-spec holds only in quotes.
    fileprivate var isDroppedInAddress: Bool {
        self <= 0x20 || self == 0x7F || self == 0x3C || self == 0x3E
    }
}
