// Whether content is what its transfer encoding says, by its first bytes.
//
// Some programs label what they did not encode. Content is then better passed as it stands than
// decoded to nonsense. The judge sees the front of a content once, a bounded piece; what is
// plausible stays as it is labelled. RFC 2045 6.7 and 6.8; RFC 2046 5.2.1 forbids to encode a
// message, and what says that it was is most often not.

enum ContentJudge {
    /// Bytes of a text's front that are looked at.
    static let textBytesMax = 1_024
    /// Bytes of an attached message's front: its header should be in it.
    static let messageBytesMax = MIMEBounds.preambleBytesMax

    /// How many bytes of front an answer about a leaf needs; nil when nothing is to be asked.
    static func frontBytes(of head: EntityHead) -> Int? {
        switch head.encoding {
        case .identity: nil
        case .base64 where head.media.isText: textBytesMax
        case .unknown where head.media.isText: textBytesMax
        case .base64 where head.media == .messageRFC822: textBytesMax
        case .quotedPrintable where head.media == .messageRFC822: messageBytesMax
        case .base64, .quotedPrintable, .uuencode, .unknown: nil
        }
    }

    /// Whether content that begins with `front` is encoded as the head says. Of an unknown encoding:
    /// whether it is text.
    /// - Parameter isWhole: no more follows.
    static func isAsLabelled(_ front: Bytes, _ head: EntityHead, isWhole: Bool) -> Bool {
        switch head.encoding {
        case .base64: isBase64(front, head.charset, isWhole: isWhole)
        case .quotedPrintable: isQuotedMessage(front, isWhole: isWhole)
        case .unknown: isText(front, head.charset, isWhole: isWhole)
        case .identity, .uuencode: true
        }
    }

    /// Valid in its charset, without control characters that text does not have.
    static func isText(_ front: Bytes, _ charset: Charset, isWhole: Bool) -> Bool {
        for i in front.indices where isOddControl(front[i]) { return false }
        guard charset.kind == .utf8 else { return true }
        var at = 0
        while at < front.count {
            switch UTF8Sequence.at(at, in: front) {
            case .character(let bytes): at += bytes
            case .incomplete: return !isWhole
            case .invalid: return false
            }
        }
        return true
    }

    private static func isOddControl(_ byte: UInt8) -> Bool {
        switch byte {
        case .tab, .lineFeed, .carriageReturn, 0x0C, 0x0E, 0x0F, 0x1B: false
        default: byte < 0x20 || byte == 0x7F
        }
    }
}

// MARK: - Base64

extension ContentJudge {
    /// What tells words from base64.
    private struct Tally {
        var letters = 0
        var strays = 0
        /// Blanks between two words of a line.
        var gaps = 0
        /// A word is longer than words are.
        var hasLongWord = false

        private static let wordLettersMax = 40

        init(_ text: Bytes) {
            var word = 0
            var isAfterBlank = false
            for i in text.indices {
                if text[i].isBlank {
                    isAfterBlank = isAfterBlank || word > 0
                    word = 0
                } else if text[i].isWhitespace {
                    isAfterBlank = false
                    word = 0
                } else {
                    if isAfterBlank { gaps += 1 }
                    isAfterBlank = false
                    word += 1
                    if word > Self.wordLettersMax { hasLongWord = true }
                    if text[i].base64Value != nil {
                        letters += 1
                    } else if text[i] != .equalsSign {
                        strays += 1
                    }
                }
            }
        }
    }

    /// Base64 has long lines, no blanks between words and no other characters. Where it has, it is
    /// damaged, and what it decodes to is text all the same.
    static func isBase64(_ front: Bytes, _ charset: Charset, isWhole: Bool) -> Bool {
        let own = front.extracting(0..<endOfBase64(front))
        let tally = Tally(own)
        guard tally.letters > 0 else {
            let all = Tally(front)
            return all.letters == 0 && all.strays == 0
        }
        let isPadded = own[own.count - 1] == .equalsSign
        let isAll = isWhole && own.count == front.count
        // One character is left over, which encodes nothing.
        let isOver = tally.letters % 4 == 1 && !tally.hasLongWord
        if isOver, isAll || isPadded { return false }
        if tally.strays == 0, tally.gaps == 0 {
            let isCertain = tally.hasLongWord || (isPadded && tally.letters % 4 >= 2)
            return isCertain || charset.isWide || decodes(own, isPlausible)
        }
        guard tally.strays * 3 <= tally.letters else { return false }
        return decodes(own) { decoded in
            isText(decoded, expected(charset), isWhole: isAll) || charset.isWide
        }
    }

    /// Whether it is no words that look like base64: those decode to control characters. UTF-16 with
    /// a mark may have any.
    private static func isPlausible(_ decoded: Bytes) -> Bool {
        if decoded.count > 1, decoded[0] ^ decoded[1] == 1, decoded[1] >= 0xFE { return true }
        for i in decoded.indices where decoded[i] != 0 && isOddControl(decoded[i]) { return false }
        return true
    }

    /// Text without a charset, decoded, should be UTF-8.
    private static func expected(_ charset: Charset) -> Charset {
        switch charset.kind {
        case .undeclared, .usASCII: Charset(kind: .utf8)
        default: charset
        }
    }

    /// Up to the first padding, or after whole lines of base64 to the first line that is none: text
    /// may follow.
    private static func endOfBase64(_ front: Bytes) -> Int {
        var lineStart = 0
        var letters = 0
        var isClean = true
        while lineStart < front.count {
            let next = front.firstIndex(of: .lineFeed, from: lineStart).map { $0 + 1 }
            let line = front.extracting(lineStart..<(next ?? front.count))
            if let padding = line.firstIndex(of: .equalsSign) { return lineStart + padding + 1 }
            let tally = Tally(line)
            let isLineClean = tally.strays == 0 && tally.gaps == 0
            if !isLineClean, isClean, letters > 0, letters % 4 == 0 { return lineStart }
            letters += tally.letters
            isClean = isClean && isLineClean
            lineStart = next ?? front.count
        }
        return front.count
    }

    /// What `front` decodes to.
    private static func decodes(_ front: Bytes, _ isTrue: (Bytes) -> Bool) -> Bool {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: front.count + 16) { memory in
            var region = Region(memory)
            var decoder = Base64Decoder()
            _ = decoder.feed(front, into: &region)
            _ = decoder.finish(into: &region)
            return isTrue(region.bytes)
        }
    }
}

// MARK: - Attached messages

extension ContentJudge {
    /// Whether a message was really encoded a second time, around its own encodings.
    ///
    /// It was not when it has an escape that is none, or a part of its own in quoted-printable that
    /// would have such escapes after decoding.
    static func isQuotedMessage(_ front: Bytes, isWhole: Bool) -> Bool {
        guard hasOnlyEscapes(front, isWhole: isWhole) else { return false }
        let own = ownQuoted(front)
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: own.count + 16) { memory in
            var region = Region(memory)
            var decoder = QuotedPrintableDecoder()
            _ = decoder.feed(front.extracting(own), into: &region)
            return hasOnlyEscapes(region.bytes, isWhole: false)
        }
    }

    /// Whether each `=` is an escape or a soft line break.
    private static func hasOnlyEscapes(_ text: Bytes, isWhole: Bool) -> Bool {
        var search = 0
        while let sign = text.firstIndex(of: .equalsSign, from: search) {
            search = sign + 1
            guard isEscape(text, at: sign, isWhole: isWhole) else { return false }
        }
        return true
    }

    private static func isEscape(_ text: Bytes, at sign: Int, isWhole: Bool) -> Bool {
        var at = sign + 1
        // The front may end inside the escape.
        guard at < text.count else { return true }
        if text[at].hexValue != nil {
            return at + 1 < text.count ? text[at + 1].hexValue != nil : !isWhole
        }
        while at < text.count, text[at].isBlank || text[at] == .carriageReturn { at += 1 }
        return at == text.count || text[at] == .lineFeed
    }

    /// The first body that says itself that it is quoted-printable; empty when none does.
    private static func ownQuoted(_ message: Bytes) -> Range<Int> {
        var isQuoted = false
        var start: Int?
        var lineStart = 0
        while let lineFeed = message.firstIndex(of: .lineFeed, from: lineStart) {
            let line = message.extracting(lineStart..<lineFeed)
            if let start, line.startsIgnoringCase("--") { return start..<lineStart }
            lineStart = lineFeed + 1
            if isQuoted, start == nil, line.isAllWhitespace { start = lineStart }
            let label: StaticString = "content-transfer-encoding:"
            guard start == nil, line.startsIgnoringCase(label) else { continue }
            let value = line.extracting(label.utf8CodeUnitCount..<line.count)
            isQuoted = TransferEncoding(label: value) == .quotedPrintable
        }
        return (start ?? message.count)..<message.count
    }
}
