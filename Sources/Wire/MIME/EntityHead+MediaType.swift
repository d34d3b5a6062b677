// The media type of an entity (RFC 2045 5.1, RFC 6838 4.2).
//
// Takes what a sender wrote for a type and always ends with one that is well-formed, in lower case.

extension EntityHead {
    /// Bytes of a media type (RFC 6838 4.2 allows 127 on each side of the slash).
    static let mediaTypeBytesMax = 127

    private static let multipartMixed: [UInt8] = Array("multipart/mixed".utf8)
    private static let octetStream: [UInt8] = Array("application/octet-stream".utf8)

    /// Makes this the head of bytes that nobody can read.
    mutating func becomeOctetStream() {
        Self.set(&mediaType, Self.octetStream.span)
        media = .other
        forgetTypeParameters()
    }

    /// False when this is no "type/subtype".
    mutating func setType(_ text: Bytes) -> Bool {
        guard text.count <= Self.mediaTypeBytesMax,
            let slash = text.firstIndex(of: UInt8(ascii: "/")), slash > 0,
            slash + 1 < text.count
        else { return false }
        for index in 0..<text.count where index != slash && !Self.isToken(text[index]) {
            return false
        }
        Self.set(&mediaType, text)
        media = Self.media(text)
        return true
    }

    /// A type alone, or one with something wrong behind it ("text/plain charset=utf-8").
    mutating func setTypeWithoutSubtype(_ text: Bytes) {
        var end = 0
        while end < text.count, Self.isToken(text[end]) || text[end] == UInt8(ascii: "/") {
            end += 1
        }
        let main = text.extracting(0..<end)
        let slash = main.firstIndex(of: UInt8(ascii: "/")) ?? end
        if slash > 0, slash + 1 < end, end <= Self.mediaTypeBytesMax {
            var lower = main.copied()
            for index in 0..<lower.count { lower[index] = lower[index].asciiLowercased }
            if setType(lower.span) { return }
        }
        let type = main.extracting(0..<slash)
        if type.equalsIgnoringCase("multipart") {
            Self.set(&mediaType, Self.multipartMixed.span)
            media = .multipart
        } else if Self.isBinary(type) {
            Self.set(&mediaType, Self.octetStream.span)
            media = .other
        } else if type.equalsIgnoringCase("text") {
            // RFC 2045 5.2; in a digest the default is another one.
            mediaType = Self.textPlain
            media = .textPlain
        }
    }

    private static func isBinary(_ type: Bytes) -> Bool {
        type.equalsIgnoringCase("application") || type.equalsIgnoringCase("image")
            || type.equalsIgnoringCase("audio") || type.equalsIgnoringCase("video")
            || type.equalsIgnoringCase("font") || type.equalsIgnoringCase("model")
    }

    private static func media(_ type: Bytes) -> Media {
        if type.startsIgnoringCase("text/") {
            if type.equalsIgnoringCase("text/plain") { return .textPlain }
            return type.equalsIgnoringCase("text/html") ? .textHTML : .textOther
        }
        if type.startsIgnoringCase("multipart/") { return .multipart }
        let isMessage =
            type.equalsIgnoringCase("message/rfc822") || type.equalsIgnoringCase("message/global")
        return isMessage ? .messageRFC822 : .other
    }

    /// RFC 2045 5.1: printable ASCII but for blanks and tspecials.
    static func isToken(_ byte: UInt8) -> Bool {
        guard byte > 0x20, byte < 0x7F else { return false }
        switch byte {
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "<"), UInt8(ascii: ">"),
            UInt8(ascii: "@"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ":"),
            UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "/"), UInt8(ascii: "["),
            UInt8(ascii: "]"), UInt8(ascii: "?"), UInt8(ascii: "="):
            return false
        default: return true
        }
    }
}
