// One message to one JSON request for the API, in one pass.
//
// The conductor: it is fed pieces of the message, walks the MIME structure and tells the writers
// what comes. `HeadWriter` writes what the header block decides, `PartsWriter` the bodies and the
// attachments as they arrive, or at the end when their place is not certain before. Together they write one valid JSON object with unique keys, whatever
// the input. Until `drain` has written the closing brace it is no JSON, so nobody can take a part
// of a message for a whole one.

import APIClient
import Reactor
import Wire

/// Maps messages, one after the other: `begin`, `feed`…, `finish`, `drain`…, `end`. Belongs to one
/// loop; its buffers are used again for the next message.
package final class MessageMapper {
    private let pool: SlabPool
    private let heldBytesMax: Int
    private let groupBytesMax: Int
    /// The request, or `held`.
    private let sink = JSONSink()

    private var walker: PartWalker
    private var head: HeadWriter
    private var parts: PartsWriter
    private var findings = Findings()
    /// A header block with text in a charset that only the first part's label tells: written when that
    /// part begins. Empty when there is none.
    private var waitingHead: [UInt8] = []
    /// The request without its opening brace and its recipients, when each of them gets a call of its
    /// own, or it is not certain yet who gets one.
    package private(set) var held: SpillBuffer?
    /// Of such a request, so that all calls together stay within `groupBytesMax`.
    private var groupRequestBytesMax = Int.max

    /// - Parameters:
    ///   - scratch: of the loop; used inside each call only.
    ///   - heldBytesMax: memory for a message that is held whole (`Configuration
    ///     .bufferThresholdBytes`), before it goes to a temporary file. A request that is not complete
    ///     is not read before it is longer: up to there its bodies may still change.
    package init(
        options: MappingOptions, charsets: CharsetCache, scratch: MapperScratch, pool: SlabPool,
        heldBytesMax: Int
    ) {
        self.pool = pool
        self.heldBytesMax = heldBytesMax
        groupBytesMax = options.groupBytesMax
        walker = PartWalker(charsets: charsets)
        head = HeadWriter(options: options, charsets: charsets, scratch: scratch, sink: sink)
        parts = PartsWriter(
            options: options, charsets: charsets, scratch: scratch, sink: sink,
            held: HeldParts(pool: pool), heldBytesMax: heldBytesMax)
    }

    /// Why the message can't be sent; nothing more is written then.
    package var failure: Outcome? { findings.refusal }

    /// Whether everything that the header block decides is written.
    package var isHeadMapped: Bool { head.isWritten }

    /// Moves the address in `from`, of a message whose head is mapped, in place of what is in
    /// `memory`. Once for each message.
    package func takeFrom(into memory: inout [UInt8]) { head.takeFrom(into: &memory) }

    /// Whether the message has a Message-ID, by which a second copy of it can be told.
    package var hasMessageID: Bool { head.hasMessageID }

    /// The Message-ID as the client wrote it, at most 256 bytes, with `keepsMessageID`; else empty.
    package var messageID: [UInt8] { head.messageID }

    /// Whether the message has a Date.
    package var hasDate: Bool { head.hasDate }

    /// Starts a message; `addRecipient` for each of its envelope follows, and then its content.
    /// - Parameters:
    ///   - sender: MAIL FROM, empty for the null sender; read during this call only.
    ///   - files: where what memory must not hold may go, held until `end`, and by `held` as long
    ///     as it lives; with nil a message that needs a file is refused.
    ///   - request: written until `end`; nothing is written to it when `held` is set.
    package func begin(
        sender: Bytes, recipientCount: Int, files: (any TemporaryFiles)?,
        into request: RequestBody
    ) {
        walker.reset()
        if !waitingHead.isEmpty { waitingHead = [] }
        head.begin(sender: sender, recipientCount: recipientCount)
        parts.begin(files: files)
        findings = Findings()
        sink.begin(request)
    }

    /// Before the header block is complete: the request is held without its recipients, some of whom
    /// may be left out.
    package func holdRecipients() { head.holdRecipients() }

    /// One address of the envelope; read during this call only.
    package func addRecipient(_ address: Bytes) { head.addRecipient(address) }

    /// Takes content of the message, which is used up. Look at `failure` afterwards.
    package func feed(_ input: Bytes) {
        var offset = 0
        while findings.refusal == nil {
            let event = walker.next(input, &offset)
            if case .needInput = event { return checkRoom() }
            take(event, input)
        }
    }

    /// Refuses a message whose waiting bytes have no room, or are too many for its recipients.
    private func checkRoom() {
        if spillFailure != nil { findings.refuse(.noRoom) }
        guard let held else { return }
        if held.byteCount + parts.waitingBytes > groupRequestBytesMax {
            findings.refuse(.groupTooLarge)
        }
    }

    /// Why bytes that wait have no room; nil when they have.
    package var spillFailure: SpillFailure? { held?.failure ?? parts.spillFailure }

    /// The message is complete. Look at `failure`; without one, `drain` until it says true.
    package func finish() {
        while findings.refusal == nil {
            let event = walker.finish()
            if case .end = event { break }
            take(event, Bytes())
        }
        guard findings.refusal == nil else { return }
        if !head.isWritten { writeWaitingHead() }
        guard findings.refusal == nil else { return }
        parts.finish(hasTemplate: head.hasTemplate, &findings)
        if parts.isBodyMissing && !head.hasTemplate {
            parts.substituteBody(walker.takePreamble(), &findings)
        }
        checkRoom()
    }

    /// Writes what still waits, about `bytes` at most, and then the closing brace.
    /// - Returns: whether the request is complete now. Look at `failure` when it is not.
    package func drain(upTo bytes: Int) -> Bool {
        guard findings.refusal == nil else { return false }
        let isAllWritten = parts.writeWaiting(upTo: bytes, &findings)
        checkRoom()
        guard isAllWritten && findings.refusal == nil else { return false }
        sink.literal("}")
        return true
    }

    /// Bytes that `drain` has still to write, about.
    package var waitingBytes: Int { parts.waitingBytes + 1 }

    /// Ends the message, wherever it is, and lets go of everything that belongs to it.
    package func end() {
        sink.rest()
        parts.end()
        held?.discard()
        held = nil
    }

    /// The recipients of a held message; nil when it is not held.
    package func heldRecipients() -> [[UInt8]]? {
        held != nil ? head.recipientAddresses() : nil
    }

    /// Whether each recipient of a held message gets a call of its own, because all are hidden.
    package var isGroup: Bool { head.isGroup }

    /// Takes recipients out of a held message. Of those that are left, all may be hidden: then
    /// `isGroup` is true.
    /// - Parameter isOut: of each of `heldRecipients`.
    package func leaveOut(_ isOut: [Bool]) { head.leaveOut(isOut) }

    /// Writes what a held request of one call begins with; the content of `takeHeld` follows.
    package func writeHeldRecipients(into request: RequestBody) {
        sink.aim(at: request)
        head.writeHeldRecipients()
        sink.rest()
    }

    /// Hands the held request to its new owner.
    package func takeHeld() -> SpillBuffer? {
        defer { held = nil }
        sink.rest()
        return held
    }

    /// What the message lost in all; complete after `drain`.
    package var allLosses: MappingLosses {
        var sum = findings.losses
        sum.add(head.decodeLosses)
        sum.add(walker.losses)
        sum[.charactersReplaced] += sink.replacedCount
        sum[.preambles] += walker.oddities.preambles + walker.oddities.epilogues
        sum[.headersMalformed] += walker.oddities.headerLines
        sum[.encodingsIrregular] += walker.oddities.encodings
        return sum
    }

    @inline(__always)
    private func take(_ event: PartWalker.Event, _ input: Bytes) {
        switch event {
        case .messageHeader(let place):
            Self.lend(walker, place, input) { beginHead($0) }
        case .multipartStart:
            parts.startMultipart(of: walker, &findings)
        case .leafStart:
            if !head.isWritten { writeWaitingHead() }
            parts.startLeaf(of: walker, hasTemplate: head.hasTemplate, &findings)
        case .content(let place):
            switch place.source {
            case .input: parts.feed(input.extracting(place.range), &findings)
            case .held: Self.lend(walker, place, input) { parts.feed($0, &findings) }
            }
        case .leafEnd:
            parts.endLeaf(&findings)
        case .failed(let fault):
            findings.refuse(unparsable: fault.description)
        case .needInput, .end:
            break
        }
    }

    /// Lends bytes that may lie in the walker, which is only read meanwhile.
    private static func lend(
        _ walker: borrowing PartWalker, _ place: Place, _ input: Bytes, to body: (Bytes) -> Void
    ) {
        body(walker.bytes(place, in: input))
    }

    /// Writes the head now, or when it is known which charset its raw text is in.
    private func beginHead(_ block: Bytes) {
        guard RawHeader.mayNeedConversion(block) else { return writeHead(block) }
        if walker.leafTraits.media == .multipart, RawHeader.needsCharset(block) {
            waitingHead = block.copied()
        } else {
            writeHead(raw: block)
        }
    }

    private func writeWaitingHead() {
        let block = waitingHead
        waitingHead = []
        writeHead(raw: block.span)
    }

    /// - Parameter block: may have raw text in the charset of the current leaf.
    private func writeHead(raw block: Bytes) {
        let traits = walker.leafTraits
        let text = head.converted(block, traits.media.isText ? traits.charset : .undeclared)
        if let text { writeHead(text.span) } else { writeHead(block) }
    }

    /// Writes everything that the header block decides. A message to several hidden recipients is
    /// held back from there on, because each of them gets a request of its own; and so is one whose
    /// recipients are not certain yet.
    private func writeHead(_ block: Bytes) {
        head.read(block, &findings)
        if head.isHeld {
            let buffer = SpillBuffer(
                pool: pool, memoryBytesMax: heldBytesMax, files: parts.files)
            held = buffer
            groupRequestBytesMax =
                head.isGroup ? groupBytesMax / max(1, head.recipientCount) : .max
            sink.hold(in: buffer)
        }
        head.write(block, &findings)
    }
}
