// The header of an attached message that has run into that of its part (RFC 2046 5.1.5, 5.2.1).
//
// Between the two belongs an empty line. Without it the message's own fields look like fields of the
// part, which mean nothing there (RFC 2046 5.1), and its receiver would not know who wrote it. Two of
// the fields that every message has are enough to tell; in a digest, where each part is a message
// unless it says otherwise, one is.

/// Where the header of an attached message begins in the header block of its part.
struct InnerHeader {
    /// Into the block; what is before it is the part's own header.
    private(set) var start = 0
    /// The head of the part, without the message's fields.
    private(set) var head = EntityHead()

    /// Nil for a part's header as it should be.
    /// - Parameters:
    ///   - block: all of it.
    ///   - media: what the block says of the part when all of it is the part's own.
    init?(
        _ block: Bytes, isInDigest: Bool, media: EntityHead.Media, charsets: CharsetCache
    ) {
        var fields = Fields()
        fields.read(block)
        let needed = isInDigest && fields.typeStart == nil ? 1 : 2
        guard let first = fields.first, fields.kindCount >= needed else { return nil }
        // The part is a message, and fields of one stand in its header beside its type.
        if let type = fields.typeStart, type > first, media == .messageRFC822 { return nil }
        // What is lost in the part's own fields was counted when all were read.
        var losses = DecodeLosses()
        head.read(
            block.extracting(0..<first), isInDigest: isInDigest, charsets: charsets,
            losses: &losses)
        start = first
        if head.media == .messageRFC822, head.encoding == .identity { return }
        // The message's fields begin with those of its content.
        guard isInDigest, fields.kindCount > 1 else { return nil }
        head = EntityHead()
        head.read(
            block.extracting(0..<0), isInDigest: true, charsets: charsets, losses: &losses)
        start = 0
    }

    /// What stands in a block.
    private struct Fields {
        /// Where the first field begins that is not about the content.
        var first: Int?
        /// Where the content's type stands.
        var typeStart: Int?
        private var kinds: Set<FieldName> = []

        /// How many fields that each message has.
        var kindCount: Int { kinds.count }

        mutating func read(_ block: Bytes) {
            var scanner = HeaderScanner()
            while let field = scanner.next(block) {
                switch field.id {
                case .contentType:
                    if typeStart == nil { typeStart = field.name.lowerBound }
                case .contentTransferEncoding, .contentDisposition, .contentID,
                    .contentDescription, .contentLocation, .contentBase, .contentOther:
                    break
                case .from, .to, .cc, .subject, .date, .messageID, .sender, .replyTo, .received,
                    .returnPath:
                    kinds.insert(field.id)
                    if first == nil { first = field.name.lowerBound }
                default:
                    if first == nil { first = field.name.lowerBound }
                }
            }
        }
    }
}
