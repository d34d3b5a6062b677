// A text: from the received bytes to UTF-8, and on into the request or to the texts that wait.
//
// Transfer encoding off, charset to UTF-8; this is the one place that decodes a text. A text whose
// place is certain goes on into its JSON string: line ends to `\n`, escapes on. Each step that the
// part does not need is left out, so declared UTF-8 without a transfer encoding goes from the
// received bytes straight into the request. A text whose place is not certain goes to `HeldParts`
// as it is. One whose place is certain, unless it is blank, waits there until something is seen. One
// that may be a file waits there in its own charset, and comes here again if it is shown.

import Wire

/// One text after the other: `begin` or `beginHeld`, `feed`…, `finish`.
struct TextWriter: ~Copyable {
    /// What of a text goes to `held`.
    private enum Kept {
        case text
        /// What is left without the transfer encoding.
        case bytes
        case nothing
    }

    /// What became of a text.
    enum Result: Equatable {
        /// It had nothing to see; nothing of it is left.
        case blank
        /// It waits, and has a number.
        case held(isBlank: Bool)
        /// It had something to see; nothing of it is left.
        case seen
        /// It is in the request; with a number, if it was begun by `beginHeld`.
        case written
    }

    private let charsets: CharsetCache
    private let scratch: MapperScratch
    private let held: HeldParts
    private let target: JSONSink
    private var transfer = TransferDecoder(.identity)
    /// Whether content is used as it comes, without `transfer`.
    private var isIdentity = true
    private var decoder: CharsetDecoder
    /// Whether content is used without `decoder`.
    private var isPassThrough = true
    /// Nothing of the text has come; it may begin with a byte order mark.
    private var isAtStart = true
    /// Undoes format=flowed; nil for nearly every text.
    private var flow: FlowedText?
    private var escaper = JSONEscaper(lineEnds: .lineFeed)
    /// Whether the text's key and opening quote are written.
    private var isOpen = false
    private var isHTML = false
    /// Whether the text goes to `held`.
    private var isHeld = false
    /// Whether the text was in `held`, and its field may be removed from the request.
    private var wasHeld = false
    /// Of a text in `held`.
    private var goesAtOnce = false
    private var mayStream = false
    private var kept = Kept.text
    private var visible = VisibleText(isHTML: false)

    init(
        charsets: CharsetCache, scratch: MapperScratch, held: HeldParts, into target: JSONSink
    ) {
        self.charsets = charsets
        self.scratch = scratch
        self.held = held
        self.target = target
        decoder = CharsetDecoder(.undeclared, cache: charsets)
    }

    /// A text begins that goes into its body at once. Nothing is written before its first byte.
    mutating func begin(_ leaf: EntityTraits) {
        transfer = TransferDecoder(leaf.encoding)
        isIdentity = leaf.encoding == .identity || leaf.encoding == .unknown
        isPassThrough = leaf.charset.isPassThrough
        isHTML = leaf.media == .textHTML
        isAtStart = true
        if !isPassThrough { begin(leaf.charset) }
        if leaf.isFlowed || flow != nil {
            flow = leaf.isFlowed ? FlowedText(deletesSpaces: leaf.deletesSpaces) : nil
        }
        escaper = JSONEscaper(lineEnds: .lineFeed)
        isOpen = false
        isHeld = false
        kept = .text
        wasHeld = false
    }

    /// Characters of the text that is complete which are U+FFFD in its field.
    var replacedCount: Int { escaper.replacedCount }

    private mutating func begin(_ charset: Charset) {
        isPassThrough = false
        decoder = CharsetDecoder(text: charset, isHTML: isHTML, cache: charsets)
    }

    /// A text begins that waits.
    /// - Parameters:
    ///   - goesAtOnce: it goes into its body as soon as it has something to see.
    ///   - mayStream: it goes into its body when memory can't hold it, and it has something to see.
    ///   - mayBeFile: its bytes wait, even if it is blank. To show it, they are fed once more.
    mutating func beginHeld(
        _ leaf: EntityTraits, goesAtOnce: Bool = false, mayStream: Bool = false,
        mayBeFile: Bool = false
    ) {
        begin(leaf)
        isHeld = true
        self.goesAtOnce = goesAtOnce
        self.mayStream = mayStream
        kept = mayBeFile ? .bytes : .text
        visible = VisibleText(isHTML: isHTML)
        held.open()
    }

    /// A text begins that goes nowhere; `finish` says whether it has something to see.
    mutating func beginSeen(_ leaf: EntityTraits) {
        begin(leaf)
        isHeld = true
        kept = .nothing
        visible = VisibleText(isHTML: isHTML)
    }

    /// Content of the part, still transfer-encoded; used up.
    mutating func feed(_ content: Bytes) {
        if kept == .nothing && visible.isVisible { return }
        if isIdentity { return convert(content) }
        var taken = 0
        while taken < content.count {
            var region = scratch.decodedRegion
            taken += transfer.feed(content.extracting(taken...), into: &region)
            convert(region.bytes)
        }
    }

    /// The part is complete.
    mutating func finish(_ findings: inout Findings) -> Result {
        if !isIdentity {
            var isDone = false
            while !isDone {
                var region = scratch.decodedRegion
                isDone = transfer.finish(into: &region)
                convert(region.bytes)
            }
            if kept != .nothing {
                findings.count(.encodingsIrregular, transfer.irregularCount)
            }
        }
        if !isPassThrough { finishCharset(&findings) }
        if flow != nil { finishFlow() }
        if isHeld { return finishHeld() }
        guard isOpen else { return .blank }
        let target = target
        target.drive { escaper.finish(into: &$0) }
        target.literal("\"")
        isOpen = false
        if wasHeld {
            target.endBody(isHTML: isHTML)
            held.closeElsewhere()
        } else {
            findings.count(.charactersReplaced, escaper.replacedCount)
        }
        return .written
    }

    private mutating func finishCharset(_ findings: inout Findings) {
        var isDone = false
        while !isDone {
            var region = scratch.convertedRegion
            isDone = decoder.finish(into: &region)
            emit(region.bytes)
        }
        if kept == .text { findings.count(.charactersReplaced, decoder.replacedCount) }
    }

    private mutating func convert(_ bytes: Bytes) {
        if kept == .bytes {
            held.append(bytes)
            guard !visible.isVisible else { return }
        }
        if isPassThrough {
            if !isAtStart || !CharsetDecoder.mayBeMark(bytes) {
                if bytes.count > 0 { isAtStart = false }
                return emit(bytes)
            }
            begin(Charset(kind: .utf8))
        }
        var taken = 0
        while taken < bytes.count {
            var region = scratch.convertedRegion
            taken += decoder.feed(bytes.extracting(taken...), into: &region)
            emit(region.bytes)
        }
    }

    /// Takes decoded text.
    @inline(__always)
    private mutating func emit(_ bytes: Bytes) {
        guard bytes.count > 0 else { return }
        if flow != nil { return emitFlowed(bytes) }
        deliver(bytes)
    }

    /// Takes text that is as it should be shown.
    @inline(__always)
    private mutating func deliver(_ bytes: Bytes) {
        if isHeld {
            hold(bytes)
        } else {
            escape(bytes)
        }
    }

    private mutating func escape(_ bytes: Bytes) {
        let target = target
        if !isOpen {
            // Only now the part is known not to be empty.
            target.literal(WrittenBodies.opening(isHTML: isHTML))
            isOpen = true
        }
        var taken = 0
        target.drive { region in
            taken += escaper.feed(bytes.extracting(taken...), into: &region)
            return taken == bytes.count
        }
    }
}

// MARK: - Flowed texts

extension TextWriter {
    private mutating func emitFlowed(_ bytes: Bytes) {
        var taken = 0
        withFlow { flow, region in
            taken += flow.feed(bytes.extracting(taken...), into: &region)
            return taken == bytes.count
        }
    }

    private mutating func finishFlow() {
        withFlow { $0.finish(into: &$1) }
        flow = nil
    }

    /// Calls `step` with one empty region after the other until it says that it is done.
    private mutating func withFlow(_ step: (inout FlowedText, inout Region) -> Bool) {
        guard var flow = flow else { return }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4_096) { memory in
            var isDone = false
            while !isDone {
                var region = Region(memory)
                isDone = step(&flow, &region)
                if region.count > 0 { deliver(region.bytes) }
            }
        }
        self.flow = flow
    }
}

// MARK: - Texts that wait

extension TextWriter {
    private mutating func hold(_ bytes: Bytes) {
        if !visible.isVisible { visible.feed(bytes) }
        guard kept == .text else { return }
        // What is blank takes nobody's place, however long it is.
        let goes =
            visible.isVisible && (goesAtOnce || mayStream && !held.hasMemory(for: bytes.count))
        guard goes else { return held.append(bytes) }
        stream()
        escape(bytes)
    }

    /// Moves the text from where it waits into its body; what follows goes there at once.
    private mutating func stream() {
        isHeld = false
        wasHeld = true
        target.beginBody(isHTML: isHTML)
        var moved = 0
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4_096) { memory in
            while moved < held.openByteCount {
                var region = Region(memory)
                moved += held.readOpen(at: moved, into: &region)
                escape(region.bytes)
            }
        }
        held.forget()
    }

    private mutating func finishHeld() -> Result {
        isHeld = false
        let isBlank = visible.isBlank
        guard kept != .nothing else { return isBlank ? .blank : .seen }
        guard !isBlank || kept == .bytes && held.openByteCount > 0 else {
            held.forget()
            return .blank
        }
        held.close()
        return .held(isBlank: isBlank)
    }
}
