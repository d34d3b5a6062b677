// The machines that a part's content runs through, as values that a mapper keeps and reuses.

import Wire

/// Text: transfer encoding off, charset to UTF-8, line ends to `\n`, JSON escapes on.
struct TextPipeline: ~Copyable {
    var transfer = TransferDecoder(.identity)
    /// Whether content is used as it comes, without `transfer`.
    var isIdentity = true
    var decoder: CharsetDecoder
    /// Whether `decoder` is not needed.
    var isPassThrough = true
    var escaper = JSONEscaper(lineEnds: .lineFeed)
    var isHTML = false
    /// Whether the text's key and opening quote are written.
    var isOpen = false
    /// Whether it is written behind the attachments.
    var isLate = false

    init(charsets: CharsetCache) {
        decoder = CharsetDecoder(.undeclared, cache: charsets)
    }

    mutating func begin(_ leaf: EntityTraits, isLate: Bool, charsets: CharsetCache) {
        transfer = TransferDecoder(leaf.encoding)
        isIdentity = leaf.encoding == .identity || leaf.encoding == .unknown
        isPassThrough = leaf.charset.isPassThrough
        if !isPassThrough { decoder = CharsetDecoder(leaf.charset, cache: charsets) }
        escaper = JSONEscaper(lineEnds: .lineFeed)
        isHTML = leaf.media == .textHTML
        isOpen = false
        self.isLate = isLate
    }
}

/// An attachment: base64 as it comes, or transfer encoding off and base64 on.
struct AttachmentPipeline {
    enum Path {
        /// Base64 text, passed on without its line ends.
        case filter
        /// Bytes as they are, encoded.
        case encode
        /// Another transfer encoding, taken off and encoded.
        case recode
    }
    var path = Path.encode
    var filter = Base64Filter()
    var transfer = TransferDecoder(.identity)
    var encoder = Base64Encoder()
    /// Bytes that went into `encoder`.
    var encodedBytes = 0
    /// Whether its object is begun in the JSON.
    var isOpen = false
    /// With the parameters that a receiver needs to read the file.
    var mediaType: [UInt8] = []
    var filename: [UInt8] = []
    var contentID: [UInt8] = []

    /// Bytes that the attachment has, without base64.
    var byteCount: Int { path == .filter ? filter.decodedCount : encodedBytes }

    /// What was irregular in its encoding.
    var irregularCount: Int {
        path == .filter ? filter.strayCount : path == .recode ? transfer.irregularCount : 0
    }

    /// - Parameter isInBody: it stands inside a multipart/related or multipart/alternative. There
    ///   a Content-ID is what an HTML body refers to, whatever the disposition says (Nodemailer
    ///   calls its embedded images attachments); elsewhere it may be on any file (Ruby's mail).
    mutating func begin(_ head: EntityHead, isInBody: Bool) {
        switch head.encoding {
        case .base64: path = .filter
        case .identity, .unknown: path = .encode
        case .quotedPrintable, .uuencode: path = .recode
        }
        filter = Base64Filter()
        transfer = TransferDecoder(head.encoding)
        encoder = Base64Encoder()
        encodedBytes = 0
        isOpen = false
        mediaType = head.mediaType
        if !head.typeParameters.isEmpty { mediaType += head.typeParameters }
        filename = head.filename
        contentID = head.isAttachment && !isInBody ? [] : head.contentID
    }
}
