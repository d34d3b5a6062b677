// The parameters of a field, one per call, as they are written.
//
// Tolerated: comments, blanks around `=`, unquoted values with spaces and 8-bit bytes, quotes that
// are never closed, backslashes that quote nothing (Windows paths), text after a closing quote, and
// a missing `;` if the next parameter is recognisable: it begins a folded line, or it is a
// well-known one.

/// One parameter. Ranges are into the field value.
struct FieldParameter {
    /// Without the `*` and the text after it.
    var name: Range<Int>
    /// The number of a continued parameter's section (RFC 2231 3).
    var section: Int?
    /// Whether the value is percent-encoded (RFC 2231 4).
    var isExtended: Bool
    /// Without the quotes.
    var value: Range<Int>
    var isQuoted: Bool

    /// Calls `body` with the pieces of the value, without the backslashes of quoted pairs and line
    /// ends.
    func eachPiece(_ bytes: Bytes, _ body: (Range<Int>) -> Void) {
        var start = value.lowerBound
        var i = start
        while i < value.upperBound {
            let isEscape =
                isQuoted && bytes[i] == 0x5C && i + 1 < value.upperBound
                && FieldParameterScanner.isEscapable(bytes[i + 1])
            if isEscape || bytes[i] == 0x0D || bytes[i] == 0x0A {
                if start < i { body(start..<i) }
                start = i + 1
                if isEscape { i += 1 }
            }
            i += 1
        }
        if start < value.upperBound { body(start..<value.upperBound) }
    }

    /// Writes the value as it is; bytes past the room are dropped.
    func writeRaw(_ bytes: Bytes, into output: inout Region) {
        eachPiece(bytes) { output.append(bytes.extracting($0)) }
    }
}

/// Walks the parameters after a field's main value.
struct FieldParameterScanner {
    private var offset: Int
    private var comments = CommentSearch()
    /// An encoded word stood where a parameter should begin.
    private(set) var hasEncodedWords = false

    init(from offset: Int) { self.offset = offset }

    mutating func next(_ value: Bytes) -> FieldParameter? {
        while true {
            skipSeparators(value)
            guard offset < value.count else { return nil }
            if let parameter = parameter(value) { return parameter }
        }
    }

    /// The parameter at `offset`, which moves to its end; nil for text that is no parameter.
    private mutating func parameter(_ value: Bytes) -> FieldParameter? {
        let start = offset
        var i = start
        if value[i] == 0x3D, i + 1 < value.count, value[i + 1] == 0x3F { hasEncodedWords = true }
        while i < value.count, value[i] != 0x3D, value[i] != 0x3B { i += 1 }
        guard i < value.count, value[i] == 0x3D else {
            offset = i
            return nil
        }
        let attribute = Self.withoutComments(value, start..<i)
        i = Self.skipBlanks(value, from: i + 1)
        let (content, isQuoted) = readValue(value, from: i)
        guard !attribute.isEmpty, !content.isEmpty || isQuoted else { return nil }
        return Self.split(value, attribute, content, isQuoted)
    }

    private mutating func readValue(_ value: Bytes, from start: Int) -> (Range<Int>, Bool) {
        guard start < value.count, value[start] == 0x22 else {
            offset = Self.endOfValue(value, from: start, &comments)
            return (Self.withoutComments(value, start..<offset, leading: false), false)
        }
        var i = start + 1
        while i < value.count, value[i] != 0x22 {
            let isEscape = value[i] == 0x5C && i + 1 < value.count && Self.isEscapable(value[i + 1])
            i += isEscape ? 2 : 1
        }
        let content = start + 1..<min(i, value.count)
        offset = Self.endOfValue(value, from: min(i + 1, value.count), &comments)
        return (content, true)
    }

    /// Takes `*`, `*3` and `*3*` off the end of an attribute. Other asterisks are part of the name.
    private static func split(
        _ value: Bytes, _ attribute: Range<Int>, _ content: Range<Int>, _ isQuoted: Bool
    ) -> FieldParameter {
        var end = attribute.upperBound
        let isExtended = end - attribute.lowerBound > 1 && value[end - 1] == 0x2A
        if isExtended { end -= 1 }
        var section: Int?
        var digits = end
        while digits > attribute.lowerBound, value[digits - 1] &- 0x30 < 10 { digits -= 1 }
        if digits < end, end - digits <= 6, digits - 1 > attribute.lowerBound,
            value[digits - 1] == 0x2A
        {
            section = (digits..<end).reduce(0) { $0 * 10 + Int(value[$1] - 0x30) }
            end = digits - 1
        }
        let name = value.trimmed(attribute.lowerBound..<end)
        return FieldParameter(
            name: name, section: section, isExtended: isExtended, value: content,
            isQuoted: isQuoted)
    }

    /// Whether a backslash before `byte` quotes it. Before a letter or digit it is part of a
    /// Windows path.
    static func isEscapable(_ byte: UInt8) -> Bool {
        byte < 0x80 && byte.asciiLowercased &- 0x61 >= 26 && byte &- 0x30 >= 10
    }
}

// MARK: - Where things end

extension FieldParameterScanner {
    static func skipBlanks(_ value: Bytes, from start: Int) -> Int {
        var i = start
        while i < value.count, value[i].isWhitespace { i += 1 }
        return i
    }

    private mutating func skipSeparators(_ value: Bytes) {
        while offset < value.count {
            if value[offset].isWhitespace || value[offset] == 0x3B {
                offset += 1
            } else if value[offset] == 0x28,
                let end = comments.end(value, from: offset, limit: value.count)
            {
                offset = end
            } else {
                return
            }
        }
    }

    /// The end of an unquoted value: its `;`, a missing one, or the end of the field.
    static func endOfValue(
        _ value: Bytes, from start: Int, _ comments: inout CommentSearch
    ) -> Int {
        var i = start
        while i < value.count, value[i] != 0x3B {
            if value[i] == 0x28, i == start || value[i - 1].isWhitespace,
                let end = comments.end(value, from: i, limit: value.count)
            {
                i = end
            } else if value[i].isWhitespace {
                let next = skipBlanks(value, from: i)
                if beginsParameter(value, at: next, after: i) { return i }
                i = next
            } else {
                i += 1
            }
        }
        return i
    }

    /// Whether a parameter begins at `start` although no `;` is before the blanks from `blanks`.
    private static func beginsParameter(_ value: Bytes, at start: Int, after blanks: Int) -> Bool {
        let nameBytesMax = 64
        var end = start
        while end < value.count, end - start < nameBytesMax, isAttributeByte(value[end]) {
            end += 1
        }
        guard end > start, end < value.count, value[end] == 0x3D else { return false }
        for i in blanks..<start where value[i] == 0x0A { return true }
        return isWellKnown(value.extracting(start..<end))
    }

    /// Whether `range` begins with a parameter's name and `=`.
    static func isParameter(_ value: Bytes, _ range: Range<Int>) -> Bool {
        var i = range.lowerBound
        while i < range.upperBound, isAttributeByte(value[i]) { i += 1 }
        guard i > range.lowerBound else { return false }
        i = skipBlanks(value, from: i)
        return i < range.upperBound && value[i] == 0x3D
    }

    private static func isWellKnown(_ name: Bytes) -> Bool {
        name.equalsIgnoringCase("charset") || name.equalsIgnoringCase("boundary")
            || name.equalsIgnoringCase("format") || name.equalsIgnoringCase("delsp")
            || name.startsIgnoringCase("name") || name.startsIgnoringCase("filename")
    }

    private static func isAttributeByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x30...0x39, 0x41...0x5A, 0x5E...0x7E: true
        default: false
        }
    }

    /// `range` without blanks at both ends, without comments at its end, and if `leading` also
    /// without those at its beginning. A parenthesis that touches other text is text: "copy
    /// (1).pdf".
    static func withoutComments(
        _ value: Bytes, _ range: Range<Int>, leading: Bool = true
    ) -> Range<Int> {
        var comments = CommentSearch()
        var part = value.trimmed(range)
        while leading, !part.isEmpty, value[part.lowerBound] == 0x28,
            let end = comments.end(value, from: part.lowerBound, limit: part.upperBound)
        {
            part = value.trimmed(end..<part.upperBound)
        }
        // The end of the text that only comments and blanks follow.
        var textEnd = part.lowerBound
        var i = part.lowerBound
        while i < part.upperBound {
            if value[i] == 0x28, i == part.lowerBound || value[i - 1].isWhitespace,
                let end = comments.end(value, from: i, limit: part.upperBound)
            {
                if end < part.upperBound && !value[end].isWhitespace { textEnd = end }
                i = end
            } else {
                if !value[i].isWhitespace { textEnd = i + 1 }
                i += 1
            }
        }
        return part.lowerBound..<textEnd
    }
}
