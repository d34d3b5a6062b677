// Writes everything that the header block decides: from, to, cc, bcc, subject, headers, and the
// fields of X-Postscale-*.
//
// `read` first finds what the block says of the message as a whole (its recipients, whether it has
// a template), `write` then writes the fields of the request, always in the same order.

import Wire

/// The head of one request after the other.
struct HeadWriter: ~Copyable {
    private let hasBareRecipients: Bool
    private let mapsForeignHeaders: Bool
    private let scratch: MapperScratch
    private let sink: JSONSink

    /// MAIL FROM; empty for the null sender.
    private var sender: [UInt8] = []
    /// The address of the From header; of no meaning when `hasFrom` is false.
    private var from: [UInt8] = []
    /// The address in `from` of the request is that of a From header, and not `sender`.
    private var hasFrom = false
    private var recipients = RecipientPlanner()
    private var fields: HeaderFields
    private var headers: PassedHeaders
    private let postscale: PostscaleFields
    /// Whether the head of the message is written.
    private(set) var isWritten = false
    /// Recipients are written when the whole message is known.
    private var holdsRecipients = false

    init(
        options: MappingOptions, charsets: CharsetCache, scratch: MapperScratch, sink: JSONSink
    ) {
        hasBareRecipients = options.hasBareRecipients
        mapsForeignHeaders = options.mapsForeignHeaders
        self.scratch = scratch
        self.sink = sink
        fields = HeaderFields(
            charsets: charsets, scratch: scratch, keepsMessageID: options.keepsMessageID)
        headers = PassedHeaders(
            policy: HeaderPolicy(
                passedHeaders: options.passedHeaders,
                mapsForeignHeaders: options.mapsForeignHeaders),
            scratch: scratch, sink: sink)
        postscale = PostscaleFields(sink: sink)
    }

    var hasMessageID: Bool { fields.hasMessageID }
    var messageID: [UInt8] { fields.messageID }
    var hasDate: Bool { fields.hasDate }
    /// Whether the API makes the text of the message from a template.
    var hasTemplate: Bool { fields.hasTemplate }
    /// Several recipients and all of them hidden: one call each, whose `to` is not written here.
    var isGroup: Bool { recipients.isGroup }
    /// Opening brace and recipients are left out of what `write` writes.
    var isHeld: Bool { holdsRecipients || isGroup }
    /// What decoding has lost in the values so far.
    var decodeLosses: DecodeLosses { fields.losses }

    /// Starts a message; `addRecipient` for each of its envelope follows.
    mutating func begin(sender: Bytes, recipientCount: Int) {
        self.sender.removeAll(keepingCapacity: true)
        sender.withUnsafeBufferPointer { self.sender.append(contentsOf: $0) }
        hasFrom = false
        recipients.begin(recipientCount: recipientCount)
        fields.begin()
        isWritten = false
        holdsRecipients = false
    }

    /// Before `write`: recipients are written later, by `writeHeldRecipients`.
    mutating func holdRecipients() { holdsRecipients = true }

    /// One address of the envelope; copied.
    mutating func addRecipient(_ address: Bytes) { recipients.add(address) }

    /// Addresses of the envelope, each once.
    var recipientCount: Int { recipients.list.count }

    /// The addresses of the envelope, each once.
    func recipientAddresses() -> [[UInt8]] {
        (0..<recipients.list.count).map { recipients.list.address($0).copied() }
    }

    /// `block` in UTF-8, for `read` and `write`; nil when it is that already, as far as can be known.
    /// - Parameter charset: of raw text in it.
    mutating func converted(_ block: Bytes, _ charset: Charset) -> [UInt8]? {
        fields.converted(block, charset)
    }

    /// Reads the header block: its fields, and who stands where.
    mutating func read(_ block: Bytes, _ findings: inout Findings) {
        findings.count(.headersMalformed, fields.read(block))
        if fields.hopCount > Self.hopsMax { findings.refuse(.tooManyHops) }
        planRecipients(block, &findings)
    }

    /// RFC 5321 6.3 wants a large bound against loops, "normally at least 100".
    private static let hopsMax = 100

    /// Writes the request's fields, after `read` of the same block.
    mutating func write(_ block: Bytes, _ findings: inout Findings) {
        let isHeld = isHeld
        sink.literal(isHeld ? "\"from\":\"" : "{\"from\":\"")
        writeFrom(block, &findings)
        sink.literal("\"")
        if !isHeld { writeRecipients() }
        if !hasTemplate { writeSubject(block, &findings) }
        headers.write(block, &fields, &findings)
        if mapsForeignHeaders {
            let foreign = ForeignFields(block, &fields, &findings)
            postscale.write(block, &fields, &findings, foreign: foreign)
        } else {
            postscale.write(block, &fields, &findings)
        }
        isWritten = true
    }

    /// Moves the address in `from`, of a head that is written, to `memory`. The memory that was there
    /// is used for the next message.
    mutating func takeFrom(into memory: inout [UInt8]) {
        if hasFrom { swap(&from, &memory) } else { swap(&sender, &memory) }
    }
}

// MARK: - Sender and recipients

extension HeadWriter {
    private mutating func planRecipients(_ block: Bytes, _ findings: inout Findings) {
        for field in fields.list {
            switch field.id {
            case .to: name(field, .to, block, &findings)
            case .cc: name(field, .cc, block, &findings)
            default: continue
            }
        }
        recipients.plan()
        findings.count(.addressesNotInEnvelope, recipients.strangerCount)
    }

    /// Tells the planner which mailboxes a To or Cc header names.
    private mutating func name(
        _ field: HeaderField, _ place: RecipientPlanner.Field, _ block: Bytes,
        _ findings: inout Findings
    ) {
        var reader = fields.mailboxes(of: field)
        while true {
            switch fields.next(&reader, of: field, in: block) {
            case .mailbox:
                recipients.name(reader.address, displayName: reader.displayName, in: place)
            case .end: return
            case .tooManyTokens: return findings.refuseTooManyAddresses()
            }
        }
    }

    /// Inside quotes: the first mailbox of a From header, else MAIL FROM with the display name that a
    /// From header has. Further mailboxes are counted as lost.
    private mutating func writeFrom(_ block: Bytes, _ findings: inout Findings) {
        var isFound = false
        var name: [UInt8] = []
        for field in fields.list {
            guard case .from = field.id else { continue }
            if isFound {
                findings.count(.headersNotPassed)
            } else {
                isFound = writeFirstMailbox(field, block, orKeep: &name, &findings)
            }
        }
        guard !isFound else { return }
        if sender.isEmpty { findings.refuse(unparsable: "no From header and a null sender") }
        sink.mailbox(name.span, sender.span, using: scratch)
    }

    /// - Parameter name: the first display name without an address, if none is kept yet.
    /// - Returns: whether there was a mailbox.
    private mutating func writeFirstMailbox(
        _ field: HeaderField, _ block: Bytes, orKeep name: inout [UInt8],
        _ findings: inout Findings
    ) -> Bool {
        var reader = fields.mailboxes(of: field, keepsNames: true)
        var isFound = false
        while true {
            switch fields.next(&reader, of: field, in: block) {
            case .mailbox where reader.address.count == 0:
                if !isFound, name.isEmpty { name = reader.displayName.copied() }
            case .mailbox where isFound:
                findings.count(.headersNotPassed)
                return true
            case .mailbox:
                sink.mailbox(reader.displayName, reader.address, using: scratch)
                reader.address.withUnsafeBufferPointer {
                    from.replaceSubrange(0..<from.count, with: $0)
                }
                hasFrom = !from.isEmpty
                isFound = true
            case .end:
                return isFound
            case .tooManyTokens:
                if isFound {
                    findings.count(.headersNotPassed)
                } else {
                    findings.refuseTooManyAddresses()
                }
                return isFound
            }
        }
    }

    private func writeRecipients() {
        writeList(",\"to\":[\"", .to, "\"]")
        writeList(",\"cc\":[\"", .cc, "\"]")
        writeList(",\"bcc\":[\"", .bcc, "\"]")
    }

    /// What a held request begins with.
    func writeHeldRecipients() {
        sink.literal("{")
        writeList("\"to\":[\"", .to, "\"],")
        writeList("\"cc\":[\"", .cc, "\"],")
        writeList("\"bcc\":[\"", .bcc, "\"],")
    }

    /// Takes recipients out of a held request.
    mutating func leaveOut(_ isOut: [Bool]) { recipients.leaveOut(isOut) }

    /// - Parameters:
    ///   - opening: key, bracket and quote.
    ///   - closing: quote and bracket.
    private func writeList(
        _ opening: StaticString, _ place: RecipientPlanner.Field, _ closing: StaticString
    ) {
        var isOpen = false
        recipients.list.forEach(in: place) { index in
            sink.literal(isOpen ? "\",\"" : opening)
            isOpen = true
            if hasBareRecipients {
                sink.escaped(recipients.list.address(index))
            } else {
                sink.mailbox(
                    recipients.list.displayName(index), recipients.list.address(index),
                    using: scratch)
            }
        }
        if isOpen { sink.literal(closing) }
    }
}

// MARK: - Subject

extension HeadWriter {
    /// The first Subject header that has text. Others that have text are counted as lost.
    private mutating func writeSubject(_ block: Bytes, _ findings: inout Findings) {
        sink.literal(",\"subject\":\"")
        var isFound = false
        for field in fields.list {
            guard case .subject = field.id else { continue }
            fields.decode(field, in: block)
            if fields.text.count == 0 { continue }
            if isFound { findings.count(.headersNotPassed) } else { sink.escaped(fields.text) }
            isFound = true
        }
        sink.literal(isFound ? "\"" : "(no subject)\"")
    }
}

extension Findings {
    /// An address header has more tokens than one may have.
    mutating func refuseTooManyAddresses() {
        refuse(unparsable: "too many addresses in a header")
    }
}
