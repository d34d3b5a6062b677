// Makes the file name of an attachment safe to use (RFC 2183 2.3, RFC 6266 4.3).
//
// Only the last component of a path stays; no controls and byte order marks, no leading dots, no
// blanks around it, at most 255 bytes. The rest of the name stays as the sender wrote it.

/// Cleans file names; UTF-8 in, UTF-8 out.
package enum AttachmentName {
    /// Bytes of a name, as most file systems allow.
    package static let bytesMax = 255
    /// A longer ending is not an extension, the dot included.
    private static let extensionBytesMax = 32

    /// - Returns: the clean name; empty when nothing of it is usable.
    package static func clean(_ raw: Bytes) -> [UInt8] {
        var name = withoutControls(raw.extracting(lastComponent(raw)))
        let start = name.firstIndex { $0 != .space && $0 != UInt8(ascii: ".") } ?? name.count
        name.removeFirst(start)
        while name.last == .space { name.removeLast() }
        return cut(name)
    }

    /// A name in a description of the part (RFC 2045 8), for a part that has no other: some programs
    /// write it there only.
    /// - Parameter description: decoded.
    /// - Returns: the clean name; empty when the description does not look like a file's name.
    package static func inDescription(_ description: Bytes) -> [UInt8] {
        var range = description.trimmed(0..<description.count)
        if range.count > 1, description[range.lowerBound] == UInt8(ascii: "\""),
            description[range.upperBound - 1] == UInt8(ascii: "\"")
        {
            range = description.trimmed(range.lowerBound + 1..<range.upperBound - 1)
        }
        let text = description.extracting(range)
        guard text.count > 2, text.count <= bytesMax, text.firstIndex(of: .colon) == nil,
            text.firstIndex(of: UInt8(ascii: "@")) == nil, !text.startsIgnoringCase("www.")
        else { return [] }
        var dot = text.count - 1
        while dot > 0, text[dot].isAlphanumeric { dot -= 1 }
        let suffix = text.extracting((dot + 1)..<text.count)
        guard dot > 0, text[dot] == .dot, !text[dot - 1].isWhitespace,
            (1...suffixBytesMax).contains(suffix.count)
        else { return [] }
        var hasLetter = false
        for index in 0..<suffix.count where suffix[index] >= UInt8(ascii: "A") { hasLetter = true }
        let isHost =
            suffix.equalsIgnoringCase("com") || suffix.equalsIgnoringCase("org")
            || suffix.equalsIgnoringCase("net")
        return hasLetter && !isHost ? clean(text) : []
    }

    /// Bytes of what may follow the last dot in a description that is a name: `xlsx`, `pages`.
    private static let suffixBytesMax = 7

    /// `name` with `suffix` after it; the name is cut if both together are too long.
    package static func appending(_ suffix: StaticString, to name: [UInt8]) -> [UInt8] {
        var end = min(name.count, bytesMax - suffix.utf8CodeUnitCount)
        if end < name.count {
            while end > 0, name[end] & 0xC0 == 0x80 { end -= 1 }
        }
        var whole = Array(name[..<end])
        suffix.withUTF8Buffer { whole.append(contentsOf: $0) }
        return whole
    }

    /// The text after the last separator that has a name after it.
    private static func lastComponent(_ raw: Bytes) -> Range<Int> {
        var end = raw.count
        while end > 0, isSeparator(raw[end - 1]) || raw[end - 1].isWhitespace { end -= 1 }
        var start = end
        while start > 0, !isSeparator(raw[start - 1]) { start -= 1 }
        return start..<end
    }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\")
    }

    /// Leaves out C0, DEL, C1 (in UTF-8: C2 80 to C2 9F) and U+FEFF; a name of these alone would
    /// look empty.
    private static func withoutControls(_ raw: Bytes) -> [UInt8] {
        var name: [UInt8] = []
        name.reserveCapacity(raw.count)
        var index = 0
        while index < raw.count {
            let byte = raw[index]
            let next = index + 1 < raw.count ? raw[index + 1] : 0
            if byte == 0xC2, next >= 0x80, next < 0xA0 {
                index += 2
                continue
            }
            if byte == 0xEF, next == 0xBB, index + 2 < raw.count, raw[index + 2] == 0xBF {
                index += 3
                continue
            }
            if byte >= 0x20, byte != 0x7F { name.append(byte) }
            index += 1
        }
        return name
    }

    /// Cuts before the extension, between two characters.
    private static func cut(_ name: [UInt8]) -> [UInt8] {
        guard name.count > bytesMax else { return name }
        var suffix = name[name.count...]
        if let dot = name.lastIndex(of: UInt8(ascii: ".")), name.count - dot <= extensionBytesMax {
            suffix = name[dot...]
        }
        var end = bytesMax - suffix.count
        while end > 0, name[end] & 0xC0 == 0x80 { end -= 1 }
        return Array(name[..<end] + suffix)
    }
}
