// Finds where a header block ends and the body begins, line by line (RFC 5322 2.1).
//
// The block ends with a blank line. If that is missing, it decides as mail clients do:
// - A first line that is no field: the header is empty and the body begins with that line. An mbox
//   "From " line or a byte order mark before a message is left out.
// - Lines that are no fields right before the blank line, and a line of hyphens that is no field or
//   that is a delimiter: the body begins there, so that nothing is lost.
// - Other lines that are no fields stay in the block; `HeaderScanner` skips and counts them.
// It keeps positions, never bytes, and looks at each byte once, however the input is cut.

/// Positions are relative to the first byte of the block.
package struct HeaderBlockFinder {
    /// Where the header and the body are.
    package struct Found: Equatable {
        package var header: Range<Int>
        package var bodyStart: Int
        /// A delimiter line is where the part should begin: there is no part.
        var isAbsent = false
    }

    package enum Verdict: Equatable {
        case needMore
        case found(Found)
        case failed(MIMEFault.Kind, at: Int)
    }

    private let isMessage: Bool
    /// Where the current line begins.
    package private(set) var lineStart = 0
    /// Bytes of an mbox line before the header.
    private var skippedBytes = 0
    private var fieldStart = 0
    /// Where the last field with its folding ends.
    private var fieldsEnd = 0
    private var fieldCount = 0

    package init(isMessage: Bool) { self.isMessage = isMessage }

    /// Takes the line that ends at `end` (after its line feed, or at the end of data).
    package mutating func takeLine(
        _ block: Bytes, end: Int, _ boundaries: borrowing BoundaryStack
    ) -> Verdict {
        if let verdict = checkSize(block, reached: end) { return verdict }
        let line = Self.withoutLineEnd(block.extracting(lineStart..<end))
        defer { lineStart = end }
        if line.isEmpty { return endBlock(blankLineEnd: end) }
        let isFirst = lineStart == skippedBytes
        if !isFirst, Self.isFolding(line[0]) {
            if fieldsEnd == lineStart { fieldsEnd = end }
            return .needMore
        }
        if boundaries.delimiter(line) != nil {
            return .found(Found(header: header, bodyStart: fieldsEnd, isAbsent: isFirst))
        }
        if isFirst, isMessage, lineStart == 0, let skip = Self.leadingNoise(line, end: end) {
            return skipLeadingNoise(block, skip, end: end, boundaries)
        }
        if Self.isField(line) { return takeField(end: end) }
        if isFirst || line.startsIgnoringCase("--") { return endBlock(blankLineEnd: nil) }
        fieldStart = lineStart
        return .needMore
    }

    /// Whether a bound is passed after `reached` bytes of the block without its end.
    package func checkSize(_ block: Bytes, reached: Int) -> Verdict? {
        let blockLimit = MIMEBounds.headerBlockBytesMax
        let start =
            reached > lineStart && !Self.isFolding(block[lineStart]) ? lineStart : fieldStart
        let fieldLimit = start + MIMEBounds.headerBytesMax
        guard reached > min(blockLimit, fieldLimit) else { return nil }
        if lineStart == skippedBytes,
            !Self.isField(block.extracting(lineStart..<lineStart + MIMEBounds.headerBytesMax))
        {
            return .found(Found(header: header, bodyStart: fieldsEnd))
        }
        return fieldLimit < blockLimit
            ? .failed(.headerTooLarge, at: fieldLimit)
            : .failed(.headerBlockTooLarge, at: blockLimit)
    }

    /// The end of data: `block` is complete; its last line may have no line feed.
    package mutating func finish(_ block: Bytes, _ boundaries: borrowing BoundaryStack) -> Verdict {
        if lineStart < block.count {
            let verdict = takeLine(block, end: block.count, boundaries)
            if verdict != .needMore { return verdict }
        }
        let isAbsent = !isMessage && block.isEmpty
        return .found(Found(header: header, bodyStart: fieldsEnd, isAbsent: isAbsent))
    }

    private var header: Range<Int> { skippedBytes..<fieldsEnd }

    private func endBlock(blankLineEnd: Int?) -> Verdict {
        guard let blankLineEnd, fieldsEnd == lineStart else {
            return .found(Found(header: header, bodyStart: fieldsEnd))
        }
        return .found(Found(header: skippedBytes..<blankLineEnd, bodyStart: blankLineEnd))
    }

    private mutating func takeField(end: Int) -> Verdict {
        fieldCount += 1
        guard fieldCount <= MIMEBounds.headersMax else {
            return .failed(.tooManyHeaders, at: lineStart)
        }
        fieldStart = lineStart
        fieldsEnd = end
        return .needMore
    }

    private mutating func skipLeadingNoise(
        _ block: Bytes, _ skip: Int, end: Int, _ boundaries: borrowing BoundaryStack
    ) -> Verdict {
        skippedBytes = skip
        lineStart = skip
        fieldStart = skip
        fieldsEnd = skip
        return skip == end ? .needMore : takeLine(block, end: end, boundaries)
    }

    /// The bytes of an mbox line with its line end, or of a byte order mark.
    private static func leadingNoise(_ line: Bytes, end: Int) -> Int? {
        if line.startsIgnoringCase("From ") || line.startsIgnoringCase(">From "), !isField(line) {
            return end
        }
        let hasMark = line.count >= 3 && line[0] == 0xEF && line[1] == 0xBB && line[2] == 0xBF
        return hasMark ? 3 : nil
    }

    private static func isFolding(_ byte: UInt8) -> Bool { byte == .space || byte == .tab }

    @_lifetime(copy line)
    private static func withoutLineEnd(_ line: Bytes) -> Bytes {
        var end = line.count
        if end > 0, line[end - 1] == .lineFeed { end -= 1 }
        if end > 0, line[end - 1] == .carriageReturn { end -= 1 }
        return line.extracting(0..<end)
    }

    /// A name of printable ASCII, optional blanks, and a colon (RFC 5322 2.2 and 4.5.8).
    private static func isField(_ line: Bytes) -> Bool {
        var at = 0
        while at < line.count, line[at] > 0x20, line[at] < 0x7F, line[at] != .colon { at += 1 }
        guard at > 0 else { return false }
        while at < line.count, line[at] == .space || line[at] == .tab { at += 1 }
        return at < line.count && line[at] == .colon
    }
}
