// What a single line of a header block is, by its bytes alone (RFC 5322 2.2, 4.5.8).
//
// `HeaderBlockFinder` and `HeaderScanner` must agree on it: what one takes for a field the other
// must not take for text. Every answer looks at a line once.

enum HeaderLine {
    /// A line without its line end, CRLF or LF. A lone CR is content.
    @_lifetime(copy line)
    static func withoutLineEnd(_ line: Bytes) -> Bytes {
        var end = line.count
        guard end > 0, line[end - 1] == .lineFeed else { return line }
        end -= 1
        if end > 0, line[end - 1] == .carriageReturn { end -= 1 }
        return line.extracting(0..<end)
    }

    /// A name of printable ASCII, optional blanks, and a colon. A line that begins as a delimiter
    /// does is none, and neither is the address of a web page.
    static func isField(_ line: Bytes) -> Bool {
        guard let colon = colonOfField(line), !line.startsIgnoringCase("--") else { return false }
        return !isWebAddress(line, colon: colon)
    }

    /// Whether two slashes follow at once.
    static func isWebAddress(_ line: Bytes, colon: Int) -> Bool {
        colon + 2 < line.count && line[colon + 1] == slash && line[colon + 2] == slash
    }

    /// Whether the name of a field is one that mail has, so that a line of text is most likely
    /// none.
    static func isKnownField(_ line: Bytes) -> Bool {
        guard isField(line) else { return false }
        var end = 0
        while !line[end].isBlank, line[end] != .colon { end += 1 }
        let name = line.extracting(0..<end)
        return FieldName(name) != .other || name.startsIgnoringCase("x-")
            || name.startsIgnoringCase("list-") || name.equalsIgnoringCase("in-reply-to")
            || name.equalsIgnoringCase("references") || name.equalsIgnoringCase("importance")
            || name.equalsIgnoringCase("priority") || name.equalsIgnoringCase("precedence")
            || name.equalsIgnoringCase("authentication-results")
            || name.equalsIgnoringCase("user-agent") || name.equalsIgnoringCase("auto-submitted")
    }

    /// Whether the field is one of MIME, or an own one: no other matters in the header of a part.
    static func isFieldOfPart(_ line: Bytes) -> Bool {
        isField(line) && (line.startsIgnoringCase("content-") || line.startsIgnoringCase("x-"))
    }

    /// A field whose name may not be so: up to three words or letters beyond ASCII, and then a
    /// colon, a blank and a value.
    static func isBadlyNamed(_ line: Bytes) -> Bool {
        let limit = min(line.count, nameBytesMax)
        guard limit > 0, line[0].isAlphanumeric || line[0] >= 0x80 else { return false }
        var words = 1
        var at = 0
        while at < limit, line[at] != .colon {
            guard line[at] >= 0x80 || line[at].isAlphanumeric || isNameSign(line[at]) else {
                return false
            }
            if line[at] == .space, line[at - 1] != .space { words += 1 }
            at += 1
        }
        guard at < limit, words <= 3, at + 1 < line.count, line[at + 1].isBlank else {
            return false
        }
        return !line.extracting(at + 1..<line.count).isAllWhitespace
    }

    /// `name=value`, as a line that should have been indented.
    static func isParameter(_ line: Bytes) -> Bool {
        var at = 0
        while at < line.count, line[at].isAlphanumeric || isNameSign(line[at]), line[at] != .space {
            at += 1
        }
        guard at > 0, at <= nameBytesMax else { return false }
        while at < line.count, line[at].isBlank { at += 1 }
        return at + 1 < line.count && line[at] == .equalsSign
    }

    /// Whether a parameter must follow: the line ends with a semicolon.
    static func endsOpen(_ line: Bytes) -> Bool {
        var end = line.count
        while end > 0, line[end - 1].isBlank { end -= 1 }
        return end > 0 && line[end - 1] == semicolon
    }

    /// Nothing but semicolons and blanks.
    static func isEmptyParameter(_ line: Bytes) -> Bool {
        for i in line.indices where line[i] != semicolon && !line[i].isBlank { return false }
        return true
    }

    /// Longer names are text.
    private static let nameBytesMax = 64
    private static let slash = UInt8(ascii: "/")
    private static let semicolon = UInt8(ascii: ";")

    private static func colonOfField(_ line: Bytes) -> Int? {
        var at = 0
        while at < line.count, line[at] > 0x20, line[at] < 0x7F, line[at] != .colon { at += 1 }
        guard at > 0 else { return nil }
        while at < line.count, line[at].isBlank { at += 1 }
        return at < line.count && line[at] == .colon ? at : nil
    }

    /// Signs that names of fields and parameters have beside letters and digits.
    private static func isNameSign(_ byte: UInt8) -> Bool {
        byte == .hyphen || byte == .space || byte == UInt8(ascii: "_")
            || byte == UInt8(ascii: "*")
    }
}
