// Fuzz target for the structure of messages: header blocks, parts, delimiters.

import Reactor
import Wire

private nonisolated(unsafe) let charsets = CharsetCache()

/// A message has the same parts however it is cut, and all its bytes are accounted for.
let partWalkerTarget = FuzzTarget(name: "PartWalker") { message in
    let whole = WalkedMessage(message, in: [message.count], charsets: charsets)
    let cut = WalkedMessage(message, in: pieces(of: message), charsets: charsets)
    require(whole == cut, "split differs")
    guard whole.fault == nil else { return }
    whole.requireBalance(with: message)
}

/// One leaf and its content, still transfer-encoded.
struct FuzzedLeaf: Equatable {
    var depth: Int
    var isInAlternative: Bool
    var mediaType: [UInt8]
    var charset: Charset
    var encoding: TransferEncoding
    var isAttachment: Bool
    /// format=flowed with delsp=yes: words may lose the blank between them.
    var deletesSpaces: Bool
    var filename: [UInt8]
    var contentID: [UInt8]
    var content: [UInt8] = []

    /// Whether a body can hold it.
    var isText: Bool { isHTML || mediaType == Array("text/plain".utf8) }
    var isHTML: Bool { mediaType == Array("text/html".utf8) }

    init(_ walker: borrowing PartWalker) {
        let head = walker.leafHead
        depth = walker.leafDepth
        isInAlternative = walker.isInAlternative
        mediaType = head.mediaType
        charset = head.charset
        encoding = head.encoding
        isAttachment = head.isAttachment
        deletesSpaces = head.traits.deletesSpaces
        filename = head.filename
        contentID = head.contentID
    }
}

/// Everything that a walker reports about a message.
struct WalkedMessage: Equatable {
    var header: [UInt8] = []
    var leaves: [FuzzedLeaf] = []
    var fault: MIMEFault?
    var oddities = StructureOddities()
    var losses = DecodeLosses()
    /// Text before a first delimiter. The walker keeps it because there may be no body.
    var keptPreamble: [UInt8] = []
    private var multiparts = 0
    private var isInLeaf = false
    private var hasHeader = false

    init(_ message: Bytes, in lengths: [Int], charsets: CharsetCache) {
        var walker = PartWalker(charsets: charsets)
        var start = 0
        for length in lengths where fault == nil {
            // A separate allocation, so that reading past it or keeping it is detected.
            let piece = message.extracting(start..<start + length).copied()
            start += length
            var offset = 0
            while fault == nil {
                let event = walker.next(piece.span, &offset)
                if event == .needInput { break }
                require(event != .end, "the end in the middle")
                take(event, walker, piece.span)
            }
            require(fault != nil || offset == length, "input that is not used up")
        }
        while fault == nil {
            let event = walker.finish()
            if event == .end { break }
            require(event != .needInput, "input needed at the end")
            take(event, walker, Bytes())
        }
        require(fault != nil || (hasHeader && !isInLeaf), "something is left open")
        oddities = walker.oddities
        losses = walker.losses
        keptPreamble = walker.takePreamble()
    }

    private mutating func take(
        _ event: PartWalker.Event, _ walker: borrowing PartWalker, _ input: Bytes
    ) {
        switch event {
        case .messageHeader(let place):
            require(!hasHeader, "a second header")
            hasHeader = true
            header = walker.bytes(place, in: input).copied()
        case .multipartStart:
            require(hasHeader && !isInLeaf, "a multipart out of place")
            multiparts += 1
        case .leafStart:
            require(hasHeader && !isInLeaf, "a leaf out of place")
            isInLeaf = true
            leaves.append(FuzzedLeaf(walker))
            requireBounded(leaves[leaves.count - 1])
        case .content(let place):
            require(isInLeaf && !place.range.isEmpty, "content out of place")
            leaves[leaves.count - 1].content += walker.bytes(place, in: input).copied()
        case .leafEnd:
            require(isInLeaf, "the end of no leaf")
            isInLeaf = false
        case .failed(let fault): self.fault = fault
        case .needInput, .end: break
        }
    }

    private func requireBounded(_ leaf: FuzzedLeaf) {
        requireClean(leaf.filename, "a file name")
        require(leaf.filename.count <= AttachmentName.bytesMax, "a file name over its bound")
        requireClean(leaf.mediaType, "a media type")
        require(leaf.mediaType.count <= 127 && leaf.mediaType.contains(0x2F), "a bad media type")
        require(!leaf.contentID.contains { $0 < 0x20 }, "a content id holds a control")
        require(leaf.depth <= MIMEBounds.nestingMax, "nested too deep")
    }

    /// The header and the content of each leaf are in the message in this order, each in one piece.
    /// Without a multipart, the content is the rest of the message. Lines before the first field may
    /// be left out.
    func requireBalance(with message: Bytes) {
        var reached = position(of: header, in: message, from: 0) + header.count
        if multiparts == 0 {
            require(leaves.count == 1, "one leaf is all")
            let content = leaves[0].content
            require(message.count - reached >= content.count, "more content than message")
            let rest = message.extracting((message.count - content.count)..<message.count)
            require(rest.copied() == content, "bytes are missing")
            return
        }
        for leaf in leaves {
            reached = position(of: leaf.content, in: message, from: reached) + leaf.content.count
        }
    }

    private func position(of text: [UInt8], in message: Bytes, from start: Int) -> Int {
        guard let first = text.first else { return start }
        var at = start
        while let found = message.firstIndex(of: first, from: at) {
            guard found + text.count <= message.count else { break }
            var length = 1
            while length < text.count, message[found + length] == text[length] { length += 1 }
            if length == text.count { return found }
            at = found + 1
        }
        fatalError("content that the message does not hold in this order")
    }
}
