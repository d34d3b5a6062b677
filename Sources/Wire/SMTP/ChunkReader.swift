// Counts the chunks of one message in BDAT down (RFC 3030 2).
//
// The size of a chunk alone ends it, so no byte is looked at, and no sequence of bytes can end a
// chunk or become a command. The last two bytes are remembered: they tell whether the content ends
// with a line end, as content of DATA always does.

/// What comes next in a chunk. Ranges are into the input and never empty.
package enum ChunkVerdict: Equatable {
    case content(Range<Int>)
    /// The input is used up.
    case needInput
    /// The chunk has ended.
    case end
}

/// Finds the content and the end of one chunk after another.
package struct ChunkReader {
    /// Bytes of the chunk that have not come yet.
    private var remaining = 0
    /// The content's last two bytes. Nothing yet counts as the end of a line.
    private var tail: UInt16 = 0x0D0A

    package init() {}

    /// Begins the next chunk of the message.
    /// - Parameter size: its bytes; may be 0.
    package mutating func begin(size: Int) {
        precondition(size >= 0 && remaining == 0, "the chunk before has not ended")
        remaining = size
    }

    /// All of the chunk has come: the next verdict is `end`, even without input.
    package var isOver: Bool { remaining == 0 }

    /// The content so far ends with CRLF, or is empty.
    package var endsLine: Bool { tail == 0x0D0A }

    /// The next piece of content, or the end.
    /// - Parameters:
    ///   - input: the bytes from the client that were not read yet.
    ///   - offset: where to continue in `input`; moved forward.
    package mutating func next(_ input: Bytes, _ offset: inout Int) -> ChunkVerdict {
        guard remaining > 0 else { return .end }
        let count = min(remaining, input.count - offset)
        guard count > 0 else { return .needInput }
        let range = offset..<offset + count
        remaining -= count
        offset = range.upperBound
        for at in max(range.lowerBound, offset - 2)..<offset {
            tail = tail << 8 | UInt16(input[at])
        }
        return .content(range)
    }
}
