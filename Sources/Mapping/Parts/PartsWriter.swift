// Writes the bodies and the attachments of a request as their parts arrive.
//
// `PartRouting` decides where a leaf goes; `TextWriter` and `AttachmentsWriter` write it. Attachments
// are written as one list, so a body that comes after the first of them waits in a `LateText`.

import Wire

/// The parts of one message after the other: `begin`, then `startLeaf`, `feed`…, `endLeaf` for each
/// leaf, then `closeAttachments`.
struct PartsWriter: ~Copyable {
    private let sink: JSONSink
    private var routing = PartRouting()
    /// Of the current leaf; nil between two leaves.
    private var route: PartRouting.Route?
    private var text: TextWriter
    private var attachments: AttachmentsWriter
    private var late: LateText

    init(
        options: MappingOptions, charsets: CharsetCache, scratch: MapperScratch, sink: JSONSink,
        late: consuming LateText
    ) {
        self.sink = sink
        self.late = late
        text = TextWriter(charsets: charsets, scratch: scratch, into: sink)
        attachments = AttachmentsWriter(options: options, scratch: scratch, sink: sink)
    }

    /// Whether no body is written, nor replaced by a template.
    var isBodyMissing: Bool { !routing.hasBody }

    /// A new message.
    /// - Parameter files: where text that waits may spill.
    mutating func begin(files: (any TemporaryFiles)?) {
        routing = PartRouting()
        late.begin(files: files)
        route = nil
        attachments.begin()
    }

    /// A leaf begins.
    /// - Parameter walker: at `.leafStart`.
    mutating func startLeaf(
        of walker: borrowing PartWalker, hasTemplate: Bool, _ findings: inout Findings
    ) {
        let leaf = walker.leafTraits
        if leaf.encoding == .unknown { findings.count(.encodingsIrregular) }
        let route = routing.route(leaf, hasTemplate: hasTemplate)
        self.route = route
        switch route {
        case .body: startText(leaf, &findings)
        case .attachment:
            attachments.start(walker.leafHead, isInBody: walker.isInAlternative)
        case .replacedByTemplate: findings.count(.bodiesReplacedByTemplate)
        }
    }

    /// Content of the current leaf, still transfer-encoded; used up.
    mutating func feed(_ content: Bytes, _ findings: inout Findings) {
        guard content.count > 0 else { return }
        switch route {
        case .body: text.feed(content)
        case .attachment: attachments.feed(content, &findings)
        case .replacedByTemplate, nil: break
        }
    }

    /// The current leaf is complete.
    mutating func endLeaf(_ findings: inout Findings) {
        switch route {
        case .body: finishText(&findings)
        case .attachment: attachments.finish(&findings)
        case .replacedByTemplate, nil: break
        }
        route = nil
    }

    /// All leaves are complete: closes the list of attachments, if one is open.
    mutating func closeAttachments() { attachments.close() }

    /// The API wants a body, and a message need not have one. What somebody wrote in front of the
    /// first part instead of into a part is better than nothing.
    /// - Parameter preamble: that text; may be empty.
    mutating func writeSubstituteBody(_ preamble: [UInt8], _ findings: inout Findings) {
        guard !preamble.isEmpty else { return sink.literal(",\"text_body\":\"\\n\"") }
        startText(EntityTraits(), &findings)
        text.feed(preamble.span)
        finishText(&findings)
    }

    /// Ends the message, wherever it is.
    mutating func end() { late.discard() }

    private mutating func startText(_ leaf: EntityTraits, _ findings: inout Findings) {
        if leaf.charset.kind == .unknown { findings.count(.charsetsUnknown) }
        text.begin(leaf, into: attachments.isListOpen ? late.open() : sink)
    }

    private mutating func finishText(_ findings: inout Findings) {
        if text.finish(&findings) { routing.bodyWritten(isHTML: text.isHTML) }
    }
}

// MARK: - Text that waits

extension PartsWriter {
    /// Bytes of text that waits for the end of the attachments.
    var lateBytes: Int { late.byteCount }

    /// Where the message may spill; nil when it may not.
    var files: (any TemporaryFiles)? { late.files }

    /// Why text that waits is lost; nil when it is not.
    var lateFailure: SpillFailure? { late.failure }

    /// Writes text that waits, about `bytes` at most.
    /// - Returns: whether all of it is written.
    mutating func writeLateText(upTo bytes: Int) -> Bool { late.move(upTo: bytes, to: sink) }
}
