// Finds the header blocks of a message and of its parts, and gathers those that no input holds whole.
//
// A block that lies in one input is found in place and not copied. Otherwise its lines are gathered
// here, each byte once, up to `MIMEBounds.headerBlockBytesMax`. When the body turns out to begin
// inside the gathered bytes, that rest must be read before the next input.

/// One header block after another; all use the same memory.
struct HeaderCollector: ~Copyable {
    enum Verdict {
        /// The input is used up.
        case needInput
        /// The block is complete. If `isHeld`, the ranges are into `gathered`. Otherwise they count
        /// from the offset at which the call began, and the offset is now where the body begins.
        case found(HeaderBlockFinder.Found, isHeld: Bool)
        case failed(MIMEFault)
    }

    private var finder = HeaderBlockFinder(isMessage: true)
    /// The block so far, when no input holds it whole.
    private var block: [UInt8] = []
    /// Where the block begins, in the message.
    private(set) var start = 0
    /// What of `gathered` belongs to the body and is not read yet.
    private var rest = 0..<0

    /// The block that was gathered and what came with it; valid until the next call.
    var gathered: Bytes {
        @_lifetime(borrow self)
        get { block.span }
    }

    /// Expects the header block of the next message; keeps at most `MIMEBounds.keptBytesMax` of memory.
    mutating func reset() {
        block.removeAll(keepingCapacity: block.capacity <= MIMEBounds.keptBytesMax)
        begin(at: 0, HeaderBlockFinder(isMessage: true))
    }

    /// Expects the header block of a part.
    /// - Parameter position: where it begins, in the message.
    mutating func beginPart(at position: Int) {
        assert(rest.isEmpty, "a delimiter ends the gathered text")
        block.removeAll(keepingCapacity: true)
        begin(at: position, HeaderBlockFinder(isMessage: false))
    }

    private mutating func begin(at position: Int, _ finder: HeaderBlockFinder) {
        self.finder = finder
        start = position
        rest = 0..<0
    }

    /// Continues the search for the end of the block from `offset` on, which is moved forward.
    /// - Parameter isLast: no input follows, so the block ends with this one at the latest.
    mutating func next(
        _ input: Bytes, _ offset: inout Int, isLast: Bool, _ boundaries: borrowing BoundaryStack
    ) -> Verdict {
        let verdict =
            block.isEmpty
            ? findInPlace(input, &offset, boundaries) : gather(input, &offset, boundaries)
        if let verdict { return verdict }
        guard isLast else { return .needInput }
        let lines = block
        guard let end = endHeld(finder.finish(lines.span, boundaries)) else {
            preconditionFailure("a finder that is finished needs no more")
        }
        return end
    }

    /// Reads a block that was gathered into `head` (`EntityHead.read`).
    func read(
        _ range: Range<Int>, into head: inout EntityHead, isInDigest: Bool, textCharset: Charset,
        charsets: CharsetCache, losses: inout DecodeLosses
    ) -> EntityHead? {
        head.read(
            block.span.extracting(range), isInDigest: isInDigest, textCharset: textCharset,
            charsets: charsets, losses: &losses)
    }

    /// What `scanner` finds next in the rest; nil when there is no rest, or no more of it. A place
    /// in `.input` is one in `gathered`.
    mutating func scanRest(_ scanner: inout BoundaryScanner) -> BoundaryScanner.Verdict? {
        guard !rest.isEmpty else { return nil }
        var at = rest.lowerBound
        let verdict = scanner.next(block.span.extracting(0..<rest.upperBound), &at)
        rest = at..<rest.upperBound
        return verdict == .needInput ? nil : verdict
    }

    /// Takes the end of the last content back, from `position` in `gathered` on: it is scanned
    /// again.
    mutating func unread(from position: Int) { rest = position..<rest.upperBound }

    private mutating func findInPlace(
        _ input: Bytes, _ offset: inout Int, _ boundaries: borrowing BoundaryStack
    ) -> Verdict? {
        let bytes = input.extracting(offset..<input.count)
        while let lineFeed = bytes.firstIndex(of: .lineFeed, from: finder.lineStart) {
            let verdict = finder.takeLine(bytes, end: lineFeed + 1, boundaries)
            if let end = endInPlace(verdict, &offset) { return end }
        }
        if let verdict = finder.checkSize(bytes, reached: bytes.count),
            let end = endInPlace(verdict, &offset)
        {
            return end
        }
        bytes.withUnsafeBufferPointer { block.append(contentsOf: $0) }
        offset = input.count
        return nil
    }

    private mutating func gather(
        _ input: Bytes, _ offset: inout Int, _ boundaries: borrowing BoundaryStack
    ) -> Verdict? {
        while offset < input.count {
            let before = offset
            let end = input.firstIndex(of: .lineFeed, from: offset).map { $0 + 1 }
            let room = MIMEBounds.headerBlockBytesMax + 1 - block.count
            offset = min(end ?? input.count, before + room)
            input.extracting(before..<offset).withUnsafeBufferPointer {
                block.append(contentsOf: $0)
            }
            if let end = endHeld(checkGathered(boundaries)) { return end }
        }
        return nil
    }

    /// Looks at the end of `block`. The copy of the array releases its storage before `block` grows
    /// again, so nothing is copied.
    private mutating func checkGathered(
        _ boundaries: borrowing BoundaryStack
    ) -> HeaderBlockFinder.Verdict {
        let lines = block
        return lines.last == .lineFeed
            ? finder.takeLine(lines.span, end: lines.count, boundaries)
            : finder.checkSize(lines.span, reached: lines.count) ?? .needMore
    }

    private func endInPlace(
        _ verdict: HeaderBlockFinder.Verdict, _ offset: inout Int
    ) -> Verdict? {
        switch verdict {
        case .needMore: return nil
        case .failed(let kind, let at): return .failed(MIMEFault(kind: kind, at: start + at))
        case .found(let found):
            offset += found.bodyStart
            return .found(found, isHeld: false)
        }
    }

    private mutating func endHeld(_ verdict: HeaderBlockFinder.Verdict) -> Verdict? {
        switch verdict {
        case .needMore: return nil
        case .failed(let kind, let at): return .failed(MIMEFault(kind: kind, at: start + at))
        case .found(let found):
            rest = found.bodyStart..<block.count
            return .found(found, isHeld: true)
        }
    }
}
