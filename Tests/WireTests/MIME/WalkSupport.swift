// Runs a `PartWalker` over a message cut into pieces and records its events.

@testable import Wire

/// A leaf as it was found.
struct WalkedLeaf: Equatable, CustomStringConvertible {
    var depth: Int
    var isInAlternative: Bool
    var type: String
    var encoding: TransferEncoding
    var isAttachment: Bool
    var filename: String
    var contentID: String
    var content: [UInt8]

    /// "1 image/png attachment “a.png” <id>: content"
    var description: String {
        var text = "\(depth) \(type)"
        if isInAlternative { text += " alternative" }
        if encoding != .identity { text += " \(encoding)" }
        if isAttachment { text += " attachment" }
        if !filename.isEmpty { text += " “\(filename)”" }
        if !contentID.isEmpty { text += " <\(contentID)>" }
        return text + ": " + content.text
    }
}

/// A whole message as it was found.
struct Walk: Equatable {
    var header: [UInt8]?
    var leaves: [WalkedLeaf] = []
    var fault: MIMEFault?
    var oddities = StructureOddities()
    var losses = DecodeLosses()
    /// Events out of order, or inputs that were not used up.
    var mistakes: [String] = []

    /// Walks `message` in the pieces of `plan`, each in memory of its own.
    init(_ message: [UInt8], plan: [Int]? = nil) {
        var walker = PartWalker(charsets: CharsetCache())
        self.init(message, plan: plan, with: &walker)
    }

    init(_ message: [UInt8], plan: [Int]?, with walker: inout PartWalker) {
        var isOver = false
        for piece in message.pieces(plan ?? [message.count]) where !isOver {
            var offset = 0
            feeding: while true {
                let event = walker.next(piece.span, &offset)
                switch event {
                case .needInput:
                    if offset != piece.count { mistakes.append("input left over") }
                    break feeding
                case .failed:
                    take(event, &walker, piece.span)
                    isOver = true
                    break feeding
                default: take(event, &walker, piece.span)
                }
            }
        }
        while !isOver {
            let event = walker.finish()
            take(event, &walker, Bytes())
            switch event {
            case .end, .failed, .needInput: isOver = true
            default: break
            }
        }
        if isInLeaf && fault == nil { mistakes.append("leaf not ended") }
        oddities = walker.oddities
        losses = walker.losses
    }

    private var isInLeaf = false

    private mutating func take(
        _ event: PartWalker.Event, _ walker: inout PartWalker, _ input: Bytes
    ) {
        switch event {
        case .needInput: mistakes.append("input needed at the end")
        case .messageHeader(let place):
            if header != nil || !leaves.isEmpty { mistakes.append("header not first") }
            header = walker.bytes(place, in: input).copied()
        case .multipartStart: break
        case .leafStart:
            if isInLeaf || header == nil { mistakes.append("leaf out of place") }
            isInLeaf = true
            leaves.append(WalkedLeaf(walker))
        case .content(let place):
            if !isInLeaf { mistakes.append("content out of place") }
            if place.range.isEmpty { mistakes.append("empty content") }
            leaves[leaves.count - 1].content += walker.bytes(place, in: input).copied()
        case .leafEnd:
            if !isInLeaf { mistakes.append("leaf end out of place") }
            isInLeaf = false
        case .end: if isInLeaf || header == nil { mistakes.append("end out of place") }
        case .failed(let fault): self.fault = fault
        }
    }
}

extension WalkedLeaf {
    init(_ walker: borrowing PartWalker) {
        let head = walker.leafHead
        self.init(
            depth: walker.leafDepth, isInAlternative: walker.isInAlternative,
            type: head.mediaType.text, encoding: head.encoding, isAttachment: head.isAttachment,
            filename: head.filename.text, contentID: head.contentID.text, content: [])
    }
}

extension String {
    /// These lines with CRLF for every line feed, as mail has it.
    var mail: [UInt8] { bytes.flatMap { $0 == 10 ? [13, 10] : [$0] } }
}
