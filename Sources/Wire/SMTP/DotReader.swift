// Takes the transparency dots off a message in DATA and finds its end (RFC 5321 4.5.2).
//
// Only CRLF.CRLF ends a message. A bare LF, a bare CR and every mixture of them is content,
// wherever a read cuts it. A reader that took `LF . LF` for the end would let a client smuggle a
// second message into its own (the attack of December 2023 on many servers). Content is passed as
// ranges. The scan looks only for the pair LF-dot. The last four bytes are remembered, so that a client
// that has sent `LF . LF`, and waits, can be told what is wrong.

import CEpoll.Kernels

/// What comes next in DATA. Ranges are into the input and never empty.
package enum DotVerdict: Equatable {
    /// Content, dots already taken off.
    case content(Range<Int>)
    /// A CR that ended the last input and could have been part of the end of data, but is content.
    case literalCR
    /// The input is used up.
    case needInput
    /// CRLF.CRLF seen; `next` is the offset of the first byte after it.
    case end(next: Int)
}

/// Finds the content and the end of one message after another. The CRLF of the DATA command counts
/// as the end of a line, so `.CRLF` alone is the empty message.
package struct DotReader {
    /// What the bytes read so far end with.
    private enum Place {
        /// CRLF, or nothing yet.
        case lineStart
        /// CRLF and a dot, which was taken off.
        case dot
        /// CRLF, a dot and a CR, which was not passed on.
        case dotCR
        /// A CR that was passed on.
        case cr
        case inside
    }

    private var place = Place.lineStart
    /// The last four bytes of the message, dots included; at first the end of the command line.
    private var tail: UInt32 = 0x0D0A

    package init() {}

    /// The bytes so far end in a dot on a line of its own, but without CRLF before and after it: a
    /// client that ends lines with LF may take this for the end of its message.
    package var endsInBareDot: Bool {
        // LF . CR LF; else LF . LF, whatever is before it. CRLF . CRLF is the end, and never here.
        tail == 0x0A2E_0D0A || tail & 0xFF_FFFF == 0x0A2E0A
    }

    /// The next piece of content, or the end. After `.end` the reader is ready for the next
    /// message.
    /// - Parameters:
    ///   - input: the bytes from the client that were not read yet.
    ///   - offset: where to continue in `input`; moved forward.
    package mutating func next(_ input: Bytes, _ offset: inout Int) -> DotVerdict {
        let start = offset
        let verdict = read(input, &offset)
        if case .end = verdict {
            tail = 0x0D0A
        } else {
            for at in max(start, offset - 4)..<offset { tail = tail << 8 | UInt32(input[at]) }
        }
        return verdict
    }

    private mutating func read(_ input: Bytes, _ offset: inout Int) -> DotVerdict {
        while offset < input.count {
            switch place {
            case .lineStart where input[offset] == .dot:
                place = .dot
                offset += 1
            case .dot where input[offset] == .carriageReturn:
                guard offset + 1 < input.count else {
                    place = .dotCR
                    offset += 1
                    return .needInput
                }
                guard input[offset + 1] == .lineFeed else { return content(input, &offset) }
                return end(at: offset + 1, &offset)
            case .dotCR:
                if input[offset] == .lineFeed { return end(at: offset, &offset) }
                place = .inside
                return .literalCR
            case .lineStart, .dot, .cr, .inside:
                return content(input, &offset)
            }
        }
        return .needInput
    }

    /// Content from `offset`, where no dot must be taken off, to the next dot that must, or to the
    /// end of the input.
    private mutating func content(_ input: Bytes, _ offset: inout Int) -> DotVerdict {
        let start = offset
        let startsAfterCR = place == .cr
        var from = start
        while let lineFeed = Self.firstLineFeedAndDot(input, from: from) {
            if lineFeed > start ? input[lineFeed - 1] == .carriageReturn : startsAfterCR {
                place = .dot
                offset = lineFeed + 2
                return .content(start..<lineFeed + 1)
            }
            from = lineFeed + 1
        }
        offset = input.count
        let last = input[offset - 1]
        let isAfterCR = offset - 1 > start ? input[offset - 2] == .carriageReturn : startsAfterCR
        place =
            last == .carriageReturn ? .cr : last == .lineFeed && isAfterCR ? .lineStart : .inside
        return .content(start..<offset)
    }

    private mutating func end(at lineFeed: Int, _ offset: inout Int) -> DotVerdict {
        place = .lineStart
        offset = lineFeed + 1
        return .end(next: offset)
    }

    /// Offset of the first LF with a dot after it.
    private static func firstLineFeedAndDot(_ input: Bytes, from start: Int) -> Int? {
        let found = input.withUnsafeBufferPointer { buffer in
            ck_find_pair(buffer.baseAddress! + start, buffer.count - start, .lineFeed, .dot)
        }
        return found == input.count - start ? nil : start + found
    }
}
