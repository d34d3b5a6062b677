// What an HTML text leaves open at its end.
//
// Texts of a letter are joined to one document. A tag, a comment or a <style> that is not closed ends
// with its own part in a mail program; in one document it would swallow every text after it, so it
// is closed first. A machine: one step for each byte, no memory of what came. Source: HTML Living
// Standard 13.2.5, as far as it hides text.

import Wire

/// Follows one HTML text: `feed`…, then `close`.
struct OpenMarkup {
    private enum State {
        case text
        /// After `<`.
        case markup
        /// The name of a tag, in `word`.
        case name(isClosing: Bool)
        case tag
        /// After the `=` of an attribute.
        case value
        case unquoted
        case quoted(UInt8)
        /// After `<!`, and that many hyphens.
        case declaration(hyphens: Int)
        case comment(hyphens: Int)
        /// Inside an element that has no tags; so much of its end tag has come.
        case raw(matched: Int)
    }

    private var state = State.text
    /// A tag's name as far as it matters: its last eight bytes, and nine for the count of a longer one.
    private var word: UInt64 = 0
    private var wordCount = 0
    /// The element without tags that is open, or whose tag is; nil outside of one.
    private var element: Int?

    /// Takes a piece of the text.
    mutating func feed(_ bytes: Bytes) {
        var index = 0
        while index < bytes.count {
            if case .text = state {
                guard let next = bytes.firstIndex(of: UInt8(ascii: "<"), from: index) else {
                    return
                }
                state = .markup
                index = next + 1
            } else {
                take(bytes[index])
                index += 1
            }
        }
    }

    private mutating func take(_ byte: UInt8) {
        switch state {
        case .text: break
        case .markup: markup(byte)
        case .name(let isClosing): name(byte, isClosing: isClosing)
        case .tag: tag(byte)
        case .value:
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                state = .quoted(byte)
            } else if byte == UInt8(ascii: ">") {
                tag(byte)
            } else if byte > 0x20 {
                state = .unquoted
            }
        case .unquoted: if byte == UInt8(ascii: ">") || byte <= 0x20 { tag(byte) }
        case .quoted(let quote): if byte == quote { state = .tag }
        case .declaration(let hyphens): declaration(byte, hyphens)
        case .comment(let hyphens):
            if byte == UInt8(ascii: ">"), hyphens >= 2 {
                state = .text
            } else if byte != UInt8(ascii: "!") || hyphens < 2 {
                state = .comment(hyphens: byte == UInt8(ascii: "-") ? hyphens + 1 : 0)
            }
        case .raw(let matched): raw(byte, matched)
        }
    }

    private mutating func markup(_ byte: UInt8) {
        word = 0
        wordCount = 0
        element = nil
        if byte == UInt8(ascii: "/") {
            state = .name(isClosing: true)
        } else if byte == UInt8(ascii: "!") || byte == UInt8(ascii: "?") {
            state = .declaration(hyphens: byte == UInt8(ascii: "!") ? 0 : 3)
        } else if byte.asciiLowercased &- 0x61 < 26 {
            push(byte)
            state = .name(isClosing: false)
        } else if byte != UInt8(ascii: "<") {
            state = .text
        }
    }

    private mutating func push(_ byte: UInt8) {
        guard wordCount < 9 else { return }
        word = word << 8 | UInt64(byte.asciiLowercased)
        wordCount += 1
    }

    private mutating func name(_ byte: UInt8, isClosing: Bool) {
        guard byte == UInt8(ascii: ">") || byte == UInt8(ascii: "/") || byte <= 0x20 else {
            return push(byte)
        }
        if !isClosing { element = elementNamed() }
        tag(byte)
    }

    private func elementNamed() -> Int? {
        wordCount < 9 ? Self.elements.firstIndex { $0.word == word } : nil
    }

    private mutating func tag(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: ">"): state = element == nil ? .text : .raw(matched: 0)
        case UInt8(ascii: "="): state = .value
        default: state = .tag
        }
    }

    private mutating func declaration(_ byte: UInt8, _ hyphens: Int) {
        if byte == UInt8(ascii: ">") {
            state = .text
        } else if byte == UInt8(ascii: "-"), hyphens < 2 {
            // `<!-->` is a whole comment.
            state = hyphens == 1 ? .comment(hyphens: 2) : .declaration(hyphens: 1)
        } else {
            state = .declaration(hyphens: 3)
        }
    }

    private mutating func raw(_ byte: UInt8, _ matched: Int) {
        guard let element else { return }
        let name = Self.elements[element].word
        let length = 8 - name.leadingZeroBitCount / 8
        let isEnd = byte == UInt8(ascii: ">") || byte == UInt8(ascii: "/") || byte <= 0x20
        if matched == length + 2, isEnd {
            self.element = nil
            return tag(byte)
        }
        let wanted: UInt8? =
            switch matched {
            case 0: UInt8(ascii: "<")
            case 1: UInt8(ascii: "/")
            case length + 2: nil
            default: UInt8(truncatingIfNeeded: name >> UInt64(8 * (length + 1 - matched)))
            }
        if byte.asciiLowercased == wanted {
            state = .raw(matched: matched + 1)
        } else {
            state = .raw(matched: byte == UInt8(ascii: "<") ? 1 : 0)
        }
    }
}

// MARK: - Closing

extension OpenMarkup {
    /// Gives `write` what closes the text, as it stands in a JSON string, and begins the next text.
    mutating func close(_ write: (StaticString) -> Void) {
        switch state {
        case .text: break
        // So that it is no tag with what follows.
        case .markup: write(" ")
        case .name(let isClosing):
            if !isClosing { element = elementNamed() }
            closeTag(write)
        case .tag, .value, .unquoted: closeTag(write)
        case .quoted(let quote):
            write(quote == UInt8(ascii: "'") ? "'" : "\\\"")
            closeTag(write)
        case .declaration: write(">")
        case .comment: write("-->")
        case .raw: closeElement(write)
        }
        self = OpenMarkup()
    }

    private func closeTag(_ write: (StaticString) -> Void) {
        write(">")
        closeElement(write)
    }

    private func closeElement(_ write: (StaticString) -> Void) {
        if let element { write(Self.elements[element].end) }
    }

    private static let elements: [(word: UInt64, end: StaticString)] = [
        (word("title"), "</title>"), (word("style"), "</style>"), (word("script"), "</script>"),
        (word("textarea"), "</textarea>"), (word("xmp"), "</xmp>"), (word("iframe"), "</iframe>"),
        (word("noembed"), "</noembed>"), (word("noframes"), "</noframes>"),
    ]

    private static func word(_ text: StaticString) -> UInt64 {
        text.withUTF8Buffer { $0.reduce(0) { $0 << 8 | UInt64($1) } }
    }
}
