// Undoes format=flowed: text that was broken into lines for the way only (RFC 3676).
//
// A line that ends with a blank goes on in the next one, if both are quoted equally deep. The marks
// of a quote stay, once per line that is left; the blank that protects the start of a line goes. The
// line `-- ` before a signature is never joined. Takes and writes UTF-8. Linear time, memory of a
// fixed size; it refuses nothing.

/// A resumable transform; it keeps a few bytes between calls.
package struct FlowedText {
    private enum State {
        /// At the start of a line: its quote marks.
        case quotes
        /// After them, where one blank protects what follows (RFC 3676 4.4).
        case stuffing
        /// At the start of the line's text, of which this many bytes of `-- ` have come.
        case start(matched: Int)
        case text
    }

    /// The blank at the end of a line that goes on was put there, and goes (DelSp=yes).
    private let deletesSpaces: Bool
    private var state = State.quotes
    /// Quote marks of this line so far.
    private var depth = 0
    /// Those of the line before, when it goes on; else nil.
    private var openDepth: Int?
    /// The last byte of the line's text is a blank that is written.
    private var endsWithBlank = false
    /// The last byte of the line's text is a blank that is not written: at a line's end it goes.
    private var holdsBlank = false
    /// The last byte was a CR: an LF after it belongs to it.
    private var isAfterCR = false

    /// What is still to be written, in this order.
    private var owesLineEnd = false
    private var owedQuotes = 0
    private var spill = SpillQueue()

    package init(deletesSpaces: Bool) { self.deletesSpaces = deletesSpaces }

    /// Line ends (CRLF, LF, CR) are written as LF.
    /// - Returns: how much of `input` was taken; less than all only when `output` is full.
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int {
        var taken = 0
        while drain(into: &output), taken < input.count {
            guard output.room > 0 else { break }
            let run = textRun(input, from: taken, upTo: output.room)
            if run > 0 {
                taken += output.append(input.extracting(taken..<taken + run))
                endsWithBlank = input[taken - 1] == .space
            } else if take(input[taken]) {
                taken += 1
            }
        }
        return taken
    }

    /// Writes what is kept, at the end of the text.
    /// - Returns: false when that needs more room; call again with the next region.
    package mutating func finish(into output: inout Region) -> Bool {
        guard drain(into: &output) else { return false }
        if case .text = state {
            if holdsBlank { spill.append(.space) }
            holdsBlank = false
        } else {
            let matched = if case .start(let matched) = state { matched } else { 0 }
            if depth > 0 || matched > 0 {
                begin(matched: matched, isSignature: matched == 3, isEmpty: true)
            }
            state = .text
        }
        return drain(into: &output)
    }

    /// How many bytes from `start` on, at most `room`, are text of the line and need no look.
    private func textRun(_ input: Bytes, from start: Int, upTo room: Int) -> Int {
        guard case .text = state, !holdsBlank else { return 0 }
        let limit = min(input.count, start + room)
        var end = start
        while end < limit {
            let byte = input[end]
            if byte == .lineFeed || byte == .carriageReturn { break }
            if byte == .space, deletesSpaces { break }
            end += 1
        }
        return end - start
    }

    /// False: the same byte must be passed again.
    private mutating func take(_ byte: UInt8) -> Bool {
        if isAfterCR {
            isAfterCR = false
            if byte == .lineFeed { return true }
        }
        let isLineEnd = byte == .lineFeed || byte == .carriageReturn
        switch state {
        case .quotes:
            guard byte == UInt8(ascii: ">") else {
                state = .stuffing
                return false
            }
            depth += 1
        case .stuffing:
            state = .start(matched: 0)
            return byte == .space
        case .start(let matched):
            let mark: UInt8 = matched < 2 ? .hyphen : .space
            if matched < 3, byte == mark {
                state = .start(matched: matched + 1)
                return true
            }
            let isSignature = matched == 3 && isLineEnd
            if matched > 0 || !isLineEnd || openDepth != depth {
                begin(matched: matched, isSignature: isSignature, isEmpty: isLineEnd)
            }
            state = .text
            endsWithBlank = false
            guard isLineEnd else { return false }
            endLine(byte)
        case .text:
            if isLineEnd {
                endLine(byte)
            } else if holdsBlank {
                spill.append(.space)
                holdsBlank = false
                return false
            } else {
                // With `deletesSpaces` a blank; everything else is in `textRun`.
                holdsBlank = true
            }
        }
        return true
    }

    /// The text of a line begins: it goes on where the line before stopped, or stands on a line of
    /// its own.
    /// - Parameters:
    ///   - matched: bytes of `-- ` that it begins with.
    ///   - isEmpty: nothing comes after them.
    private mutating func begin(matched: Int, isSignature: Bool, isEmpty: Bool = false) {
        if isSignature || openDepth != depth {
            owesLineEnd = openDepth != nil
            owedQuotes = depth
            if depth > 0, matched > 0 || !isEmpty { spill.append(.space) }
        }
        openDepth = nil
        for index in 0..<matched { spill.append(index < 2 ? .hyphen : .space) }
    }

    private mutating func endLine(_ byte: UInt8) {
        if endsWithBlank || holdsBlank {
            openDepth = depth
        } else {
            openDepth = nil
            spill.append(.lineFeed)
        }
        holdsBlank = false
        endsWithBlank = false
        isAfterCR = byte == .carriageReturn
        depth = 0
        state = .quotes
    }

    /// Writes what is owed; false when the region was full before.
    private mutating func drain(into output: inout Region) -> Bool {
        if owesLineEnd {
            guard output.room > 0 else { return false }
            output.append(.lineFeed)
            owesLineEnd = false
        }
        while owedQuotes > 0 {
            guard output.room > 0 else { return false }
            output.append(UInt8(ascii: ">"))
            owedQuotes -= 1
        }
        return spill.drain(into: &output)
    }
}
