// The fields of a message's header block, and their values decoded (RFC 5322, RFC 2047).
//
// The block is read once into a list of fields; the writers then take from it what they want. A
// value is decoded into the loop's scratch memory: it is valid until the next one is decoded, by
// whichever mapper.

import Wire

/// The mailboxes of one From, To, Cc, Sender or Reply-To value, one after the other. Valid until the
/// next value is decoded.
struct MailboxReader: ~Copyable {
    private var parser: AddressParser
    private var region: Region
    /// Of the latest mailbox, in `region`.
    private var displayNameRange = 0..<0
    private var addressRange = 0..<0

    enum Verdict: Equatable {
        /// `displayName` and `address` have it until the next call.
        case mailbox
        case end
        /// The value has more tokens than an address list may have; what came before stands.
        case tooManyTokens
    }

    /// - Parameters:
    ///   - region: room for any decoding of the value.
    ///   - keepsNames: a name without an address is a mailbox with an empty address.
    init(into region: consuming Region, keepsNames: Bool) {
        self.region = region
        parser = AddressParser(keepsNames: keepsNames)
    }

    /// Empty when the mailbox has none.
    var displayName: Bytes {
        @_lifetime(borrow self)
        get { region.bytes.extracting(displayNameRange) }
    }

    var address: Bytes {
        @_lifetime(borrow self)
        get { region.bytes.extracting(addressRange) }
    }

    /// - Parameter value: the same in each call.
    mutating func next(
        _ value: Bytes, charsets: CharsetCache, losses: inout DecodeLosses
    ) -> Verdict {
        region.truncate(to: 0)
        switch parser.next(value, charsets: charsets, into: &region, losses: &losses) {
        case .mailbox(let mailbox):
            displayNameRange = mailbox.displayName
            addressRange = mailbox.address
            return .mailbox
        case .end: return .end
        case .tooManyTokens: return .tooManyTokens
        }
    }
}

/// The fields of one header block in their order. Its memory is used again for the next message.
struct HeaderFields: ~Copyable {
    /// What the fields say of the message as a whole.
    private struct Facts {
        var names = FieldNameSet()
        var hopCount = 0
        var hasMessageID = false
        var hasTemplate = false
    }

    private let charsets: CharsetCache
    private let scratch: MapperScratch
    private let keepsMessageID: Bool
    private(set) var list: [HeaderField] = []
    /// The first Message-ID that is not empty, cut to `messageIDBytesMax`; only if it is to be kept.
    private(set) var messageID: [UInt8] = []
    private var facts = Facts()
    /// The value that was decoded last, and where its text is in it.
    private var decoded: Region
    private var textRange = 0..<0
    /// What decoding has lost in the values so far.
    private(set) var losses = DecodeLosses()

    private static let messageIDBytesMax = 256

    init(charsets: CharsetCache, scratch: MapperScratch, keepsMessageID: Bool) {
        self.charsets = charsets
        self.scratch = scratch
        self.keepsMessageID = keepsMessageID
        decoded = scratch.headerRegion(forValueOf: 0)
    }

    /// A Message-ID that is not empty is among them.
    var hasMessageID: Bool { facts.hasMessageID }

    /// A Date is among them.
    var hasDate: Bool { contains(.date) }

    /// Received fields: how many mail servers the message has passed (RFC 5321 6.3).
    var hopCount: Int { facts.hopCount }

    /// A template or a template id that is not empty is among them.
    var hasTemplate: Bool { facts.hasTemplate }

    /// Whether there is a field of this name.
    func contains(_ name: FieldName) -> Bool { facts.names.contains(name) }

    /// A new message.
    mutating func begin() {
        list.removeAll(keepingCapacity: true)
        if !messageID.isEmpty { messageID = [] }
        facts = Facts()
        losses = DecodeLosses()
    }

    /// `block` in UTF-8 (`RawHeader`); nil when nothing has to be converted.
    mutating func converted(_ block: Bytes, _ charset: Charset) -> [UInt8]? {
        RawHeader.converted(block, charset: charset, charsets: charsets, losses: &losses)
    }

    /// Finds the fields of `block`.
    /// - Returns: how many lines are no field.
    mutating func read(_ block: Bytes) -> Int {
        var scanner = HeaderScanner()
        while let field = scanner.next(block) {
            list.append(field)
            facts.names.insert(field.id)
            switch field.id {
            case .messageID:
                let value = block.trimmed(field.value)
                if value.isEmpty { break }
                if keepsMessageID, !facts.hasMessageID { keep(block.extracting(value)) }
                facts.hasMessageID = true
            case .received: facts.hopCount += 1
            case .postscaleTemplate, .postscaleTemplateID:
                decode(field, in: block)
                if text.count > 0 { facts.hasTemplate = true }
            default:
                break
            }
        }
        return scanner.malformedCount
    }

    private mutating func keep(_ value: Bytes) {
        messageID = value.extracting(0..<min(value.count, Self.messageIDBytesMax)).copied()
    }

    /// Decodes the value of `field` as text; `text` has it then.
    mutating func decode(_ field: HeaderField, in block: Bytes) {
        let value = block.extracting(field.value)
        decoded = scratch.headerRegion(forValueOf: value.count)
        EncodedWord.decode(value, charsets: charsets, into: &decoded, losses: &losses)
        textRange = decoded.bytes.withoutMark(decoded.bytes.trimmed(0..<decoded.count))
    }

    /// The value that was decoded last, trimmed and without a byte order mark at its start: UTF-8
    /// without control characters.
    var text: Bytes {
        @_lifetime(borrow self)
        get { decoded.bytes.extracting(textRange) }
    }

    /// The value of `field` as mailboxes; `next` reads them.
    func mailboxes(of field: HeaderField, keepsNames: Bool = false) -> MailboxReader {
        MailboxReader(
            into: scratch.headerRegion(forValueOf: field.value.count), keepsNames: keepsNames)
    }

    /// The next mailbox of `field`.
    /// - Parameter reader: made by `mailboxes(of:)` for the same field.
    mutating func next(
        _ reader: inout MailboxReader, of field: HeaderField, in block: Bytes
    ) -> MailboxReader.Verdict {
        reader.next(block.extracting(field.value), charsets: charsets, losses: &losses)
    }

    /// Forgets what decoding has lost since `losses` was this.
    mutating func restore(_ losses: DecodeLosses) { self.losses = losses }
}
