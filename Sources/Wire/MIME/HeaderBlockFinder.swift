// Finds where a header block ends and the body begins, line by line (RFC 5322 2.1).
//
// The block ends with an empty line. Where headers are broken, it decides as readers of mail do, and
// so that no text is lost:
// - Empty lines, blank lines and one line of text before the first field are left out if fields
//   follow. Blanks before the first field are left out; so is an mbox "From " line or a byte order
//   mark before a message.
// - A line of text ends the header, unless fields follow it at once: two of them in a message; in a
//   part one whose name is known is enough. Then `HeaderScanner` skips and counts the line.
// - After a line of blanks a line of text ends the header likewise.
// - A field with a bad name is a field to be dropped, unless text follows.
// - A delimiter, and any line that begins with two hyphens, is never a field.
// It keeps positions, never bytes, and looks at each byte once, however the input is cut.

/// Positions are relative to the first byte of the block.
package struct HeaderBlockFinder {
    /// Where the header and the body are.
    package struct Found: Equatable {
        package var header: Range<Int>
        package var bodyStart: Int
        /// A delimiter line is where the part should begin: there is no part.
        var isAbsent = false
        /// Text ended the header, and not an empty line.
        var isEndedByText = false
    }

    package enum Verdict: Equatable {
        case needMore
        case found(Found)
        case failed(MIMEFault.Kind, at: Int)
    }

    /// Lines of which the next ones tell whether they belong to the header.
    private struct Doubt {
        enum Kind {
            /// Before the first field.
            case front
            /// A line of blanks.
            case blanks
            /// A line of text.
            case text
            /// A field with a bad name.
            case badName
        }
        var kind: Kind
        /// Where the body begins if they do not.
        var bodyStart: Int
        /// Fields that have followed at once.
        var fields = 0
    }

    private let isMessage: Bool
    /// Where the current line begins.
    package private(set) var lineStart = 0
    /// Where the lines begin that may be left out before the first field.
    private var frontStart = 0
    /// Where the header begins: what is before it is left out.
    private var skippedBytes = 0
    private var fieldStart = 0
    /// Where the last field with its folding ends, doubtful ones not included.
    private var fieldsEnd = 0
    private var fieldCount = 0
    /// A field has come, or what may be one.
    private var hasBegun = false
    /// Before that, a line of text.
    private var hasFrontText = false
    private var doubt: Doubt?
    /// The last line ended with a semicolon.
    private var isParameterDue = false

    /// Empty and blank lines before the first field are left out up to this many bytes.
    private static let frontBytesMax = 4_096

    package init(isMessage: Bool) { self.isMessage = isMessage }

    /// Takes the line that ends at `end` (after its line feed, or at the end of data).
    package mutating func takeLine(
        _ block: Bytes, end: Int, _ boundaries: borrowing BoundaryStack
    ) -> Verdict {
        if let verdict = checkSize(block, reached: end) { return verdict }
        let line = HeaderLine.withoutLineEnd(block.extracting(lineStart..<end))
        defer { lineStart = end }
        guard hasBegun else { return takeFront(block, line, end: end, boundaries) }
        if line.isEmpty { return takeEmptyLine(end: end) }
        if line[0].isBlank { return takeFolding(line, end: end) }
        if isParameterDue, doubt == nil, HeaderLine.isParameter(line) {
            return takeFolding(line, end: end)
        }
        if HeaderLine.isField(line) { return takeField(line, end: end) }
        return takeOther(line, end: end)
    }

    /// Whether a bound is passed after `reached` bytes of the block without its end.
    package func checkSize(_ block: Bytes, reached: Int) -> Verdict? {
        let blockLimit = MIMEBounds.headerBlockBytesMax
        let start = reached > lineStart && !block[lineStart].isBlank ? lineStart : fieldStart
        let fieldLimit = start + MIMEBounds.headerBytesMax
        guard reached > min(blockLimit, fieldLimit) else { return nil }
        let isLine = start == lineStart && fieldLimit < blockLimit
        if !isLine || !HeaderLine.isField(block.extracting(lineStart..<fieldLimit)) {
            if let doubt, doubt.kind != .badName { return .found(endedByText(doubt)) }
            if isLine {
                return .found(Found(header: header, bodyStart: fieldsEnd, isEndedByText: hasBegun))
            }
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
        if let doubt {
            return .found(
                doubt.kind == .badName
                    ? wholeHeader(end: block.count) : endedByText(doubt, hasMore: false))
        }
        let isAbsent = !isMessage && block.isEmpty
        return .found(Found(header: header, bodyStart: fieldsEnd, isAbsent: isAbsent))
    }

    private var header: Range<Int> { skippedBytes..<fieldsEnd }

    private func wholeHeader(end: Int) -> Found {
        Found(header: skippedBytes..<end, bodyStart: end)
    }

    /// The doubtful lines are the beginning of the body.
    /// - Parameter hasMore: another line of text comes after them.
    private func endedByText(_ doubt: Doubt, hasMore: Bool = true) -> Found {
        let start = doubt.bodyStart
        switch doubt.kind {
        case .front: return Found(header: frontStart..<start, bodyStart: start)
        case .blanks:
            let hasText = hasMore || lineStart > start
            return Found(
                header: skippedBytes..<start, bodyStart: start, isEndedByText: hasText)
        case .text, .badName:
            return Found(header: header, bodyStart: start, isEndedByText: true)
        }
    }
}

// MARK: - Before the first field

extension HeaderBlockFinder {
    private mutating func takeFront(
        _ block: Bytes, _ line: Bytes, end: Int, _ boundaries: borrowing BoundaryStack
    ) -> Verdict {
        if line.isEmpty { return takeEmptyFront(end: end) }
        if boundaries.delimiter(line) != nil {
            let absent = Found(header: header, bodyStart: fieldsEnd, isAbsent: true)
            return .found(doubt.map { endedByText($0, hasMore: false) } ?? absent)
        }
        if isMessage, lineStart == 0, let skip = Self.leadingNoise(line, end: end) {
            frontStart = skip
            skipFront(to: skip)
            lineStart = skip
            return skip == end ? .needMore : takeLine(block, end: end, boundaries)
        }
        var indent = 0
        while indent < line.count, line[indent].isBlank { indent += 1 }
        if indent == line.count { return takeBlankFront(end: end) }
        let field = line.extracting(indent..<line.count)
        let isIndentedField = indent > 0 && !hasFrontText && isWanted(field)
        guard indent == 0 ? HeaderLine.isField(line) : isIndentedField else {
            return takeFrontText(line)
        }
        if indent > 0 { skipFront(to: lineStart + indent) }
        hasBegun = true
        return takeField(field, end: end)
    }

    /// Whether a line is a field that a header of this kind has, although something before it is
    /// wrong.
    private func isWanted(_ line: Bytes) -> Bool {
        isMessage ? HeaderLine.isField(line) : HeaderLine.isFieldOfPart(line)
    }

    private mutating func skipFront(to position: Int) {
        skippedBytes = position
        fieldStart = position
        fieldsEnd = position
    }

    private mutating func takeEmptyFront(end: Int) -> Verdict {
        guard isMessage, !hasFrontText else {
            return .found(doubt.map { endedByText($0) } ?? wholeHeader(end: end))
        }
        return leaveOut(end: end, bodyStart: end)
    }

    private mutating func takeBlankFront(end: Int) -> Verdict {
        if hasFrontText, let doubt { return .found(endedByText(doubt)) }
        return leaveOut(end: end, bodyStart: lineStart)
    }

    private mutating func leaveOut(end: Int, bodyStart: Int) -> Verdict {
        let front = doubt ?? Doubt(kind: .front, bodyStart: bodyStart)
        doubt = front
        guard end - frontStart <= Self.frontBytesMax else { return .found(endedByText(front)) }
        skipFront(to: end)
        return .needMore
    }

    /// One line of text may stand before the fields; it stays in the header, to be counted.
    private mutating func takeFrontText(_ line: Bytes) -> Verdict {
        if hasFrontText || line.startsIgnoringCase("--") {
            let body = Found(header: header, bodyStart: fieldsEnd)
            return .found(doubt.map { endedByText($0) } ?? body)
        }
        if doubt == nil { doubt = Doubt(kind: .front, bodyStart: lineStart) }
        hasFrontText = true
        fieldStart = lineStart
        return .needMore
    }

    /// The bytes of an mbox line with its line end, or of a byte order mark.
    private static func leadingNoise(_ line: Bytes, end: Int) -> Int? {
        if line.startsIgnoringCase("From ") || line.startsIgnoringCase(">From "),
            !HeaderLine.isField(line)
        {
            return end
        }
        let hasMark = line.count >= 3 && line[0] == 0xEF && line[1] == 0xBB && line[2] == 0xBF
        return hasMark ? 3 : nil
    }
}

// MARK: - After the first field

extension HeaderBlockFinder {
    private mutating func takeEmptyLine(end: Int) -> Verdict {
        switch doubt?.kind {
        case .front, .text: doubt.map { .found(endedByText($0)) } ?? .needMore
        case .blanks, .badName, nil: .found(wholeHeader(end: end))
        }
    }

    private mutating func takeFolding(_ line: Bytes, end: Int) -> Verdict {
        isParameterDue = HeaderLine.endsOpen(line)
        guard doubt == nil else { return .needMore }
        if line.isAllWhitespace {
            doubt = Doubt(kind: .blanks, bodyStart: end)
        } else {
            fieldsEnd = end
        }
        return .needMore
    }

    private mutating func takeField(_ line: Bytes, end: Int) -> Verdict {
        fieldCount += 1
        guard fieldCount <= MIMEBounds.headersMax else {
            return .failed(.tooManyHeaders, at: lineStart)
        }
        if doubt != nil, let verdict = resolveDoubt(line) { return verdict }
        fieldStart = lineStart
        isParameterDue = HeaderLine.endsOpen(line)
        if doubt == nil { fieldsEnd = end }
        return .needMore
    }

    /// A field came after doubtful lines: the doubt ends, or remains, or they are text.
    private mutating func resolveDoubt(_ field: Bytes) -> Verdict? {
        guard var open = doubt else { return nil }
        open.fields += 1
        let isHeader =
            switch open.kind {
            case .badName: true
            case .text where isMessage: open.fields >= 2
            case .front where isMessage, .blanks where isMessage:
                open.fields >= 2 || HeaderLine.isKnownField(field)
            case .front, .blanks, .text: HeaderLine.isFieldOfPart(field)
            }
        guard isHeader || isMessage else { return .found(endedByText(open)) }
        doubt = isHeader ? nil : open
        return nil
    }

    /// A line that is no field.
    private mutating func takeOther(_ line: Bytes, end: Int) -> Verdict {
        isParameterDue = false
        if line.startsIgnoringCase("--") {
            if doubt?.kind == .badName { return .found(wholeHeader(end: lineStart)) }
            let body = Found(header: header, bodyStart: fieldsEnd)
            return .found(doubt.map { endedByText($0, hasMore: false) } ?? body)
        }
        if HeaderLine.isEmptyParameter(line) {
            if doubt == nil { fieldsEnd = end }
            return .needMore
        }
        fieldStart = lineStart
        let isBadlyNamed = HeaderLine.isBadlyNamed(line)
        guard let open = doubt else {
            doubt = Doubt(kind: isBadlyNamed ? .badName : .text, bodyStart: lineStart)
            return .needMore
        }
        return isBadlyNamed && open.kind == .badName ? .needMore : .found(endedByText(open))
    }
}
