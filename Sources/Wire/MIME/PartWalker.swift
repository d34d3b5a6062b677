// Walks a message's structure in one pass: header blocks, leaves, multiparts (RFC 2045, 2046).
//
// Tolerant: missing or wrong delimiters lose nothing, a multipart that is not divided is a text
// leaf. Bounded: see `MIMEBounds`. What may be part of a delimiter at the end of an input is kept
// inside, so every input is used up. Content is handed out where it lies; header blocks too, unless
// the input ended inside them. It decodes nothing but what `EntityHead` needs.

/// One message at a time; `reset` makes it ready for the next with the memory that it has.
///
/// Text in front of a multipart's first delimiter (up to `MIMEBounds.preambleBytesMax`) and text
/// behind its close delimiter is dropped and counted in `oddities`.
package struct PartWalker: ~Copyable {
    package enum Event: Equatable {
        /// The input is used up; feed the next, or call `finish`.
        case needInput
        /// The message's own header block, whole; comes first, once.
        case messageHeader(Place)
        /// A multipart with a boundary begins. Its head is in `leafHead` until the next event;
        /// `leafDepth` counts it already.
        case multipartStart
        /// A leaf begins. Its head is in `leafHead`.
        case leafStart
        /// Content of the leaf, still transfer-encoded.
        case content(Place)
        case leafEnd
        /// The message is complete (only from `finish`).
        case end
        case failed(MIMEFault)
    }

    /// What the next bytes are.
    enum State: Equatable {
        case header
        /// A header block was read: `head` says what begins.
        case entity
        case leaf
        /// A part without any header, of which nothing has come yet.
        case bareLeaf
        /// Text in front of the first delimiter of a multipart.
        case preamble
        /// What `preamble` holds is a leaf or the beginning of one.
        case preambleLeaf(isWhole: Bool)
        case leafEnd
        /// `pending` is to be acted on.
        case delimiter
        /// Behind a close delimiter, or where a part should be and is not.
        case outside(hasText: Bool)
        case ended
        case failed(MIMEFault)
    }

    /// An open multipart.
    struct Level {
        var isDigest: Bool
        /// It or one around it is multipart/alternative or multipart/related.
        var isAlternative: Bool
        var isClosed = false
    }

    /// Which memory the last `.held` place lies in.
    enum HeldIn { case block, preamble, scanner }

    let charsets: CharsetCache
    var state = State.header
    var scanner = BoundaryScanner()
    var levels: [Level] = []
    var finder = HeaderBlockFinder(isMessage: true)
    /// The header block so far, when no input holds it whole.
    var block: [UInt8] = []
    /// What of `block` belongs to the body and is still to be read before any input.
    var replay = 0..<0
    var preamble: [UInt8] = []
    /// The first text in front of a delimiter that says more than that this is MIME.
    var keptPreamble: [UInt8] = []
    var heldIn = HeldIn.block
    var head = EntityHead()
    /// Of a part whose header block has run into that of the multipart around it: its own head. The
    /// text in front of the multipart's first delimiter is that part's content then.
    var mergedHead: EntityHead?
    /// The delimiter to act on; nil at the end of data.
    var pending: BoundaryStack.Delimiter?
    var isMessage = true
    /// The header block has nothing but its blank line.
    var isHeaderEmpty = true
    var partCount = 0
    /// Where the header block begins, in the message.
    var blockOffset = 0
    /// Bytes of the message in front of this call, and where the call began in its input.
    var consumedBytes = 0
    var callStart = 0

    /// What decoding lost in the heads so far.
    package internal(set) var losses = DecodeLosses()
    /// What was odd about the structure so far.
    package internal(set) var oddities = StructureOddities()

    /// - Parameter charsets: those of the loop that the walker lives on.
    package init(charsets: CharsetCache) { self.charsets = charsets }

    /// Makes the walker ready for another message; allocates nothing.
    package mutating func reset() {
        state = .header
        scanner.reset()
        levels.removeAll(keepingCapacity: true)
        finder = HeaderBlockFinder(isMessage: true)
        block.removeAll(keepingCapacity: block.capacity <= MIMEBounds.keptBytesMax)
        replay = 0..<0
        preamble.removeAll(keepingCapacity: true)
        keptPreamble.removeAll()
        mergedHead = nil
        pending = nil
        isMessage = true
        partCount = 0
        blockOffset = 0
        consumedBytes = 0
        losses = DecodeLosses()
        oddities = StructureOddities()
    }

    /// What comes next in `input` from `offset` on, which is moved forward.
    /// - Parameter input: the same bytes, or those of them from `offset` on, until `.needInput`.
    package mutating func next(_ input: Bytes, _ offset: inout Int) -> Event {
        precondition(offset >= 0 && offset <= input.count)
        return advance(input, &offset, isLast: false)
    }

    /// No more input: closes what is open, one event a call, until `.end`.
    package mutating func finish() -> Event {
        var offset = 0
        return advance(Bytes(), &offset, isLast: true)
    }

    /// The head of the current leaf, valid from `.leafStart` to `.leafEnd`. A message/rfc822 leaf
    /// is one leaf: its content is passed whole.
    package var leafHead: EntityHead { head }

    /// What of it needs no reference counted.
    package var leafTraits: EntityTraits { head.traits }

    /// How many multiparts are around the current leaf.
    package var leafDepth: Int { levels.count }

    /// Whether one of them is multipart/alternative or multipart/related.
    package var isInAlternative: Bool { levels.last?.isAlternative ?? false }

    /// The first text in front of a delimiter that says more than that this is MIME, for a message
    /// that has no other; empty when there is none. It counts as dropped no more.
    package mutating func takePreamble() -> [UInt8] {
        defer { keptPreamble = [] }
        if !keptPreamble.isEmpty { oddities.preambles -= 1 }
        return keptPreamble
    }

    /// The bytes of a place; valid until the next call.
    @_lifetime(borrow self, copy input)
    package func bytes(_ place: Place, in input: Bytes) -> Bytes {
        if place.source == .input { return input.extracting(place.range) }
        let held =
            switch heldIn {
            case .block: block.span.extracting(place.range)
            case .preamble: preamble.span.extracting(place.range)
            case .scanner: scanner.heldBytes.extracting(place.range)
            }
        return _overrideLifetime(held, borrowing: self)
    }
}

extension PartWalker {
    /// Runs until there is an event to tell.
    private mutating func advance(_ input: Bytes, _ offset: inout Int, isLast: Bool) -> Event {
        callStart = offset
        defer { consumedBytes += offset - callStart }
        while true {
            if let event = step(input, &offset, isLast: isLast) { return event }
        }
    }

    /// One step; nil when only the state has changed.
    private mutating func step(_ input: Bytes, _ offset: inout Int, isLast: Bool) -> Event? {
        switch state {
        case .header: return readHeader(input, &offset, isLast: isLast)
        case .entity: return beginEntity()
        case .leaf: return readLeaf(input, &offset, isLast: isLast)
        case .bareLeaf: return readBareLeaf(input, &offset, isLast: isLast)
        case .preamble: return readPreamble(input, &offset, isLast: isLast)
        case .preambleLeaf(let isWhole):
            heldIn = .preamble
            state = isWhole ? .leafEnd : .leaf
            return .content(Place(source: .held, range: 0..<preamble.count))
        case .leafEnd:
            state = pending == nil ? .ended : .delimiter
            return .leafEnd
        case .delimiter: return actOnDelimiter(&offset)
        case .outside(let hasText):
            return readOutside(input, &offset, hasText: hasText, isLast: isLast)
        case .ended: return .end
        case .failed(let fault): return .failed(fault)
        }
    }

    mutating func fail(_ kind: MIMEFault.Kind, at: Int) -> Event {
        let fault = MIMEFault(kind: kind, at: at)
        state = .failed(fault)
        return .failed(fault)
    }
}
