// A text body: from the received bytes to the JSON string.
//
// Transfer encoding off, charset to UTF-8, line ends to `\n`, JSON escapes on. Each step that the
// part does not need is left out, so declared UTF-8 without a transfer encoding goes from the
// received bytes straight into the request.

import Wire

/// One text body after the other: `begin`, `feed`…, `finish`.
struct TextWriter: ~Copyable {
    private let charsets: CharsetCache
    private let scratch: MapperScratch
    private var target: JSONSink
    private var transfer = TransferDecoder(.identity)
    /// Whether content is used as it comes, without `transfer`.
    private var isIdentity = true
    private var decoder: CharsetDecoder
    /// Whether content is used without `decoder`.
    private var isPassThrough = true
    private var escaper = JSONEscaper(lineEnds: .lineFeed)
    /// Whether the text's key and opening quote are written.
    private var isOpen = false
    /// Of the latest text.
    private(set) var isHTML = false

    init(charsets: CharsetCache, scratch: MapperScratch, into target: JSONSink) {
        self.charsets = charsets
        self.scratch = scratch
        self.target = target
        decoder = CharsetDecoder(.undeclared, cache: charsets)
    }

    /// A text begins. Nothing is written before its first byte.
    mutating func begin(_ leaf: EntityTraits, into target: JSONSink) {
        self.target = target
        transfer = TransferDecoder(leaf.encoding)
        isIdentity = leaf.encoding == .identity || leaf.encoding == .unknown
        isPassThrough = leaf.charset.isPassThrough
        if !isPassThrough { decoder = CharsetDecoder(leaf.charset, cache: charsets) }
        escaper = JSONEscaper(lineEnds: .lineFeed)
        isOpen = false
        isHTML = leaf.media == .textHTML
    }

    /// Content of the part, still transfer-encoded; used up.
    mutating func feed(_ content: Bytes) {
        if isIdentity { return convert(content) }
        var taken = 0
        while taken < content.count {
            var region = scratch.decodedRegion
            taken += transfer.feed(content.extracting(taken...), into: &region)
            convert(region.bytes)
        }
    }

    /// The part is complete.
    /// - Returns: whether it had any text.
    mutating func finish(_ findings: inout Findings) -> Bool {
        if !isIdentity {
            var isDone = false
            while !isDone {
                var region = scratch.decodedRegion
                isDone = transfer.finish(into: &region)
                convert(region.bytes)
            }
            findings.count(.encodingsIrregular, transfer.irregularCount)
        }
        if !isPassThrough { finishCharset(&findings) }
        guard isOpen else { return false }
        let target = target
        target.drive { escaper.finish(into: &$0) }
        target.literal("\"")
        findings.count(.charactersReplaced, escaper.replacedCount)
        isOpen = false
        return true
    }

    private mutating func finishCharset(_ findings: inout Findings) {
        var isDone = false
        while !isDone {
            var region = scratch.convertedRegion
            isDone = decoder.finish(into: &region)
            escape(region.bytes)
        }
        findings.count(.charactersReplaced, decoder.replacedCount)
    }

    private mutating func convert(_ bytes: Bytes) {
        if isPassThrough { return escape(bytes) }
        var taken = 0
        while taken < bytes.count {
            var region = scratch.convertedRegion
            taken += decoder.feed(bytes.extracting(taken...), into: &region)
            escape(region.bytes)
        }
    }

    private mutating func escape(_ bytes: Bytes) {
        guard bytes.count > 0 else { return }
        let target = target
        if !isOpen {
            // Only now the part is known not to be empty.
            target.literal(isHTML ? ",\"html_body\":\"" : ",\"text_body\":\"")
            isOpen = true
        }
        var taken = 0
        target.drive { region in
            taken += escaper.feed(bytes.extracting(taken...), into: &region)
            return taken == bytes.count
        }
    }
}
