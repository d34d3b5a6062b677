// Quoted-printable to bytes (RFC 2045 6.7).
//
// Soft breaks are removed, also with blanks after their `=`, and so are blanks at the end of a
// line. Hexadecimal digits may be of either case. A bad escape stays as it is and is counted. The
// end of the data is the end of a line, so a last `=` is a soft break. Text between escapes and
// line ends is copied in runs.

/// A resumable decoder; it keeps at most an escape or a run of blanks between calls.
package struct QuotedPrintableDecoder {
    /// Escapes that are invalid and stay as they are.
    package private(set) var irregularCount = 0

    /// A longer run of blanks is text, even at the end of a line (RFC 2045 lines have 76
    /// characters).
    private static let blanksMax = 128

    /// Bytes that came and are undecided, in this order: an `=`, a hexadecimal digit, blanks, a CR.
    private var hasEquals = false
    private var digit: UInt8 = 0
    /// One bit for each blank, the oldest the highest: 1 is a tab.
    private var blanks: UInt128 = 0
    private var blankCount = 0
    private var hasReturn = false
    /// The kept bytes are text and must be written as they are.
    private var isLiteral = false
    /// Inside a run of blanks that is over the maximum.
    private var isInLongRun = false

    package init() {}

    /// - Returns: how much of `input` was taken; less than all only when `output` is full.
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int {
        var taken = 0
        while taken < input.count {
            // A line is searched to its end, but no further than the room allows. Otherwise a long
            // line would be searched again with every region.
            let length = min(input.count - taken, Self.windowBytesMin + 4 * output.room)
            let now = feedWindow(input.extracting(taken..<taken + length), into: &output)
            taken += now
            if now < length { break }
        }
        return taken
    }

    private static let windowBytesMin = 256

    private mutating func feedWindow(_ input: Bytes, into output: inout Region) -> Int {
        var taken = 0
        var line = Line(input, from: 0)
        while true {
            if isLiteral, !writeKept(into: &output) { return taken }
            guard taken < input.count else { return taken }
            if isKeeping {
                guard decide(input[taken], &taken, into: &output) else { return taken }
            } else {
                guard output.room > 0 else { return taken }
                if taken >= line.next { line = Line(input, from: taken) }
                copyText(input, &taken, line, into: &output)
            }
        }
    }

    /// - Returns: false when more room is needed; call again with the next region.
    package mutating func finish(into output: inout Region) -> Bool {
        if !isLiteral {
            if digit != 0 {
                irregularCount += 1
            } else {
                if hasEquals { hasReturn = false }
                hasEquals = false
                blankCount = 0
            }
            isLiteral = true
        }
        return writeKept(into: &output)
    }

    private var isKeeping: Bool { hasEquals || blankCount > 0 }

    // MARK: Text

    /// A line of an input, searched once for all its escapes.
    private struct Line {
        /// Where blanks begin that may be at the end of the line; otherwise where the line ends.
        var textEnd: Int
        var lineFeed: Int?
        /// Where the next line begins.
        var next: Int

        init(_ input: Bytes, from start: Int) {
            lineFeed = input.firstIndex(of: .lineFeed, from: start)
            let lineEnd = lineFeed ?? input.count
            next = min(lineEnd + 1, input.count)
            var end = lineEnd
            if end > start, input[end - 1] == .carriageReturn { end -= 1 }
            textEnd = end
            while textEnd > start, Self.isBlank(input[textEnd - 1]) { textEnd -= 1 }
            if textEnd == end { textEnd = lineEnd }
        }

        static func isBlank(_ byte: UInt8) -> Bool { byte == .space || byte == .tab }
    }

    /// Copies the text of the line, up to an escape that needs a decision or to the line end.
    private mutating func copyText(
        _ input: Bytes, _ taken: inout Int, _ line: Line, into output: inout Region
    ) {
        if isInLongRun {
            isInLongRun = Line.isBlank(input[taken])
            if isInLongRun {
                output.append(input[taken])
                taken += 1
            }
            return
        }
        while taken < line.textEnd, output.room > 0 {
            let rest = input.extracting(taken..<line.textEnd)
            let length = rest.firstIndex(of: .equalsSign) ?? rest.count
            let copied = output.append(rest.extracting(0..<length))
            taken += copied
            guard copied == length, taken < line.textEnd else { continue }
            guard decodeEscape(input, &taken, line, into: &output) else { return }
        }
        guard output.room > 0, taken < input.count, taken < line.next else { return }
        if taken == line.textEnd, taken != line.lineFeed {
            keepBlank(input[taken])
        } else {
            output.append(input[taken])
        }
        taken += 1
    }

    /// Decodes an escape at once if it is whole in the input; otherwise keeps it. False: the line
    /// is over.
    private mutating func decodeEscape(
        _ input: Bytes, _ taken: inout Int, _ line: Line, into output: inout Region
    ) -> Bool {
        if taken + 2 < input.count {
            if let high = input[taken + 1].hexValue, let low = input[taken + 2].hexValue {
                guard output.room > 0 else { return false }
                output.append(high << 4 | low)
                taken += 3
                return true
            }
            if line.lineFeed == taken + 2, input[taken + 1] == .carriageReturn {
                taken += 3
                return false
            }
        }
        hasEquals = true
        taken += 1
        return false
    }

    // MARK: What is kept

    private mutating func keepBlank(_ byte: UInt8) {
        blanks = blanks << 1 | (byte == .tab ? 1 : 0)
        blankCount += 1
    }

    /// Takes one byte after the kept ones. False: the region is full.
    private mutating func decide(
        _ byte: UInt8, _ taken: inout Int, into output: inout Region
    ) -> Bool {
        if digit != 0 { return decideDigit(byte, &taken, into: &output) }
        if byte == .lineFeed {
            endKeptLine(&taken)
        } else if hasReturn {
            keepAsText()
        } else if Line.isBlank(byte) {
            if blankCount < Self.blanksMax {
                keepBlank(byte)
                taken += 1
            } else {
                isInLongRun = true
                keepAsText()
            }
        } else if byte == .carriageReturn {
            hasReturn = true
            taken += 1
        } else if hasEquals, blankCount == 0, byte.hexValue != nil {
            digit = byte
            taken += 1
        } else {
            keepAsText()
        }
        return true
    }

    private mutating func decideDigit(
        _ byte: UInt8, _ taken: inout Int, into output: inout Region
    ) -> Bool {
        guard let low = byte.hexValue, let high = digit.hexValue else {
            keepAsText()
            return true
        }
        guard output.room > 0 else { return false }
        output.append(high << 4 | low)
        taken += 1
        digit = 0
        hasEquals = false
        return true
    }

    /// A soft break removes its line end; blanks leave theirs.
    private mutating func endKeptLine(_ taken: inout Int) {
        blankCount = 0
        if hasEquals {
            hasEquals = false
            hasReturn = false
            taken += 1
        } else {
            isLiteral = true
        }
    }

    private mutating func keepAsText() {
        if hasEquals { irregularCount += 1 }
        isLiteral = true
    }

    /// False: the region is full.
    private mutating func writeKept(into output: inout Region) -> Bool {
        while output.room > 0 {
            if hasEquals {
                output.append(.equalsSign)
                hasEquals = false
            } else if digit != 0 {
                output.append(digit)
                digit = 0
            } else if blankCount > 0 {
                blankCount -= 1
                output.append(blanks >> UInt128(blankCount) & 1 == 1 ? .tab : .space)
            } else if hasReturn {
                output.append(.carriageReturn)
                hasReturn = false
            } else {
                break
            }
        }
        isLiteral = hasEquals || digit != 0 || blankCount > 0 || hasReturn
        return !isLiteral
    }
}
