// Finds where an HTML text names other files: pictures, style sheets, backgrounds.
//
// It follows the HTML standard's tokens as far as that needs: tags, quoted and unquoted attributes,
// `url(…)` in style attributes and style elements. Comments are read as markup, because Outlook puts
// pictures into conditional ones. Any input is tolerated. Linear time; it keeps two numbers.

/// The references of one text, one for each call of `next`. The text is all in memory.
package struct HTMLReferences {
    /// Which attributes of a tag name a file.
    private enum Tag: Equatable {
        case other
        /// `href` does: link, and image and use of SVG.
        case link
        /// `data` does.
        case object
        /// CSS follows, up to its end tag.
        case style
        /// Nothing in it is markup, up to its end tag.
        case script
    }

    private enum Mode {
        case text
        /// Inside a tag, after its name.
        case attributes(Tag)
        /// In CSS, up to `end`; then text follows, or the rest of a tag.
        case css(end: Int, tag: Tag?)
    }

    private var mode = Mode.text
    private var at = 0

    package init() {}

    /// The next reference: its place without quotes and blanks around it, never empty. nil when there
    /// is none any more.
    /// - Parameter html: the same text at every call.
    package mutating func next(_ html: Bytes) -> Range<Int>? {
        while at < html.count {
            let found: Range<Int>? =
                switch mode {
                case .text: findTag(html)
                case .attributes(let tag): readAttribute(tag, html)
                case .css(let end, let tag): findURL(end, tag, html)
                }
            if let found, !found.isEmpty { return found }
        }
        return nil
    }

    // MARK: Tags

    private mutating func findTag(_ html: Bytes) -> Range<Int>? {
        guard let open = html.firstIndex(of: UInt8(ascii: "<"), from: at) else {
            at = html.count
            return nil
        }
        at = open + 1
        let start = at
        while at < html.count, !Self.endsName(html[at]) { at += 1 }
        let name = html.extracting(start..<at)
        // End tags, comments and declarations: what follows is read as text.
        guard !name.isEmpty, name[0].asciiLowercased &- 0x61 < 26 else { return nil }
        mode = .attributes(Self.tag(name))
        return nil
    }

    private static func tag(_ name: Bytes) -> Tag {
        if name.equalsIgnoringCase("link") || name.equalsIgnoringCase("image")
            || name.equalsIgnoringCase("use")
        {
            return .link
        }
        if name.equalsIgnoringCase("object") { return .object }
        if name.equalsIgnoringCase("style") { return .style }
        return name.equalsIgnoringCase("script") ? .script : .other
    }

    private static func endsName(_ byte: UInt8) -> Bool {
        byte.isWhitespace || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "/")
            || byte == UInt8(ascii: "<")
    }

    /// After the `>` of a tag.
    private mutating func endTag(_ tag: Tag, _ html: Bytes) {
        switch tag {
        case .style: mode = .css(end: Self.end("</style", html, from: at), tag: nil)
        case .script:
            at = Self.end("</script", html, from: at)
            mode = .text
        case .other, .link, .object: mode = .text
        }
    }

    /// Where `mark` begins, or the end of the text.
    private static func end(_ mark: StaticString, _ html: Bytes, from start: Int) -> Int {
        var at = start
        while let open = html.firstIndex(of: UInt8(ascii: "<"), from: at) {
            if html.extracting(open..<html.count).startsIgnoringCase(mark) { return open }
            at = open + 1
        }
        return html.count
    }

    // MARK: Attributes

    private mutating func readAttribute(_ tag: Tag, _ html: Bytes) -> Range<Int>? {
        skipBlanks(html)
        guard at < html.count else { return nil }
        switch html[at] {
        case UInt8(ascii: ">"):
            at += 1
            endTag(tag, html)
            return nil
        case UInt8(ascii: "<"):
            // The tag is not closed.
            mode = .text
            return nil
        case UInt8(ascii: "/"), .equalsSign:
            at += 1
            return nil
        default: break
        }
        let start = at
        while at < html.count, html[at] != .equalsSign, !Self.endsName(html[at]) { at += 1 }
        let name = html.extracting(start..<at)
        skipBlanks(html)
        guard at < html.count, html[at] == .equalsSign else { return nil }
        at += 1
        skipBlanks(html)
        guard let value = readValue(html) else { return nil }
        if name.equalsIgnoringCase("style") {
            mode = .css(end: value.upperBound, tag: tag)
            at = value.lowerBound
            return nil
        }
        return Self.namesFile(name, tag) ? html.trimmed(value) : nil
    }

    private static func namesFile(_ name: Bytes, _ tag: Tag) -> Bool {
        name.equalsIgnoringCase("src") || name.equalsIgnoringCase("background")
            || name.equalsIgnoringCase("poster") || name.equalsIgnoringCase("xlink:href")
            || name.equalsIgnoringCase("lowsrc") || name.equalsIgnoringCase("dynsrc")
            || tag == .link && name.equalsIgnoringCase("href")
            || tag == .object && name.equalsIgnoringCase("data")
    }

    /// The value of an attribute, `at` after it; nil when a quote is not closed, which ends the text.
    private mutating func readValue(_ html: Bytes) -> Range<Int>? {
        guard at < html.count else { return nil }
        let quote = html[at]
        if quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
            let start = at + 1
            guard let end = html.firstIndex(of: quote, from: start) else {
                at = html.count
                return nil
            }
            at = end + 1
            return start..<end
        }
        let start = at
        while at < html.count, !html[at].isWhitespace, html[at] != UInt8(ascii: ">") { at += 1 }
        return start..<at
    }

    private mutating func skipBlanks(_ html: Bytes) {
        while at < html.count, html[at].isWhitespace { at += 1 }
    }

    // MARK: CSS

    private mutating func findURL(_ end: Int, _ tag: Tag?, _ html: Bytes) -> Range<Int>? {
        while at < end {
            let open = at
            at += 1
            guard html[open] == UInt8(ascii: "("), open >= 3,
                html.extracting(open - 3..<open).equalsIgnoringCase("url")
            else { continue }
            return readURL(end, html)
        }
        at = end
        // The quote after a style attribute is taken for an attribute without a name.
        mode = tag.map { .attributes($0) } ?? .text
        if tag != nil, at < html.count, !Self.endsName(html[at]) { at += 1 }
        return nil
    }

    /// What stands between `url(` and its end, without quotes.
    private mutating func readURL(_ end: Int, _ html: Bytes) -> Range<Int> {
        while at < end, html[at].isWhitespace { at += 1 }
        let entity: StaticString = "&quot;"
        var isEntity = false
        var quote: UInt8?
        if at < end {
            isEntity = html.extracting(at..<end).startsIgnoringCase(entity)
            if isEntity {
                at += entity.utf8CodeUnitCount
            } else if html[at] == UInt8(ascii: "\"") || html[at] == UInt8(ascii: "'") {
                quote = html[at]
                at += 1
            }
        }
        let start = at
        while at < end {
            let byte = html[at]
            if byte == quote ?? UInt8(ascii: ")") { break }
            if isEntity, byte == UInt8(ascii: "&"),
                html.extracting(at..<end).startsIgnoringCase(entity)
            {
                break
            }
            at += 1
        }
        return html.trimmed(start..<at)
    }
}
