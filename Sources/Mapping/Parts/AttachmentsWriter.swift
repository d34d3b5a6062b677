// Attachments: what is base64 already goes straight from the received bytes into the request.
//
// The object of an attachment is begun with its first byte, because the API refuses an empty one; an
// empty part is counted instead. The API's limits are checked as the bytes pass.

import APIClient
import Wire

/// The attachments of one message after the other: `begin`, then `start`, `feed`…, `finish` for
/// each, then `close`.
struct AttachmentsWriter {
    /// How an attachment's content becomes base64.
    private enum Path {
        /// It is base64 and passes without its line ends.
        case filter
        /// Bytes as they are, encoded.
        case encode
        /// Another transfer encoding is taken off, and the bytes are encoded.
        case recode
    }

    /// One attachment.
    private struct Current {
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
        /// Empty when none is sent.
        var contentID: [UInt8] = []

        /// What was irregular in its encoding.
        var irregularCount: Int {
            switch path {
            case .filter: filter.strayCount
            case .encode: 0
            case .recode: transfer.irregularCount
            }
        }
    }

    /// What a message has of them so far.
    private struct Totals {
        /// Attachments that are begun in the JSON.
        var count = 0
        /// Decoded bytes of the attachments that are complete.
        var bytes = 0
        /// Whether the list is begun in the JSON, and not closed.
        var isListOpen = false
    }

    private let options: MappingOptions
    private let scratch: MapperScratch
    private let sink: JSONSink
    private var totals = Totals()
    private var current = Current()

    init(options: MappingOptions, scratch: MapperScratch, sink: JSONSink) {
        self.options = options
        self.scratch = scratch
        self.sink = sink
    }

    /// Whether the list is begun in the JSON, and not closed.
    var isListOpen: Bool { totals.isListOpen }

    /// Bytes that the attachment has so far, without base64.
    private var byteCount: Int {
        current.path == .filter ? current.filter.decodedCount : current.encodedBytes
    }

    /// A new message.
    mutating func begin() { totals = Totals() }

    /// An attachment begins. Nothing is written before its first byte.
    /// - Parameters:
    ///   - isInBody: it is inside a multipart/related or multipart/alternative. There an HTML body
    ///     refers to its Content-ID, whatever the disposition says (Nodemailer calls its embedded
    ///     images attachments). Elsewhere any file may have one (Ruby's mail), and it is sent for
    ///     inline parts and for pictures, because HTML that names one may come later.
    ///   - madeID: takes the place of a Content-ID that is absent; may be empty.
    mutating func start(_ head: EntityHead, isInBody: Bool, madeID: [UInt8] = []) {
        current = Current()
        switch head.encoding {
        case .base64: current.path = .filter
        case .identity, .unknown: current.path = .encode
        case .quotedPrintable, .uuencode: current.path = .recode
        }
        current.transfer = TransferDecoder(head.encoding)
        current.mediaType = head.mediaType
        if !head.typeParameters.isEmpty { current.mediaType += head.typeParameters }
        current.filename = filename(of: head)
        let isForBody = !head.isAttachment || isInBody || Self.isPicture(head)
        current.contentID = head.contentID.isEmpty ? madeID : isForBody ? head.contentID : []
    }

    /// An attachment begins whose transfer encoding was taken off before it was known to be a file.
    mutating func startDecoded(_ head: EntityHead) {
        current = Current()
        current.mediaType = head.mediaType + head.typeParameters
        current.filename = filename(of: head)
        current.contentID = head.contentID
    }

    /// Content of the attachment, still transfer-encoded; used up.
    mutating func feed(_ content: Bytes, _ findings: inout Findings) {
        switch current.path {
        case .filter: filter(content, &findings)
        case .encode: encode(content, &findings)
        case .recode:
            var taken = 0
            while taken < content.count && findings.refusal == nil {
                var region = scratch.decodedRegion
                taken += current.transfer.feed(content.extracting(taken...), into: &region)
                encode(region.bytes, &findings)
            }
        }
        checkSize(&findings)
    }

    /// The attachment is complete.
    mutating func finish(_ findings: inout Findings) {
        switch current.path {
        case .filter: finishFilter(&findings)
        case .encode: finishEncoder()
        case .recode:
            var isDone = false
            while !isDone {
                var region = scratch.decodedRegion
                isDone = current.transfer.finish(into: &region)
                encode(region.bytes, &findings)
            }
            finishEncoder()
        }
        checkSize(&findings)
        findings.count(.encodingsIrregular, current.irregularCount)
        if current.filter.hasText { findings.count(.preambles) }
        totals.bytes += byteCount
        if current.isOpen {
            sink.literal("\"}")
            current.isOpen = false
        } else {
            findings.count(.attachmentsEmpty)
        }
    }

    /// There are no more attachments: closes the list, if it is open.
    mutating func close() {
        if totals.isListOpen { sink.literal("]") }
        totals.isListOpen = false
    }
}

// MARK: - Content

extension AttachmentsWriter {
    private mutating func filter(_ content: Bytes, _ findings: inout Findings) {
        var taken = 0
        while !current.isOpen && taken < content.count {
            // A small region shows first whether there is anything but line ends.
            var region = scratch.decodedRegion
            let probe = content.extracting(taken..<min(taken + 64, content.count))
            taken += current.filter.feed(probe, into: &region)
            open(with: region.bytes, &findings)
            guard findings.refusal == nil else { return }
        }
        guard taken < content.count else { return }
        sink.drive { region in
            taken += current.filter.feed(content.extracting(taken...), into: &region)
            return taken == content.count
        }
    }

    private mutating func finishFilter(_ findings: inout Findings) {
        if current.isOpen { return sink.drive { current.filter.finish(into: &$0) } }
        var region = scratch.decodedRegion
        _ = current.filter.finish(into: &region)
        open(with: region.bytes, &findings)
    }

    private mutating func encode(_ bytes: Bytes, _ findings: inout Findings) {
        guard bytes.count > 0 else { return }
        if !current.isOpen { open(&findings) }
        guard findings.refusal == nil else { return }
        current.encodedBytes += bytes.count
        var taken = 0
        sink.drive { region in
            taken += current.encoder.feed(bytes.extracting(taken...), into: &region)
            return taken == bytes.count
        }
    }

    private mutating func finishEncoder() {
        guard current.isOpen else { return }
        sink.drive { current.encoder.finish(into: &$0) }
    }

    /// Opens the attachment when `base64`, its first bytes, is not empty.
    private mutating func open(with base64: Bytes, _ findings: inout Findings) {
        guard base64.count > 0 else { return }
        open(&findings)
        if current.isOpen { sink.copy(base64) }
    }

    private mutating func open(_ findings: inout Findings) {
        guard totals.count < options.attachmentsMax else {
            let reason = "Message has more than \(options.attachmentsMax) attachments"
            return findings.refuse(.attachmentLimit(isSize: false, reason: Array(reason.utf8)))
        }
        totals.count += 1
        sink.literal(
            totals.isListOpen ? ",{\"filename\":\"" : ",\"attachments\":[{\"filename\":\"")
        totals.isListOpen = true
        current.isOpen = true
        sink.escaped(current.filename.span)
        sink.literal("\",\"content_type\":\"")
        sink.escaped(current.mediaType.span)
        if options.hasInlineContentID && !current.contentID.isEmpty {
            sink.literal("\",\"content_id\":\"")
            sink.escaped(current.contentID.span)
        }
        sink.literal("\",\"content\":\"")
    }

    private mutating func checkSize(_ findings: inout Findings) {
        let byteCount = byteCount
        if byteCount > options.attachmentBytesMax {
            let reason = "Attachment exceeds maximum of \(options.attachmentBytesMax) bytes"
            findings.refuse(.attachmentLimit(isSize: true, reason: Array(reason.utf8)))
        } else if totals.bytes + byteCount > options.attachmentsBytesMax {
            let reason = "Attachments exceed maximum of \(options.attachmentsBytesMax) bytes"
            findings.refuse(.attachmentLimit(isSize: true, reason: Array(reason.utf8)))
        }
    }
}

// MARK: - Names

extension AttachmentsWriter {
    /// The attachment's own name, or one that its description tells or its number and media type
    /// make. A message that is attached gets the extension that makes it a file.
    private func filename(of head: EntityHead) -> [UInt8] {
        if head.filename.isEmpty {
            if !head.description.isEmpty {
                let name = AttachmentName.inDescription(head.description.span)
                if !name.isEmpty { return name }
            }
            if let name = MediaExtension.wholeName(head.mediaType) {
                return name.withUTF8Buffer { Array($0) }
            }
            let suffix = MediaExtension.of(head.mediaType)
            return Array("attachment-\(totals.count + 1).\(suffix)".utf8)
        }
        guard head.media == .messageRFC822, !Self.endsWithEML(head.filename) else {
            return head.filename
        }
        return AttachmentName.appending(".eml", to: head.filename)
    }

    /// Some programs send pictures as a file of any type.
    private static func isPicture(_ head: EntityHead) -> Bool {
        if head.mediaType.span.startsIgnoringCase("image/") { return true }
        guard head.mediaType.span.equalsIgnoringCase("application/octet-stream"),
            let dot = head.filename.lastIndex(of: UInt8(ascii: "."))
        else { return false }
        let suffix = head.filename.span.extracting((dot + 1)...)
        return suffix.equalsIgnoringCase("png") || suffix.equalsIgnoringCase("jpg")
            || suffix.equalsIgnoringCase("jpeg") || suffix.equalsIgnoringCase("gif")
            || suffix.equalsIgnoringCase("svg") || suffix.equalsIgnoringCase("webp")
            || suffix.equalsIgnoringCase("bmp")
    }

    private static func endsWithEML(_ name: [UInt8]) -> Bool {
        name.count >= 4 && name.span.extracting((name.count - 4)...).equalsIgnoringCase(".eml")
    }
}
