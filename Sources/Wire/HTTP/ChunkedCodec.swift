// Chunked framing of HTTP/1.1 (RFC 9112 7.1): removed from the API's answers, and put around a body
// that is sent while it still arrives.
//
// The decoder is a pull machine that answers with ranges. Strict: sizes of at most fifteen digits,
// only CRLF, no control bytes. Extensions and trailers are read, bounded and dropped.

/// Removes chunked framing; trailers are read and dropped.
package struct ChunkedDecoder {
    package enum Verdict: Equatable {
        /// Content, never empty.
        case content(Range<Int>)
        case needInput
        /// The last chunk and the trailers are complete; `next` is the offset after them.
        case end(next: Int)
        /// Every later call says the same.
        case invalid(String)
    }

    /// Extensions of one chunk, and all trailers together, in bytes.
    package static let extrasBytesMax = 8_192

    private enum State {
        /// In a size, of which this many digits were read.
        case size(digits: Int)
        /// After a size, before the CR.
        case afterSize
        /// After the CR of a size.
        case sizeLineFeed
        case content
        case contentCR
        case contentLineFeed
        case trailerStart
        case trailer
        case trailerLineFeed
        case lastLineFeed
        case failed(String)
    }

    private var state = State.size(digits: 0)

    /// Bytes left of the chunk.
    private var left = 0

    /// Bytes of extensions or trailers so far.
    private var extraBytes = 0

    package init() {}

    /// The next piece of content, or the end. After `.end` the decoder must not be used again.
    /// - Parameter offset: where to continue in `input`; moved forward.
    package mutating func next(_ input: Bytes, _ offset: inout Int) -> Verdict {
        while true {
            if case .failed(let reason) = state { return .invalid(reason) }
            guard offset < input.count else { return .needInput }
            if case .content = state { return content(input, &offset) }
            let byte = input[offset]
            offset += 1
            if take(byte) { return .end(next: offset) }
        }
    }

    private mutating func content(_ input: Bytes, _ offset: inout Int) -> Verdict {
        let length = min(left, input.count - offset)
        left -= length
        if left == 0 { state = .contentCR }
        offset += length
        return .content(offset - length..<offset)
    }

    /// One byte of framing; true when it was the last one of the body.
    private mutating func take(_ byte: UInt8) -> Bool {
        switch state {
        case .size(let digits): takeSize(byte, digits)
        case .afterSize: takeExtra(byte, atCR: .sizeLineFeed)
        case .sizeLineFeed:
            expect(byte, 0x0A, left == 0 ? .trailerStart : .content)
            extraBytes = 0
        case .contentCR: expect(byte, 0x0D, .contentLineFeed)
        case .contentLineFeed: expect(byte, 0x0A, .size(digits: 0))
        case .trailerStart:
            state = byte == 0x0D ? .lastLineFeed : .trailer
            if byte != 0x0D { takeExtra(byte, atCR: .trailerLineFeed) }
        case .trailer: takeExtra(byte, atCR: .trailerLineFeed)
        case .trailerLineFeed: expect(byte, 0x0A, .trailerStart)
        case .lastLineFeed:
            expect(byte, 0x0A, .failed("read after the end"))
            return byte == 0x0A
        case .content, .failed: preconditionFailure("no byte of framing is due")
        }
        return false
    }

    private mutating func takeSize(_ byte: UInt8, _ digits: Int) {
        if let value = byte.hexValue {
            // Fifteen digits are 60 bits, which fit an `Int`.
            guard digits < 15 else { return state = .failed("chunk size too large") }
            left = left << 4 | Int(value)
            state = .size(digits: digits + 1)
        } else if digits > 0 && (byte == 0x3B || byte == 0x0D || byte.isBlank) {
            takeExtra(byte, atCR: .sizeLineFeed)
            if case .size = state { state = .afterSize }
        } else {
            state = .failed("bad chunk size")
        }
    }

    /// A byte of an extension or trailer, up to its CR.
    private mutating func takeExtra(_ byte: UInt8, atCR next: State) {
        extraBytes += 1
        if byte == 0x0D {
            state = next
        } else if byte < 0x20 && byte != 0x09 || byte == 0x7F {
            state = .failed("control byte in chunked framing")
        } else if extraBytes > Self.extrasBytesMax {
            state = .failed("chunk extension or trailer too large")
        }
    }

    private mutating func expect(_ byte: UInt8, _ expected: UInt8, _ next: State) {
        state = byte == expected ? next : .failed("bad line end in chunked framing")
    }
}

/// Puts chunked framing around content that lies in place.
package enum ChunkedEncoder {
    /// The bytes that `writeHead` needs before a chunk ("3ff8\r
    /// "), for sizes under 65,536.
    package static let headBytes = 6

    /// The bytes after the content of every chunk.
    package static let tail: StaticString = "\r\n"

    /// The last chunk, without trailers.
    package static let end: StaticString = "0\r\n\r\n"

    /// Writes "XXXX\r
    /// " (hexadecimal, four digits) at `memory`.
    /// - Parameter size: bytes of the chunk, 1 to 65,535; an empty chunk would be the last one.
    package static func writeHead(size: Int, to memory: UnsafeMutablePointer<UInt8>) {
        precondition(size > 0 && size < 65_536)
        for i in 0..<4 {
            let digit = UInt8(truncatingIfNeeded: size >> (12 - 4 * i) & 15)
            memory[i] = digit < 10 ? digit + 0x30 : digit + 0x57
        }
        memory[4] = 0x0D
        memory[5] = 0x0A
    }
}
