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
    /// Entries of an address list that hold no addr-spec.
    package var malformedAddresses = 0
    package init() {}
}

/// Decodes RFC 2047 in unstructured text: unfolds, joins adjacent encoded words, undeclared 8-bit
/// as UTF-8 or else windows-1252. Output is valid UTF-8 without CR, LF, NUL and other C0 controls.
package enum EncodedWord {
    package static func decode(
        _ value: Bytes, charsets: CharsetCache, into output: inout Region,
        losses: inout DecodeLosses
    ) { fatalError() }
}

/// One mailbox of an address list. The texts, decoded UTF-8 without controls, lie in the region
/// that the parser wrote them to: `output.bytes.extracting(mailbox.address)`.
package struct Mailbox2822: Equatable, Sendable {
    /// Empty when there is none.
    package var displayName: Range<Int>
    /// addr-spec as it is to be sent: comments, route and folding off, quoting kept if needed.
    package var address: Range<Int>
}

/// Pulls the mailboxes out of an address list, one a call. RFC 5322 3.4 and 4.4 (groups
/// flattened), RFC 6532, tolerant of what is seen in the wild. Allocates nothing.
package struct AddressParser {
    /// A list of more tokens than this is refused.
    package static let tokensMax = 10_000

    package enum Verdict: Equatable, Sendable {
        case mailbox(Mailbox2822)
        /// The list is used up.
        case end
        /// The list holds more than `tokensMax` tokens; what came before stands.
        case tooManyTokens
    }
    package init() {}
    /// - Parameters:
    ///   - value: the whole list, folding inside; the same bytes at every call.
    ///   - output: where the texts are written, behind what is there. A whole list needs at most
    ///     4 × `value.count` + 64 bytes; the caller may truncate it between calls.
    package mutating func next(
        _ value: Bytes, charsets: CharsetCache, into output: inout Region,
        losses: inout DecodeLosses
    ) -> Verdict { fatalError() }
    /// Writes `Name <addr>` (name quoted where RFC 5322 needs it, raw UTF-8) or `addr`.
    /// Both texts are those of a mailbox, copied out of its region or lying in another one.
    package static func format(
        displayName: Bytes, address: Bytes, into output: inout Region
    ) { fatalError() }
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
    /// Writes `main` in lower case, without the comments and blanks inside it, so "text / (x) plain"
    /// gives "text/plain". Bytes past `output`'s room are dropped.
    package func writeMain(_ value: Bytes, into output: inout Region) { fatalError() }
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
        case utf8, latin1AsWindows1252, usASCII, listed(index: Int), unknown
    }
    package var kind: Kind
    /// Needs no conversion in front of a `JSONEscaper`, which validates UTF-8 by itself. us-ascii
    /// does need one: undeclared 8-bit becomes UTF-8 there instead of U+FFFD.
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
