// Plain text to HTML that looks the same (HTML Living Standard 13.1).
//
// `&`, `<` and `>` become references; CRLF, CR and LF become `<br>`, which every mail program keeps.
// Blanks stay as they are, so the element around the text needs `white-space: pre-wrap`. A `<br>` has
// no line feed beside it: there it would be a second line end.

import Wire

/// Writes plain text as HTML; a push transform, resumable at any byte.
struct HTMLEscaper {
    /// The element around an escaped text; without characters that JSON escapes.
    static let opening: StaticString = "<div style='white-space: pre-wrap'>"
    static let closing: StaticString = "</div>"

    /// The longest replacement.
    private static let roomMin = 5

    /// The last byte was a CR: a LF belongs to it.
    private var isAfterCR = false

    /// - Returns: how much of `input` was taken; less than all only when `output` has fewer than
    ///   five bytes left.
    mutating func feed(_ input: Bytes, into output: inout Region) -> Int {
        var taken = 0
        while taken < input.count && output.room >= Self.roomMin {
            let byte = input[taken]
            taken += 1
            let isLineFeedOfCR = isAfterCR && byte == UInt8(ascii: "\n")
            isAfterCR = byte == UInt8(ascii: "\r")
            if isLineFeedOfCR { continue }
            switch byte {
            case UInt8(ascii: "\r"), UInt8(ascii: "\n"): _ = output.append("<br>")
            case UInt8(ascii: "&"): _ = output.append("&amp;")
            case UInt8(ascii: "<"): _ = output.append("&lt;")
            case UInt8(ascii: ">"): _ = output.append("&gt;")
            default: output.append(byte)
            }
        }
        return taken
    }
}
