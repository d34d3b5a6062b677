// STUB of the contract (author: wire-mime).

package enum TransferEncoding: Equatable, Sendable {
    case identity  // 7bit, 8bit, binary, absent
    case base64
    case quotedPrintable
    case uuencode
    case unknown
    package init(label: Bytes) { fatalError() }
}

/// What an entity's header block says about its content.
package struct EntityHead {
    package enum Media: Equatable, Sendable {
        case textPlain, textHTML, textOther, multipart, messageRFC822, other
    }
    package var media: Media
    /// "image/png", lower case, at most 127 bytes; the RFC's default when absent or unreadable.
    package var mediaType: [UInt8]
    package var charset: Charset
    package var encoding: TransferEncoding
    /// Content-Disposition: attachment.
    package var isAttachment: Bool
    /// Decoded file name from Content-Disposition or Content-Type; controls and path separators
    /// taken out, at most 255 bytes of UTF-8; empty when there is none.
    package var filename: [UInt8]
    /// Content-ID without angle brackets; empty when there is none.
    package var contentID: [UInt8]
}

/// Where bytes of an event lie.
package struct Place: Equatable {
    package enum Source { case input, held }
    package var source: Source
    package var range: Range<Int>
}

/// Why a message cannot be walked: a bound was passed. `at` is the byte offset in the message.
package struct MIMEFault: Equatable {
    package enum Kind {
        case headerBlockTooLarge, headerTooLarge, tooManyHeaders, tooManyParts, nestedTooDeep,
            boundaryTooLong
    }
    package var kind: Kind
    package var at: Int
    /// "header block over 262144 bytes at byte 262150"
    package var description: String { fatalError() }
}

/// Walks a message's structure in one pass: header blocks, leaves, multiparts. Tolerant: missing
/// or wrong delimiters lose nothing. What may be part of a delimiter at the end of an input is
/// kept inside (`held`), so every input is used up.
package struct PartWalker: ~Copyable {
    package enum Event {
        /// The input is used up; feed the next, or call `finish`.
        case needInput
        /// The message's own header block, whole; comes first, once.
        case messageHeader(Place)
        /// A leaf begins. Its head is in `leafHead`.
        case leafStart
        /// Content of the leaf, still transfer-encoded.
        case content(Place)
        case leafEnd
        /// The message is complete (only from `finish`).
        case end
        case failed(MIMEFault)
    }
    package init(charsets: CharsetCache) { fatalError() }
    package mutating func next(_ input: Bytes, _ offset: inout Int) -> Event { fatalError() }
    /// No more input: closes what is open, one event a call, until `.end`.
    package mutating func finish() -> Event { fatalError() }
    /// The head of the current leaf. A message/rfc822 leaf is one leaf: its content is passed whole.
    package var leafHead: EntityHead { fatalError() }
    /// Position of the leaf: nesting depth, and whether inside multipart/alternative or related.
    package var leafDepth: Int { fatalError() }
    package var isInAlternative: Bool { fatalError() }
    /// What decoding lost in the heads so far, and structure oddities by kind.
    package var losses: DecodeLosses { fatalError() }
    /// The bytes of a place; valid until the next call.
    @_lifetime(borrow self, copy input)
    package func bytes(_ place: Place, in input: Bytes) -> Bytes { fatalError() }
}

/// Takes a transfer encoding off: bytes to bytes. For base64 attachments use `Base64Filter`.
package struct TransferDecoder {
    /// Bad escapes kept literally, stray characters skipped.
    package var irregularCount: Int { fatalError() }
    package init(_ encoding: TransferEncoding) { fatalError() }
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int { fatalError() }
    package mutating func finish(into output: inout Region) -> Bool { fatalError() }
}
