// Text that a mailing list or a gateway wrote after base64, without encoding it.
//
// Base64 ends with its padding, but pieces that were encoded one by one and joined have padding
// inside. So after padding each line is looked at: is it base64 or text? Base64 that needs no padding
// ends where a line begins with two equal signs of another kind, or with one before several words; of
// a file words must come after an empty line, where a word with a colon will do too.
// At most `lineBytesMax` bytes are kept, and each is looked at twice. RFC 2045 6.8.

/// Watches base64 for the text after it, from the first padding on.
struct Base64Tail {
    enum Verdict { case needMore, base64, text }

    /// What makes a line doubtful.
    enum Doubt {
        case afterPadding
        /// No padding has come, but an empty line.
        case afterEmptyLine
        /// Neither has come.
        case strict
    }

    /// A longer line is judged by its front.
    static let lineBytesMax = 160
    private static let blanksMax = 16

    /// The lines so far: blank ones, and one that is not judged yet.
    private(set) var held: [UInt8] = []
    /// The next bytes begin a line that is to be judged.
    private(set) var isAtLine = false
    /// Padding has come: each further line is to be judged.
    private(set) var isAfterPadding = false
    private var doubt = Doubt.afterPadding
    private var hasInk = false
    /// Blanks stand before the line's first sign; without padding before it they are not kept.
    private var isIndented = false

    /// A line begins.
    mutating func beginLine(_ doubt: Doubt) {
        isAtLine = true
        self.doubt = doubt
        hasInk = false
        isIndented = false
        held.removeAll(keepingCapacity: true)
    }

    /// Notes that padding has come.
    mutating func padded() { isAfterPadding = true }

    /// Takes a byte of the line.
    mutating func add(_ byte: UInt8) -> Verdict {
        if byte.isWhitespace, !hasInk {
            isIndented = byte.isBlank || isIndented && byte != .lineFeed
            // More empty lines say nothing to either.
            if doubt == .afterPadding, held.count < Self.blanksMax { held.append(byte) }
            return .needMore
        }
        hasInk = true
        held.append(byte)
        return byte == .lineFeed || held.count == Self.lineBytesMax ? judge() : .needMore
    }

    /// There is no more.
    func finish() -> Verdict { hasInk ? judge() : .base64 }

    /// Forgets the line, after it was used.
    mutating func endLine() {
        held.removeAll(keepingCapacity: true)
        isAtLine = false
    }

    private func judge() -> Verdict {
        let line = held.span.extracting(held.span.trimmed(0..<held.count))
        if doubt == .afterEmptyLine, Self.isHeading(line) { return .text }
        if doubt != .afterPadding {
            let isSign = line[0].base64Value == nil && line[0] != .equalsSign
            guard isSign, !isIndented else { return Self.isWords(line) ? .text : .base64 }
            let hasGap = line.firstBlank(from: 0) != nil
            return hasGap || (line.count > 1 && line[0] == line[1]) ? .text : .base64
        }
        return Self.isBase64(line) ? .base64 : .text
    }

    /// Whether `line` is a word with a colon, or the address of a web page.
    private static func isHeading(_ line: Bytes) -> Bool {
        guard let colon = line.firstIndex(of: .colon), colon > 3 else { return false }
        guard colon + 1 < line.count else { return isWord(line) }
        return isWord(line.extracting(0..<colon)) && HeaderLine.isWebAddress(line, colon: colon)
    }

    /// Whether `line`, which is not blank, continues base64.
    private static func isBase64(_ line: Bytes) -> Bool {
        var letters = 0
        var strays = 0
        var paddings = 0
        var gaps = 0
        for i in line.indices {
            if line[i].base64Value != nil {
                letters += 1
            } else if line[i] == .equalsSign {
                paddings += 1
            } else if line[i].isWhitespace {
                gaps += 1
            } else {
                strays += 1
            }
        }
        // A row of signs; or padding that a line end cut off.
        if letters == 0 { return strays == 0 && paddings <= 2 }
        if strays == 0, gaps == 0 {
            return (letters + paddings) % 4 == 0 || letters + paddings >= lineBytesMax / 4
        }
        if strays == 0 { return (letters + paddings) % 4 == 0 && isInQuads(line) }
        return gaps == 0 && strays * 16 <= letters
    }

    /// Whether half of what `line` has between its blanks, two at least, are words of three letters
    /// or more. Pieces of base64 that blanks broke up hardly ever have one case.
    private static func isWords(_ line: Bytes) -> Bool {
        guard !isInQuads(line) else { return false }
        var words = 0
        var pieces = 0
        var start = 0
        while start < line.count {
            let end = line.firstIndex(of: 0x20, from: start) ?? line.count
            if end - start > 2 {
                pieces += 1
                if isWord(line.extracting(start..<end)) { words += 1 }
            }
            start = end + 1
        }
        return words >= 2 && words * 2 >= pieces
    }

    /// Letters of one case, or a capital before small ones; at the end a sign may stand.
    private static func isWord(_ piece: Bytes) -> Bool {
        let last = piece.count - 1
        guard last > 0 else { return false }
        let hasSign = piece[last] < 0x80 && piece[last].base64Value == nil
        let count = hasSign ? last : last + 1
        guard count > 1, isLetter(piece[0]) else { return false }
        let isSmall = piece[1] & 0x20 != 0 || piece[1] >= 0x80
        for i in 1..<count {
            guard isLetter(piece[i]) else { return false }
            if piece[i] < 0x80, (piece[i] & 0x20 != 0) != isSmall { return false }
        }
        return isSmall || piece[0] & 0x20 == 0
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        byte >= 0x80 || byte.asciiLowercased &- 0x61 < 26
    }

    private static func isInQuads(_ line: Bytes) -> Bool {
        var word = 0
        for i in line.indices {
            if !line[i].isWhitespace {
                word += 1
            } else if word % 4 != 0 {
                return false
            } else {
                word = 0
            }
        }
        return true
    }
}
