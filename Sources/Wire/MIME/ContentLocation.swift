// URLs by which an HTML part names the other parts of its multipart/related (RFC 2557).
//
// A relative one is resolved against a base (RFC 3986 5.2); without a base against `thismessage:/`,
// as RFC 2557 5 says. Two URLs name the same part if they are equal after that, percent escapes
// decoded. Any bytes are tolerated; linear time.

/// Comparing URLs.
package enum ContentLocation {
    /// A longer URL is not compared.
    package static let bytesMax = 2_048

    /// Whether a reference of an HTML text may name a part by its location: it has another scheme
    /// than those that never do, and is no place inside the text.
    package static func mayName(_ reference: Bytes) -> Bool {
        guard reference.count > 0, reference.count <= bytesMax, reference[0] != UInt8(ascii: "#")
        else { return false }
        return !reference.startsIgnoringCase("cid:") && !reference.startsIgnoringCase("data:")
            && !reference.startsIgnoringCase("mailto:") && !reference.startsIgnoringCase("mid:")
            && !reference.startsIgnoringCase("javascript:")
            && !reference.startsIgnoringCase("about:")
    }

    /// `base` itself resolved against the one around it.
    package static func base(_ own: Bytes, in outer: [UInt8]) -> [UInt8] {
        own.isEmpty ? outer : resolved(own, against: outer)
    }

    /// The form in which a URL is compared.
    /// - Parameters:
    ///   - isMarkup: it stands in HTML, where `&amp;` is `&`.
    ///   - base: absolute, or empty when there is none.
    package static func comparable(
        _ url: Bytes, base: [UInt8], isMarkup: Bool = false
    ) -> [UInt8] {
        let plain = isMarkup ? withoutEntities(url) : url.copied()
        return withoutEscapes(resolved(plain.span, against: base))
    }

    // MARK: RFC 3986 5.2

    private static func resolved(_ url: Bytes, against base: [UInt8]) -> [UInt8] {
        if schemeEnd(url) != nil { return lowercasedOrigin(url) }
        let base = base.isEmpty ? Array("thismessage:/".utf8) : base
        guard let scheme = schemeEnd(base.span) else { return url.copied() }
        if url.startsIgnoringCase("//") {
            let whole = base[..<scheme] + url.copied()
            return lowercasedOrigin(whole.span)
        }
        let pathStart = pathStart(base.span, scheme)
        var whole = Array(base[..<pathStart])
        let isAbsolute = url.count > 0 && url[0] == UInt8(ascii: "/")
        var path: [UInt8] = []
        if !isAbsolute {
            let end = pathEnd(base.span, from: pathStart)
            let slash = base[pathStart..<end].lastIndex(of: UInt8(ascii: "/")) ?? pathStart - 1
            path = slash < pathStart ? [UInt8(ascii: "/")] : Array(base[pathStart...slash])
        }
        path += url.copied()
        whole += withoutDots(path)
        return lowercasedOrigin(whole.span)
    }

    /// The end of `scheme:`; nil when there is none. One letter is a drive, not a scheme.
    private static func schemeEnd(_ url: Bytes) -> Int? {
        for index in 0..<url.count {
            let byte = url[index]
            if byte == .colon { return index > 1 ? index + 1 : nil }
            let isSign =
                index > 0 && (byte == UInt8(ascii: "+") || byte == .hyphen || byte == .dot)
            guard byte.isAlphanumeric || isSign else { return nil }
        }
        return nil
    }

    private static func pathStart(_ url: Bytes, _ schemeEnd: Int) -> Int {
        guard url.extracting(schemeEnd..<url.count).startsIgnoringCase("//") else {
            return schemeEnd
        }
        return url.firstIndex(of: UInt8(ascii: "/"), from: schemeEnd + 2) ?? url.count
    }

    /// Where a query or a fragment begins.
    private static func pathEnd(_ url: Bytes, from start: Int) -> Int {
        var end = start
        while end < url.count, url[end] != UInt8(ascii: "?"), url[end] != UInt8(ascii: "#") {
            end += 1
        }
        return end
    }

    /// RFC 3986 5.2.4.
    private static func withoutDots(_ path: [UInt8]) -> [UInt8] {
        let end = pathEnd(path.span, from: 0)
        var kept: [ArraySlice<UInt8>] = []
        let segments = path[..<end].split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for (index, segment) in segments.enumerated() {
            let isLast = index == segments.count - 1
            switch segment {
            case [.dot]: if isLast { kept.append([]) }
            case [.dot, .dot]:
                if kept.count > 1 { kept.removeLast() }
                if isLast { kept.append([]) }
            default: kept.append(segment)
            }
        }
        return Array(kept.joined(separator: [UInt8(ascii: "/")])) + path[end...]
    }

    /// Scheme and host have no case.
    private static func lowercasedOrigin(_ url: Bytes) -> [UInt8] {
        var text = url.copied()
        guard let scheme = schemeEnd(url) else { return text }
        for index in 0..<pathStart(url, scheme) { text[index] = text[index].asciiLowercased }
        return text
    }

    // MARK: Escapes

    private static func withoutEntities(_ url: Bytes) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(url.count)
        var index = 0
        while index < url.count {
            text.append(url[index])
            let isEntity =
                url[index] == UInt8(ascii: "&")
                && url.extracting(index..<url.count).startsIgnoringCase("&amp;")
            index += isEntity ? 5 : 1
        }
        return text
    }

    private static func withoutEscapes(_ url: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(url.count)
        var index = 0
        while index < url.count {
            if url[index] == UInt8(ascii: "%"), index + 2 < url.count,
                let high = url[index + 1].hexValue, let low = url[index + 2].hexValue
            {
                text.append(high << 4 | low)
                index += 3
            } else {
                text.append(url[index])
                index += 1
            }
        }
        return text
    }
}
