// Header text in 8-bit or 7-bit charsets that is not encoded as RFC 2047 wants.
//
// A value whose bytes are not UTF-8 (RFC 6532) is in the charset of the text, as far as anybody can
// know; one with the escapes of ISO-2022 (RFC 1468) is in that charset. Such a block is converted
// to UTF-8 before it is read, because bytes of these charsets can look like quotes and commas. All
// other blocks cost two searches.

/// Converts header values that are neither ASCII nor UTF-8.
package enum RawHeader {
    /// Whether `bytes` may have text that has to be converted.
    package static func mayNeedConversion(_ bytes: Bytes) -> Bool {
        bytes.asciiRun(from: 0) < bytes.count || bytes.firstIndex(of: escape) != nil
    }

    /// Whether `block` has 8-bit text that is not UTF-8, so that its charset matters.
    package static func needsCharset(_ block: Bytes) -> Bool { !block.isValidUTF8 }

    /// A copy of `block`, in UTF-8 wherever its charset is known; nil when nothing has to be
    /// converted. The fields are the same ones, in the same order. Values that are not UTF-8 stay as they are if `charset` says nothing new:
    /// they are read word by word as windows-1252 later.
    /// - Parameter charset: that of the message's first text.
    package static func converted(
        _ block: Bytes, charset: Charset, charsets: CharsetCache, losses: inout DecodeLosses
    ) -> [UInt8]? {
        var result: [UInt8] = []
        var copied = 0
        var fields = HeaderScanner()
        while let field = fields.next(block) {
            let value = block.extracting(field.value)
            guard let charset = self.charset(of: value, charset) else { continue }
            result.append(bytes: block.extracting(copied..<field.value.lowerBound))
            result += decoded(value, charset, charsets, &losses)
            copied = field.value.upperBound
        }
        guard copied > 0 else { return nil }
        result.append(bytes: block.extracting(copied..<block.count))
        return result
    }

    /// The text of one value in UTF-8; nil when it stays as it is.
    static func converted(
        value: Bytes, charset: Charset, charsets: CharsetCache, losses: inout DecodeLosses
    ) -> [UInt8]? {
        guard mayNeedConversion(value), let charset = self.charset(of: value, charset) else {
            return nil
        }
        return decoded(value, charset, charsets, &losses)
    }

    private static var escape: UInt8 { 0x1B }

    /// The charset to convert `value` from; nil when there is none.
    private static func charset(of value: Bytes, _ charset: Charset) -> Charset? {
        if let escaped = escapedCharset(value) { return charset.isShifted ? charset : escaped }
        return !value.isValidUTF8 && charset.isForRawText ? charset : nil
    }

    /// The charset by the first designation of ISO 2022 in `value`.
    private static func escapedCharset(_ value: Bytes) -> Charset? {
        var from = 0
        while let at = value.firstIndex(of: escape, from: from), at + 2 < value.count {
            let (second, third) = (value[at + 1], value[at + 2])
            let fourth = at + 3 < value.count ? value[at + 3] : 0
            switch (second, third) {
            case (0x24, 0x29) where fourth == 0x43: return labelled("iso-2022-kr")
            case (0x24, 0x29): return labelled("iso-2022-cn")
            case (0x24, 0x40...0x42), (0x24, 0x28), (0x28, 0x49...0x4A):
                return labelled("iso-2022-jp")
            default: from = at + 1
            }
        }
        return nil
    }

    private static func labelled(_ label: StaticString) -> Charset {
        label.withUTF8Buffer { Charset(label: $0.span) }
    }

    private static func decoded(
        _ value: Bytes, _ charset: Charset, _ charsets: CharsetCache, _ losses: inout DecodeLosses
    ) -> [UInt8] {
        var decoder = CharsetDecoder(charset, cache: charsets)
        let text = [UInt8](unsafeUninitializedCapacity: 4 * value.count + 128) { memory, count in
            var region = Region(memory)
            let taken = decoder.feed(value, into: &region)
            if !decoder.finish(into: &region) || taken < value.count { losses.truncated += 1 }
            count = region.count
        }
        losses.replacedCharacters += decoder.replacedCount
        return text
    }
}

extension Charset {
    /// A 7-bit charset with shifts.
    fileprivate var isShifted: Bool {
        guard case .listed(let index) = kind else { return false }
        if case .shifted = CharsetTable.rows[index].form { return true }
        return false
    }

    /// Text of this charset can stand in a header as it is, and is not read so anyway.
    fileprivate var isForRawText: Bool {
        guard case .listed(let index) = kind else { return false }
        if case .unicode = CharsetTable.rows[index].form { return false }
        return true
    }
}
