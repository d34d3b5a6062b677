// Cuts uuencoded content into its files and the texts around them (POSIX uuencode).
//
// The label says that a part is one file. Programs that wrote it before MIME put a letter and several
// files into one text. Each `begin` line begins a file up to its `end`, and what stands outside is
// text. A content without a `begin` line is not uuencoded and is one piece as it stands; for a file
// that is decided within `frontBytesMax` bytes. A file stays encoded: `UUDecoder` decodes it. Lines
// are looked at once; at most `feedBytesMax` and a front or a line are kept.

/// The pieces of one content: `begin`, then `next`, and `feed` whenever it needs more.
struct UUPieces {
    enum Event: Equatable {
        case needMore
        /// A piece begins: its head is in `head`.
        case start
        /// Content of the piece, in `bytes` until the next call.
        case content(Range<Int>)
        case pieceEnd
        /// All pieces are complete.
        case end
    }

    /// So much is fed at once, except for what lies in the walker's memory.
    static let feedBytesMax = 4_096
    /// A file that has no `begin` line so far is not uuencoded.
    static let frontBytesMax = 4_096
    /// A longer line is no `begin` line.
    private static let lineBytesMax = 512

    private enum State {
        /// Nothing is known yet.
        case front
        /// Between two pieces, where blank lines are left out.
        case outside
        case text
        /// A content that is not uuencoded.
        case literal
        case file
        /// A piece ends before the next byte.
        case closing
        case ended
    }

    /// What a line says.
    private enum Line {
        case begin(name: Range<Int>)
        /// `length` is with its line end.
        case end(length: Int)
        case other
        /// It is not whole yet, and may be one of these.
        case uncertain
    }

    private var state = State.ended
    /// The head of the part, and of the current piece.
    private var part = EntityHead()
    private(set) var head = EntityHead()
    /// For names beyond ASCII; nil before `begin`.
    private var charsets: CharsetCache?
    private var kept: [UInt8] = []
    /// What of `kept` is used up.
    private var used = 0
    /// Up to here the lines of the front are looked at.
    private var searched = 0
    private var isAtLineStart = true
    private var isFinished = false
    /// A line of the front has more than blanks.
    private var hasInk = false
    private var fileCount = 0
    private var textCount = 0
    /// Pieces that a content as its label says does not have.
    private(set) var oddCount = 0

    /// The pieces are not complete.
    var isOpen: Bool { if case .ended = state { false } else { true } }

    /// Valid until the next change.
    var bytes: Bytes {
        @_lifetime(borrow self)
        get { kept.span }
    }

    /// - Parameter head: of a part with the label of this encoding.
    mutating func begin(_ head: EntityHead, charsets: CharsetCache) {
        self = UUPieces()
        state = .front
        part = head
        self.charsets = charsets
    }

    /// Adds content, after `next` said that it needs more.
    mutating func feed(_ content: Bytes) {
        kept.removeFirst(used)
        searched -= used
        used = 0
        content.withUnsafeBufferPointer { kept.append(contentsOf: $0) }
    }

    /// There is no more content.
    mutating func finish() { isFinished = true }

    mutating func next() -> Event {
        while true {
            switch state {
            case .front: if let event = lookAtFront() { return event }
            case .outside: if let event = skipBlanks() { return event }
            case .text, .file: if let event = readLines() { return event }
            case .literal:
                if used < kept.count { return give(to: kept.count) }
                guard isFinished else { return .needMore }
                state = .closing
            case .closing:
                state = .outside
                return .pieceEnd
            case .ended: return .end
            }
        }
    }

    private mutating func give(to end: Int) -> Event {
        defer { used = end }
        return .content(used..<end)
    }
}

// MARK: - Where pieces begin

extension UUPieces {
    /// A text to show can be it from its first word on. A file is looked at longer.
    private var isText: Bool {
        (part.media == .textPlain || part.media == .textHTML) && !part.isAttachment
            && part.filename.isEmpty
    }

    /// Looks for the first `begin` line.
    private mutating func lookAtFront() -> Event? {
        while searched < kept.count {
            let line = line(at: searched, isInFile: false)
            switch line {
            case .uncertain: return .needMore
            case .begin:
                guard hasInk else {
                    used = searched
                    return beginFile(line)
                }
                beginText()
                return .start
            case .end, .other: break
            }
            let lineFeed = kept.span.firstIndex(of: .lineFeed, from: searched)
            let end = lineFeed.map { $0 + 1 } ?? kept.count
            hasInk = hasInk || !kept.span.extracting(searched..<end).isAllWhitespace
            if hasInk && isText { break }
            guard lineFeed != nil || isFinished || kept.count > Self.frontBytesMax else {
                return .needMore
            }
            searched = end
            if searched > Self.frontBytesMax { break }
        }
        if hasInk && isText {
            beginText()
            return .start
        }
        guard isFinished || searched > Self.frontBytesMax else { return .needMore }
        head = part
        head.dropEncoding()
        if !kept.isEmpty { oddCount += 1 }
        state = .literal
        return .start
    }

    private mutating func beginText() {
        head = part
        if isText { head.dropEncoding() } else { head.becomeOwnText() }
        textCount += 1
        oddCount += 1
        isAtLineStart = true
        state = .text
    }

    private mutating func beginFile(_ line: Line) -> Event? {
        guard case .begin(let range) = line else { return nil }
        let name = name(range)
        head = part
        if fileCount > 0 || isText && (textCount > 0 || Self.isFile(name)) {
            head.becomeFile(named: name)
        } else if !isText {
            head.setName(name)
        }
        if fileCount > 0 { oddCount += 1 }
        fileCount += 1
        // The line belongs to the file.
        isAtLineStart = false
        state = .file
        return .start
    }

    /// A name of a `begin` line.
    private func name(_ range: Range<Int>) -> [UInt8] {
        guard let charsets else { return [] }
        var losses = DecodeLosses()
        let text = EncodedWord.decoded(
            kept.span.extracting(range), charsets: charsets, losses: &losses)
        return AttachmentName.clean(text.span)
    }

    /// Whether a name has an extension that texts do not have.
    private static func isFile(_ name: [UInt8]) -> Bool {
        guard let dot = name.lastIndex(of: .dot) else { return false }
        let suffix = name.span.extracting((dot + 1)..<name.count)
        return (2...5).contains(suffix.count) && !suffix.equalsIgnoringCase("txt")
            && !suffix.equalsIgnoringCase("text") && !suffix.equalsIgnoringCase("asc")
            && !suffix.equalsIgnoringCase("htm") && !suffix.equalsIgnoringCase("html")
    }

    /// Between pieces.
    private mutating func skipBlanks() -> Event? {
        while used < kept.count {
            if isAtLineStart {
                let line = line(at: used, isInFile: false)
                if case .uncertain = line { return .needMore }
                if let start = beginFile(line) { return start }
            }
            guard kept[used].isWhitespace else {
                beginText()
                isAtLineStart = false
                return .start
            }
            isAtLineStart = kept[used] == .lineFeed
            used += 1
        }
        guard isFinished else { return .needMore }
        state = .ended
        return nil
    }
}

// MARK: - Lines

extension UUPieces {
    /// Gives out lines of the piece, up to the one that ends it.
    private mutating func readLines() -> Event? {
        var isInFile = false
        if case .file = state { isInFile = true }
        var end = used
        scan: while end < kept.count {
            if isAtLineStart {
                switch line(at: end, isInFile: isInFile) {
                case .other: break
                case .uncertain: break scan
                case .begin:
                    state = .closing
                    break scan
                case .end(let length):
                    end += length
                    state = .closing
                    break scan
                }
            }
            let lineFeed = kept.span.firstIndex(of: .lineFeed, from: end)
            isAtLineStart = lineFeed != nil
            end = lineFeed.map { $0 + 1 } ?? kept.count
        }
        if end > used { return give(to: end) }
        if case .closing = state { return nil }
        guard isFinished else { return .needMore }
        state = .closing
        return nil
    }

    private func line(at start: Int, isInFile: Bool) -> Line {
        let rest = kept.span.extracting(start..<min(kept.count, start + Self.lineBytesMax))
        let isEnd = isInFile && rest[0] == UInt8(ascii: "e")
        guard isEnd || rest[0] == UInt8(ascii: "b") else { return .other }
        let word: StaticString = isEnd ? "end" : "begin "
        for i in 0..<min(rest.count, word.utf8CodeUnitCount) where rest[i] != word.utf8Start[i] {
            return .other
        }
        let lineFeed = rest.firstIndex(of: .lineFeed)
        if lineFeed == nil, !isFinished, rest.count < Self.lineBytesMax { return .uncertain }
        let content = rest.extracting(0..<(lineFeed ?? rest.count))
        guard content.count >= word.utf8CodeUnitCount else { return .other }
        if isEnd {
            let isWord = content.extracting(word.utf8CodeUnitCount...).isAllWhitespace
            return isWord ? .end(length: lineFeed.map { $0 + 1 } ?? rest.count) : .other
        }
        guard lineFeed != nil, let name = Self.nameStart(content) else { return .other }
        return .begin(name: start + name..<start + content.count)
    }

    /// Where the name begins in a `begin` line: after three to five octal digits.
    private static func nameStart(_ line: Bytes) -> Int? {
        let modeStart = 6
        var at = modeStart
        while at < line.count, 0x30...0x37 ~= line[at] { at += 1 }
        guard (3...5).contains(at - modeStart), at == line.count || line[at].isWhitespace else {
            return nil
        }
        return at
    }
}
