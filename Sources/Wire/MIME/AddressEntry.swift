// One entry of an address list, gathered token by token: where its addr-spec and its display name
// are (RFC 5322 3.4). It keeps ranges into the list and writes nothing.

/// The ranges of one entry of a list, gathered token by token.
struct AddressEntry {
    enum Progress {
        case more
        /// The entry is whole.
        case complete
        /// The entry is whole, and the text after `end` belongs to the next one.
        case again
    }

    /// Where the entry's last token ended, or the next entry begins.
    private(set) var end = 0
    /// The tokens before `<`, or all tokens while there is none.
    private var phrase = 0..<0
    /// Between `<` and `>`.
    private var angle: Range<Int>?
    /// The words after `>`.
    private var tail = 0..<0
    /// The content of the first comment that is not empty.
    private var comment = 0..<0
    /// The first run of words joined by `@` or dots that has an `@`.
    private var bare: Range<Int>?
    private var run = 0..<0
    private var runHasAt = false
    private var isJoinedToNext = false
    private(set) var isEmpty = true
    /// From the first token to the end of the last one.
    private(set) var whole = 0..<0
    /// It has encoded words beside its comments.
    private(set) var hasEncodedWords = false
    /// The entry is text that was decoded. Its commas stood in an encoded word: before there is an
    /// address they are a name's ("Lee, Ann <ann@example.com>").
    private let isDecoded: Bool
    private var wordCount = 0
    /// A second address without brackets ends the entry: no `<` comes up to this offset.
    private var splitEnd = 0
    /// Two words are whole addresses, and nothing is in brackets: a comma is missing between them.
    private(set) var hasSecondAddress = false
    private var isSecondSought = false

    init(isDecoded: Bool = false) { self.isDecoded = isDecoded }

    /// No `<` comes before `end`: there a second address ends the entry.
    mutating func split(before end: Int) { splitEnd = end }

    /// Forgets the tokens so far.
    mutating func clear() {
        let splitEnd = splitEnd
        self = AddressEntry(isDecoded: isDecoded)
        self.splitEnd = splitEnd
    }

    /// Where the addr-spec is; nil when the entry has none.
    var address: Range<Int>? { angle ?? bare }

    /// Whether the addr-spec is between angle brackets.
    var hasAngle: Bool { angle != nil }

    /// Where text that may be an encoded entry is: without the quotes around it.
    func encodedText(_ value: Bytes) -> Range<Int> {
        guard wordCount == 1, angle == nil, value[whole.lowerBound] == 0x22 else { return whole }
        return whole.lowerBound + 1..<whole.upperBound - 1
    }

    /// Where the name of an entry without an addr-spec may be: text that can be no local part.
    func namesWithoutAddress(_ value: Bytes) -> [3 of DisplayName] {
        if angle != nil { return displayNames(value) }
        let comment = DisplayName(range: comment, isComment: true)
        let isName =
            wordCount > 1 || hasEncodedWords || !phrase.isEmpty && value[phrase.lowerBound] == 0x22
        let name = DisplayName(range: isName ? phrase : 0..<0, isComment: false)
        return [comment, name, DisplayName(range: 0..<0, isComment: false)]
    }

    /// Where a display name may be, the best place first.
    func displayNames(_ value: Bytes) -> [3 of DisplayName] {
        let comment = DisplayName(range: comment, isComment: true)
        if angle != nil {
            return [
                DisplayName(range: phrase, isComment: false),
                DisplayName(range: tail, isComment: false), comment,
            ]
        }
        var frontEnd = max(phrase.lowerBound, bare?.lowerBound ?? 0)
        while frontEnd > phrase.lowerBound, Self.opens(value[frontEnd - 1]) { frontEnd -= 1 }
        let front = phrase.lowerBound..<frontEnd
        let rest = min(bare?.upperBound ?? 0, phrase.upperBound)..<phrase.upperBound
        return [
            DisplayName(range: front, isComment: false), comment,
            DisplayName(range: rest, isComment: false),
        ]
    }

    mutating func take(_ token: AddressScanner.Token, _ value: Bytes) -> Progress {
        switch token {
        case .separator: return isDecoded && address == nil ? .more : .complete
        case .groupStart:
            if address != nil { return .complete }
            // The tokens so far are the group's name, or "mailto".
            clear()
            return .more
        case .encodedComma(let range):
            guard address == nil else { return .complete }
            hasEncodedWords = true
            takeWord(range, value, isEncoded: true)
        case .comment(let range):
            let content = value.trimmed(range.lowerBound + 1..<range.upperBound - 1)
            if comment.isEmpty { comment = content }
        case .angle(let range):
            if angle != nil { return .again }
            hasSecondAddress = false
            angle = value.trimmed(range.lowerBound + 1..<range.upperBound)
            end = range.upperBound
            extend(range.lowerBound..<min(range.upperBound + 1, value.count))
        case .word(let range):
            if bare != nil, isSecondAddress(range, value) {
                if range.lowerBound < splitEnd {
                    end = range.lowerBound
                    return .again
                }
                hasSecondAddress = true
            }
            takeWord(range, value)
        case .quoted(let range):
            if value.extracting(range).firstIndex(of: 0x3D) != nil { hasEncodedWords = true }
            takeWord(range, value)
        case .encoded(let range):
            hasEncodedWords = true
            takeWord(range, value, isEncoded: true)
        }
        return .more
    }

    private mutating func extend(_ range: Range<Int>) {
        whole = isEmpty ? range : whole.lowerBound..<range.upperBound
        isEmpty = false
    }

    private mutating func takeWord(
        _ range: Range<Int>, _ value: Bytes, isEncoded: Bool = false
    ) {
        extend(range)
        wordCount += 1
        if angle != nil {
            tail = tail.isEmpty ? range : tail.lowerBound..<range.upperBound
            return
        }
        phrase = phrase.isEmpty ? range : phrase.lowerBound..<range.upperBound
        end = range.upperBound
        guard bare == nil || isOpen(value, range) else { return }
        let isJoined = !run.isEmpty && isOpen(value, range)
        let isQuoted = value[range.lowerBound] == 0x22
        let hasAt = !isQuoted && !isEncoded && value.extracting(range).firstIndex(of: 0x40) != nil
        run = isJoined ? run.lowerBound..<range.upperBound : range
        runHasAt = isJoined ? runHasAt || hasAt : hasAt
        isJoinedToNext = !isQuoted && Self.joins(value[range.upperBound - 1])
        if runHasAt { bare = run }
    }

    /// Whether a word is a whole address after one that is whole too. "a@x b@y" misses a comma; in
    /// "a@x b@y <c@z>" they are a name.
    private mutating func isSecondAddress(_ word: Range<Int>, _ value: Bytes) -> Bool {
        guard let bare, angle == nil, !isSecondSought, !isOpen(value, word),
            Self.isWholeAddress(value.extracting(word))
        else { return false }
        isSecondSought = true
        return Self.isWholeAddress(value.extracting(bare))
    }

    /// Whether `word` has one `@` with a domain after it. No words of a name look so.
    private static func isWholeAddress(_ word: Bytes) -> Bool {
        guard let mark = word.firstIndex(of: 0x40), mark > 0, mark + 1 < word.count,
            isLetter(word[mark + 1]), isLetter(word[word.count - 1])
        else { return false }
        for i in mark + 1..<word.count {
            guard isLetter(word[i]) || word[i] == 0x2E || word[i] == .hyphen else { return false }
        }
        return true
    }

    private static func isLetter(_ byte: UInt8) -> Bool { byte.isAlphanumeric || byte >= 0x80 }

    /// Whether the word `next` continues the current run: an `@` or a dot is between them, or they
    /// touch.
    private func isOpen(_ value: Bytes, _ next: Range<Int>) -> Bool {
        isJoinedToNext || Self.joins(value[next.lowerBound]) || run.upperBound == next.lowerBound
    }

    /// Blanks, and brackets before the address that were not closed.
    private static func opens(_ byte: UInt8) -> Bool {
        byte.isWhitespace || byte == 0x3C || byte == 0x28 || byte == 0x3E
    }

    private static func joins(_ byte: UInt8) -> Bool { byte == 0x40 || byte == 0x2E }
}
