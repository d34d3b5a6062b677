// What stands in front of a multipart's first delimiter (RFC 2046 5.1.1).
//
// Mailers put a line there for readers that know no MIME; nobody misses it. Now and then it is what
// somebody wrote, in a message that was put together by hand.

enum Preamble {
    /// A customary text is not longer than this, in bytes.
    private static let customaryBytesMax = 1_000

    /// Whether the text says no more than that this is MIME: it is short and speaks of MIME or of a
    /// multipart message.
    static func isCustomary(_ text: Bytes) -> Bool {
        guard text.count <= customaryBytesMax else { return false }
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
}
