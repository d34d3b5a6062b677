// JSON strings from any bytes, compared with the standard library's idea of UTF-8.

import TestSupport
import Testing

@testable import Wire

/// What the escaper should write: repaired by the standard library, escaped scalar by scalar.
private func naiveEscaped(_ bytes: [UInt8], lineFeeds: Bool) -> String {
    var text = ""
    var isAfterCR = false
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
        defer { isAfterCR = scalar == "\r" }
        switch scalar {
        case "\r" where lineFeeds: text += "\\n"
        case "\n" where lineFeeds && isAfterCR: break
        case "\0" where lineFeeds: text += "\u{FFFD}"
        case "\"": text += "\\\""
        case "\\": text += "\\\\"
        case "\u{8}": text += "\\b"
        case "\u{C}": text += "\\f"
        case "\n": text += "\\n"
        case "\r": text += "\\r"
        case "\t": text += "\\t"
        case let control where control.value < 0x20:
            let digits = String(control.value, radix: 16)
            text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: text.unicodeScalars.append(scalar)
        }
    }
    return text
}

private func escaped(
    _ bytes: [UInt8], _ plan: [Int], _ regionBytes: Int, lineEnds: JSONEscaper.LineEnds = .kept
) -> (text: [UInt8]?, replaced: Int) {
    var escaper = JSONEscaper(lineEnds: lineEnds)
    let text = transformed(
        bytes, plan: plan, regionBytes: regionBytes,
        feed: { escaper.feed($0, into: &$1) }, finish: { escaper.finish(into: &$0) })
    return (text, escaper.replacedCount)
}

/// Runs of everything that matters to the escaper, mixed by a seed.
private func mixture(_ seed: Int) -> [UInt8] {
    let runs: [[UInt8]] = [
        "plain ASCII text that is longer than sixteen bytes".bytes, "\r\n".bytes, "\r".bytes,
        "\n".bytes, "\"quoted\"".bytes, "\\".bytes, "\t\u{8}\u{C}\u{1}\u{1F}\u{7F}".bytes,
        "Привет, мир и все остальные".bytes, "日本語のテキストです。漢字".bytes, "ไทย हिन्दी 한국어 힣".bytes,
        "😀👍🏽 emoji".bytes, "é".bytes, "\u{FFFD}\u{FFFF}\u{10FFFF}\u{D7FF}\u{E000}\u{800}".bytes,
        [0x80], [0xBF, 0xBF], [0xC0, 0xAF], [0xC1], [0xC3], [0xE0, 0x80, 0x80], [0xE2, 0x82],
        [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x9F, 0x98],
        [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80], [0xFF, 0xFE], [0xE1, 0x80, 0xE2, 0xF0, 0x91, 0x92],
        [0],
    ]
    var generator = SeededGenerator(seed: UInt64(seed))
    var bytes: [UInt8] = []
    let kinds = seed % 3 == 0 ? 13 : runs.count
    for _ in 0..<24 { bytes += runs[Int(generator.next() % UInt64(kinds))] }
    return bytes
}

@Suite struct JSONEscaperTests {
    @Test(arguments: [
        ("", ""), ("a\"b\\c/d", "a\\\"b\\\\c/d"), ("\u{0}\u{1F}\u{7F}", "\\u0000\\u001f\u{7F}"),
        ("\u{8}\u{9}\u{A}\u{C}\u{D}", "\\b\\t\\n\\f\\r"), ("é😀\u{2028}", "é😀\u{2028}"),
    ])
    func `what RFC 8259 requires is escaped and nothing else`(text: String, expected: String) {
        #expect(escaped(text.bytes, [text.utf8.count], 100).text?.text == expected)
    }

    @Test(
        arguments: [
            ([0xC0, 0xAF], 2), ([0xED, 0xA0, 0x80], 3), ([0xF4, 0x90, 0x80, 0x80], 4),
            ([0xF0, 0x9F, 0x98], 1), ([0xE2, 0x82, 0x41], 1), ([0x80], 1), ([0xFF], 1),
            ([0xE0, 0x9F, 0xBF], 3), ([0xF0, 0x8F, 0xBF, 0xBF], 4), ([0xC3, 0xC3, 0xA9], 1),
        ] as [([UInt8], Int)])
    func `invalid UTF-8 is replaced and counted by maximal subparts`(bytes: [UInt8], count: Int) {
        for filler in [0, 15, 16, 30] {
            let input = [UInt8](repeating: 65, count: filler) + bytes
            for plan in Splits.everyCut(of: input.count) {
                let result = escaped(input, plan, 64)
                #expect(result.text?.text == naiveEscaped(input, lineFeeds: false))
                #expect(result.replaced == count)
            }
        }
    }

    @Test(arguments: 0..<36)
    func `any mixture comes out the same however it is cut`(seed: Int) {
        let bytes = mixture(seed)
        for lineEnds in [JSONEscaper.LineEnds.kept, .lineFeed] {
            let expected = naiveEscaped(bytes, lineFeeds: lineEnds == .lineFeed)
            var counts: Set<Int> = []
            for plan in Splits.plans(for: bytes.count, seed: UInt64(seed)) {
                for regionBytes in [1, 15, 16, 33, 4_096] {
                    let result = escaped(bytes, plan, regionBytes, lineEnds: lineEnds)
                    #expect(result.text?.text == expected)
                    counts.insert(result.replaced)
                }
            }
            #expect(counts.count == 1)
        }
    }

    @Test(arguments: 0..<60)
    func `random bytes come out as the standard library repairs them`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let alphabet: [UInt8] =
            seed % 2 == 0 ? Array(0...255) : [0xE0, 0xED, 0xF0, 0xF4, 0x80, 0x9F, 0xA0, 0xBF, 0xC2]
        let bytes = generator.bytes(200, from: alphabet)
        let expected = naiveEscaped(bytes, lineFeeds: false)
        for plan in Splits.plans(for: bytes.count, seed: UInt64(seed)) {
            #expect(escaped(bytes, plan, 4_096).text?.text == expected)
        }
    }

    @Test(arguments: 0..<100)
    func `UTF-8 is valid when the standard library says so`(seed: Int) {
        let bytes = mixture(seed * 3 + seed % 2)
        #expect(bytes.span.isValidUTF8 == (String(validating: bytes, as: UTF8.self) != nil))
    }
}
