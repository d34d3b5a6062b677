// The fields of a header block, one per call. RFC 5322 2.2 and 4.5.
//
// Promises: linear time, no allocation, no lost field: a line that is no field is skipped and
// counted, and the next line is tried. Lines end in CRLF or LF; a lone CR is content. A parameter on
// a line that should have been indented, after a semicolon, belongs to the field.

import CEpoll.Kernels

/// One field of a header block. Ranges are into the block.
package struct HeaderField: Equatable, Sendable {
    package var id: FieldName
    package var name: Range<Int>
    /// The text after the colon, without leading white space and without the last line end, with
    /// its folding.
    package var value: Range<Int>
}

/// Walks the fields of a whole header block, with or without its blank line.
package struct HeaderScanner: Sendable {
    /// Lines skipped so far, each with its continuation lines.
    package private(set) var malformedCount = 0
    private var offset = 0

    package init() {}

    /// The next field; nil at the end of the block, at its blank line or at the end of the bytes.
    /// - Parameter block: the same bytes at every call.
    package mutating func next(_ block: Bytes) -> HeaderField? {
        while offset < block.count {
            let start = offset
            let end = endOfField(block, from: start)
            if lineEnd(block, start..<end.next) == start {
                offset = block.count
                return nil
            }
            offset = end.next
            if let field = field(block, start..<end.content) { return field }
            malformedCount += 1
        }
        return nil
    }

    /// Where the field that starts at `start` ends: without and with its last line end.
    private func endOfField(_ block: Bytes, from start: Int) -> (content: Int, next: Int) {
        var lineStart = start
        while true {
            guard let feed = block.firstIndex(of: 0x0A, from: lineStart) else {
                return (block.count, block.count)
            }
            let next = feed + 1
            let isFolded = next < block.count && (block[next] == 0x20 || block[next] == 0x09)
            let isBlank = lineEnd(block, lineStart..<next) == start
            if !isFolded || isBlank {
                let end = lineEnd(block, lineStart..<next)
                guard !isBlank, end > start, opensParameter(block, lineStart..<end, next) else {
                    return (end, next)
                }
            }
            lineStart = next
        }
    }

    /// Whether `line` ends with a semicolon and the line at `next` is a parameter.
    private func opensParameter(_ block: Bytes, _ line: Range<Int>, _ next: Int) -> Bool {
        // Most lines do not end with it.
        let last = block[max(line.lowerBound, line.upperBound - 1)]
        guard last == UInt8(ascii: ";") || last.isBlank else { return false }
        guard next < block.count, HeaderLine.endsOpen(block.extracting(line)) else { return false }
        let end = block.firstIndex(of: .lineFeed, from: next).map { $0 + 1 } ?? block.count
        return HeaderLine.isParameter(HeaderLine.withoutLineEnd(block.extracting(next..<end)))
    }

    /// The end of a line's content: before its CRLF, LF, or the end of the bytes.
    private func lineEnd(_ block: Bytes, _ line: Range<Int>) -> Int {
        var end = line.upperBound
        guard end > line.lowerBound, block[end - 1] == 0x0A else { return end }
        end -= 1
        if end > line.lowerBound, block[end - 1] == 0x0D { end -= 1 }
        return end
    }

    private func field(_ block: Bytes, _ range: Range<Int>) -> HeaderField? {
        var end =
            range.lowerBound
            + block.extracting(range).withUnsafeBufferPointer {
                ck_field_name_length($0.baseAddress, $0.count)
            }
        let name = range.lowerBound..<end
        while end < range.upperBound, block[end] == 0x20 || block[end] == 0x09 { end += 1 }
        guard !name.isEmpty, end < range.upperBound, block[end] == .colon else { return nil }
        if end + 1 < range.upperBound, block[end + 1] == UInt8(ascii: "/"),
            HeaderLine.isWebAddress(block.extracting(range), colon: end - range.lowerBound)
        {
            return nil
        }
        var start = end + 1
        while start < range.upperBound, block[start].isWhitespace { start += 1 }
        return HeaderField(
            id: FieldName(block.extracting(name)), name: name, value: start..<range.upperBound)
    }
}
