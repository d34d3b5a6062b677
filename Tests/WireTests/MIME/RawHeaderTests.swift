// Header values in charsets that are neither ASCII nor UTF-8.

import TestSupport
import Testing

@testable import Wire

@Suite("Raw text in headers")
struct RawHeaderTests {
    private let charsets = CharsetCache()

    private func converted(_ block: [UInt8], _ label: String) -> (
        text: String?, losses: DecodeLosses
    ) {
        var losses = DecodeLosses()
        let text = RawHeader.converted(
            block.span, charset: Charset(label: label.bytes.span), charsets: charsets,
            losses: &losses)
        return (text.map { String(decoding: $0, as: UTF8.self) }, losses)
    }

    private let sjis: [UInt8] = [0x83, 0x5C, 0x83, 0x74, 0x83, 0x67]  // ソフト
    private let jis: [UInt8] = "\u{1B}$B%=%U%H\u{1B}(B".bytes

    @Test("values are converted by the text's charset, everything else stays as it is")
    func byLabel() {
        let block =
            "A: ".bytes + sjis + "\r\nno field\r\nB: é\r\n é\r\nC: a\r\n ".bytes + sjis
            + "\r\n\r\nA: x".bytes
        #expect(
            converted(block, "shift_jis").text
                == "A: ソフト\r\nno field\r\nB: é\r\n é\r\nC: a\r\n ソフト\r\n\r\nA: x")
        for label in ["utf-8", "us-ascii", "iso-8859-1", "nobody-knows", "utf-16", "utf-7"] {
            #expect(converted(block, label).text == nil, "\(label)")
        }
        #expect(converted("A: é\r\nB: b".bytes, "koi8-r").text == nil)
    }

    @Test("escapes of ISO-2022 tell their charset themselves")
    func byEscapes() {
        for label in ["us-ascii", "utf-8", "shift_jis", "iso-2022-jp"] {
            #expect(converted("A: ".bytes + jis + " x".bytes, label).text == "A: ソフト x")
        }
        #expect(
            converted("A: \u{1B}$)C\u{E}0!\u{F} x".bytes, "utf-8").text?.contains("가") == true)
        #expect(converted("A: \u{1B}[1m \u{1B}".bytes, "utf-8").text == nil)
    }

    @Test("what the charset does not have is replaced and counted")
    func replaced() {
        let found = converted("A: ".bytes + [0x83, 0x5C, 0xFF, 0x83], "shift_jis")
        #expect(found.text?.hasPrefix("A: ソ") == true)
        #expect(found.losses.replacedCharacters > 0)
    }

    @Test(
        "conversion takes linear time",
        arguments: ["\u{1B}$B", "\u{1B}", "A: \u{1B}$B0!\r\n", "\u{1B}$)C\u{E}"])
    func linear(part: String) {
        let prefix = "A: ".bytes
        expectLinear(part) { _ = converted(prefix + $0, "iso-2022-jp") }
    }

    @Test("file names are read by the part's own label, else by the text's")
    func fileNames() {
        for (own, text, name) in [
            ("windows-1251", "shift_jis", "ѓ\\ѓtѓg"), ("", "shift_jis", "ソフト.txt"),
            ("", "utf-8", "ƒ\\ƒtƒg"),
        ] {
            let type = own.isEmpty ? "application/pdf" : "text/plain; charset=\(own)"
            let block =
                "Content-Disposition: attachment; filename=\"".bytes + sjis + ".txt\"\r\n".bytes
                + "Content-Type: \(type)\r\n\r\n".bytes
            var head = EntityHead()
            var losses = DecodeLosses()
            head.read(
                block.span, isInDigest: false, textCharset: Charset(label: text.bytes.span),
                charsets: charsets, losses: &losses)
            let found = String(decoding: head.filename, as: UTF8.self)
            // A backslash is a separator of paths.
            let expected = name.split(separator: "\\").last.map(String.init) ?? name
            #expect(found == expected || found == expected + ".txt", "\(own) \(text)")
        }
    }
}
