// Walks a message's structure in one pass: header blocks, leaves, multiparts (RFC 2045, 2046).
//
// Tolerant: missing or wrong delimiters lose nothing; a multipart without a delimiter line is a text
// leaf. Bounded by `MIMEBounds`. Every input is used up: what may be part of a delimiter at its end
// is kept inside. Content is handed out where it lies, and so are header blocks, unless the input
// ended inside them. It decodes only what `EntityHead` needs.

/// One message at a time; `reset` makes it ready for the next one and keeps its memory.
///
/// Text before a multipart's first delimiter (up to `MIMEBounds.preambleBytesMax`) and text
/// after its close delimiter is dropped and counted in `oddities`.
package struct PartWalker: ~Copyable {
    package enum Event: Equatable {
        /// The input is used up; feed the next, or call `finish`.
        case needInput
        /// The message's own header block, whole; comes first, once.
        case messageHeader(Place)
        /// A multipart with a boundary begins, or one of pieces (`isInPieces`). Its head is in
        /// `leafHead` until the next event; `leafDepth` counts it already.
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
    private enum State {
        case header
        /// A header block was read: `head` says what begins.
        case entity
        case leaf
        /// A part without any header, of which nothing has come yet.
        case bareLeaf
        /// A leaf whose front tells whether it is encoded as it says.
        case doubtfulLeaf
        /// Uuencoded content, which may be several leaves.
        case pieces
        /// Text before the first delimiter of a multipart.
        case preamble
        /// `preamble` holds a leaf or the beginning of one.
        case preambleLeaf(isWhole: Bool)
        case leafEnd
        /// The walker must act on `pending`.
        case delimiter
        /// After a close delimiter, or where a part is missing.
        case outside(hasText: Bool)
        case ended
        case failed(MIMEFault)
    }

    /// An open multipart.
    private struct Level {
        var isDigest: Bool
        /// It or one around it is multipart/alternative or multipart/related.
        var isAlternative: Bool
    }

    /// Which memory the last `.held` place lies in.
    private enum HeldIn { case headers, preamble, scanner, pieces }

    private let charsets: CharsetCache
    private var state = State.header
    private var headers = HeaderCollector()
    private var scanner = BoundaryScanner()
    private var levels: [Level] = []
    private var preamble = Preamble()
    /// The first preamble that says more than that this is MIME.
    private var keptPreamble: [UInt8] = []
    private var heldIn = HeldIn.headers
    private var head = EntityHead()
    /// The own head of a part whose header block has run into that of the multipart around it. The
    /// text before the multipart's first delimiter is then that part's content.
    private var mergedHead: EntityHead?
    private var pieces = UUPieces()
    /// Bytes of the input from the offset on that the scanner found to be content of pieces.
    private var pieceBytes = 0
    /// The delimiter to act on; nil at the end of data.
    private var pending: BoundaryStack.Delimiter?
    /// The next header block is the message's own.
    private var isMessage = true
    /// The header block has nothing but its blank line.
    private var isHeaderEmpty = true
    private var partCount = 0
    /// Of the first text, by its label: raw file names of later parts are read so.
    private var textCharset = Charset.undeclared
    private var hasText = false
    /// Bytes of the message before this call, and where the call began in its input.
    private var consumedBytes = 0
    private var callStart = 0

    /// What decoding lost in the heads so far.
    package private(set) var losses = DecodeLosses()
    /// What was odd about the structure so far.
    package private(set) var oddities = StructureOddities()

    /// - Parameter charsets: those of the loop that the walker runs on.
    package init(charsets: CharsetCache) { self.charsets = charsets }

    /// Makes the walker ready for another message; allocates nothing.
    package mutating func reset() {
        state = .header
        headers.reset()
        scanner.reset()
        levels.removeAll(keepingCapacity: true)
        preamble.clear()
        keptPreamble.removeAll()
        mergedHead = nil
        if pieces.isOpen { pieces = UUPieces() }
        pieceBytes = 0
        pending = nil
        isMessage = true
        partCount = 0
        textCharset = .undeclared
        hasText = false
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

    /// No more input: closes what is open, one event per call, until `.end`.
    package mutating func finish() -> Event {
        var offset = 0
        return advance(Bytes(), &offset, isLast: true)
    }

    /// The head of the current leaf, valid from `.leafStart` to `.leafEnd`. A message/rfc822 leaf
    /// is one leaf: its content is passed whole.
    package var leafHead: EntityHead { head }

    /// The traits of `leafHead`, without the cost of copying it.
    package var leafTraits: EntityTraits { head.traits }

    /// What kind of multipart begins, at `.multipartStart`.
    package var multipartKind: EntityHead.MultipartKind { head.multipartKind }

    /// Whether the multipart that begins, or the innermost one around the current leaf, is none of the
    /// message: it stands for uuencoded content, which may have several files with text around.
    package var isInPieces: Bool { pieces.isOpen }

    /// How many multiparts are around the current leaf.
    package var leafDepth: Int { levels.count }

    /// Whether one of them is multipart/alternative or multipart/related.
    package var isInAlternative: Bool { levels.last?.isAlternative ?? false }

    /// The first preamble that says more than that this is MIME, for a message that has no other
    /// text; empty when there is none. It does not count as dropped any more.
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
            case .headers: headers.gathered.extracting(place.range)
            case .preamble: preamble.bytes.extracting(place.range)
            case .scanner: scanner.heldBytes.extracting(place.range)
            case .pieces: pieces.bytes.extracting(place.range)
            }
        return _overrideLifetime(held, borrowing: self)
    }

    /// Bytes of the message that the walker's memory holds: at most a header block, two preambles
    /// and a line that may be a delimiter.
    var heldByteCount: Int {
        headers.gathered.count + preamble.text.count + keptPreamble.count + scanner.heldBytes.count
            + pieces.bytes.count
    }

    // MARK: Steps

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
        case .pieces: return readPieces(input, &offset, isLast: isLast)
        case .doubtfulLeaf: return readDoubtfulLeaf(input, &offset, isLast: isLast)
        case .preamble: return readPreamble(input, &offset, isLast: isLast)
        case .preambleLeaf(let isWhole):
            heldIn = .preamble
            state = isWhole ? .leafEnd : .leaf
            if preamble.text.isEmpty { return nil }
            return .content(Place(source: .held, range: 0..<preamble.text.count))
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

    private mutating func fail(_ fault: MIMEFault) -> Event {
        state = .failed(fault)
        return .failed(fault)
    }

    private mutating func fail(_ kind: MIMEFault.Kind, at: Int) -> Event {
        fail(MIMEFault(kind: kind, at: at))
    }

    // MARK: Header blocks

    private mutating func readHeader(
        _ input: Bytes, _ offset: inout Int, isLast: Bool
    ) -> Event? {
        let start = offset
        switch headers.next(input, &offset, isLast: isLast, scanner.stack) {
        case .needInput: return .needInput
        case .failed(let fault): return fail(fault)
        case .found(let found, let isHeld):
            let isInDigest = levels.last?.isDigest ?? false
            if isHeld {
                heldIn = .headers
                if !found.isAbsent {
                    mergedHead = headers.read(
                        found.header, into: &head, isInDigest: isInDigest,
                        textCharset: textCharset, charsets: charsets, losses: &losses)
                    if mayHoldMessage,
                        let inner = InnerHeader(
                            headers.gathered.extracting(found.header), isInDigest: isInDigest,
                            media: head.media, charsets: charsets)
                    {
                        headers.unread(from: found.header.lowerBound + inner.start)
                        take(inner)
                    }
                }
                return endHeader(found, place: Place(source: .held, range: found.header))
            }
            let range = start + found.header.lowerBound..<start + found.header.upperBound
            if !found.isAbsent {
                mergedHead = head.read(
                    input.extracting(range), isInDigest: isInDigest, textCharset: textCharset,
                    charsets: charsets, losses: &losses)
                if mayHoldMessage,
                    let inner = InnerHeader(
                        input.extracting(range), isInDigest: isInDigest, media: head.media,
                        charsets: charsets)
                {
                    offset = range.lowerBound + inner.start
                    take(inner)
                }
            }
            return endHeader(found, place: Place(source: .input, range: range))
        }
    }

    /// Whether the header block that was read is that of a part which is a message.
    private var mayHoldMessage: Bool {
        guard let level = levels.last else { return false }
        return level.isDigest || head.media == .messageRFC822
    }

    /// The header of an attached message has run into the block of its part: where it begins, the part's
    /// content begins.
    private mutating func take(_ inner: InnerHeader) {
        head = inner.head
        mergedHead = nil
        oddities.headerLines += 1
    }

    private mutating func endHeader(_ found: HeaderBlockFinder.Found, place: Place) -> Event? {
        scanner.beginLine()
        if found.isAbsent {
            state = .outside(hasText: false)
            return nil
        }
        state = .entity
        isHeaderEmpty = found.header.count <= 2
        if found.isEndedByText { oddities.headerLines += 1 }
        if !isMessage { oddities.headerLines += head.malformedCount }
        guard isMessage else { return nil }
        isMessage = false
        return .messageHeader(place)
    }

    /// A header block was read: a multipart opens or a leaf begins.
    private mutating func beginEntity() -> Event? {
        guard head.media == .multipart else {
            if !hasText, head.media.isText {
                hasText = true
                textCharset = head.charset
            }
            return beginLeaf()
        }
        guard head.boundary.count <= BoundaryStack.boundaryBytesMax else {
            return fail(.boundaryTooLong, at: headers.start)
        }
        guard !head.boundary.isEmpty else {
            head.becomeText()
            return beginLeaf()
        }
        guard levels.count < MIMEBounds.nestingMax else {
            return fail(.nestedTooDeep, at: headers.start)
        }
        let isAlternative = isInAlternative || head.isAlternativeOrRelated
        levels.append(Level(isDigest: head.isDigest, isAlternative: isAlternative))
        let boundary = head.boundary
        scanner.open(boundary.span)
        preamble.clear()
        state = .preamble
        return .multipartStart
    }

    // MARK: Leaves

    /// A leaf begins at once, except for a part without any header: that is a leaf only when there
    /// is content, because some senders end a multipart with a delimiter and a blank line.
    private mutating func beginLeaf() -> Event? {
        guard !isHeaderEmpty || levels.isEmpty else {
            state = .bareLeaf
            return nil
        }
        if head.encoding == .uuencode, levels.count < MIMEBounds.nestingMax {
            return beginPieces()
        }
        if head.encoding != .identity, let bytes = ContentJudge.frontBytes(of: head) {
            preamble.clear(bytesMax: bytes)
            state = .doubtfulLeaf
            return nil
        }
        state = .leaf
        return .leafStart
    }

    /// Keeps the front of a leaf back, until it is long enough to be judged.
    private mutating func readDoubtfulLeaf(
        _ input: Bytes, _ offset: inout Int, isLast: Bool
    ) -> Event? {
        switch scan(input, &offset, isLast: isLast) {
        case .content(let place):
            guard !keepPreamble(place, input, &offset) else { return nil }
            return beginDoubtfulLeaf(isWhole: false)
        case .delimiter(let found):
            pending = found
        case .needInput:
            guard isLast else { return .needInput }
            pending = nil
        }
        return beginDoubtfulLeaf(isWhole: true)
    }

    private mutating func beginDoubtfulLeaf(isWhole: Bool) -> Event {
        let front = preamble.front
        let isAll = isWhole && front.count == preamble.text.count
        let isAsLabelled = ContentJudge.isAsLabelled(
            preamble.bytes.extracting(front), head, isWhole: isAll)
        if head.encoding == .unknown {
            // It is counted where the leaf begins.
            if !isAsLabelled { head.becomeOctetStream() }
        } else if !isAsLabelled {
            head.dropEncoding()
            oddities.encodings += 1
        }
        state = .preambleLeaf(isWhole: isWhole)
        return .leafStart
    }

    private mutating func readBareLeaf(
        _ input: Bytes, _ offset: inout Int, isLast: Bool
    ) -> Event? {
        switch scan(input, &offset, isLast: isLast) {
        case .content(let place):
            preamble.clear()
            _ = keepPreamble(place, input, &offset)
            state = .preambleLeaf(isWhole: false)
            return .leafStart
        case .delimiter(let found):
            pending = found
            state = .delimiter
        case .needInput:
            guard isLast else { return .needInput }
            state = .ended
        }
        return nil
    }

    private mutating func readLeaf(
        _ input: Bytes, _ offset: inout Int, isLast: Bool
    ) -> Event? {
        switch scan(input, &offset, isLast: isLast) {
        case .content(let place): return .content(place)
        case .delimiter(let found): pending = found
        case .needInput:
            guard isLast else { return .needInput }
            pending = nil
        }
        state = .leafEnd
        return nil
    }

    private mutating func readOutside(
        _ input: Bytes, _ offset: inout Int, hasText: Bool, isLast: Bool
    ) -> Event? {
        switch scan(input, &offset, isLast: isLast) {
        case .content(let place):
            guard !hasText, !bytes(place, in: input).isAllWhitespace else { return nil }
            oddities.epilogues += 1
            state = .outside(hasText: true)
        case .delimiter(let found):
            pending = found
            state = .delimiter
        case .needInput:
            guard isLast else { return .needInput }
            state = .ended
        }
        return nil
    }

    // MARK: Delimiters

    /// Closes the multiparts inside the delimiter's own; a part or an epilogue comes next.
    private mutating func actOnDelimiter(_ offset: inout Int) -> Event? {
        guard let found = pending else { preconditionFailure("no delimiter to act on") }
        pending = nil
        levels.removeLast(levels.count - found.level - 1)
        scanner.closeInside(found.level, isClosed: found.isClose)
        guard !found.isClose else {
            state = .outside(hasText: false)
            return nil
        }
        let position = consumedBytes + offset - callStart
        partCount += 1
        guard partCount <= MIMEBounds.partsMax else { return fail(.tooManyParts, at: position) }
        headers.beginPart(at: position)
        state = .header
        return nil
    }

    /// What the boundary scanner finds in the rest of the gathered header block, then in the input,
    /// then at the end.
    private mutating func scan(
        _ input: Bytes, _ offset: inout Int, isLast: Bool
    ) -> BoundaryScanner.Verdict {
        if let verdict = headers.scanRest(&scanner) {
            guard case .content(let place) = verdict else { return verdict }
            heldIn = place.source == .input ? .headers : .scanner
            return .content(Place(source: .held, range: place.range))
        }
        heldIn = .scanner
        let verdict = scanner.next(input, &offset)
        return isLast && verdict == .needInput ? scanner.finish() : verdict
    }

    // MARK: Uuencoded content

    private mutating func beginPieces() -> Event {
        pieces.begin(head, charsets: charsets)
        levels.append(Level(isDigest: false, isAlternative: isInAlternative))
        head.becomeMixed()
        state = .pieces
        return .multipartStart
    }

    private mutating func readPieces(
        _ input: Bytes, _ offset: inout Int, isLast: Bool
    ) -> Event? {
        switch pieces.next() {
        case .needMore: return feedPieces(input, &offset, isLast: isLast)
        case .start:
            partCount += 1
            guard partCount <= MIMEBounds.partsMax else {
                return fail(.tooManyParts, at: headers.start)
            }
            head = pieces.head
            return .leafStart
        case .content(let range):
            heldIn = .pieces
            return .content(Place(source: .held, range: range))
        case .pieceEnd: return .leafEnd
        case .end:
            oddities.encodings += pieces.oddCount
            pieces = UUPieces()
            levels.removeLast()
            state = pending == nil ? .ended : .delimiter
            return nil
        }
    }

    /// Content is copied little by little: it is rare, and lines must be whole.
    private mutating func feedPieces(
        _ input: Bytes, _ offset: inout Int, isLast: Bool
    ) -> Event? {
        if pieceBytes > 0 {
            let end = offset + min(pieceBytes, UUPieces.feedBytesMax)
            pieces.feed(input.extracting(offset..<end))
            pieceBytes -= end - offset
            offset = end
            return nil
        }
        switch scan(input, &offset, isLast: isLast) {
        case .content(let place):
            if place.source == .input {
                offset = place.range.lowerBound
                pieceBytes = place.range.count
                return nil
            }
            var open = pieces
            pieces = UUPieces()
            open.feed(bytes(place, in: input))
            pieces = open
        case .delimiter(let found):
            pending = found
            pieces.finish()
        case .needInput:
            guard isLast else { return .needInput }
            pending = nil
            pieces.finish()
        }
        return nil
    }

    // MARK: Preambles

    /// Keeps text before the first delimiter back, until it is clear that there is one.
    private mutating func readPreamble(
        _ input: Bytes, _ offset: inout Int, isLast: Bool
    ) -> Event? {
        switch scan(input, &offset, isLast: isLast) {
        case .content(let place):
            guard !keepPreamble(place, input, &offset) else { return nil }
            return beginPreambleLeaf(isWhole: false)
        case .delimiter(let found):
            pending = found
            guard found.level == levels.count - 1, !found.isClose else {
                return endUndivided(atEnd: false)
            }
            state = .delimiter
            return endPreamble()
        case .needInput:
            guard isLast else { return .needInput }
            pending = nil
            return endUndivided(atEnd: true)
        }
    }

    /// Keeps what fits; false when there is more text, which is still to be read.
    private mutating func keepPreamble(
        _ place: Place, _ input: Bytes, _ offset: inout Int
    ) -> Bool {
        var kept = preamble
        preamble = Preamble()
        defer { preamble = kept }
        if place.source == .held, heldIn == .scanner {
            kept.append(bytes(place, in: input))
            return !kept.isOverBound
        }
        let range = place.range
        let end = range.lowerBound + min(range.count, kept.room)
        kept.append(bytes(Place(source: place.source, range: range.lowerBound..<end), in: input))
        guard end < range.upperBound else { return true }
        scanner.continueLine()
        if place.source == .held {
            headers.unread(from: end)
        } else {
            offset = end
        }
        return false
    }

    /// The first delimiter came: the text before it is no part, or was meant to be one.
    private mutating func endPreamble() -> Event? {
        guard !preamble.isBlank else { return nil }
        if !preamble.isCustomary {
            if mergedHead != nil { return beginPreambleLeaf(isWhole: true) }
            if keptPreamble.isEmpty { keptPreamble = preamble.text }
        }
        oddities.preambles += 1
        return nil
    }

    /// The multipart ends without a part: its content is a text, if there is any.
    private mutating func endUndivided(atEnd: Bool) -> Event? {
        guard preamble.isBlank else { return beginPreambleLeaf(isWhole: true) }
        state = atEnd ? .ended : .delimiter
        return nil
    }

    private mutating func beginPreambleLeaf(isWhole: Bool) -> Event {
        if let merged = mergedHead {
            head = merged
            mergedHead = nil
        } else {
            head.becomeText()
        }
        state = .preambleLeaf(isWhole: isWhole)
        return .leafStart
    }
}
