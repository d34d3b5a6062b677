// What an entity's header block says about its content (RFC 2045, 2046, 2183, 2231, 2392).
//
// Reads the four Content-* fields that matter, the first of each. The answer is always usable: an
// absent or unreadable media type is text/plain, or message/rfc822 in a digest; content in an
// unknown transfer encoding is application/octet-stream. Texts are bounded and clean. Reading again
// reuses the memory.

/// Where a leaf goes and how it is read: the part of its head that can be copied without counting
/// references.
package struct EntityTraits {
    package enum Media: Equatable, Sendable {
        case textPlain, textHTML, textOther, multipart, messageRFC822, other

        var isText: Bool { self == .textPlain || self == .textHTML || self == .textOther }
    }
    package var media = Media.textPlain
    package var charset = Charset.undeclared
    package var encoding = TransferEncoding.identity
    /// Content-Disposition: attachment, or an unknown one (RFC 2183 2.8).
    package var isAttachment = false

    /// The traits of an entity without any header: text/plain, us-ascii.
    package init() {}
}

/// Media type, charset, transfer encoding, disposition and names of a leaf.
package struct EntityHead {
    package typealias Media = EntityTraits.Media

    package private(set) var traits = EntityTraits()
    /// "image/png", lower case, at most 127 bytes; the RFC's default when absent or unreadable.
    package private(set) var mediaType: [UInt8]
    /// The type's parameters that a receiver of the leaf as a file needs, as they are written after
    /// the type: "; charset=koi8-r", "; method=REQUEST; charset=utf-8". Tokens only (RFC 2045 5.1).
    package private(set) var typeParameters: [UInt8] = []
    /// Decoded file name from Content-Disposition or Content-Type, without controls and path
    /// separators, at most 255 bytes of UTF-8; empty when there is none.
    package private(set) var filename: [UInt8] = []
    /// Content-ID without angle brackets; empty when there is none.
    package private(set) var contentID: [UInt8] = []
    /// The boundary parameter without trailing blanks; empty when there is none. A longer one than
    /// `BoundaryStack.boundaryBytesMax` is cut to one byte more than that.
    package private(set) var boundary: [UInt8] = []
    /// Where in the block a second Content-Type field begins; nil when there is none.
    private var secondTypeStart: Int?

    package var media: Media { traits.media }
    package var charset: Charset { traits.charset }
    package var encoding: TransferEncoding { traits.encoding }
    package var isAttachment: Bool { traits.isAttachment }

    /// A longer Content-ID is ignored.
    private static let contentIDBytesMax = 998
    /// Bytes of a decoded file name that are used.
    private static let rawNameBytesMax = 4_096
    /// No charset makes more bytes of one byte than this.
    private static let decodedBytesPerByteMax = 16
    private static let charsetLabelBytesMax = 64
    /// Bytes of a calendar's method; the longest registered one has 14.
    private static let methodBytesMax = 32

    /// The head of an entity without any header: text/plain, us-ascii.
    package init() { mediaType = Self.textPlain }

    private static let textPlain: [UInt8] = Array("text/plain".utf8)
    private static let messageRFC822: [UInt8] = Array("message/rfc822".utf8)

    /// Whether a multipart's parts are messages unless they say otherwise (RFC 2046 5.1.5).
    var isDigest: Bool { mediaType.span.equalsIgnoringCase("multipart/digest") }

    var isAlternativeOrRelated: Bool {
        mediaType.span.equalsIgnoringCase("multipart/alternative")
            || mediaType.span.equalsIgnoringCase("multipart/related")
    }

    /// Makes this the head of a plain text, for a multipart that is not divided into parts.
    mutating func becomeText() {
        let charset = charset
        clear(isInDigest: false)
        traits.charset = charset
    }

    /// Reads a header block, with or without its blank line.
    ///
    /// - Returns: nil, except for a multipart's block with a second Content-Type. Such a block has
    ///   run into that of the multipart's first part, because the delimiter between them is
    ///   missing: it is the head of that part, if that is no multipart.
    @discardableResult
    mutating func read(
        _ block: Bytes, isInDigest: Bool, charsets: CharsetCache, losses: inout DecodeLosses
    ) -> EntityHead? {
        readFields(block, isInDigest: isInDigest, charsets, &losses)
        guard media == .multipart, let start = secondTypeStart else { return nil }
        var part = EntityHead()
        part.readFields(
            block.extracting(start..<block.count), isInDigest: isDigest, charsets, &losses)
        return part.media == .multipart ? nil : part
    }

    private mutating func readFields(
        _ block: Bytes, isInDigest: Bool, _ charsets: CharsetCache, _ losses: inout DecodeLosses
    ) {
        clear(isInDigest: isInDigest)
        var seen: (type: Bool, encoding: Bool, disposition: Bool) = (false, false, false)
        var fields = HeaderScanner()
        while let field = fields.next(block) {
            let value = block.extracting(field.value)
            switch field.id {
            case .contentType where !seen.type:
                seen.type = true
                readType(value, charsets, &losses)
            case .contentType where secondTypeStart == nil:
                secondTypeStart = field.name.lowerBound
            case .contentTransferEncoding where !seen.encoding:
                seen.encoding = true
                traits.encoding = TransferEncoding(label: value)
            case .contentDisposition where !seen.disposition:
                seen.disposition = true
                readDisposition(value, charsets, &losses)
            case .contentID where contentID.isEmpty: readContentID(value)
            default: break
            }
        }
        // RFC 2045 6.4: content that cannot be decoded is not of its type any more.
        if encoding == .unknown, media != .multipart { becomeOctetStream() }
    }

    private mutating func clear(isInDigest: Bool) {
        traits.media = isInDigest ? .messageRFC822 : .textPlain
        Self.set(&mediaType, isInDigest ? Self.messageRFC822.span : Self.textPlain.span)
        typeParameters.removeAll(keepingCapacity: true)
        traits.charset = .undeclared
        traits.encoding = .identity
        traits.isAttachment = false
        secondTypeStart = nil
        filename.removeAll(keepingCapacity: true)
        contentID.removeAll(keepingCapacity: true)
        boundary.removeAll(keepingCapacity: true)
    }
}

// MARK: - Fields

extension EntityHead {
    private mutating func readType(
        _ value: Bytes, _ charsets: CharsetCache, _ losses: inout DecodeLosses
    ) {
        let parameters = FieldParameters(value)
        withScratch(Self.mediaTypeBytesMax + 1) { head, region in
            parameters.writeMain(value, into: &region)
            if !head.setType(region.bytes) {
                head.setTypeWithoutSubtype(value.extracting(parameters.main))
            }
        }
        withScratch(Self.charsetLabelBytesMax) { head, region in
            if parameters.raw("charset", value, into: &region) {
                head.traits.charset = Charset(label: region.bytes)
                if head.media.isText { head.keepParameter("; charset=", region.bytes) }
            }
        }
        if mediaType.span.equalsIgnoringCase("text/calendar") {
            // RFC 6047 2.4: without the method an invitation is only a file.
            withScratch(Self.methodBytesMax) { head, region in
                guard parameters.raw("method", value, into: &region) else { return }
                head.keepParameter("; method=", region.bytes)
            }
        }
        if media == .multipart { readBoundary(parameters, value, charsets, &losses) }
        if filename.isEmpty { readName("name", parameters, value, charsets, &losses) }
    }

    private mutating func readBoundary(
        _ parameters: FieldParameters, _ value: Bytes, _ charsets: CharsetCache,
        _ losses: inout DecodeLosses
    ) {
        withScratch(BoundaryStack.boundaryBytesMax + 64) { head, region in
            guard
                parameters.raw("boundary", value, into: &region)
                    || parameters.text(
                        "boundary", value, charsets: charsets, into: &region, losses: &losses)
            else { return }
            let raw = region.bytes
            for index in 0..<raw.trimmed(0..<raw.count).upperBound
            where raw[index] != .carriageReturn && raw[index] != .lineFeed {
                guard head.boundary.count <= BoundaryStack.boundaryBytesMax else { break }
                head.boundary.append(raw[index])
            }
        }
    }

    private mutating func readDisposition(
        _ value: Bytes, _ charsets: CharsetCache, _ losses: inout DecodeLosses
    ) {
        let parameters = FieldParameters(value)
        withScratch(32) { head, region in
            parameters.writeMain(value, into: &region)
            head.traits.isAttachment =
                !region.bytes.isEmpty && !region.bytes.equalsIgnoringCase("inline")
        }
        readName("filename", parameters, value, charsets, &losses)
    }

    /// Leaves the file name as it is if there is no parameter or nothing of it is usable.
    private mutating func readName(
        _ name: StaticString, _ parameters: FieldParameters, _ value: Bytes,
        _ charsets: CharsetCache, _ losses: inout DecodeLosses
    ) {
        // Little enough to be on the stack, for a usual field.
        let capacity = min(
            Self.rawNameBytesMax, Self.decodedBytesPerByteMax * value.count + 16)
        withScratch(capacity) { head, region in
            guard
                parameters.text(
                    name, value, charsets: charsets, into: &region, losses: &losses)
            else { return }
            let clean = AttachmentName.clean(region.bytes)
            if !clean.isEmpty { head.filename = clean }
        }
    }

    /// `<id>`, or an id without brackets; blanks, controls and brackets inside are left out.
    private mutating func readContentID(_ value: Bytes) {
        var range = value.trimmed(0..<value.count)
        if let open = value.firstIndex(of: UInt8(ascii: "<")) {
            let close = value.firstIndex(of: UInt8(ascii: ">"), from: open) ?? value.count
            range = open + 1..<close
        }
        guard range.count <= Self.contentIDBytesMax else { return }
        for index in range where value[index] > 0x20 && value[index] != 0x7F {
            if value[index] != UInt8(ascii: "<") { contentID.append(value[index]) }
        }
    }
}

// MARK: - Media type (RFC 2045 5.1, RFC 6838 4.2)

extension EntityHead {
    /// Bytes of a media type (RFC 6838 4.2 allows 127 on each side of the slash).
    private static let mediaTypeBytesMax = 127

    private static let multipartMixed: [UInt8] = Array("multipart/mixed".utf8)
    private static let octetStream: [UInt8] = Array("application/octet-stream".utf8)

    /// Makes this the head of unreadable bytes.
    private mutating func becomeOctetStream() {
        Self.set(&mediaType, Self.octetStream.span)
        traits.media = .other
        typeParameters.removeAll(keepingCapacity: true)
    }

    /// False when `text` is no "type/subtype".
    private mutating func setType(_ text: Bytes) -> Bool {
        guard text.count <= Self.mediaTypeBytesMax,
            let slash = text.firstIndex(of: UInt8(ascii: "/")), slash > 0,
            slash + 1 < text.count
        else { return false }
        for index in 0..<text.count where index != slash && !Self.isToken(text[index]) {
            return false
        }
        Self.set(&mediaType, text)
        traits.media = Self.media(text)
        return true
    }

    /// A type without a subtype, or one with an error after it ("text/plain charset=utf-8").
    private mutating func setTypeWithoutSubtype(_ text: Bytes) {
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
            traits.media = .multipart
        } else if Self.isBinary(type) {
            Self.set(&mediaType, Self.octetStream.span)
            traits.media = .other
        } else if type.equalsIgnoringCase("text") {
            // RFC 2045 5.2; in a digest the default is another one.
            mediaType = Self.textPlain
            traits.media = .textPlain
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

    /// RFC 2045 5.1: printable ASCII except blanks and tspecials.
    private static func isToken(_ byte: UInt8) -> Bool {
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

// MARK: - Memory

extension EntityHead {
    private mutating func keepParameter(_ name: StaticString, _ value: Bytes) {
        let start = typeParameters.count
        name.withUTF8Buffer { typeParameters.append(contentsOf: $0) }
        let nameEnd = typeParameters.count
        for index in 0..<value.count where Self.isToken(value[index]) {
            if value[index] != UInt8(ascii: "'") { typeParameters.append(value[index]) }
        }
        if typeParameters.count == nameEnd {
            typeParameters.removeLast(typeParameters.count - start)
        }
    }

    private mutating func withScratch(
        _ capacity: Int, _ body: (inout EntityHead, inout Region) -> Void
    ) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: capacity) { memory in
            var region = Region(memory)
            body(&self, &region)
        }
    }

    private static func set(_ target: inout [UInt8], _ text: Bytes) {
        target.removeAll(keepingCapacity: true)
        text.withUnsafeBufferPointer { target.append(contentsOf: $0) }
    }
}
