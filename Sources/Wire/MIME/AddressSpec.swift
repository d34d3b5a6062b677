// Writes the addr-spec and the display name of an entry of an address list.

enum AddressSpec {
    /// Writes the addr-spec in `range` without comments, blanks and route; false when it has no
    /// local part, no `@` or no domain. Text that is not ASCII stays UTF-8 (RFC 6532).
    static func write(
        _ value: Bytes, _ range: Range<Int>, _ charsets: CharsetCache,
        into output: inout Region, _ losses: inout DecodeLosses
    ) -> Bool {
        if let isWritten = writePlain(value, range, into: &output) { return isWritten }
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
        if isAddress(output.bytes.extracting(begin..<output.count)) { return true }
        output.truncate(to: begin)
        return false
    }

    /// Writes a dot-atom with its domain, as nearly all are: as it is. Nil when it is none.
    private static func writePlain(
        _ value: Bytes, _ range: Range<Int>, into output: inout Region
    ) -> Bool? {
        guard output.room >= range.count else { return nil }
        var mark: Int?
        for i in range {
            let byte = value[i]
            if byte == 0x40 {
                guard mark == nil else { return nil }
                mark = i
            } else {
                guard byte.isPlainInAddress else { return nil }
            }
        }
        guard let mark, mark > range.lowerBound, mark + 1 < range.upperBound else { return nil }
        output.append(value.extracting(range))
        return true
    }

    /// The same for an addr-spec in encoded words; false when it has none.
    static func writeEncoded(
        _ value: Bytes, _ range: Range<Int>, _ charsets: CharsetCache,
        into output: inout Region, _ losses: inout DecodeLosses
    ) -> Bool {
        guard value.extracting(range).firstIndex(of: 0x3D) != nil else { return false }
        var uncounted = DecodeLosses()
        let text = EncodedWord.decoded(
            value.extracting(range), charsets: charsets, losses: &uncounted)
        guard write(text.span, 0..<text.count, charsets, into: &output, &losses) else {
            return false
        }
        losses.encodedAddresses += 1
        return true
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
        return at > 0 && at + 1 < text.count && text.firstEncodedMark == nil
    }
}

extension Bytes {
    /// The offset of the first `=?`, with which an encoded word begins; nil when there is none.
    fileprivate var firstEncodedMark: Int? {
        var from = 0
        while let mark = firstIndex(of: 0x3D, from: from) {
            if mark + 1 < count, self[mark + 1] == 0x3F { return mark }
            from = mark + 1
        }
        return nil
    }
}

/// Where a display name is.
struct DisplayName {
    var range: Range<Int>
    /// The content of a comment, where quotes and parentheses are text, or else a phrase.
    var isComment: Bool

    /// Writes it as text: without quotes and backslashes, without comments, encoded words decoded
    /// wherever they are, without a byte order mark at its start.
    /// - Returns: where the name is in `output`.
    static func write(
        _ value: Bytes, _ name: DisplayName, _ charsets: CharsetCache,
        into output: inout Region, _ losses: inout DecodeLosses
    ) -> Range<Int> {
        let begin = output.count
        if isPlain(value, name), output.room >= name.range.count {
            output.append(value.extracting(name.range))
            return begin..<output.count
        }
        writeText(value, name, charsets, into: &output, &losses)
        if let mark = output.bytes.extracting(begin..<output.count).firstEncodedMark {
            leaveOutMarks(from: begin, firstAt: begin + mark, charsets, into: &output, &losses)
        }
        return output.bytes.withoutMark(begin..<output.count)
    }

    /// Whether it is ASCII with single blanks between words, and none of it means anything: it is
    /// written as it is.
    private static func isPlain(_ value: Bytes, _ name: DisplayName) -> Bool {
        var wasBlank = true
        for i in name.range {
            let byte = value[i]
            if byte == 0x20 {
                if wasBlank { return false }
                wasBlank = true
            } else {
                guard byte.isPlainInAddress else { return false }
                wasBlank = false
            }
        }
        return !wasBlank
    }

    /// A name that was encoded twice is decoded twice; a `=?` that is left loses its `=`.
    private static func leaveOutMarks(
        from begin: Int, firstAt mark: Int, _ charsets: CharsetCache, into output: inout Region,
        _ losses: inout DecodeLosses
    ) {
        let text = output.bytes.extracting(begin..<output.count).copied()
        output.truncate(to: begin)
        EncodedWord.decode(text.span, charsets: charsets, into: &output, losses: &losses)
        guard output.bytes.extracting(begin..<output.count).firstEncodedMark != nil else { return }
        let rest = output.bytes.extracting(begin..<output.count).copied()
        output.truncate(to: begin)
        // `==?` must not become one either.
        var isBeforeMark = false
        var isOut = [Bool](repeating: false, count: rest.count)
        for i in rest.indices.reversed() {
            isOut[i] = rest[i] == 0x3D && isBeforeMark
            isBeforeMark = rest[i] == 0x3F || isOut[i]
        }
        for i in rest.indices where !isOut[i] { output.append(rest[i]) }
    }

    private static func writeText(
        _ value: Bytes, _ name: DisplayName, _ charsets: CharsetCache,
        into output: inout Region, _ losses: inout DecodeLosses
    ) {
        var text = EncodedText(charsets, output, isName: true)
        var terminator = TerminatorSearch()
        let range = name.range
        let isComment = name.isComment
        var comments = CommentSearch()
        var isQuoted = false
        var start = range.lowerBound
        var i = start
        while i < range.upperBound {
            switch value[i] {
            case 0x3D:
                // Quotes and parentheses inside an encoded word are its text.
                let word = EncodedWordPlace(
                    value, at: i, limit: range.upperBound, terminator: &terminator)
                if let word,
                    !isQuoted || value.extracting(word.text).firstIndex(of: 0x22) == nil
                {
                    i = word.end - 1
                }
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
    /// Letters, digits and signs that are never special in a list, nor begin an encoded word.
    fileprivate var isPlainInAddress: Bool {
        switch self {
        case 0x2B, 0x2D...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: true
        default: false
        }
    }

    /// Blanks, controls and brackets, which an addr-spec holds only in quotes.
    fileprivate var isDroppedInAddress: Bool {
        self <= 0x20 || self == 0x7F || self == 0x3C || self == 0x3E
    }
}
