// All pairs of bytes through every multi-byte charset. glibc sometimes refuses a character and
// still takes it, which must not lead a decoder past its input.

import Testing

@testable import Wire

@Suite("Multi-byte charsets, pair by pair")
struct CharsetRepairsTests {
    private let cache = CharsetCache()

    private static let labels = [
        "gb18030", "big5", "euc-jp", "euc-jisx0213", "shift_jis", "euc-kr", "johab", "euc-tw",
    ]

    @Test("Every pair of bytes gives valid text, alone and between others", arguments: labels)
    func everyPair(label: String) {
        for lead in UInt8(0x80)...0xFF {
            let pairs = (UInt8(0)...0xFF).map { [lead, $0] }
            let apart = decoded(label, pairs.flatMap { [$0, [0x0A]] })
            let together = decoded(label, [pairs.flatMap { $0 + [0x0A] }])
            #expect(apart == together, "\(lead)")
            #expect(String(validating: apart, as: UTF8.self) != nil, "\(lead)")
        }
    }

    @Test("However full the output is, no character is lost", arguments: labels)
    func everyRoom(label: String) {
        // All pairs that begin with one byte, one per line.
        let pairs: [[UInt8]] = (UInt8(0x80)...0xFF).map { lead in
            (UInt8(0)...0xFF).flatMap { [lead, $0, 0x0A] }
        }
        let whole = decodedCharset(label, pairs, cache: cache, regionBytes: 100_000)
        // Each pair meets the end of a region at a different place.
        for room in CharsetDecoder.roomMin..<CharsetDecoder.roomMin + 6 {
            let small = decodedCharset(label, pairs, cache: cache, regionBytes: room)
            #expect(small == whole, "\(room)")
        }
    }

    private func decoded(_ label: String, _ pieces: [[UInt8]]) -> [UInt8] {
        var decoder = CharsetDecoder(Charset(label: label.bytes.span), cache: cache)
        return written(capacity: 8_192) { region in
            for piece in pieces {
                let taken = decoder.feed(piece.span, into: &region)
                #expect(taken == piece.count)
            }
            _ = decoder.finish(into: &region)
        }
    }

    @Test(
        "A character that iconv refuses or reads differently is decoded as mail means it",
        arguments: [
            ("euc-kr", [0xA2, 0xE8], "㉾"), ("ks_c_5601-1987", [0x61, 0xA2, 0xE8, 0x62], "a㉾b"),
            ("big5", [0xA1, 0x45, 0xA1, 0xE3], "‧～"), ("big5", [0xA2, 0x44, 0xA2, 0x47], "￥￡"),
            ("gb2312", [0x80, 0x61], "€a"), ("shift_jis", [0x80, 0x61], "\u{80}a"),
        ] as [(String, [UInt8], String)])
    func repaired(label: String, bytes: [UInt8], text: String) {
        #expect(decodedCharset(label, [bytes], cache: cache).text == text)
        let one = bytes.map { [$0] }
        #expect(decodedCharset(label, one, cache: cache).text == text)
        #expect(decodedCharset(label, [bytes], cache: cache).replaced == 0)
        // Wherever the output ends, even inside a call of iconv.
        let opening: (bytes: [UInt8], text: String) =
            switch label {
            case "big5": ([0xA4, 0xA4], "中")
            case "gb2312": ([0xD6, 0xD0], "中")
            case "shift_jis": ([0x82, 0xA0], "あ")
            default: ([0xB0, 0xA1], "가")
            }
        for count in 0...CharsetDecoder.roomMin {
            let found = decodedCharset(
                label, [opening.bytes + [UInt8](repeating: 0x78, count: count) + bytes],
                cache: cache, regionBytes: CharsetDecoder.roomMin)
            #expect(found.text == opening.text + String(repeating: "x", count: count) + text)
        }
    }

    @Test(
        "Input that iconv refuses again and again takes linear time", arguments: ["big5", "euc-kr"])
    func refusals(label: String) {
        expectLinear("\u{FF}") { _ = decoded($0, label) }
        expectLinear("\u{2122}") { _ = decoded($0, label) }
    }

    private func decoded(_ bytes: [UInt8], _ label: String) -> Int {
        var decoder = CharsetDecoder(Charset(label: label.bytes.span), cache: cache)
        return written(capacity: 400_000) { _ = decoder.feed(bytes.span, into: &$0) }.count
    }
}
