// STUB of the contract (author: wire-headers).

/// Header fields that the relay treats in a way of their own; everything else is `.other`.
package enum FieldName: UInt8 {
    case from, to, cc, bcc, subject, date, messageID, sender, replyTo
    case mimeVersion, contentType, contentTransferEncoding, contentDisposition, contentID
    /// Any other Content-*.
    case contentOther
    case received, returnPath, deliveredTo, dkimSignature
    /// ARC-*
    case arc
    case postscaleTags, postscaleMetadata
    /// X-Postscale-Metadata-NAME
    case postscaleMetadataKey
    case postscaleTemplate, postscaleTemplateID, postscaleVariables, postscaleUnsubscribeScope
    /// Any other X-Postscale-*
    case postscaleOther
    /// Resent-*
    case resent
    case other
}

/// One field of a header block. Ranges are into the block.
package struct HeaderField {
    package var id: FieldName
    package var name: Range<Int>
    /// Behind the colon, leading white space off, folding still inside, without the last line end.
    package var value: Range<Int>
}

/// Walks the fields of a whole header block (without or with its blank line). Line ends CRLF or LF.
/// A line that is no field (no colon, bad name) is skipped and counted.
package struct HeaderScanner {
    package var malformedCount: Int { fatalError() }
    package init() {}
    package mutating func next(_ block: Bytes) -> HeaderField? { fatalError() }
}

/// What decoding had to change; summed into the metrics.
package struct DecodeLosses {
    package var replacedCharacters = 0
    package var unknownCharsets = 0
    package var truncated = 0
    package init() {}
}

/// Decodes RFC 2047 in unstructured text: unfolds, joins adjacent encoded words, undeclared 8-bit
/// as UTF-8 or else windows-1252. Output is valid UTF-8 without CR, LF, NUL and other C0 controls.
package enum EncodedWord {
    package static func decode(
        _ value: Bytes, charsets: CharsetCache, into output: inout Region,
        losses: inout DecodeLosses)
    { fatalError() }
}

/// One mailbox of an address list. Texts are decoded UTF-8 without controls.
package struct Mailbox2822 {
    /// Empty when there is none.
    package var displayName: [UInt8]
    /// addr-spec as it is to be sent: comments, route and folding off, quoting kept if needed.
    package var address: [UInt8]
}

package enum AddressParser {
    /// Address tokens past this are refused.
    package static let tokensMax = 10_000
    /// RFC 5322 3.4 and 4.4 (groups flattened), RFC 6532, tolerant of what is seen in the wild.
    /// Returns false when the list holds more than `tokensMax` tokens.
    package static func parse(
        _ value: Bytes, charsets: CharsetCache, losses: inout DecodeLosses,
        each: (borrowing Mailbox2822) -> Void
    ) -> Bool { fatalError() }
    /// Writes `Name <addr>` (name quoted where RFC 5322 needs it, raw UTF-8) or `addr`.
    package static func format(_ mailbox: borrowing Mailbox2822, into output: inout Region) {
        fatalError()
    }
    /// Whether two addr-specs name the same mailbox: domain without case; local part exactly or,
    /// when `ignoringLocalCase`, without case.
    package static func same(_ a: Bytes, _ b: Bytes, ignoringLocalCase: Bool) -> Bool {
        fatalError()
    }
}

/// RFC 2045 5.1 and RFC 2231: "type/subtype; a=b; c*0*=…", "attachment; filename*=…".
package struct FieldParameters {
    /// The value before the first `;` without comments and blanks: "text/plain", "attachment".
    package var main: Range<Int>
    package init(_ value: Bytes) { fatalError() }
    /// The raw (unquoted) value of a plain parameter, e.g. the boundary; nil when absent.
    /// Bytes past `output`'s room are dropped.
    package func raw(_ name: StaticString, _ value: Bytes, into output: inout Region) -> Bool {
        fatalError()
    }
    /// The decoded text of a parameter: RFC 2231 first, else plain with RFC 2047 decoding.
    package func text(
        _ name: StaticString, _ value: Bytes, charsets: CharsetCache, into output: inout Region,
        losses: inout DecodeLosses
    ) -> Bool { fatalError() }
}

/// A charset by its label, as the WHATWG Encoding Standard names it plus mail-only ones.
package struct Charset: Equatable, Sendable {
    /// Fast paths of our own; everything else goes through iconv.
    package enum Kind: Equatable, Sendable {
        case utf8, latin1AsWindows1252, usASCII, iconv(index: Int), unknown
    }
    package var kind: Kind
    /// us-ascii and utf-8 need no conversion in front of a `JSONEscaper`.
    package var isPassThrough: Bool { fatalError() }
    package static let undeclared = Charset(kind: .usASCII)
    package init(kind: Kind) { self.kind = kind }
    /// Refuses labels with `/` and other oddities as `.unknown`.
    package init(label: Bytes) { fatalError() }
}

/// The iconv descriptors of one loop: opened on first use, reset between uses. Not thread-safe.
package final class CharsetCache {
    package init() {}
}

/// Any charset to UTF-8, resumable: a character cut by the end of an input is kept.
/// Undecodable bytes become U+FFFD and are counted.
package struct CharsetDecoder: ~Copyable {
    package var replacedCount: Int { fatalError() }
    package init(_ charset: Charset, cache: CharsetCache) { fatalError() }
    package mutating func feed(_ input: Bytes, into output: inout Region) -> Int { fatalError() }
    package mutating func finish(into output: inout Region) -> Bool { fatalError() }
}
