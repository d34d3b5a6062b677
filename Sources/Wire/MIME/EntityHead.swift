// What an entity's header block says about its content (RFC 2045, 2046, 2183, 2231, 2392).
//
// Reads the Content-* fields that matter, the first of each. A field that is one encoded word, or has
// encoded words where parameters belong, is decoded first and then read. The answer is always usable: an
// absent or unreadable media type is text/plain, or message/rfc822 in a digest; content in an
// unknown transfer encoding is application/octet-stream, unless it may be a text to show. Texts are
// bounded and clean. Reading again reuses the memory.

/// Where a leaf goes and how it is read: the part of its head that can be copied without counting
/// references.
package struct EntityTraits {
    package enum Media: Equatable, Sendable {
        case textPlain, textHTML, textOther, multipart, messageRFC822, other

        package var isText: Bool { self == .textPlain || self == .textHTML || self == .textOther }
    }
    package var media = Media.textPlain
    package var charset = Charset.undeclared
    package var encoding = TransferEncoding.identity
    /// Content-Disposition: attachment, or an unknown one (RFC 2183 2.8).
    package var isAttachment = false
    /// The part has a file name (`EntityHead.filename`).
    package var hasName = false
    /// A plain text with `format=flowed` (RFC 3676).
    package var isFlowed = false
    /// With `isFlowed`: `delsp=yes`, the blank before a soft line end is not of the text.
    package var deletesSpaces = false

    /// The traits of an entity without any header: text/plain, us-ascii.
    package init() {}
}

/// Media type, charset, transfer encoding, disposition and names of a leaf.
package struct EntityHead {
    package typealias Media = EntityTraits.Media

    /// How the parts of a multipart belong together; `other` is read as multipart/mixed.
    package enum MultipartKind: Sendable { case alternative, related, other }

    package private(set) var traits = EntityTraits()
    /// "image/png", lower case, at most 127 bytes; the RFC's default when absent or unreadable.
    package private(set) var mediaType: [UInt8]
    /// The type's parameters that a receiver of the leaf as a file needs, as they are written after
    /// the type: "; charset=koi8-r", "; method=REQUEST; charset=utf-8". Tokens (RFC 2045 5.1), and
    /// quoted strings for what a token cannot hold. "smime-type" and "protocol" of S/MIME, "id",
    /// "number" and "total" of message/partial, all of message/external-body are kept too.
    package private(set) var typeParameters: [UInt8] = []
    /// Decoded file name from Content-Disposition or Content-Type, without controls and path
    /// separators, at most 255 bytes of UTF-8; empty when there is none.
    package private(set) var filename: [UInt8] = []
    /// Content-ID without angle brackets; empty when there is none.
    package private(set) var contentID: [UInt8] = []
    /// The boundary parameter without trailing blanks; empty when there is none. A longer one than
    /// `BoundaryStack.boundaryBytesMax` is cut to one byte more than that.
    package private(set) var boundary: [UInt8] = []
    /// The `start` parameter of a multipart/related without angle brackets: the Content-ID of its root
    /// (RFC 2387 3.2). Empty when there is none.
    package private(set) var start: [UInt8] = []
    /// Content-Description decoded, at most 1,024 bytes; empty when there is none.
    package private(set) var description: [UInt8] = []
    /// Content-Location without blanks (RFC 2557 4.4), at most 2,048 bytes; empty when there is none.
    package private(set) var location: [UInt8] = []
    /// Content-Base, the same way (RFC 2110 4.2): what a relative Content-Location is relative to.
    package private(set) var base: [UInt8] = []
    /// Lines of the block that are no fields.
    private(set) var malformedCount = 0
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
    private static let descriptionBytesMax = 1_024
    /// A longer Content-Location is ignored.
    private static let locationBytesMax = 2_048
    /// Bytes of a kept parameter of a rare type, such as the URL of message/external-body.
    private static let parameterBytesMax = 1_024

    /// The head of an entity without any header: text/plain, us-ascii.
    package init() { mediaType = Self.textPlain }

    private static let textPlain: [UInt8] = Array("text/plain".utf8)
    private static let messageRFC822: [UInt8] = Array("message/rfc822".utf8)

    /// Whether a multipart's parts are messages unless they say otherwise (RFC 2046 5.1.5).
    var isDigest: Bool { mediaType.span.equalsIgnoringCase("multipart/digest") }

    var isAlternativeOrRelated: Bool { multipartKind != .other }

    /// Of a multipart.
    package var multipartKind: MultipartKind {
        if mediaType.span.equalsIgnoringCase("multipart/alternative") { return .alternative }
        return mediaType.span.equalsIgnoringCase("multipart/related") ? .related : .other
    }

    /// Makes this the head of a multipart that is around the pieces of a content (`UUPieces`).
    mutating func becomeMixed() {
        let contentID = contentID
        clear(isInDigest: false)
        Self.set(&mediaType, Self.multipartMixed.span)
        traits.media = .multipart
        self.contentID = contentID
    }

    /// Makes this the head of a plain text that stands beside the file of which it is the head.
    mutating func becomeOwnText() { clear(isInDigest: false) }

    /// Makes this the head of a further file in uuencoded content.
    mutating func becomeFile(named name: [UInt8]) {
        clear(isInDigest: false)
        becomeOctetStream()
        traits.encoding = .uuencode
        traits.isAttachment = true
        setName(name)
    }

    /// Gives the part a name, if it has none.
    mutating func setName(_ name: [UInt8]) {
        guard filename.isEmpty, !name.isEmpty else { return }
        filename = name
        traits.hasName = true
    }

    /// Makes this the head of a plain text, for a multipart that is not divided into parts.
    mutating func becomeText() {
        let charset = charset
        clear(isInDigest: false)
        traits.charset = charset
    }

    /// Reads a header block, with or without its blank line.
    ///
    /// - Parameter textCharset: of the message's first text, for raw file names of other parts.
    /// - Returns: nil, except for a multipart's block with a second Content-Type. Such a block has
    ///   run into that of the multipart's first part, because the delimiter between them is
    ///   missing: it is the head of that part, if that is no multipart.
    @discardableResult
    mutating func read(
        _ block: Bytes, isInDigest: Bool, textCharset: Charset = .undeclared,
        charsets: CharsetCache, losses: inout DecodeLosses
    ) -> EntityHead? {
        readFields(block, isInDigest: isInDigest, textCharset, charsets, &losses)
        guard media == .multipart, let start = secondTypeStart else { return nil }
        var part = EntityHead()
        part.readFields(
            block.extracting(start..<block.count), isInDigest: isDigest, textCharset, charsets,
            &losses)
        return part.media == .multipart ? nil : part
    }

    private mutating func readFields(
        _ block: Bytes, isInDigest: Bool, _ textCharset: Charset, _ charsets: CharsetCache,
        _ losses: inout DecodeLosses
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
            case .contentID where contentID.isEmpty: readContentID(value, charsets, &losses)
            case .contentDescription where description.isEmpty:
                readDescription(value, charsets, &losses)
            case .contentLocation where location.isEmpty:
                readLocation(value, charsets, into: \.location, &losses)
            case .contentBase where base.isEmpty:
                readLocation(value, charsets, into: \.base, &losses)
            default: break
            }
        }
        malformedCount = fields.malformedCount
        // RFC 2045 6.4: content that cannot be decoded is not of its type any more. Whether a text is
        // one all the same, its content tells.
        if encoding == .unknown, media != .multipart, isAttachment || !media.isText {
            becomeOctetStream()
        }
        if !filename.isEmpty {
            if RawHeader.mayNeedConversion(block) {
                readRawNames(block, textCharset, charsets, &losses)
            }
            traits.hasName = true
        }
    }

    /// Reads the name again, in the part's own charset or that of the message's text.
    private mutating func readRawNames(
        _ block: Bytes, _ textCharset: Charset, _ charsets: CharsetCache,
        _ losses: inout DecodeLosses
    ) {
        let charset = self.charset == .undeclared ? textCharset : self.charset
        var names = EntityHead()
        // What is read a second time is not counted a second time.
        var counted = DecodeLosses()
        var seen: (type: Bool, disposition: Bool) = (false, false)
        var isAnyConverted = false
        var fields = HeaderScanner()
        while let field = fields.next(block) {
            switch field.id {
            case .contentType where !seen.type: seen.type = true
            case .contentDisposition where !seen.disposition: seen.disposition = true
            default: continue
            }
            let value = block.extracting(field.value)
            let text = RawHeader.converted(
                value: value, charset: charset, charsets: charsets, losses: &losses)
            if text != nil { isAnyConverted = true }
            let bytes = text ?? value.copied()
            if field.id == .contentType {
                names.readType(bytes.span, charsets, &counted)
            } else {
                names.readDisposition(bytes.span, charsets, &counted)
            }
        }
        if isAnyConverted, !names.filename.isEmpty { filename = names.filename }
    }

    /// The content is not encoded as it says.
    mutating func dropEncoding() { traits.encoding = .identity }

    private mutating func clear(isInDigest: Bool) {
        traits.media = isInDigest ? .messageRFC822 : .textPlain
        Self.set(&mediaType, isInDigest ? Self.messageRFC822.span : Self.textPlain.span)
        typeParameters.removeAll(keepingCapacity: true)
        traits.charset = .undeclared
        traits.encoding = .identity
        traits.isAttachment = false
        traits.hasName = false
        traits.isFlowed = false
        traits.deletesSpaces = false
        secondTypeStart = nil
        filename.removeAll(keepingCapacity: true)
        contentID.removeAll(keepingCapacity: true)
        boundary.removeAll(keepingCapacity: true)
        // Rare: most parts have none, and nothing is called for them.
        if !start.isEmpty { start.removeAll(keepingCapacity: true) }
        if !description.isEmpty { description.removeAll(keepingCapacity: true) }
        if !location.isEmpty { location.removeAll(keepingCapacity: true) }
        if !base.isEmpty { base.removeAll(keepingCapacity: true) }
    }
}

// MARK: - Fields

extension EntityHead {
    private mutating func readType(
        _ value: Bytes, _ charsets: CharsetCache, _ losses: inout DecodeLosses,
        isDecoded: Bool = false
    ) {
        let parameters = FieldParameters(value)
        if parameters.hasEncodedWords, !isDecoded {
            return withDecoded(value, charsets, &losses) { head, decoded, losses in
                head.readType(decoded, charsets, &losses, isDecoded: true)
            }
        }
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
        switch media {
        case .textPlain: readFlow(parameters, value)
        case .textOther:
            if mediaType.span.equalsIgnoringCase("text/calendar") {
                // RFC 6047 2.4: without the method an invitation is only a file.
                withScratch(Self.methodBytesMax) { head, region in
                    guard parameters.raw("method", value, into: &region) else { return }
                    head.keepParameter("; method=", region.bytes)
                }
            }
        case .multipart:
            readBoundary(parameters, value, charsets, &losses)
            if mediaType.span.equalsIgnoringCase("multipart/related") {
                readStart(parameters, value)
            }
        case .other: keepRareParameters(parameters, value)
        case .textHTML, .messageRFC822: break
        }
        if filename.isEmpty {
            readName("name", parameters, value, charsets, &losses)
            // Some programs write the parameter of Content-Disposition here.
            if filename.isEmpty { readName("filename", parameters, value, charsets, &losses) }
        }
    }

    /// RFC 3676 4.
    private mutating func readFlow(_ parameters: FieldParameters, _ value: Bytes) {
        guard parameters.mayHave("format") else { return }
        withScratch(16) { head, region in
            guard parameters.raw("format", value, into: &region) else { return }
            head.traits.isFlowed = region.bytes.equalsIgnoringCase("flowed")
        }
        guard traits.isFlowed else { return }
        withScratch(16) { head, region in
            guard parameters.raw("delsp", value, into: &region) else { return }
            head.traits.deletesSpaces = region.bytes.equalsIgnoringCase("yes")
        }
    }

    private mutating func readStart(_ parameters: FieldParameters, _ value: Bytes) {
        guard parameters.mayHave("start") else { return }
        withScratch(Self.contentIDBytesMax + 2) { head, region in
            guard parameters.raw("start", value, into: &region) else { return }
            let text = region.bytes
            for index in 0..<text.count where text[index] > 0x20 && text[index] != 0x7F {
                let byte = text[index]
                if byte != UInt8(ascii: "<"), byte != UInt8(ascii: ">") { head.start.append(byte) }
            }
        }
    }

    /// What makes parts of these types useful to their receiver: which S/MIME it is (RFC 8551
    /// 3.2.2), which piece of a message (RFC 2046 5.2.2), where the body is (RFC 2046 5.2.3).
    private mutating func keepRareParameters(_ parameters: FieldParameters, _ value: Bytes) {
        for name in Self.rareParameters(of: mediaType.span) { keep(name, parameters, value) }
    }

    private static func rareParameters(of type: Bytes) -> [StaticString] {
        if type.startsIgnoringCase("application/pkcs7-")
            || type.startsIgnoringCase("application/x-pkcs7-")
        {
            return ["smime-type", "protocol"]
        }
        if type.startsIgnoringCase("application/pgp-") { return ["protocol"] }
        if type.equalsIgnoringCase("message/partial") { return ["id", "number", "total"] }
        return type.equalsIgnoringCase("message/external-body") ? externalBodyParameters : []
    }

    private static let externalBodyParameters: [StaticString] = [
        "access-type", "url", "name", "site", "directory", "mode", "server", "subject",
        "expiration", "size", "permission",
    ]

    /// Reads a value whose encoded words hold its structure too.
    private mutating func withDecoded(
        _ value: Bytes, _ charsets: CharsetCache, _ losses: inout DecodeLosses,
        _ body: (inout EntityHead, Bytes, inout DecodeLosses) -> Void
    ) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4 * value.count + 64) { memory in
            var region = Region(memory)
            EncodedWord.decode(value, charsets: charsets, into: &region, losses: &losses)
            body(&self, region.bytes, &losses)
        }
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
        _ value: Bytes, _ charsets: CharsetCache, _ losses: inout DecodeLosses,
        isDecoded: Bool = false
    ) {
        let parameters = FieldParameters(value)
        if parameters.hasEncodedWords, !isDecoded {
            return withDecoded(value, charsets, &losses) { head, decoded, losses in
                head.readDisposition(decoded, charsets, &losses, isDecoded: true)
            }
        }
        withScratch(32) { head, region in
            parameters.writeMain(value, into: &region)
            head.traits.isAttachment =
                !region.bytes.isEmpty && !region.bytes.equalsIgnoringCase("inline")
        }
        let hadName = !filename.isEmpty
        readName("filename", parameters, value, charsets, &losses)
        if !hadName, filename.isEmpty { readName("name", parameters, value, charsets, &losses) }
    }

    /// Leaves the file name as it is if there is no parameter or nothing of it is usable.
    private mutating func readName(
        _ name: StaticString, _ parameters: FieldParameters, _ value: Bytes,
        _ charsets: CharsetCache, _ losses: inout DecodeLosses
    ) {
        guard parameters.mayHave(name) else { return }
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

    /// `<id>`, or an id without brackets; blanks, controls and brackets inside are left out. Some
    /// programs encode it as if it were text.
    private mutating func readContentID(
        _ value: Bytes, _ charsets: CharsetCache, _ losses: inout DecodeLosses,
        isDecoded: Bool = false
    ) {
        if !isDecoded, let mark = value.firstIndex(of: .equalsSign), mark + 1 < value.count,
            value[mark + 1] == UInt8(ascii: "?")
        {
            return withDecoded(value, charsets, &losses) { head, decoded, losses in
                head.readContentID(decoded, charsets, &losses, isDecoded: true)
            }
        }
        contentID = Self.withoutBrackets(value)
    }

    private static func withoutBrackets(_ value: Bytes) -> [UInt8] {
        var id: [UInt8] = []
        var range = value.trimmed(0..<value.count)
        if let open = value.firstIndex(of: UInt8(ascii: "<")) {
            let close = value.firstIndex(of: UInt8(ascii: ">"), from: open) ?? value.count
            range = open + 1..<close
        }
        guard range.count <= contentIDBytesMax else { return id }
        for index in range where value[index] > 0x20 && value[index] != 0x7F {
            if value[index] != UInt8(ascii: "<") { id.append(value[index]) }
        }
        return id
    }
}

// MARK: - Fields that few parts have

extension EntityHead {
    private mutating func readDescription(
        _ value: Bytes, _ charsets: CharsetCache, _ losses: inout DecodeLosses
    ) {
        withScratch(Self.descriptionBytesMax) { head, region in
            EncodedWord.decode(value, charsets: charsets, into: &region, losses: &losses)
            Self.set(&head.description, region.bytes)
        }
    }

    /// A URL; encoded words are tolerated, and blanks in it come from folding.
    private mutating func readLocation(
        _ value: Bytes, _ charsets: CharsetCache,
        into field: WritableKeyPath<EntityHead, [UInt8]>, _ losses: inout DecodeLosses
    ) {
        guard value.count <= Self.locationBytesMax else { return }
        withDecoded(value, charsets, &losses) { head, decoded, _ in
            for index in 0..<decoded.count where decoded[index] > 0x20 && decoded[index] != 0x7F {
                head[keyPath: field].append(decoded[index])
            }
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
    mutating func becomeOctetStream() {
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

    /// Keeps a parameter as it is written, in quotes if it is no token.
    private mutating func keep(
        _ name: StaticString, _ parameters: FieldParameters, _ value: Bytes
    ) {
        guard parameters.mayHave(name) else { return }
        withScratch(Self.parameterBytesMax) { head, region in
            guard parameters.raw(name, value, into: &region), region.count > 0 else { return }
            let text = region.bytes
            var isToken = true
            for index in 0..<text.count where !Self.isToken(text[index]) { isToken = false }
            head.typeParameters.append(contentsOf: [0x3B, 0x20])
            name.withUTF8Buffer { head.typeParameters.append(contentsOf: $0) }
            head.typeParameters.append(UInt8(ascii: "="))
            if !isToken { head.typeParameters.append(0x22) }
            for index in 0..<text.count where text[index] >= 0x20 && text[index] != 0x7F {
                if text[index] == 0x22 || text[index] == 0x5C { head.typeParameters.append(0x5C) }
                head.typeParameters.append(text[index])
            }
            if !isToken { head.typeParameters.append(0x22) }
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
