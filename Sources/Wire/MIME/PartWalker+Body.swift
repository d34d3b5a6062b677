// Behind the header blocks: leaves, preambles and epilogues, and the delimiters between them.

extension PartWalker {
    /// A header block was read: a multipart opens or a leaf begins.
    mutating func beginEntity() -> Event? {
        guard head.media == .multipart else { return beginLeaf() }
        guard head.boundary.count <= BoundaryStack.boundaryBytesMax else {
            return fail(.boundaryTooLong, at: blockOffset)
        }
        guard !head.boundary.isEmpty else {
            oddities.undividedMultiparts += 1
            head.becomeText()
            return beginLeaf()
        }
        guard levels.count < MIMEBounds.nestingMax else {
            return fail(.nestedTooDeep, at: blockOffset)
        }
        let isAlternative = isInAlternative || head.isAlternativeOrRelated
        levels.append(Level(isDigest: head.isDigest, isAlternative: isAlternative))
        let boundary = head.boundary
        scanner.stack.push(boundary.span)
        preamble.removeAll(keepingCapacity: true)
        state = .preamble
        return .multipartStart
    }

    /// A leaf begins at once, but for a part without any header: that is one only when there is
    /// content, for senders end multiparts with a delimiter and a blank line.
    private mutating func beginLeaf() -> Event? {
        guard !isHeaderEmpty || levels.isEmpty else {
            state = .bareLeaf
            return nil
        }
        state = .leaf
        return .leafStart
    }

    mutating func readBareLeaf(_ input: Bytes, _ offset: inout Int, isLast: Bool) -> Event? {
        switch scan(input, &offset, isLast: isLast) {
        case .content(let place):
            preamble.removeAll(keepingCapacity: true)
            _ = keepPreamble(place, input, &offset)
            state = .preambleLeaf(isWhole: false)
            return .leafStart
        case .delimiter(let found):
            pending = found
            state = .delimiter
        case .needInput:
            guard isLast else { return .needInput }
            countUnclosed(from: 0)
            state = .ended
        }
        oddities.absentParts += 1
        return nil
    }

    mutating func readLeaf(_ input: Bytes, _ offset: inout Int, isLast: Bool) -> Event? {
        switch scan(input, &offset, isLast: isLast) {
        case .content(let place): return .content(place)
        case .delimiter(let found): pending = found
        case .needInput:
            guard isLast else { return .needInput }
            pending = nil
            countUnclosed(from: 0)
        }
        state = .leafEnd
        return nil
    }

    mutating func readOutside(
        _ input: Bytes, _ offset: inout Int, hasText: Bool, isLast: Bool
    ) -> Event? {
        switch scan(input, &offset, isLast: isLast) {
        case .content(let place):
            guard !hasText, !isBlank(bytes(place, in: input)) else { return nil }
            oddities.epilogues += 1
            state = .outside(hasText: true)
        case .delimiter(let found):
            pending = found
            state = .delimiter
        case .needInput:
            guard isLast else { return .needInput }
            countUnclosed(from: 0)
            state = .ended
        }
        return nil
    }

    /// Closes the multiparts inside the delimiter's own; a part or an epilogue comes next.
    mutating func actOnDelimiter(_ offset: inout Int) -> Event? {
        guard let found = pending else { preconditionFailure("no delimiter to act on") }
        pending = nil
        countUnclosed(from: found.level + 1)
        levels.removeLast(levels.count - found.level - 1)
        levels[found.level].isClosed = found.isClose
        scanner.stack.popInside(found.level, isClosed: found.isClose)
        guard !found.isClose else {
            state = .outside(hasText: false)
            return nil
        }
        let position = consumedBytes + offset - callStart
        partCount += 1
        guard partCount <= MIMEBounds.partsMax else { return fail(.tooManyParts, at: position) }
        assert(replay.isEmpty, "a delimiter ends the replayed text")
        beginHeader(at: position)
        return nil
    }

    private mutating func countUnclosed(from level: Int) {
        for index in level..<levels.count where !levels[index].isClosed {
            oddities.unclosedMultiparts += 1
        }
    }

    /// What the boundary scanner says of the replayed text, then of the input, then of the end.
    private mutating func scan(
        _ input: Bytes, _ offset: inout Int, isLast: Bool
    ) -> BoundaryScanner.Verdict {
        if !replay.isEmpty {
            var at = replay.lowerBound
            let text = block
            let verdict = scanner.next(text.span.extracting(0..<replay.upperBound), &at)
            replay = at..<replay.upperBound
            switch verdict {
            case .needInput: break
            case .delimiter: return verdict
            case .content(let place):
                heldIn = place.source == .input ? .block : .scanner
                return .content(Place(source: .held, range: place.range))
            }
        }
        heldIn = .scanner
        let verdict = scanner.next(input, &offset)
        return isLast && verdict == .needInput ? scanner.finish() : verdict
    }
}

// MARK: - Preambles

extension PartWalker {
    /// Keeps text in front of the first delimiter back, until it is clear that there is one.
    mutating func readPreamble(_ input: Bytes, _ offset: inout Int, isLast: Bool) -> Event? {
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
            countUnclosed(from: 0)
            return endUndivided(atEnd: true)
        }
    }

    /// Keeps what fits; false when more came, which is then still to be read.
    private mutating func keepPreamble(
        _ place: Place, _ input: Bytes, _ offset: inout Int
    ) -> Bool {
        var kept = preamble
        preamble = []
        defer { preamble = kept }
        if place.source == .held, heldIn == .scanner {
            bytes(place, in: input).withUnsafeBufferPointer { kept.append(contentsOf: $0) }
            return kept.count <= MIMEBounds.preambleBytesMax
        }
        let range = place.range
        let taken = min(range.count, MIMEBounds.preambleBytesMax - kept.count)
        let front = Place(
            source: place.source, range: range.lowerBound..<range.lowerBound + taken)
        bytes(front, in: input).withUnsafeBufferPointer { kept.append(contentsOf: $0) }
        guard taken < range.count else { return true }
        scanner.continueLine()
        if place.source == .held {
            replay = front.range.upperBound..<replay.upperBound
        } else {
            offset = front.range.upperBound
        }
        return false
    }

    /// The first delimiter is there: what came in front of it is no part, or was meant to be one.
    private mutating func endPreamble() -> Event? {
        guard !isBlank(preamble.span) else { return nil }
        if !Preamble.isCustomary(preamble.span) {
            if mergedHead != nil { return beginPreambleLeaf(isWhole: true) }
            if keptPreamble.isEmpty { keptPreamble = preamble }
        }
        oddities.preambles += 1
        return nil
    }

    /// The multipart ends without having had a part: its content is a text, if there is any.
    private mutating func endUndivided(atEnd: Bool) -> Event? {
        oddities.undividedMultiparts += 1
        guard isBlank(preamble.span) else { return beginPreambleLeaf(isWhole: true) }
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

    private func isBlank(_ text: Bytes) -> Bool { text.trimmed(0..<text.count).isEmpty }
}
