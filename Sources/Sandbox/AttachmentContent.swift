// The base64 text of an attachment (RFC 4648 4), checked strictly and decoded.
//
// Strict means: whole quads, nothing outside the alphabet, padding at the end alone. Checking
// decodes through a small buffer; only `decoded` makes an array of the content's size.

import Wire

enum AttachmentContent {
    /// How many bytes the base64 text in `range` encodes; nil when it is not valid.
    static func decodedCount(_ body: Bytes, _ range: Range<Int>) -> Int? {
        let text = body.extracting(range)
        if text.firstIndex(of: escape) == nil { return decodedCount(text) }
        return decodedCount(Array(JSONReader.unescaped(body, range).utf8).span)
    }

    /// The decoded bytes; nil when the text is not valid.
    static func decoded(_ body: Bytes, _ range: Range<Int>) -> [UInt8]? {
        let text = body.extracting(range)
        if text.firstIndex(of: escape) == nil { return decoded(text) }
        return decoded(Array(JSONReader.unescaped(body, range).utf8).span)
    }

    /// JSON may escape any character; some clients write `\/` in base64 text.
    private static let escape = UInt8(ascii: "\\")

    private static func decodedCount(_ text: Bytes) -> Int? {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 65_536) { memory in
            var count = 0
            let isValid = decode(text, in: memory) { count += $0 }
            return isValid ? count : nil
        }
    }

    private static func decoded(_ text: Bytes) -> [UInt8]? {
        var isValid = false
        let result = [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3 + 3) { memory, count in
            isValid = decode(text, in: memory) { count += $0 }
        }
        return isValid ? result : nil
    }

    /// Decodes all of `text` through `memory`, filled from its front again when it is full.
    private static func decode(
        _ text: Bytes, in memory: UnsafeMutableBufferPointer<UInt8>, wrote: (Int) -> Void
    ) -> Bool {
        guard hasWholeQuads(text) else { return false }
        var decoder = Base64Decoder()
        var offset = 0
        var isFinished = false
        while !isFinished {
            var region = Region(memory)
            offset += decoder.feed(text.extracting(offset..<text.count), into: &region)
            if offset == text.count { isFinished = decoder.finish(into: &region) }
            wrote(region.count)
        }
        return decoder.strayCount == 0
    }

    private static func hasWholeQuads(_ text: Bytes) -> Bool {
        guard !text.isEmpty, text.count % 4 == 0 else { return false }
        guard let padding = text.firstIndex(of: 0x3D) else { return true }
        return padding == text.count - 1
            || (padding == text.count - 2 && text[text.count - 1] == 0x3D)
    }
}
