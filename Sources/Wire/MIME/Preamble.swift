// Text before a multipart's first delimiter (RFC 2046 5.1.1).
//
// Mailers write a line there for readers that do not know MIME; nobody needs it. Sometimes it is what
// a person wrote, in a message that was put together by hand. The text is kept until it is clear
// which of the two it is, up to `MIMEBounds.preambleBytesMax` and a line. The front of a content that
// must be looked at before it is passed on is kept here likewise.

/// The text so far.
struct Preamble {
    /// A customary text is not longer than this, in bytes.
    private static let customaryBytesMax = 1_000

    private(set) var text: [UInt8] = []
    /// Bytes that are kept, at most `MIMEBounds.preambleBytesMax`.
    private var bytesMax = MIMEBounds.preambleBytesMax

    /// The text; valid until the next change.
    var bytes: Bytes {
        @_lifetime(borrow self)
        get { text.span }
    }

    /// Whether there is nothing but white space.
    var isBlank: Bool { text.span.isAllWhitespace }

    /// Whether the text is longer than a preamble may be.
    var isOverBound: Bool { text.count > bytesMax }

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

    /// Where the text within the bound is.
    var front: Range<Int> { 0..<min(text.count, bytesMax) }

    /// Forgets the text, keeps the memory.
    mutating func clear(bytesMax: Int = MIMEBounds.preambleBytesMax) {
        text.removeAll(keepingCapacity: true)
        self.bytesMax = bytesMax
    }

    /// Adds all of `bytes`.
    mutating func append(_ bytes: Bytes) {
        bytes.withUnsafeBufferPointer { text.append(contentsOf: $0) }
    }

    /// How many more bytes fit within the bound.
    var room: Int { max(0, bytesMax - text.count) }
}
