// One message to one JSON request for the API, in one pass.
//
// Fed pieces of message content, it walks the MIME structure and writes each thing as it becomes
// known: the header block's fields first, then bodies and attachments as their parts arrive. What
// it writes is one valid JSON object with unique keys, whatever the input; until `finish` has
// written the closing brace it is no JSON at all, so a half message can't be taken for a whole one.

import APIClient
import Reactor
import Wire

/// Maps messages, one after the other: `begin`, `feed`…, `finish`, `drain`…, `end`. Belongs to one
/// loop; its buffers are reused from message to message.
package final class MessageMapper {
    /// What becomes of the content of the current leaf.
    enum Route { case nowhere, text, attachment }

    let options: MappingOptions
    let charsets: CharsetCache
    let scratch: MapperScratch
    let policy: HeaderPolicy

    /// The request, or what is held of it.
    let sink = JSONSink()
    /// Text bodies that came after the attachments.
    let lateSink = JSONSink()

    var planner = RecipientPlanner()
    var groups = HeaderGroups()
    var fields: [HeaderField] = []
    var fieldNames = FieldNameSet()
    /// MAIL FROM; empty for the null sender.
    var sender: [UInt8] = []

    var walker: PartWalker
    package var isHeadMapped = false
    var hasTemplate = false
    var route = Route.nowhere
    var text: TextPipeline
    var attachment = AttachmentPipeline()
    var attachmentCount = 0
    /// Decoded bytes of the attachments that are closed.
    var attachmentsBytes = 0
    var isTextTaken = false
    var isHTMLTaken = false
    var isTextOpen = false
    var isAttachmentOpen = false

    /// What the message lost on the way so far.
    var losses = MappingLosses()
    var decodeLosses = DecodeLosses()
    /// Whether the message has a Message-ID, so that a second copy of it can be told.
    package var hasMessageID = false

    /// Why the message can't be sent; nothing more is written then.
    package private(set) var failure: Outcome?
    /// The request without its recipients, when each gets a call of its own.
    package private(set) var held: SpillBuffer?

    private let pool: SlabPool
    private let heldBytesMax: Int
    private let temporaryFolder: String
    private var late: SpillBuffer?
    private var lateOffset = 0

    /// Memory for text that waits for the attachments' end, before it goes to a file.
    static let lateBytesMax = 262_144

    /// - Parameters:
    ///   - heldBytesMax: memory for a message that is held whole (`Configuration
    ///     .bufferThresholdBytes`), before it goes to a file in `temporaryFolder`.
    package init(
        options: MappingOptions, charsets: CharsetCache, scratch: MapperScratch, pool: SlabPool,
        heldBytesMax: Int, temporaryFolder: String
    ) {
        self.options = options
        self.charsets = charsets
        self.scratch = scratch
        self.pool = pool
        self.heldBytesMax = heldBytesMax
        self.temporaryFolder = temporaryFolder
        policy = HeaderPolicy(passedHeaders: options.passedHeaders)
        walker = PartWalker(charsets: charsets)
        text = TextPipeline(charsets: charsets)
    }

    /// Starts a message; `addRecipient` for each of its envelope follows, and then its content.
    /// - Parameters:
    ///   - sender: MAIL FROM, empty for the null sender; read during this call only.
    ///   - request: written until `end`; nothing is written to it when `held` is set.
    package func begin(sender: Bytes, recipientCount: Int, into request: RequestBody) {
        walker.reset()
        planner.begin(recipientCount: recipientCount)
        self.sender.removeAll(keepingCapacity: true)
        sender.withUnsafeBufferPointer { self.sender.append(contentsOf: $0) }
        fields.removeAll(keepingCapacity: true)
        fieldNames = FieldNameSet()
        sink.aim(at: request)
        sink.replacedCount = 0
        isHeadMapped = false
        hasTemplate = false
        hasMessageID = false
        route = .nowhere
        attachmentCount = 0
        attachmentsBytes = 0
        isTextTaken = false
        isHTMLTaken = false
        isTextOpen = false
        isAttachmentOpen = false
        losses = MappingLosses()
        decodeLosses = DecodeLosses()
        failure = nil
    }

    /// One address of the envelope; read during this call only.
    package func addRecipient(_ address: Bytes) { planner.add(address) }

    /// Takes content of the message, which is used up. Look at `failure` afterwards.
    package func feed(_ input: Bytes) {
        var offset = 0
        while failure == nil {
            let event = walker.next(input, &offset)
            if case .needInput = event { return }
            take(event, input)
        }
    }

    /// The message is complete. Look at `failure`; without one, `drain` until it says true.
    package func finish() {
        while failure == nil {
            let event = walker.finish()
            if case .end = event { break }
            take(event, Bytes())
        }
        guard failure == nil else { return }
        if !isHeadMapped { mapHead(Bytes()) }
        if failure == nil { closeParts() }
    }

    /// Writes what is still waiting, about `bytes` at most, and then the closing brace.
    /// - Returns: whether the request is complete now. Look at `failure` when it is not.
    package func drain(upTo bytes: Int) -> Bool {
        var written = 0
        while let late, lateOffset < late.byteCount {
            guard written < bytes, failure == nil else { return false }
            let count = sink.write { late.read(at: lateOffset, into: &$0) }
            if late.hasFailed { fail(.unavailable(isUncertain: false)) }
            lateOffset += count
            written += count
        }
        if late?.hasFailed == true || held?.hasFailed == true {
            fail(.unavailable(isUncertain: false))
            return false
        }
        sink.literal("}")
        return true
    }

    /// Bytes that `drain` has still to write, about.
    package var waitingBytes: Int { (late?.byteCount ?? 0) - lateOffset + 1 }

    /// Ends the message, however far it is, and lets go of everything that was its own.
    package func end() {
        sink.aim(at: nil)
        lateSink.aim(at: nil)
        late?.discard()
        late = nil
        lateOffset = 0
        held?.discard()
        held = nil
    }

    /// The recipients of a held message, one call each.
    package func heldRecipients() -> [[UInt8]]? {
        guard planner.isGroup else { return nil }
        let list = planner.list
        return (0..<list.count).map { list.address($0).copied() }
    }

    /// Hands the held request to its new owner.
    package func takeHeld() -> SpillBuffer? {
        defer { held = nil }
        sink.aim(at: nil)
        return held
    }

    /// From now on the request is held back, because each recipient gets one of their own.
    func hold() {
        let buffer = SpillBuffer(
            pool: pool, memoryBytesMax: heldBytesMax, folder: temporaryFolder)
        held = buffer
        sink.aim(at: buffer)
    }

    /// Makes `lateSink` ready for text that has to wait for the end of the attachments.
    func openLate() {
        guard late == nil else { return }
        let buffer = SpillBuffer(
            pool: pool, memoryBytesMax: Self.lateBytesMax, folder: temporaryFolder)
        late = buffer
        lateSink.aim(at: buffer)
    }

    /// What the message lost in all; complete after `drain`.
    package var allLosses: MappingLosses {
        var sum = losses
        let inHeads = walker.losses
        sum.charactersReplaced += decodeLosses.replacedCharacters + inHeads.replacedCharacters
        sum.charactersReplaced += sink.replacedCount
        sum.charsetsUnknown += decodeLosses.unknownCharsets + inHeads.unknownCharsets
        sum.textTruncated += decodeLosses.truncated + inHeads.truncated
        sum.preambles += walker.oddities.preambles + walker.oddities.epilogues
        sum.addressesMalformed += decodeLosses.malformedAddresses
        return sum
    }

    func fail(_ outcome: Outcome) {
        if failure == nil { failure = outcome }
    }

    private func take(_ event: PartWalker.Event, _ input: Bytes) {
        switch event {
        case .messageHeader(let place):
            isHeadMapped = true
            Self.lend(walker, place, input) { mapHead($0) }
        case .leafStart:
            startLeaf(walker.leafTraits)
        case .content(let place):
            if place.source == .input {
                feedLeaf(input.extracting(place.range))
            } else {
                Self.lend(walker, place, input) { feedLeaf($0) }
            }
        case .leafEnd:
            endLeaf()
        case .failed(let fault):
            fail(.unparsable(reason: Array(fault.description.utf8)))
        case .multipartStart, .needInput, .end:
            break
        }
    }

    /// Lends bytes that may lie in the walker, which is only read meanwhile.
    private static func lend(
        _ walker: borrowing PartWalker, _ place: Place, _ input: Bytes, to body: (Bytes) -> Void
    ) {
        body(walker.bytes(place, in: input))
    }
}
