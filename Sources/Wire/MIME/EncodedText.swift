// Writes header text piece by piece: plain runs, encoded words, and the blanks between them.
//
// Shared by unstructured fields, display names and parameters. A piece is a range of bytes, so a
// quoted string can be fed without its quotes and backslashes and without a copy. White space with
// a line end becomes one space, other white space stays; between two encoded words it is dropped
// (RFC 2047 6.2). Two words of the same charset may cut a character or a group of base64 (illegal
// and common), so their decoder stays open.

/// A text that is being written into a region; `finish` must be the last call.
struct EncodedText: ~Copyable {
    private let charsets: CharsetCache
    /// A word of an unknown charset is read as windows-1252, not left as it is: in a list of
    /// addresses a reader would not know it.
    private let isName: Bool
    private let start: Int
    private var pendingBlanks = 0
    private var isAfterWord = false
    private var isTruncated = false
    private var openCharset: Charset?
    private var decoder: CharsetDecoder
    /// State of the previous word, while its decoder is open.
    private var bits = WordBits(.quoted)

    init(_ charsets: CharsetCache, _ output: borrowing Region, isName: Bool = false) {
        self.charsets = charsets
        self.isName = isName
        start = output.count
        decoder = CharsetDecoder(.undeclared, cache: charsets)
    }

    /// Writes `range` of `bytes`. A word is recognised only if it lies in one range.
    mutating func write(
        _ bytes: Bytes, _ range: Range<Int>, into output: inout Region,
        _ losses: inout DecodeLosses
    ) {
        var terminator = TerminatorSearch()
        let limit = range.upperBound
        var plainStart = range.lowerBound
        var i = plainStart
        while i < limit {
            let byte = bytes[i]
            if byte.isWhitespace {
                writePlain(bytes, plainStart..<i, into: &output, &losses)
                i = skipBlanks(bytes, from: i, limit: limit)
                plainStart = i
            } else if byte == 0x3D,
                let word = EncodedWordPlace(bytes, at: i, limit: limit, terminator: &terminator)
            {
                writePlain(bytes, plainStart..<i, into: &output, &losses)
                writeWord(bytes, word, i..<word.end, into: &output, &losses)
                i = word.end
                plainStart = i
            } else {
                i += 1
            }
        }
        writePlain(bytes, plainStart..<limit, into: &output, &losses)
    }

    /// A blank between two pieces.
    mutating func blank() { pendingBlanks = max(pendingBlanks, 1) }

    /// Writes U+FFFD for a cut character that is kept. Trailing blanks are dropped.
    mutating func finish(into output: inout Region, _ losses: inout DecodeLosses) {
        closeDecoder(into: &output, &losses)
        output.trimTrailingSpaces(from: start)
        if isTruncated { losses.truncated += 1 }
    }

    private mutating func skipBlanks(_ bytes: Bytes, from: Int, limit: Int) -> Int {
        var i = from
        var isFolded = false
        while i < limit, bytes[i].isWhitespace {
            if bytes[i] == 0x0A || bytes[i] == 0x0D { isFolded = true }
            i += 1
        }
        pendingBlanks = max(pendingBlanks, isFolded ? 1 : i - from)
        return i
    }

    private mutating func writeBlanks(into output: inout Region) {
        if output.count > start {
            let fitting = min(pendingBlanks, output.room)
            for _ in 0..<fitting { output.append(0x20) }
            if fitting < pendingBlanks { isTruncated = true }
        }
        pendingBlanks = 0
    }

    private mutating func writePlain(
        _ bytes: Bytes, _ range: Range<Int>, into output: inout Region,
        _ losses: inout DecodeLosses
    ) {
        guard !range.isEmpty else { return }
        closeDecoder(into: &output, &losses)
        guard !isTruncated else { return }
        writeBlanks(into: &output)
        isAfterWord = false
        let plain = bytes.extracting(range)
        if plain.asciiRun(from: 0) == plain.count {
            let begin = output.count
            if output.append(plain) < plain.count { isTruncated = true }
            return output.replaceControls(from: begin)
        }
        // One word is in one charset: a letter of windows-1252 and the quotation mark after it can
        // look like a character of UTF-8.
        openDecoder(
            Charset(kind: plain.isValidUTF8 ? .utf8 : .latin1AsWindows1252))
        decode(plain, into: &output)
        closeDecoder(into: &output, &losses)
    }

    private mutating func openDecoder(_ charset: Charset) {
        openCharset = charset
        decoder = CharsetDecoder(charset, cache: charsets)
    }

    private mutating func writeWord(
        _ bytes: Bytes, _ word: EncodedWordPlace, _ whole: Range<Int>,
        into output: inout Region, _ losses: inout DecodeLosses
    ) {
        var charset = Charset(label: bytes.extracting(word.charset))
        if charset.kind == .unknown, isName {
            losses.unknownCharsets += 1
            charset = .undeclared
        }
        if charset.kind == .unknown {
            return writeUnknown(bytes, word, whole, into: &output, &losses)
        }
        if !isAfterWord || openCharset != charset { closeDecoder(into: &output, &losses) }
        guard !isTruncated else { return }
        beginWord(into: &output)
        if openCharset == nil {
            openDecoder(charset)
            bits = WordBits(word.encoding)
        } else if bits.encoding == word.encoding {
            bits.beginNext(bytes, word.text)
        } else {
            bits = WordBits(word.encoding)
        }
        var i = word.text.lowerBound
        while i < word.text.upperBound && !isTruncated {
            var chunk = WordChunk()
            i = bits.decode(bytes, i..<word.text.upperBound, into: &chunk)
            decode(chunk.bytes, into: &output)
        }
    }

    private mutating func beginWord(into output: inout Region) {
        if isAfterWord { pendingBlanks = 0 } else { writeBlanks(into: &output) }
        isAfterWord = true
    }

    /// Writes the content of a word of an unknown charset if it is UTF-8, otherwise the word
    /// itself.
    private mutating func writeUnknown(
        _ bytes: Bytes, _ word: EncodedWordPlace, _ whole: Range<Int>,
        into output: inout Region, _ losses: inout DecodeLosses
    ) {
        closeDecoder(into: &output, &losses)
        guard !isTruncated else { return }
        losses.unknownCharsets += 1
        let wasAfterWord = isAfterWord
        let blanks = pendingBlanks
        let begin = output.count
        beginWord(into: &output)
        let textStart = output.count
        var bits = WordBits(word.encoding)
        var i = word.text.lowerBound
        while i < word.text.upperBound {
            var chunk = WordChunk()
            i = bits.decode(bytes, i..<word.text.upperBound, into: &chunk)
            if output.append(chunk.bytes) < chunk.bytes.count { isTruncated = true }
        }
        if output.bytes.extracting(textStart..<output.count).isValidUTF8 {
            output.replaceControls(from: textStart)
            return output.replaceWideControls(from: textStart)
        }
        output.truncate(to: begin)
        pendingBlanks = blanks
        isAfterWord = wasAfterWord
        writePlain(bytes, whole, into: &output, &losses)
    }

    /// Decodes with the open decoder, and replaces controls in what it wrote.
    private mutating func decode(_ bytes: Bytes, into output: inout Region) {
        let begin = output.count
        if decoder.feed(bytes, into: &output) < bytes.count { isTruncated = true }
        output.replaceControls(from: begin)
        output.replaceWideControls(from: begin)
    }

    private mutating func closeDecoder(
        into output: inout Region, _ losses: inout DecodeLosses
    ) {
        guard openCharset != nil else { return }
        let begin = output.count
        if !decoder.finish(into: &output) { isTruncated = true }
        output.replaceControls(from: begin)
        output.replaceWideControls(from: begin)
        losses.replacedCharacters += decoder.replacedCount
        openCharset = nil
    }
}
