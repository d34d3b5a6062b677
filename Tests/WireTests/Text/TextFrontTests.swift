// What the front of a text says about its charset, however it is cut and however small the region.

import TestSupport
import Testing

@testable import Wire

/// A whole text decoded by the rules of texts.
private func decodedText(
    _ bytes: [UInt8], _ label: String?, isHTML: Bool, plan: [Int], regionBytes: Int,
    cache: CharsetCache
) -> String? {
    let charset = label.map { Charset(label: $0.bytes.span) } ?? .undeclared
    var decoder = CharsetDecoder(text: charset, isHTML: isHTML, cache: cache)
    return transformed(
        bytes, plan: plan, regionBytes: regionBytes,
        feed: { decoder.feed($0, into: &$1) }, finish: { decoder.finish(into: &$0) })?.text
}

private let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
/// "これ" in ISO-2022-JP.
private let japanese: [UInt8] = [0x1B, 0x24, 0x42, 0x24, 0x33, 0x24, 0x6C, 0x1B, 0x28, 0x42]
/// "План" in windows-1251 and in KOI8-R.
private let plan1251: [UInt8] = [0xCF, 0xEB, 0xE0, 0xED]
private let planKOI8: [UInt8] = [0xF0, 0xCC, 0xC1, 0xCE]

private struct Sample: CustomStringConvertible, Sendable {
    var bytes: [UInt8]
    var label: String?
    var isHTML = false
    var text: String

    var description: String { "\(label ?? "no label"), \(text.prefix(40))" }

    static func html(_ text: String, _ rest: [UInt8], _ label: String? = nil, becomes: String)
        -> Sample
    {
        Sample(bytes: text.bytes + rest, label: label, isHTML: true, text: text + becomes)
    }
}

private let samples: [Sample] = [
    // Marks.
    Sample(bytes: mark, label: "utf-8", text: ""),
    Sample(bytes: mark + "é".bytes, label: "utf-8", text: "é"),
    Sample(bytes: mark + "é".bytes, label: "iso-8859-1", text: "é"),
    Sample(bytes: mark + "é".bytes, label: "shift_jis", text: "é"),
    Sample(bytes: mark + "é".bytes, label: "iso-2022-jp", text: "é"),
    Sample(bytes: mark + "é".bytes, label: "utf-16", text: "é"),
    Sample(bytes: mark + "é".bytes, text: "é"),
    Sample(bytes: mark + "é".bytes, isHTML: true, text: "é"),
    Sample(bytes: mark + mark, label: "utf-8", text: "\u{FEFF}"),
    Sample(bytes: [0xEF, 0xBB], label: "iso-8859-1", text: "ï»"),
    Sample(bytes: [0xEF], label: "iso-8859-1", text: "ï"),
    Sample(bytes: [0xEF, 0xBB, 0x61], label: "iso-8859-1", text: "ï»a"),
    Sample(bytes: [0xFF, 0xFE, 0x61, 0], label: "utf-8", text: "a"),
    Sample(bytes: [0xFE, 0xFF, 0, 0x61], label: "windows-1252", text: "a"),
    Sample(bytes: [0xFE, 0xFF, 0, 0x61], text: "a"),
    Sample(bytes: [0xFF, 0xFE, 0x61, 0], isHTML: true, text: "a"),
    Sample(bytes: [0xFE, 0xFF, 0, 0x61], label: "utf-16le", text: "a"),
    Sample(bytes: [0xFF, 0xFE, 0, 0, 0x61, 0, 0, 0], label: "utf-32", text: "a"),
    Sample(bytes: [0xFF, 0x61], label: "windows-1252", text: "ÿa"),
    Sample(bytes: [0xFE], label: "koi8-r", text: "Ч"),
    Sample(bytes: "+/v8-a".bytes, label: "utf-7", text: "a"),
    // ISO-2022-JP without a label.
    Sample(bytes: japanese, text: "これ"),
    Sample(bytes: "a é ".bytes + japanese + " b".bytes, text: "a é これ b"),
    Sample(bytes: [0xE9] + japanese, text: "éこれ"),
    Sample(bytes: japanese, isHTML: true, text: "これ"),
    Sample(bytes: japanese, label: "unknown-8bit", text: "これ"),
    Sample(bytes: japanese, label: "us-ascii", text: "\u{1B}$B$3$l\u{1B}(B"),
    Sample(bytes: "\u{1B}[1m é \u{1B}(B".bytes, text: "\u{1B}[1m é \u{1B}(B"),
    Sample(bytes: "\u{1B}\u{1B}$\u{1B}$(".bytes, text: "\u{1B}\u{1B}$\u{1B}$("),
    Sample(
        bytes: repeated(" ", 1_023) + japanese, text: String(repeating: " ", count: 1_023) + "これ"),
    Sample(
        bytes: repeated(" ", 1_024) + japanese,
        text: String(repeating: " ", count: 1_024) + "\u{1B}$B$3$l\u{1B}(B"),
    // UTF-8 in 7-bit charsets.
    Sample(bytes: "これ é".bytes, label: "iso-2022-jp", text: "これ é"),
    Sample(bytes: japanese + "é".bytes, label: "iso-2022-jp", text: "これé"),
    Sample(bytes: [0xA4, 0xB3, 0xA4, 0xEC, 0xC4, 0xA3], label: "iso-2022-jp", text: "これ庁"),
    Sample(bytes: "계획".bytes, label: "iso-2022-kr", text: "계획"),
    Sample(bytes: "计划".bytes, label: "hz-gb-2312", text: "计划"),
    Sample(bytes: "+AOk- é".bytes, label: "utf-7", text: "é é"),
    // HTML that names its charset.
    .html("<meta charset=windows-1251>", plan1251, becomes: "План"),
    .html("<META CHARSET = 'KOI8-R' />", planKOI8, becomes: "План"),
    .html("<meta/charset=\"koi8-r\"/>", planKOI8, becomes: "План"),
    .html(
        "<html><!-- <meta charset=koi8-r> --><title a='<meta charset=koi8-r>'>x</title>"
            + "<meta content='text/html; charset=windows-1251' http-equiv=content-type>",
        plan1251, becomes: "План"),
    .html("<?xml version='1.0' encoding='koi8-r'?><p>", planKOI8, becomes: "План"),
    .html("<meta charset=none-such><meta charset=koi8-r>", planKOI8, becomes: "План"),
    .html("<meta charset=utf-16>", "é".bytes, becomes: "é"),
    .html("<meta charset=utf-8>", [0xE9], becomes: "é"),
    .html("<meta charset=x-user-defined>", [0xE9], becomes: "é"),
    .html("<meta charset=iso-2022-jp>", japanese, becomes: "これ"),
    .html("<meta charset=koi8-r>", "é".bytes, "utf-8", becomes: "é"),
    .html("<meta charset=koi8-r>", planKOI8, "x-martian", becomes: "План"),
    .html("<meta name=charset content='charset=koi8-r'>", "é".bytes, becomes: "é"),
    .html("<metadata charset=koi8-r>", "é".bytes, becomes: "é"),
    .html("<meta charset=koi8-r", "é".bytes, becomes: "é"),
    .html("<meta charset='koi8-r>", "é".bytes, becomes: "é"),
    .html("<!-- <meta charset=koi8-r>", "é".bytes, becomes: "é"),
    .html("<", "é".bytes, becomes: "é"),
    .html(
        String(repeating: " ", count: 1_003) + "<meta charset=koi8-r>", planKOI8, becomes: "План"),
    .html(String(repeating: " ", count: 1_004) + "<meta charset=koi8-r>", "é".bytes, becomes: "é"),
]

@Suite("The front of a text")
struct TextFrontTests {
    private let cache = CharsetCache()

    @Test("It tells the charset, however it is cut", arguments: samples)
    private func front(_ sample: Sample) {
        let count = sample.bytes.count
        for plan in Splits.plans(for: count, seed: UInt64(count), random: 5) {
            for regionBytes in [CharsetDecoder.roomMin, 4_096] {
                let text = decodedText(
                    sample.bytes, sample.label, isHTML: sample.isHTML, plan: plan,
                    regionBytes: regionBytes, cache: cache)
                #expect(text == sample.text, "\(plan)")
            }
        }
    }

    @Test("Any front comes out the same, however it is cut", arguments: 0..<60)
    func random(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let tokens: [[UInt8]] = [
            mark, [0xFF], [0xFE], [0xEF], [0xBB], "<meta ".bytes, "charset=".bytes, "koi8-r".bytes,
            ">".bytes, "'".bytes, "<!--".bytes, "-->".bytes, japanese, [0x1B], [0x24], [0x28],
            "é".bytes, [0xE9], "text ".bytes, repeated("x", 300), "\r\n".bytes,
        ]
        var bytes: [UInt8] = []
        for _ in 0..<Int(generator.next() % 14) {
            bytes += tokens.randomElement(using: &generator)!
        }
        for label in [nil, "utf-8", "iso-2022-jp", "utf-16", "koi8-r"] as [String?] {
            for isHTML in [false, true] {
                let whole = decodedText(
                    bytes, label, isHTML: isHTML, plan: [bytes.count], regionBytes: 8_192,
                    cache: cache)
                for plan in Splits.plans(for: bytes.count, seed: UInt64(seed), random: 4) {
                    let cut = decodedText(
                        bytes, label, isHTML: isHTML, plan: plan,
                        regionBytes: CharsetDecoder.roomMin, cache: cache)
                    #expect(cut == whole, "\(label ?? "") \(isHTML) \(plan)")
                }
            }
        }
    }
}
