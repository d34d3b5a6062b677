// The header blocks of a message and of its parts: found, handed out whole, read.
//
// A block that lies in one input whole is read in place. Otherwise its lines are gathered in
// `block`, each byte once. When the body turns out to begin inside `block`, that rest is replayed
// to the boundary scanner before the next input.

extension PartWalker {
    mutating func readHeader(_ input: Bytes, _ offset: inout Int, isLast: Bool) -> Event? {
        if block.isEmpty {
            return readInPlace(input, &offset) ?? (isLast ? finishHeader() : nextHeader())
        }
        while offset < input.count {
            let before = offset
            let end = input.firstIndex(of: .lineFeed, from: offset).map { $0 + 1 }
            let room = MIMEBounds.headerBlockBytesMax + 1 - block.count
            offset = min(end ?? input.count, before + room)
            input.extracting(before..<offset).withUnsafeBufferPointer {
                block.append(contentsOf: $0)
            }
            switch checkHeld() {
            case .needMore: continue
            case .found(let found): return endHeld(found)
            case .failed(let kind, let at): return fail(kind, at: blockOffset + at)
            }
        }
        return isLast ? finishHeader() : .needInput
    }

    /// Looks at the end of `block`. The copy of the array lets go of its storage before `block`
    /// grows again, so nothing is copied.
    private mutating func checkHeld() -> HeaderBlockFinder.Verdict {
        let lines = block
        return lines.last == .lineFeed
            ? finder.takeLine(lines.span, end: lines.count, scanner.stack)
            : finder.checkSize(lines.span, reached: lines.count) ?? .needMore
    }

    /// Only the state has changed when `readInPlace` answers nil and the block is not held.
    private func nextHeader() -> Event? { state == .header ? .needInput : nil }

    private mutating func readInPlace(_ input: Bytes, _ offset: inout Int) -> Event? {
        let start = offset
        let rest = input.extracting(start..<input.count)
        while let lineFeed = rest.firstIndex(of: .lineFeed, from: finder.lineStart) {
            switch finder.takeLine(rest, end: lineFeed + 1, scanner.stack) {
            case .needMore: continue
            case .failed(let kind, let at): return fail(kind, at: blockOffset + at)
            case .found(let found): return endInPlace(found, input, &offset)
            }
        }
        switch finder.checkSize(rest, reached: rest.count) {
        case .failed(let kind, let at): return fail(kind, at: blockOffset + at)
        case .found(let found): return endInPlace(found, input, &offset)
        case .needMore, nil: break
        }
        rest.withUnsafeBufferPointer { block.append(contentsOf: $0) }
        offset = input.count
        return nil
    }

    private mutating func endInPlace(
        _ found: HeaderBlockFinder.Found, _ input: Bytes, _ offset: inout Int
    ) -> Event? {
        let start = offset
        let range = start + found.header.lowerBound..<start + found.header.upperBound
        offset = start + found.bodyStart
        if !found.isAbsent {
            readHead(input.extracting(range))
        }
        return endHeader(found, place: Place(source: .input, range: range))
    }

    /// The whole header and maybe the beginning of the body are in `block`.
    private mutating func endHeld(_ found: HeaderBlockFinder.Found) -> Event? {
        replay = found.bodyStart..<block.count
        heldIn = .block
        if !found.isAbsent {
            let lines = block
            readHead(lines.span.extracting(found.header))
        }
        return endHeader(found, place: Place(source: .held, range: found.header))
    }

    /// Reads what a block says. A multipart's block with a second Content-Type has run into that of
    /// its first part, because the delimiter between them is gone: that part's head is read too.
    private mutating func readHead(_ header: Bytes) {
        head.read(
            header, isInDigest: levels.last?.isDigest ?? false, charsets: charsets,
            losses: &losses)
        mergedHead = nil
        guard head.media == .multipart, let start = head.secondTypeStart else { return }
        var part = EntityHead()
        part.read(
            header.extracting(start..<header.count), isInDigest: head.isDigest,
            charsets: charsets, losses: &losses)
        if part.media != .multipart { mergedHead = part }
    }

    private mutating func finishHeader() -> Event? {
        let lines = block
        switch finder.finish(lines.span, scanner.stack) {
        case .found(let found): return endHeld(found)
        case .failed(let kind, let at): return fail(kind, at: blockOffset + at)
        case .needMore: preconditionFailure("a finder that is finished needs no more")
        }
    }

    private mutating func endHeader(_ found: HeaderBlockFinder.Found, place: Place) -> Event? {
        scanner.beginLine()
        if found.isAbsent {
            oddities.absentParts += 1
            state = .outside(hasText: false)
            return nil
        }
        state = .entity
        isHeaderEmpty = found.header.count <= 2
        guard isMessage else { return nil }
        isMessage = false
        return .messageHeader(place)
    }

    /// What comes next is the header block of a part.
    mutating func beginHeader(at position: Int) {
        block.removeAll(keepingCapacity: true)
        replay = 0..<0
        finder = HeaderBlockFinder(isMessage: false)
        blockOffset = position
        state = .header
    }
}
