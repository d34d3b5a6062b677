// Fuzz targets for header blocks and for the values of header fields.

import Wire

private nonisolated(unsafe) let charsets = CharsetCache()

// MARK: - Header blocks

/// Every line of the block is part of one field or of one malformed line, up to the blank line. A
/// block ends at the same place, however it is cut.
let headerScannerTarget = FuzzTarget(name: "HeaderScanner") { block in
    let lines = unfoldedLines(block)
    var scanner = HeaderScanner()
    var next = 0
    var skipped = 0
    while let field = scanner.next(block) {
        while next < lines.count, lines[next].lowerBound < field.name.lowerBound {
            next += 1
            skipped += 1
        }
        require(next < lines.count, "a field after the last line")
        let line = lines[next]
        require(!field.name.isEmpty, "a field without a name")
        require(line.lowerBound == field.name.lowerBound, "a field within a line")
        require(line.upperBound == field.value.upperBound, "a value that is not the line's rest")
        let between = block.extracting(field.name.upperBound..<field.value.lowerBound)
        let colon = between.firstIndex(of: UInt8(ascii: ":"))
        require(colon != nil, "no colon after the name")
        for index in 0..<between.count where index != colon {
            require(between[index].isWhitespace, "text between name and value")
        }
        next += 1
    }
    skipped += lines.count - next
    require(scanner.malformedCount == skipped, "lines were neither fields nor counted")
    checkFinder(block)
}

/// The lines of a header block with their continuations, found in the simplest way: without the
/// last line end, up to the blank line. A parameter after a semicolon continues, too.
private func unfoldedLines(_ block: Bytes) -> [Range<Int>] {
    var lines: [Range<Int>] = []
    var start = 0
    var isOpen = false
    while start < block.count {
        let feed = block.firstIndex(of: 0x0A, from: start)
        var end = feed ?? block.count
        if feed != nil, end > start, block[end - 1] == 0x0D { end -= 1 }
        if start == end { break }
        let line = block.extracting(start..<end).copied()
        let isContinued =
            block[start] == 0x20 || block[start] == 0x09 || isOpen && isParameter(line)
        isOpen = line.last { $0 != 0x20 && $0 != 0x09 } == UInt8(ascii: ";")
        if isContinued, let last = lines.last {
            lines[lines.count - 1] = last.lowerBound..<end
        } else {
            lines.append(start..<end)
        }
        start = (feed ?? block.count) + 1
    }
    return lines
}

/// `name=value`, the name at most 64 letters, digits, hyphens, underscores and asterisks.
private func isParameter(_ line: [UInt8]) -> Bool {
    let signs = "-_*abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".utf8
    let name = line.prefix { signs.contains($0) }
    let rest = line.dropFirst(name.count).drop { $0 == 0x20 || $0 == 0x09 }
    return !name.isEmpty && name.count <= 64 && rest.first == UInt8(ascii: "=") && rest.count > 1
}

private func checkFinder(_ block: Bytes) {
    var boundaries = BoundaryStack()
    let boundary = Array("b".utf8)
    boundaries.push(boundary.span)
    for isMessage in [true, false] {
        let whole = find(block, in: [block.count], isMessage: isMessage, boundaries)
        let cut = find(block, in: pieces(of: block), isMessage: isMessage, boundaries)
        require(whole == cut, "the header block ends elsewhere when it is cut")
        guard case .found(let found) = whole else { continue }
        require(found.header.upperBound <= found.bodyStart, "the body begins within the header")
        require(found.bodyStart <= block.count, "the body begins after the end")
    }
}

private func find(
    _ block: Bytes, in lengths: [Int], isMessage: Bool, _ boundaries: borrowing BoundaryStack
) -> HeaderBlockFinder.Verdict {
    var finder = HeaderBlockFinder(isMessage: isMessage)
    var reached = 0
    for length in lengths {
        reached += length
        let part = block.extracting(0..<reached)
        while let feed = part.firstIndex(of: 0x0A, from: finder.lineStart) {
            let verdict = finder.takeLine(part, end: feed + 1, boundaries)
            if verdict != .needMore { return verdict }
        }
        if let verdict = finder.checkSize(part, reached: reached) { return verdict }
    }
    return finder.finish(block, boundaries)
}

// MARK: - Values

/// The main value and the raw and decoded parameters are within their bounds and clean.
let fieldParametersTarget = FuzzTarget(name: "FieldParameters") { value in
    let parameters = FieldParameters(value)
    requireInside(parameters.main, value)
    let main = written(capacity: 128) { parameters.writeMain(value, into: &$0) }
    require(main.count <= parameters.main.count, "a main value that grew")
    require(!main.contains { $0.isWhitespace }, "a main value with white space")
    for name: StaticString in ["boundary", "charset", "filename", "name"] {
        var isThere = false
        let raw = written(capacity: value.count) {
            isThere = parameters.raw(name, value, into: &$0)
        }
        require(isThere || raw.isEmpty, "an absent parameter with a value")
        requireDecoded(value, room: min(value.count, 40), "\(name)") { region, losses in
            let isText = parameters.text(
                name, value, charsets: charsets, into: &region, losses: &losses)
            require(isText == isThere, "raw and text do not agree on what is there")
        }
    }
}

/// Unstructured text is clean and within its bound.
let encodedWordTarget = FuzzTarget(name: "EncodedWord") { value in
    let room = value.count > 0 ? Int(value[value.count - 1]) : 0
    requireDecoded(value, room: room, "text") { region, losses in
        EncodedWord.decode(value, charsets: charsets, into: &region, losses: &losses)
    }
}

/// The output of `decode` is clean and fits into the documented room. With less room it is clean
/// too, and the missing part is counted.
private func requireDecoded(
    _ value: Bytes, room: Int, _ what: String,
    by decode: (inout Region, inout DecodeLosses) -> Void
) {
    var losses = DecodeLosses()
    let text = written(capacity: 4 * value.count + 64) { decode(&$0, &losses) }
    requireClean(text, what)
    require(losses.truncated == 0, "\(what) does not fit into four times its value and 64 bytes")
    losses = DecodeLosses()
    let short = written(capacity: room) { decode(&$0, &losses) }
    requireClean(short, "a shortened \(what)")
    require(short == text || losses.truncated > 0, "\(what) was cut and not counted")
}

// MARK: - Address lists

/// Mailboxes are clean, and each has enough room. A regular mailbox stays the same when its written
/// form is read again.
let addressListTarget = FuzzTarget(name: "AddressList") { value in
    var parser = AddressParser()
    var losses = DecodeLosses()
    var rounds = 0
    _ = written(capacity: 4 * value.count + 64) { region in
        parsing: while true {
            rounds += 1
            require(rounds <= value.count + 2, "the list does not end")
            let before = region.count
            switch parser.next(value, charsets: charsets, into: &region, losses: &losses) {
            case .mailbox(let mailbox):
                require(
                    mailbox.address.lowerBound == before, "a mailbox that is not after the last one"
                )
                requireInside(mailbox.displayName, region.bytes)
                let address = region.bytes.extracting(mailbox.address).copied()
                let name = region.bytes.extracting(mailbox.displayName).copied()
                checkMailbox(name: name, address: address)
                // As in the mapper, the room is for one mailbox at a time.
                region.truncate(to: 0)
            case .end: break parsing
            case .tooManyTokens:
                require(value.count >= AddressParser.tokensMax, "more tokens than bytes")
                break parsing
            }
        }
    }
    require(losses.truncated == 0, "a mailbox does not fit into four times its list and 64 bytes")
}

private func checkMailbox(name: [UInt8], address: [UInt8]) {
    requireClean(address, "an address")
    requireClean(name, "a display name")
    require(address.contains(UInt8(ascii: "@")), "an address without @")
    require(!holdsMark(address) && !holdsMark(name), "a mailbox with the mark of an encoded word")
    guard isRegular(address), !holdsEncodedWord(address), !holdsEncodedWord(name) else { return }
    let text = written(capacity: 2 * name.count + address.count + 5) {
        AddressParser.format(displayName: name.span, address: address.span, into: &$0)
    }
    var parser = AddressParser()
    var losses = DecodeLosses()
    _ = written(capacity: 4 * text.count + 64) { region in
        let verdict = parser.next(text.span, charsets: charsets, into: &region, losses: &losses)
        guard case .mailbox(let mailbox) = verdict else {
            return require(false, "a written mailbox that is none")
        }
        let readName = region.bytes.extracting(mailbox.displayName).copied()
        let readAddress = region.bytes.extracting(mailbox.address).copied()
        // Quotes may be gone that became needless when a control was dropped.
        let isSame = AddressParser.same(
            readAddress.span, address.span, ignoringLocalCase: false)
        require(isSame, "another address is read back")
        require(trimmed(readName) == trimmed(name), "another display name is read back")
        let rest = parser.next(text.span, charsets: charsets, into: &region, losses: &losses)
        require(rest == .end, "more than one mailbox is read back")
    }
}

/// Whether there is a `=?`.
private func holdsMark(_ text: [UInt8]) -> Bool {
    text.indices.dropLast().contains { text[$0] == 0x3D && text[$0 + 1] == 0x3F }
}

/// Blanks around a display name have no meaning; a control that became a blank may leave one.
private func trimmed(_ name: [UInt8]) -> [UInt8] {
    name.span.extracting(name.span.trimmed(0..<name.count)).copied()
}

/// Whether `address` is an addr-spec of RFC 5322 or nearly so: a local part of atoms and dots or
/// one quoted string, and a domain of atoms and dots. Anything else that the parser lets through
/// was never an address, and need not survive.
private func isRegular(_ address: [UInt8]) -> Bool {
    guard let at = address.lastIndex(of: UInt8(ascii: "@")) else { return false }
    let local = address[..<at]
    let domain = address[(at + 1)...]
    func isAtoms(_ part: ArraySlice<UInt8>) -> Bool {
        !part.isEmpty && part.allSatisfy { $0.isAtext || $0 == UInt8(ascii: ".") }
    }
    guard isAtoms(domain) else { return false }
    if isAtoms(local) { return true }
    guard local.count > 2, local.first == 0x22, local.last == 0x22 else { return false }
    var isEscaped = false
    for byte in local.dropFirst().dropLast() {
        if byte == 0x22, !isEscaped { return false }
        isEscaped = byte == 0x5C && !isEscaped
    }
    return !isEscaped
}

/// A reader decodes encoded words wherever they are, so a name that looks like an encoded word
/// becomes another name when it is read again.
private func holdsEncodedWord(_ name: [UInt8]) -> Bool {
    zip(name, name.dropFirst()).contains { $0 == UInt8(ascii: "=") && $1 == UInt8(ascii: "?") }
}
