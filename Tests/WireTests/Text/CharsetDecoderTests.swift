// Decoding charsets: cut anywhere, broken anywhere, interleaved, with small regions.

import TestSupport
import Testing

@testable import Wire

/// `pieces` decoded one after the other, with regions of `regionBytes`.
func decodedCharset(
    _ label: String, _ pieces: [[UInt8]], cache: CharsetCache,
    regionBytes: Int = 256
) -> (text: String, replaced: Int) {
    var decoder = CharsetDecoder(Charset(label: label.bytes.span), cache: cache)
    var output: [UInt8] = []
    for piece in pieces {
        var taken = 0
        while taken < piece.count {
            var now = 0
            let rest = Array(piece[taken...])
            let some = written(capacity: regionBytes) { now = decoder.feed(rest.span, into: &$0) }
            if now == 0 && some.isEmpty { return ("(no progress)", 0) }
            output += some
            taken += now
        }
    }
    var isDone = false
    output += written(capacity: regionBytes) { isDone = decoder.finish(into: &$0) }
    guard isDone else { return ("(not finished)", 0) }
    return (String(validating: output, as: UTF8.self) ?? "(not UTF-8)", decoder.replacedCount)
}

@Suite("Charset decoders")
struct CharsetDecoderTests {
    private let cache = CharsetCache()

    /// Charsets that go through different parts of the decoder.
    private static let labels = [
        "utf-8", "us-ascii", "latin1", "koi8-r", "windows-1255", "viscii", "gb18030", "big5",
        "euc-jp", "shift_jis", "euc-kr", "johab", "euc-tw", "iso-2022-jp", "iso-2022-kr",
        "iso-2022-cn", "hz", "utf-16", "utf-16be", "utf-32le", "utf-7", "x-user-defined", "no-such",
    ]

    @Test("A character that is cut decodes like a whole one", arguments: charsetSamples)
    func everyCut(sample: CharsetSample) {
        let input = sample.bytes + sample.bytes
        for label in sample.labels.split(separator: " ").map(String.init) {
            let whole = decodedCharset(label, [input], cache: cache)
            let plans = Splits.everyCut(of: input.count) + [[Int](repeating: 1, count: input.count)]
            for plan in plans {
                let cut = decodedCharset(label, input.pieces(plan), cache: cache)
                #expect(cut == whole, "\(label) \(plan)")
            }
        }
    }

    @Test(
        "Any bytes give valid UTF-8, the same wherever cut and however small the region",
        arguments: labels)
    func anyBytes(label: String) {
        var generator = SeededGenerator(seed: 29)
        let alphabets: [[UInt8]] = [
            Array(0...255), Array(0x80...0xFF),
            [0x1B, 0x24, 0x28, 0x42, 0x4A, 0x49, 0x0E, 0x0F, 0x41],
            [0x1B, 0x24, 0x44, 0x50, 0x42, 0x0E, 0x21, 0x51, 0x9B],
            [0x7E, 0x7B, 0x7D, 0x0A, 0x21, 0x41], [0x2B, 0x2D, 0x41, 0x32, 0xE2],
            [0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x61], [0x81, 0x30, 0xFE, 0x40, 0x8E, 0x8F, 0xA1],
            [0, 0xD8, 0xDC, 0x3D, 0xFE, 0xFF],
        ]
        for round in 0..<24 {
            let alphabet = alphabets[round % alphabets.count]
            let input = generator.bytes(Int.random(in: 0...80, using: &generator), from: alphabet)
            let whole = decodedCharset(label, [input], cache: cache, regionBytes: 4096)
            #expect(whole.text != "(not UTF-8)", "\(input)")
            for plan in Splits.plans(for: input.count, seed: UInt64(round), random: 4) {
                let pieces = input.pieces(plan)
                let small = decodedCharset(
                    label, pieces, cache: cache, regionBytes: CharsetDecoder.roomMin)
                #expect(small == whole, "\(input) \(plan)")
            }
        }
    }

    @Test("Interleaved decoders of one cache do not disturb each other", arguments: charsetSamples)
    func interleaved(sample: CharsetSample) {
        let label = Charset(label: sample.labels.split(separator: " ")[0].description.bytes.span)
        var first = CharsetDecoder(label, cache: cache)
        var second = CharsetDecoder(label, cache: cache)
        var outputs: [[UInt8]] = [[], []]
        // The second one gets each byte after the first one.
        for i in 0...sample.bytes.count {
            if i < sample.bytes.count {
                outputs[0] += written(capacity: 256) {
                    _ = first.feed([sample.bytes[i]].span, into: &$0)
                }
            }
            if i > 0 {
                outputs[1] += written(capacity: 256) {
                    _ = second.feed([sample.bytes[i - 1]].span, into: &$0)
                }
            }
        }
        outputs[0] += written(capacity: 256) { _ = first.finish(into: &$0) }
        outputs[1] += written(capacity: 256) { _ = second.finish(into: &$0) }
        #expect(outputs[0].text == sample.text)
        #expect(outputs[1].text == sample.text)
    }

    @Test("A cut character at the end is replaced once and counted")
    func cutAtTheEnd() {
        for (label, bytes) in [
            ("utf-8", [0xE2, 0x82]), ("gb18030", [0x81, 0x30, 0x81]), ("shift_jis", [0x93]),
            ("iso-2022-jp", [0x1B, 0x24]), ("utf-16be", [0x00, 0x61, 0xD8]), ("hz", [0x7E]),
            ("utf-16le", [0x3D, 0xD8]), ("euc-jp", [0x8F, 0xB0]),
        ] as [(String, [UInt8])] {
            let found = decodedCharset(label, [bytes], cache: cache)
            #expect(found.text.hasSuffix("\u{FFFD}"), "\(label)")
            #expect(found.replaced == 1, "\(label)")
        }
    }

    @Test("An invalid sequence never swallows the ASCII byte after it")
    func invalidSequences() {
        for (label, bytes, text) in [
            ("utf-8", [0xE2, 0x82, 0x3C], "\u{FFFD}<"), ("shift_jis", [0x81, 0x3C], "\u{FFFD}<"),
            ("gbk", [0xFF, 0x3C], "\u{FFFD}<"), ("euc-jp", [0xA4, 0x3C], "\u{FFFD}<"),
            ("big5", [0x81, 0x3C], "\u{FFFD}<"), ("euc-kr", [0xC7, 0x3C], "\u{FFFD}<"),
            ("gb18030", [0x81, 0x30, 0x3C], "\u{FFFD}0<"),
        ] as [(String, [UInt8], String)] {
            #expect(decodedCharset(label, [bytes], cache: cache).text == text, "\(label)")
        }
    }

    @Test("Byte order marks decide the order of utf-16 and are not text")
    func byteOrderMarks() {
        let big: [UInt8] = [0xFE, 0xFF, 0, 0x61]
        let little: [UInt8] = [0xFF, 0xFE, 0x61, 0]
        #expect(decodedCharset("utf-16", [big], cache: cache).text == "a")
        #expect(decodedCharset("utf-16", [little], cache: cache).text == "a")
        #expect(decodedCharset("utf-16be", [big], cache: cache).text == "a")
    }

    @Test("A line end takes shifted charsets back to ASCII")
    func lineEndsShiftBack() {
        let text = decodedCharset("iso-2022-jp", ["\u{1b}$BF|\nabc".bytes], cache: cache).text
        #expect(text == "日\nabc")
        #expect(decodedCharset("hz", ["~{VP\nabc".bytes], cache: cache).text == "中\nabc")
    }

    @Test("Raw 8-bit pairs are read in charsets that should have none")
    func rawPairs() {
        #expect(decodedCharset("iso-2022-kr", [[0xC7, 0xD1]], cache: cache).text == "한")
        #expect(decodedCharset("iso-2022-jp", [[0xC6, 0xFC]], cache: cache).text == "日")
    }

    @Test("Long texts come out whole through small regions", arguments: labels)
    func longTexts(label: String) {
        let input = [UInt8](repeating: 0x61, count: 100_000)
        let isWide = label.hasPrefix("utf-16") || label.hasPrefix("utf-32")
        let found = decodedCharset(label, [input], cache: cache, regionBytes: 16_384)
        if isWide {
            #expect(found.text != "(no progress)")
        } else {
            #expect(found.text.utf8.count == input.count)
        }
    }
}
