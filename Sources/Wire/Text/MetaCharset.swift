// The charset that an HTML text names itself: `<meta charset>`, `<meta http-equiv>`, or the
// declaration of XHTML.
//
// It looks through the first bytes once, as browsers do: comments and other tags are stepped over,
// so a `<meta>` in a comment or in the value of an attribute does not count. Linear time, no
// allocation. WHATWG HTML 13.2.3.2 ("prescan a byte stream to determine its encoding"), XML 4.3.3.

enum MetaCharset {
    /// A charset must be named within this many bytes.
    static let frontBytesMax = 1_024

    /// The charset that `html`, the first bytes of a text, names; nil when it names none that is
    /// known.
    static func named(in html: Bytes) -> Charset? {
        var scanner = TagScanner()
        while scanner.findTag(html) {
            if scanner.isMeta, let charset = ofMeta(html, &scanner) { return charset }
            while scanner.nextAttribute(html) != nil {}
        }
        return ofDeclaration(html)
    }

    private static func ofMeta(_ html: Bytes, _ scanner: inout TagScanner) -> Charset? {
        var isContentType = false
        var named: Range<Int>?
        var needsContentType = false
        while let attribute = scanner.nextAttribute(html) {
            let name = html.extracting(attribute.name)
            if name.equalsIgnoringCase("http-equiv") {
                let value = html.extracting(html.trimmed(attribute.value))
                if value.equalsIgnoringCase("content-type") { isContentType = true }
            } else if name.equalsIgnoringCase("charset") {
                named = attribute.value
                needsContentType = false
            } else if name.equalsIgnoringCase("content"), named == nil {
                named = parameter("charset", html, attribute.value)
                needsContentType = true
            }
        }
        guard let named, isContentType || !needsContentType else { return nil }
        return usable(html.extracting(named))
    }

    /// `<?xml version="1.0" encoding="iso-8859-2"?>`, which must be the very first.
    private static func ofDeclaration(_ html: Bytes) -> Charset? {
        guard html.startsIgnoringCase("<?xml") else { return nil }
        let end = html.firstIndex(of: UInt8(ascii: ">")) ?? html.count
        return parameter("encoding", html, 0..<end).flatMap { usable(html.extracting($0)) }
    }

    /// What follows `name` and `=` in `range`, in quotes or up to a blank or a semicolon.
    private static func parameter(
        _ name: StaticString, _ text: Bytes, _ range: Range<Int>
    ) -> Range<Int>? {
        let limit = range.upperBound
        var at = range.lowerBound
        while at < limit {
            guard text.extracting(at..<limit).startsIgnoringCase(name) else {
                at += 1
                continue
            }
            at = blanksEnd(text, at + name.utf8CodeUnitCount, limit)
            guard at < limit, text[at] == .equalsSign else { continue }
            at = blanksEnd(text, at + 1, limit)
            guard at < limit else { return nil }
            let quote = text[at]
            let isQuoted = quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'")
            let start = isQuoted ? at + 1 : at
            var end = start
            while end < limit,
                isQuoted
                    ? text[end] != quote : !text[end].isWhitespace && text[end] != UInt8(ascii: ";")
            {
                end += 1
            }
            return isQuoted && end == limit ? nil : start..<end
        }
        return nil
    }

    fileprivate static func blanksEnd(_ text: Bytes, _ start: Int, _ limit: Int) -> Int {
        var at = start
        while at < limit, text[at].isWhitespace { at += 1 }
        return at
    }

    /// A text that could be searched as it stands is not UTF-16, whatever it says. One that says
    /// UTF-8 is often something else that was never converted, so its characters are judged one by
    /// one.
    private static func usable(_ label: Bytes) -> Charset? {
        let charset = Charset(label: label)
        switch charset.kind {
        case .unknown: return nil
        case .utf8, .undeclared: return Charset(kind: .usASCII)
        case .listed where charset.isWide: return Charset(kind: .usASCII)
        case .listed where charset.isUserDefined: return Charset(kind: .latin1AsWindows1252)
        case .usASCII, .latin1AsWindows1252, .listed: return charset
        }
    }
}

/// Steps through the tags of an HTML text and their attributes. The text is the same in each call.
private struct TagScanner {
    private var at = 0
    /// The tag that was found is `<meta`.
    private(set) var isMeta = false

    /// Goes to the attributes of the next tag; false when there is none.
    mutating func findTag(_ html: Bytes) -> Bool {
        while at < html.count, let open = html.firstIndex(of: UInt8(ascii: "<"), from: at) {
            at = open + 1
            guard at < html.count else { return false }
            let rest = html.extracting(open..<html.count)
            if rest.startsIgnoringCase("<!--") {
                guard let end = endOfComment(html, from: open + 2) else { return false }
                at = end
            } else if html[at].asciiLowercased &- 0x61 < 26 || html[at] == UInt8(ascii: "/") {
                beginTag(html, rest)
                return true
            } else if html[at] == UInt8(ascii: "!") || html[at] == UInt8(ascii: "?") {
                at = html.firstIndex(of: UInt8(ascii: ">"), from: at) ?? html.count
            }
        }
        return false
    }

    private mutating func beginTag(_ html: Bytes, _ tag: Bytes) {
        isMeta =
            tag.startsIgnoringCase("<meta") && tag.count > 5
            && (tag[5].isWhitespace || tag[5] == UInt8(ascii: "/"))
        if isMeta { at += 4 }
        while !isMeta, at < html.count, !html[at].isWhitespace, html[at] != UInt8(ascii: ">") {
            at += 1
        }
    }

    /// The next attribute of the tag; nil at its end, or when the text ends inside it.
    mutating func nextAttribute(
        _ html: Bytes
    ) -> (name: Range<Int>, value: Range<Int>)? {
        while at < html.count, html[at].isWhitespace || html[at] == UInt8(ascii: "/") { at += 1 }
        guard at < html.count, html[at] != UInt8(ascii: ">") else { return nil }
        let name = readName(html)
        let equals = MetaCharset.blanksEnd(html, at, html.count)
        guard equals < html.count, html[equals] == .equalsSign else { return (name, at..<at) }
        at = MetaCharset.blanksEnd(html, equals + 1, html.count)
        guard at < html.count else { return nil }
        let quote = html[at]
        if quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
            let start = at + 1
            let end = html.firstIndex(of: quote, from: start)
            at = end.map { $0 + 1 } ?? html.count
            return end.map { (name, start..<$0) }
        }
        let start = at
        while at < html.count, !html[at].isWhitespace, html[at] != UInt8(ascii: ">") { at += 1 }
        return at < html.count ? (name, start..<at) : nil
    }

    private mutating func readName(_ html: Bytes) -> Range<Int> {
        let start = at
        at += 1
        while at < html.count, !html[at].isWhitespace, html[at] != .equalsSign,
            html[at] != UInt8(ascii: ">"), html[at] != UInt8(ascii: "/")
        {
            at += 1
        }
        return start..<at
    }

    /// Where the text after `-->` begins.
    private func endOfComment(_ html: Bytes, from start: Int) -> Int? {
        var search = start
        while let close = html.firstIndex(of: UInt8(ascii: ">"), from: search) {
            if close >= start + 2, html[close - 1] == .hyphen, html[close - 2] == .hyphen {
                return close + 1
            }
            search = close + 1
        }
        return nil
    }
}
