// What the first bytes of a text say about its charset: a byte order mark, an HTML `<meta>`, the
// escapes of ISO-2022-JP.
//
// A mark is taken off and wins over every label (Unicode 23.8, WHATWG Encoding Standard 6). Only an
// HTML text without a label is held back for more, up to `MetaCharset.frontBytesMax` bytes; any
// other text at most while it may be a mark, two bytes. The answer depends on the bytes alone, not
// on how they were cut.

/// Gathers the front of one text: `gather` until `isDecided`, or `finish`; then what is in `held`
/// comes before the rest of the text.
struct TextFront {
    /// Which marks are looked for, and whether an HTML text is to be searched.
    enum Search {
        /// UTF-8's mark only, as in a header.
        case word
        case text
        /// The text's label is UTF-16 or UTF-32, whose decoder looks for their marks itself.
        case wideText
        case unlabelledHTML
    }

    private let search: Search
    private(set) var isDecided = false
    /// What the front says; nil when it says nothing, so that the label counts.
    private(set) var charset: Charset?
    /// Whether no mark can come any more.
    private var isAfterMark = false
    /// Bytes of the text that were gathered and are still to be decoded.
    private(set) var held: [UInt8] = []

    init(_ search: Search) { self.search = search }

    /// Takes bytes of `input` until the answer is certain; returns how many.
    mutating func gather(_ input: Bytes) -> Int {
        var taken = 0
        while !isAfterMark, taken < input.count {
            // Almost every text is decided here, by its first byte, and nothing is kept of it.
            if held.isEmpty, !Self.mayBeginMark(input[taken]) {
                isAfterMark = true
                break
            }
            held.append(input[taken])
            taken += 1
            judgeMark()
        }
        guard isAfterMark, !isDecided else { return taken }
        guard search == .unlabelledHTML else {
            isDecided = true
            return taken
        }
        let length = min(input.count - taken, MetaCharset.frontBytesMax - held.count)
        input.extracting(taken..<taken + length).withUnsafeBufferPointer {
            held.append(contentsOf: $0)
        }
        if held.count == MetaCharset.frontBytesMax { finish() }
        return taken + length
    }

    /// The text has no more bytes than those that were gathered, or none are needed.
    mutating func finish() {
        guard !isDecided else { return }
        isDecided = true
        guard search == .unlabelledHTML else { return }
        charset = MetaCharset.named(in: held.span)
        if charset == nil, EscapeSearch.isJIS(held.span) { charset = .iso2022JP }
    }

    /// Whether a text that begins with `byte` may begin with a mark.
    static func mayBeginMark(_ byte: UInt8) -> Bool { byte == 0xEF || byte >= 0xFE }

    private mutating func judgeMark() {
        let hasTwo = held.count > 1
        switch held[0] {
        case 0xEF:
            if hasTwo, held[1] != 0xBB { return isAfterMark = true }
            guard held.count == 3 else { return }
            if held[2] == 0xBF { endMark(Charset(kind: .utf8)) }
        case 0xFE, 0xFF:
            guard search != .word, search != .wideText else { break }
            guard hasTwo else { return }
            if held[0] ^ held[1] == 1, held[1] >= 0xFE {
                endMark(.utf16(isBigEndian: held[0] == 0xFE))
            }
        default: break
        }
        isAfterMark = true
    }

    private mutating func endMark(_ charset: Charset) {
        self.charset = charset
        held.removeAll()
        isDecided = true
    }
}

/// The escape sequences by which ISO-2022-JP shifts to characters of its own. `ESC ( B` is none: a
/// terminal's output has it too.
enum EscapeSearch {
    enum Verdict { case needMore, yes, no }

    /// Judges `sequence`, which begins with ESC.
    static func judge(_ sequence: Bytes) -> Verdict {
        guard sequence.count > 1 else { return .needMore }
        guard sequence[1] == 0x24 || sequence[1] == 0x28 else { return .no }
        guard sequence.count > 2 else { return .needMore }
        if sequence[1] == 0x28 {
            return sequence[2] == UInt8(ascii: "J") || sequence[2] == UInt8(ascii: "I") ? .yes : .no
        }
        if sequence[2] == UInt8(ascii: "@") || sequence[2] == UInt8(ascii: "B") { return .yes }
        guard sequence[2] == 0x28 else { return .no }
        guard sequence.count > 3 else { return .needMore }
        return sequence[3] == UInt8(ascii: "D") || (0x4F...0x51).contains(sequence[3]) ? .yes : .no
    }

    /// Whether one of the sequences stands in `text`.
    static func isJIS(_ text: Bytes) -> Bool {
        var search = 0
        while let escape = text.firstIndex(of: 0x1B, from: search) {
            if judge(text.extracting(escape..<min(escape + 4, text.count))) == .yes { return true }
            search = escape + 1
        }
        return false
    }
}
