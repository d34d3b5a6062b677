// Uuencoded text to bytes (POSIX uuencode, historical format).
//
// Looks for the `begin` line, decodes line by line up to `end`. Lenient: missing blanks at the end
// of a line count as zeros, a check character after a line is skipped. Lines before `begin`, lines
// after `end` and invalid lines are left out and counted. A content without a `begin` line near its
// beginning is not uuencoded, whatever its label says, and passes unchanged.

/// A resumable decoder; it keeps a group of four characters between calls, and before the `begin`
/// line at most `frontBytesMax` bytes.
package struct UUDecoder {
    /// Lines that are not uuencoded and were left out; 1 for a content that passes unchanged.
    package private(set) var irregularCount = 0

    /// After this many bytes no `begin` line is expected any more.
    static let frontBytesMax = 4_096

    private enum State {
        /// At the start of a line before `begin`; this many of its characters have matched.
        case beforeBegin(matched: Int)
        /// In another line before `begin`.
        case skippingFront
        /// There is no `begin`: everything is written as it is.
        case literal
        /// In the rest of the `begin` line.
        case beginLine
        case lineStart
        /// In a line that still encodes this many bytes.
        case line(bytesLeft: Int)
        /// In the rest of a line.
        case lineRest
        /// In the rest of the `end` line, or of a line after it, which is counted.
        case ending
        /// After the `end` line, in a line that has been blank so far.
        case ended
    }

    private var state = State.beforeBegin(matched: 0)
    /// The bytes before `begin`, and how many of them are written.
    private var front: [UInt8] = []
    private var frontWritten = 0
    private var group: UInt32 = 0
    private var groupCount = 0
    /// Decoded bytes that are not written yet, the next one in the highest of the low three bytes.
    private var decoded: UInt32 = 0
    private var decodedCount = 0

    package init() {}

    /// - Returns: how much of `input` was taken; less than all only when `output` is full.
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int {
        var taken = 0
        while writeDecoded(into: &output), taken < input.count {
            if case .literal = state {
                guard writeFront(into: &output) else { break }
                return taken + output.append(input.extracting(taken..<input.count))
            }
            if take(input[taken]) { taken += 1 }
        }
        return taken
    }

    /// - Returns: false when more room is needed; call again with the next region.
    package mutating func finish(into output: inout Region) -> Bool {
        switch state {
        case .beforeBegin, .skippingFront: passLiterally()
        default: break
        }
        while writeDecoded(into: &output) {
            if case .literal = state { return writeFront(into: &output) }
            guard case .line(let bytesLeft) = state, bytesLeft > 0 else { return true }
            take(sextet: 0, bytesLeft)
        }
        return false
    }

    /// False: the same byte must be passed again.
    private mutating func take(_ byte: UInt8) -> Bool {
        switch state {
        case .beforeBegin(let matched):
            search(byte, matched)
            return keepInFront(byte)
        case .skippingFront:
            if byte == .lineFeed { state = .beforeBegin(matched: 0) }
            return keepInFront(byte)
        case .literal: return false
        case .beginLine: if byte == .lineFeed { state = .lineStart }
        case .lineStart: startLine(byte)
        case .line(let bytesLeft):
            if byte == .lineFeed || byte == .carriageReturn {
                take(sextet: 0, bytesLeft)
                return false
            }
            take(sextet: (byte &- 32) & 63, bytesLeft)
        case .lineRest: if byte == .lineFeed { state = .lineStart }
        case .ending: if byte == .lineFeed { state = .ended }
        case .ended:
            if !byte.isWhitespace {
                irregularCount += 1
                state = .ending
            }
        }
        return true
    }

    // MARK: Before the data

    /// `begin`, a blank and the first octal digit of the file's mode.
    private mutating func search(_ byte: UInt8, _ matched: Int) {
        let begin: StaticString = "begin "
        if matched == begin.utf8CodeUnitCount {
            state = 0x30...0x37 ~= byte ? .beginLine : .skippingFront
            if case .skippingFront = state { irregularCount += 1 }
        } else if byte == begin.utf8Start[matched] {
            state = .beforeBegin(matched: matched + 1)
        } else if byte == .lineFeed {
            if matched > 0 { irregularCount += 1 }
            state = .beforeBegin(matched: 0)
        } else if matched > 0 || byte != .carriageReturn {
            irregularCount += 1
            state = .skippingFront
        }
        if byte == .lineFeed, case .skippingFront = state { state = .beforeBegin(matched: 0) }
    }

    /// Forgets the front when it is over. False: there is no room for the byte, which is literal.
    private mutating func keepInFront(_ byte: UInt8) -> Bool {
        if case .beginLine = state {
            front.removeAll()
            return true
        }
        guard front.count < Self.frontBytesMax else {
            passLiterally()
            return false
        }
        front.append(byte)
        return true
    }

    private mutating func passLiterally() {
        irregularCount = front.isEmpty ? 0 : 1
        state = .literal
    }

    /// False: the region is full.
    private mutating func writeFront(into output: inout Region) -> Bool {
        let rest = front.count - frontWritten
        guard rest > 0 else { return true }
        let kept = front
        frontWritten += output.append(kept.span.extracting(frontWritten..<kept.count))
        return frontWritten == kept.count
    }

    // MARK: Data

    /// The first character of a line is the number of its bytes; 0 is the last line.
    private mutating func startLine(_ byte: UInt8) {
        switch byte {
        case .lineFeed, .carriageReturn: break
        case UInt8(ascii: "e"): state = .ending
        case 0x21...0x5F: state = .line(bytesLeft: Int(byte - 32))
        case 0x20, 0x60: state = .lineRest
        default:
            irregularCount += 1
            state = .lineRest
        }
    }

    private mutating func take(sextet: UInt8, _ bytesLeft: Int) {
        group = group << 6 | UInt32(sextet)
        groupCount += 1
        guard groupCount == 4 else { return }
        decodedCount = min(3, bytesLeft)
        decoded = group
        group = 0
        groupCount = 0
        state = bytesLeft > 3 ? .line(bytesLeft: bytesLeft - 3) : .lineRest
    }

    /// False: the region is full.
    private mutating func writeDecoded(into output: inout Region) -> Bool {
        while decodedCount > 0 {
            guard output.room > 0 else { return false }
            output.append(UInt8(truncatingIfNeeded: decoded >> 16))
            decoded <<= 8
            decodedCount -= 1
        }
        return true
    }
}
