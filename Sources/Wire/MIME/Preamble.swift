// Text before a multipart's first delimiter (RFC 2046 5.1.1).
//
// Mailers write a line there for readers that do not know MIME; nobody needs it. Sometimes it is what
// a person wrote, in a message that was put together by hand. The text is kept until it is clear
// which of the two it is, up to `MIMEBounds.preambleBytesMax` and a line.

/// The text so far.
struct Preamble {
    /// A customary text is not longer than this, in bytes.
    private static let customaryBytesMax = 1_000

    private(set) var text: [UInt8] = []

    /// The text; valid until the next change.
    var bytes: Bytes {
        @_lifetime(borrow self)
        get { text.span }
    }

    /// Whether there is nothing but white space.
    var isBlank: Bool { text.span.isAllWhitespace }

    /// Whether the text is longer than a preamble may be.
    var isOverBound: Bool { text.count > MIMEBounds.preambleBytesMax }

    /// Whether the text only says that this is MIME: it is short and names MIME or a multipart
    /// message.
    var isCustomary: Bool {
        guard text.count <= Self.customaryBytesMax else { return false }
        let text = text.span
        for start in 0..<text.count where text[start] | 0x20 == UInt8(ascii: "m") {
            let rest = text.extracting(start..<text.count)
            if rest.startsIgnoringCase("mime") || rest.startsIgnoringCase("multipart")
                || rest.startsIgnoringCase("multi-part")
            {
                return true
            }
        }
        return false
    }

    /// Forgets the text, keeps the memory.
    mutating func clear() { text.removeAll(keepingCapacity: true) }

    /// Adds all of `bytes`.
    mutating func append(_ bytes: Bytes) {
        bytes.withUnsafeBufferPointer { text.append(contentsOf: $0) }
    }

    /// How many more bytes fit within the bound.
    var room: Int { max(0, MIMEBounds.preambleBytesMax - text.count) }
}
