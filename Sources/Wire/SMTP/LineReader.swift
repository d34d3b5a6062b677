// Frames command lines (RFC 5321 2.3.8, 4.5.3.1.4): CRLF, or a bare LF, which is counted.
//
// A pull machine: it answers with ranges and keeps no bytes. It looks at each byte once, so a line
// that arrives byte by byte costs linear time. A line over the limit is skipped to its end in
// constant memory.

/// What a `LineReader` found.
package enum LineVerdict: Equatable {
    /// A line without its line end; `next` is the offset after the line end.
    case line(Range<Int>, next: Int)
    /// No whole line. The caller keeps the bytes from `keepFrom` on and presents them again, at the
    /// start of the next input, with more bytes after them.
    case needInput(keepFrom: Int)
    /// A line over the limit has ended; `next` is the offset after its line end.
    case tooLong(next: Int)
}

/// Finds one command line after another.
package struct LineReader {
    /// Lines so far that ended with a bare LF.
    package private(set) var bareLineFeeds = 0

    /// The latest line over the limit began with `BDAT`, so its payload may follow.
    package private(set) var isLongLineBDAT = false

    /// Bytes after the start of the line that are known to hold no LF.
    private var scannedBytes = 0

    /// Whether the line is over the limit and is being skipped.
    private var isSwallowing = false

    package init() {}

    /// The next line of `input`.
    /// - Parameters:
    ///   - offset: where the line starts, or continues when it is being skipped.
    ///   - lineBytesMax: the longest line to accept, its line end included. At most this many bytes
    ///     need to be kept between calls.
    package mutating func next(
        _ input: Bytes, from offset: Int, lineBytesMax: Int
    ) -> LineVerdict {
        precondition(offset >= 0 && offset <= input.count)
        let start = min(offset + scannedBytes, input.count)
        guard let lineFeed = input.firstIndex(of: 0x0A, from: start) else {
            return endOfInput(input, lineStart: offset, lineBytesMax: lineBytesMax)
        }
        let next = lineFeed + 1
        let isTooLong = isSwallowing || next - offset > lineBytesMax
        let wasSwallowing = isSwallowing
        scannedBytes = 0
        isSwallowing = false
        if isTooLong {
            if !wasSwallowing { noteStart(input, offset) }
            return .tooLong(next: next)
        }
        if lineFeed > offset && input[lineFeed - 1] == 0x0D {
            return .line(offset..<lineFeed - 1, next: next)
        }
        bareLineFeeds += 1
        return .line(offset..<lineFeed, next: next)
    }

    private mutating func endOfInput(
        _ input: Bytes, lineStart: Int, lineBytesMax: Int
    ) -> LineVerdict {
        scannedBytes = input.count - lineStart
        if isSwallowing || scannedBytes >= lineBytesMax {
            if !isSwallowing { noteStart(input, lineStart) }
            isSwallowing = true
            scannedBytes = 0
            return .needInput(keepFrom: input.count)
        }
        return .needInput(keepFrom: lineStart)
    }

    private mutating func noteStart(_ input: Bytes, _ lineStart: Int) {
        isLongLineBDAT = input.extracting(lineStart..<input.count).startsIgnoringCase("BDAT")
    }
}
