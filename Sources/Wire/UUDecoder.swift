// Uuencoded text to bytes (POSIX uuencode, historical format).
//
// Looks for the `begin` line, decodes line by line up to `end`. Lenient: blanks cut off at the end
// of a line count as zeros, a check character behind a line is skipped, lines that are none are
// skipped and counted, and so is everything when there is no `begin`.

/// A resumable decoder; it keeps at most a group of four characters between calls.
package struct UUDecoder {
    /// Lines that are not uuencoded and were left out.
    package private(set) var irregularCount = 0

    private enum State {
        /// At the start of a line before `begin`; so many of its characters have matched.
        case beforeBegin(matched: Int)
        /// In a line before `begin` that is not it.
        case skippingFront
        /// In the rest of the `begin` line.
        case beginLine
        case lineStart
        /// In a line that still stands for so many bytes.
        case line(bytesLeft: Int)
        /// In the rest of a line.
        case lineRest
        case ended
    }

    private var state = State.beforeBegin(matched: 0)
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
            if take(input[taken]) { taken += 1 }
        }
        return taken
    }

    /// - Returns: false when more room is needed; call again with the next region.
    package mutating func finish(into output: inout Region) -> Bool {
        while writeDecoded(into: &output) {
            guard case .line(let bytesLeft) = state, bytesLeft > 0 else { return true }
            take(sextet: 0, bytesLeft)
        }
        return false
    }

    /// False: the byte has to be shown again.
    private mutating func take(_ byte: UInt8) -> Bool {
        switch state {
        case .beforeBegin(let matched): search(byte, matched)
        case .skippingFront: if byte == .lineFeed { state = .beforeBegin(matched: 0) }
        case .beginLine: if byte == .lineFeed { state = .lineStart }
        case .lineStart: startLine(byte)
        case .line(let bytesLeft):
            if byte == .lineFeed || byte == .carriageReturn {
                take(sextet: 0, bytesLeft)
                return false
            }
            take(sextet: byte &- 32 & 63, bytesLeft)
        case .lineRest: if byte == .lineFeed { state = .lineStart }
        case .ended: break
        }
        return true
    }

    private mutating func search(_ byte: UInt8, _ matched: Int) {
        let begin: StaticString = "begin "
        if byte == begin.utf8Start[matched] {
            let isWhole = matched + 1 == begin.utf8CodeUnitCount
            state = isWhole ? .beginLine : .beforeBegin(matched: matched + 1)
        } else if byte == .lineFeed {
            if matched > 0 { irregularCount += 1 }
            state = .beforeBegin(matched: 0)
        } else if matched > 0 || byte != .carriageReturn {
            irregularCount += 1
            state = .skippingFront
        }
    }

    /// The first character of a line is the number of its bytes; 0 is the last line.
    private mutating func startLine(_ byte: UInt8) {
        switch byte {
        case .lineFeed, .carriageReturn: break
        case UInt8(ascii: "e"): state = .ended
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
