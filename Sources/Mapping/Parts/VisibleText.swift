// Tells whether a text has anything to see.
//
// A plain text of white space has nothing. An HTML document has nothing when there are only blanks
// outside tags, comments, <title>, <style> and <script>, and no picture or other media; Apple Mail
// writes such documents around files. A machine: one step for each byte, until something is seen. It
// errs on the side of "visible": a tag or a comment that is not closed counts. Source: HTML Living
// Standard 13.2.5, as far as it matters here.

import Wire

/// Whether a UTF-8 text has anything to see: `feed`… until `isVisible`, then `isBlank`.
package struct VisibleText {
    private enum State {
        case text
        /// After `&`; the name so far is in `word`.
        case entity
        /// Inside a character of more than one byte; its bytes so far are in `word`.
        case character
        /// After `<`.
        case markup
        /// The name of a tag, in `word`.
        case name(isClosing: Bool)
        case tag
        case quoted(UInt8)
        /// After `<!`, and that many hyphens.
        case declaration(hyphens: Int)
        case comment(hyphens: Int)
        /// Inside an element whose text is not shown; so much of its end tag has come.
        case hidden(matched: Int)
    }

    private let isHTML: Bool
    private var state = State.text
    /// At most eight bytes, the last one lowest.
    private var word: UInt64 = 0
    private var wordCount = 0
    /// The element whose text is not shown: its name as a `word`; 0 outside of one.
    private var hiddenElement: UInt64 = 0
    /// The latest byte of the current tag that is not white space.
    private var lastInTag: UInt8 = 0
    /// What the latest bytes of the current tag are, for `url(` and `background=`.
    private var tail: UInt64 = 0

    /// Something to see was found; more input changes nothing.
    private(set) var isVisible = false

    package init(isHTML: Bool) { self.isHTML = isHTML }

    /// Whether a complete text has nothing to see.
    package var isBlank: Bool {
        guard !isVisible else { return false }
        return switch state {
        case .text: true
        case .entity: Self.blankEntities.contains(word)
        default: false
        }
    }

    /// Takes a piece of the text.
    package mutating func feed(_ bytes: Bytes) {
        var index = 0
        while index < bytes.count && !isVisible {
            take(bytes[index])
            index += 1
        }
    }

    private mutating func take(_ byte: UInt8) {
        switch state {
        case .text: text(byte)
        case .entity: entity(byte)
        case .character: character(byte)
        case .markup: markup(byte)
        case .name(let isClosing): name(byte, isClosing: isClosing)
        case .tag: tag(byte)
        case .quoted(let quote):
            attribute(byte)
            guard byte == quote else { break }
            lastInTag = byte
            state = .tag
        case .declaration(let hyphens): declaration(byte, hyphens)
        case .comment(let hyphens):
            if byte == UInt8(ascii: ">") && hyphens >= 2 {
                state = .text
            } else {
                state = .comment(hyphens: byte == UInt8(ascii: "-") ? hyphens + 1 : 0)
            }
        case .hidden(let matched): hidden(byte, matched)
        }
    }

    private mutating func push(_ byte: UInt8) {
        word = word << 8 | UInt64(byte)
        wordCount += 1
    }

    private mutating func startWord(_ byte: UInt8? = nil) {
        word = 0
        wordCount = 0
        if let byte { push(byte) }
    }
}

// MARK: - Text

extension VisibleText {
    private mutating func text(_ byte: UInt8) {
        if byte <= 0x20 { return }
        if byte >= 0x80 {
            startWord(byte)
            state = .character
        } else if isHTML && byte == UInt8(ascii: "<") {
            state = .markup
        } else if isHTML && byte == UInt8(ascii: "&") {
            startWord()
            state = .entity
        } else {
            isVisible = true
        }
    }

    private mutating func entity(_ byte: UInt8) {
        let isName = byte == UInt8(ascii: "#") || Self.isAlphanumeric(byte)
        if isName {
            push(byte.asciiLowercased)
            if wordCount > 8 { isVisible = true }
            return
        }
        guard Self.blankEntities.contains(word) else {
            isVisible = true
            return
        }
        state = .text
        if byte != UInt8(ascii: ";") { text(byte) }
    }

    /// Blanks of Unicode and marks without width; all have two or three bytes.
    private mutating func character(_ byte: UInt8) {
        push(byte)
        let isTwoBytes = wordCount == 2 && word >> 8 < 0xE0
        guard isTwoBytes || wordCount == 3 else { return }
        switch word {
        case 0xC285, 0xC2A0, 0xC2AD, 0xE19A80, 0xE28080...0xE2808F, 0xE280A8, 0xE280A9, 0xE280AF,
            0xE2819F, 0xE281A0, 0xE38080, 0xEFBBBF:
            state = .text
        default: isVisible = true
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        byte.asciiLowercased &- 0x61 < 26 || byte &- 0x30 < 10
    }

    private static func word(_ text: StaticString) -> UInt64 {
        text.withUTF8Buffer { $0.reduce(0) { $0 << 8 | UInt64($1) } }
    }

    private static let blankEntities: [UInt64] = [
        word("nbsp"), word("#160"), word("#xa0"), word("ensp"), word("emsp"), word("thinsp"),
        word("zwnj"), word("zwj"), word("shy"), word("#173"), word("#8203"), word("#8204"),
        word("#8205"), word("#x200b"), word("#x200c"), word("#x200d"), word("#65279"),
        word("#xfeff"), word("#32"), word("#x20"), word("#9"), word("#10"), word("#13"),
        word("tab"), word("newline"),
    ]
}

// MARK: - Tags

extension VisibleText {
    private mutating func markup(_ byte: UInt8) {
        if byte == UInt8(ascii: "/") {
            startWord()
            state = .name(isClosing: true)
        } else if byte == UInt8(ascii: "!") || byte == UInt8(ascii: "?") {
            state = .declaration(hyphens: byte == UInt8(ascii: "!") ? 0 : 3)
        } else if Self.isAlphanumeric(byte) {
            startWord(byte.asciiLowercased)
            state = .name(isClosing: false)
        } else {
            isVisible = true
        }
    }

    private mutating func name(_ byte: UInt8, isClosing: Bool) {
        guard byte == UInt8(ascii: ">") || byte == UInt8(ascii: "/") || byte <= 0x20 else {
            if wordCount < 9 { push(byte.asciiLowercased) }
            // The vector shapes of Word.
            if word == Self.word("v:") { isVisible = !isClosing }
            return
        }
        if !isClosing && wordCount <= 8 {
            if Self.media.contains(word) { isVisible = true }
            hiddenElement = Self.hiddenElements.contains(word) ? word : 0
        }
        lastInTag = 0
        tail = 0
        state = .tag
        tag(byte)
    }

    private mutating func tag(_ byte: UInt8) {
        if byte == UInt8(ascii: ">") {
            state = hiddenElement == 0 ? .text : .hidden(matched: 0)
            return
        }
        let isQuote = byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
        if isQuote && lastInTag == UInt8(ascii: "=") { state = .quoted(byte) }
        attribute(byte)
        if byte > 0x20 { lastInTag = byte }
    }

    /// A background picture is something to see.
    private mutating func attribute(_ byte: UInt8) {
        tail = tail << 8 | UInt64(byte.asciiLowercased)
        if UInt32(truncatingIfNeeded: tail) == 0x7572_6C28 || tail == Self.groundEquals {
            isVisible = true
        }
    }

    /// The end of `background=`.
    private static let groundEquals = word("kground=")

    private mutating func declaration(_ byte: UInt8, _ hyphens: Int) {
        if byte == UInt8(ascii: ">") {
            state = .text
        } else if byte == UInt8(ascii: "-") && hyphens < 2 {
            // `<!-->` is a whole comment.
            state = hyphens == 1 ? .comment(hyphens: 2) : .declaration(hyphens: 1)
        } else {
            state = .declaration(hyphens: 3)
        }
    }

    private mutating func hidden(_ byte: UInt8, _ matched: Int) {
        let length = 8 - hiddenElement.leadingZeroBitCount / 8
        if matched == length + 2 {
            if byte == UInt8(ascii: ">") || byte == UInt8(ascii: "/") || byte <= 0x20 {
                hiddenElement = 0
                lastInTag = 0
                state = .tag
                return tag(byte)
            }
        } else {
            let wanted: UInt8 =
                switch matched {
                case 0: UInt8(ascii: "<")
                case 1: UInt8(ascii: "/")
                default:
                    UInt8(
                        truncatingIfNeeded: hiddenElement >> UInt64(8 * (length + 1 - matched)))
                }
            if byte.asciiLowercased == wanted {
                state = .hidden(matched: matched + 1)
                return
            }
        }
        state = .hidden(matched: byte == UInt8(ascii: "<") ? 1 : 0)
    }

    private static let hiddenElements: [UInt64] = [
        word("title"), word("style"), word("script"),
    ]

    private static let media: [UInt64] = [
        word("img"), word("image"), word("picture"), word("amp-img"), word("video"),
        word("audio"), word("svg"), word("math"), word("object"), word("embed"), word("applet"),
        word("iframe"), word("frame"), word("canvas"), word("input"), word("button"),
        word("select"), word("textarea"), word("meter"), word("progress"),
    ]
}
