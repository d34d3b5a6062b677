// STUB of the contract (author: wire-protocols).

/// Writes the inside of a JSON string (RFC 8259): valid UTF-8 and escapes, whatever comes in.
/// Invalid UTF-8 becomes U+FFFD and is counted. A character cut by the end of an input is kept.
package struct JSONEscaper {
    package enum LineEnds { case kept, lineFeed }
    /// Sequences replaced by U+FFFD so far.
    package var replacedCount: Int { fatalError() }
    /// - Parameter lineEnds: `.lineFeed` writes CRLF and lone CR as `\n`.
    package init(lineEnds: LineEnds = .kept) {}
    /// Returns how much of `input` was taken; less than all only when `output` is full.
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int { fatalError() }
    /// Writes what is kept at the end; false: needs more room, call again.
    package mutating func finish(into output: inout Region) -> Bool { fatalError() }
}

/// A pull reader over one whole JSON text. Strict RFC 8259, nesting at most 64.
package struct JSONReader {
    package enum Token: Equatable {
        case objectStart, objectEnd, arrayStart, arrayEnd
        /// The inside of the quotes, still escaped. In an object a key comes as `.key`.
        case key(Range<Int>)
        case string(Range<Int>)
        case number(Range<Int>)
        case bool(Bool)
        case null
        /// The text is complete; nothing but white space was behind it.
        case end
        case invalid(at: Int)
    }
    package init() {}
    /// `input` must be the same bytes at every call.
    package mutating func next(_ input: Bytes) -> Token { fatalError() }
    /// Reads past the value that comes next; its range, or nil when it is invalid.
    package mutating func skipValue(_ input: Bytes) -> Range<Int>? { fatalError() }
    /// The text of a `.string` or `.key` range, unescaped.
    package static func unescaped(_ input: Bytes, _ range: Range<Int>) -> String { fatalError() }
}

/// Base64 text passed on without being decoded: line ends removed, alphabet checked, always whole
/// quads with correct padding out. Padding in the middle makes it decode and encode from there.
package struct Base64Filter {
    /// Bytes that were not base64 and were left out.
    package var strayCount: Int { fatalError() }
    /// Bytes that the written text stands for.
    package var decodedCount: Int { fatalError() }
    package init() {}
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int { fatalError() }
    package mutating func finish(into output: inout Region) -> Bool { fatalError() }
}

/// Bytes to base64 without line ends.
package struct Base64Encoder {
    package init() {}
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int { fatalError() }
    package mutating func finish(into output: inout Region) -> Bool { fatalError() }
}

/// Base64 text to bytes, lenient (white space and strays skipped and counted).
package struct Base64Decoder {
    package var strayCount: Int { fatalError() }
    package init() {}
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int { fatalError() }
    package mutating func finish(into output: inout Region) -> Bool { fatalError() }
}
