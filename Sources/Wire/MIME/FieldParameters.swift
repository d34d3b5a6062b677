// The value and the parameters of Content-Type and Content-Disposition. RFC 2045 5.1, RFC 2231.
//
// Promises: no recursion; it keeps only the place of the value; linear time, except for the sorting
// of RFC 2231 sections that are out of order. Each question scans the parameters again; a field has
// two or three questions. The first of several parameters with the same name wins, and RFC 2231
// wins over the plain form. `FieldParameterScanner` lists what is tolerated.

/// RFC 2045 5.1 and RFC 2231: "type/subtype; a=b; c*0*=…", "attachment; filename*=…".
package struct FieldParameters: Sendable {
    /// The value before the first `;` without comments and blanks around it: "text/plain",
    /// "attachment". Empty when there is none, also when the field begins with a parameter.
    package let main: Range<Int>
    /// Where the first parameter may begin.
    private let start: Int
    /// Bit n: a parameter's name has n bytes, 31 for more. Most questions are about parameters that
    /// are not there, and this answers them without a scan.
    private let nameLengths: UInt32
    /// An encoded word stands where the value or a parameter should begin: some mailers encode the
    /// whole field. Decoded, it can be read.
    let hasEncodedWords: Bool

    /// - Parameter value: the whole field value; the same bytes at every later call.
    package init(_ value: Bytes) {
        var comments = CommentSearch()
        let end = FieldParameterScanner.endOfValue(value, from: 0, &comments)
        let first = FieldParameterScanner.withoutComments(value, 0..<end)
        let hasMain = !FieldParameterScanner.isParameter(value, first)
        main = hasMain ? first : first.lowerBound..<first.lowerBound
        start = hasMain ? end : first.lowerBound
        var scanner = FieldParameterScanner(from: start)
        var lengths: UInt32 = 0
        while let parameter = scanner.next(value) {
            lengths |= 1 << UInt32(min(parameter.name.count, 31))
        }
        nameLengths = lengths
        let value = value.extracting(main)
        let mark = value.firstIndex(of: .equalsSign) ?? value.count
        let mainHasWord = mark + 1 < value.count && value[mark + 1] == 0x3F
        hasEncodedWords = mainHasWord || scanner.hasEncodedWords
    }

    /// False when there is certainly no parameter of this name; costs nothing.
    func mayHave(_ name: StaticString) -> Bool {
        nameLengths >> UInt32(min(name.utf8CodeUnitCount, 31)) & 1 != 0
    }

    /// Writes `main` in lower case, without the comments and blanks inside it, so "text / (x) plain"
    /// gives "text/plain". Bytes past `output`'s room are dropped.
    package func writeMain(_ value: Bytes, into output: inout Region) {
        var comments = CommentSearch()
        var i = main.lowerBound
        while i < main.upperBound && output.room > 0 {
            if value[i] == 0x28, let end = comments.end(value, from: i, limit: main.upperBound) {
                i = end
            } else {
                if !value[i].isWhitespace { output.append(value[i].asciiLowercased) }
                i += 1
            }
        }
    }

    /// The raw (unquoted) value of a plain parameter, for example the boundary; false when absent.
    /// Bytes past `output`'s room are dropped.
    package func raw(_ name: StaticString, _ value: Bytes, into output: inout Region) -> Bool {
        guard mayHave(name) else { return false }
        if let parameter = plain(name, value) {
            parameter.writeRaw(value, into: &output)
            return true
        }
        // RFC 2231 3 allows sections of a boundary, too.
        var sections = ParameterSections(name, value, from: start)
        guard let first = sections.take() else { return false }
        writeSection(first, value, isFirst: true, into: &output)
        while let section = sections.take() {
            writeSection(section, value, isFirst: false, into: &output)
        }
        return true
    }

    /// The decoded text of a parameter: RFC 2231 first, else plain with RFC 2047 decoding.
    ///
    /// Returns false when the parameter is absent. `output` has room for 4 × `value.count` + 64
    /// bytes; a text beyond its room is cut between characters and counted.
    package func text(
        _ name: StaticString, _ value: Bytes, charsets: CharsetCache, into output: inout Region,
        losses: inout DecodeLosses
    ) -> Bool {
        guard mayHave(name) else { return false }
        var sections = ParameterSections(name, value, from: start)
        if let first = sections.take() {
            if first.isExtended, !isEncodedWord(value, first) {
                writeExtended(first, &sections, value, charsets, into: &output, &losses)
            } else {
                writeJoined(first, &sections, value, charsets, into: &output, &losses)
            }
            return true
        }
        guard let parameter = plain(name, value) else { return false }
        var text = EncodedText(charsets, output)
        parameter.eachPiece(value) { text.write(value, $0, into: &output, &losses) }
        text.finish(into: &output, &losses)
        return true
    }

    private func plain(_ name: StaticString, _ value: Bytes) -> FieldParameter? {
        var scanner = FieldParameterScanner(from: start)
        while let parameter = scanner.next(value) {
            if parameter.section == nil && !parameter.isExtended
                && value.extracting(parameter.name).equalsIgnoringCase(name)
            {
                return parameter
            }
        }
        return nil
    }
}

// MARK: - RFC 2231

extension FieldParameters {
    /// Writes sections. The first one names the charset: `charset'language'percent-encoded`.
    private func writeExtended(
        _ first: FieldParameter, _ sections: inout ParameterSections, _ value: Bytes,
        _ charsets: CharsetCache, into output: inout Region, _ losses: inout DecodeLosses
    ) {
        let (label, textStart) = charsetPrefix(value, first.value)
        var charset = Charset.undeclared
        if !label.isEmpty {
            charset = Charset(label: value.extracting(label))
            if charset.kind == .unknown { losses.unknownCharsets += 1 }
        }
        var text = PercentText(charset, charsets, output)
        first.eachPiece(value) { piece in
            let low = max(piece.lowerBound, textStart)
            if low < piece.upperBound {
                text.write(value, low..<piece.upperBound, isEncoded: true, into: &output)
            }
        }
        while let section = sections.take() {
            section.eachPiece(value) {
                text.write(value, $0, isEncoded: section.isExtended, into: &output)
            }
        }
        text.finish(into: &output, &losses)
    }

    /// Some mailers write an encoded word where RFC 2231 wants percent-encoded text.
    private func isEncodedWord(_ value: Bytes, _ first: FieldParameter) -> Bool {
        let start = charsetPrefix(value, first.value).1
        return start + 1 < first.value.upperBound && value[start] == 0x3D
            && value[start + 1] == 0x3F
    }

    /// The label before the first of two apostrophes, and where the text after the second begins.
    /// With one apostrophe, the label before it if that is empty or known. Otherwise an empty
    /// label and the whole text.
    private func charsetPrefix(_ value: Bytes, _ range: Range<Int>) -> (Range<Int>, Int) {
        let part = value.extracting(0..<range.upperBound)
        let none = (range.lowerBound..<range.lowerBound, range.lowerBound)
        guard let first = part.firstIndex(of: 0x27, from: range.lowerBound) else { return none }
        let label = range.lowerBound..<first
        if let second = part.firstIndex(of: 0x27, from: first + 1) { return (label, second + 1) }
        let isKnown =
            label.isEmpty || Charset(label: value.extracting(label)).kind != .unknown
        return isKnown ? (label, first + 1) : none
    }

    /// Writes plain sections. Mailers that write sections like this may put an encoded word across
    /// them, so they are joined before they are decoded.
    private func writeJoined(
        _ first: FieldParameter, _ sections: inout ParameterSections, _ value: Bytes,
        _ charsets: CharsetCache, into output: inout Region, _ losses: inout DecodeLosses
    ) {
        let joined = [UInt8](unsafeUninitializedCapacity: value.count) { memory, count in
            var region = Region(memory)
            writeSection(first, value, isFirst: true, into: &region)
            while let section = sections.take() {
                writeSection(section, value, isFirst: false, into: &region)
            }
            count = region.count
        }
        EncodedWord.decode(joined.span, charsets: charsets, into: &output, losses: &losses)
    }

    /// Writes the bytes of one section, percent-decoded if it is extended, without its charset.
    private func writeSection(
        _ section: FieldParameter, _ value: Bytes, isFirst: Bool, into output: inout Region
    ) {
        let isEncoded = section.isExtended
        let start = isFirst && isEncoded ? charsetPrefix(value, section.value).1 : 0
        section.eachPiece(value) { piece in
            var i = max(piece.lowerBound, start)
            while i < piece.upperBound && output.room > 0 {
                let (byte, next) = PercentText.byte(value, i, piece.upperBound, isEncoded)
                output.append(byte)
                i = next
            }
        }
    }
}

/// Percent-decoded text on its way through a charset decoder.
private struct PercentText: ~Copyable {
    private var decoder: CharsetDecoder
    private let start: Int
    private var isTruncated = false

    init(_ charset: Charset, _ charsets: CharsetCache, _ output: borrowing Region) {
        decoder = CharsetDecoder(charset, cache: charsets)
        start = output.count
    }

    mutating func write(
        _ bytes: Bytes, _ range: Range<Int>, isEncoded: Bool, into output: inout Region
    ) {
        var i = range.lowerBound
        while i < range.upperBound {
            var chunk = WordChunk()
            while i < range.upperBound && !chunk.isFull {
                let (byte, next) = Self.byte(bytes, i, range.upperBound, isEncoded)
                chunk.append(byte)
                i = next
            }
            if decoder.feed(chunk.bytes, into: &output) < chunk.count { isTruncated = true }
        }
    }

    mutating func finish(into output: inout Region, _ losses: inout DecodeLosses) {
        if !decoder.finish(into: &output) { isTruncated = true }
        output.replaceControls(from: start)
        output.replaceWideControls(from: start)
        output.trimTrailingSpaces(from: start)
        losses.replacedCharacters += decoder.replacedCount
        if isTruncated { losses.truncated += 1 }
    }

    /// The byte at `i`, percent-decoded if it is encoded and well-formed, and the next offset.
    static func byte(
        _ bytes: Bytes, _ i: Int, _ limit: Int, _ isEncoded: Bool
    ) -> (byte: UInt8, next: Int) {
        if isEncoded, bytes[i] == 0x25, i + 2 < limit, let high = bytes[i + 1].hexValue,
            let low = bytes[i + 2].hexValue
        {
            return (high << 4 | low, i + 3)
        }
        return (bytes[i], i + 1)
    }
}
