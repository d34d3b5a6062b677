// Whether content is what its label says, and where text after base64 begins.

import TestSupport
import Testing

@testable import Wire

private func head(_ type: String, _ encoding: String) -> EntityHead {
    var head = EntityHead()
    var losses = DecodeLosses()
    let fields = "Content-Type: \(type)\nContent-Transfer-Encoding: \(encoding)\n"
    head.read(fields.bytes.span, isInDigest: false, charsets: CharsetCache(), losses: &losses)
    return head
}

private func decodedBase64(_ text: String, _ plan: [Int], _ regionBytes: Int) -> String? {
    var decoder = Base64Decoder()
    return transformed(
        text.bytes, plan: plan, regionBytes: regionBytes,
        feed: { decoder.feed($0, into: &$1) }, finish: { decoder.finish(into: &$0) })?.text
}

@Suite("Labels of content")
struct ContentJudgeTests {
    @Test(
        "Base64 is told from words",
        arguments: [
            ("SGVsbG8gQWRhIQ==", true),
            ("SGVsbG8gQWRhIQ==\r\n\r\n-- \r\nSent by example.com", true),
            ("SGVsbG8g QWRh\r\nIQ==", true), ("SGVs-bG8gQWRhIQ==", true), ("SGVsbG8gQWRh", true),
            ("SGVsbG8gQWRh\r\n<p>Sent by example.com</p>", true), ("", true), ("\r\n\r\n", true),
            ("SGVsbG8gQWRh\r\n____\r\nSent by example.com", true), ("Y2Fm6Q==", true),
            (String(repeating: "SGVsbG8gQWRh", count: 100), true), ("====", true),
            ("Hello Ada, the plan is ready.", false), ("Hello Ada", false), ("Hello", false),
            ("Yes, sure", false), ("<p>ready</p>", false), ("Für Ada", false), ("a=b", false),
            ("Dear Ada,\r\nthe key is k=v in it.\r\n", false), ("--\r\nready\r\n", false),
            ("1;2;3\r\n4;5;6\r\n", false), ("ok.", false), ("Line one\r\nline two\r\n", false),
        ])
    func base64(text: String, isBase64: Bool) {
        let found = ContentJudge.isAsLabelled(
            text.bytes.span, head("text/plain; charset=utf-8", "base64"), isWhole: true)
        #expect(found == isBase64)
    }

    @Test(
        "An unknown encoding is of text or not",
        arguments: [
            ([0x61, 0x0D, 0x0A, 0xC3, 0xA9], true), ([0x09, 0x0C, 0x1B], true), ([], true),
            ([0x61, 0x00], false), ([0x01], false), ([0xE9, 0x61], false), ([0xC3], false),
        ] as [([UInt8], Bool)])
    func text(bytes: [UInt8], isText: Bool) {
        let found = ContentJudge.isAsLabelled(
            bytes.span, head("text/plain; charset=utf-8", "x-own"), isWhole: true)
        #expect(found == isText)
    }

    @Test(
        "An attached message was encoded again or not",
        arguments: [
            ("A: b\n\nplain\n", true), ("A: b; c=3D\"d\"\n\ne=3Df\n", true),
            ("A: b; c=\"d\"\n\ne\n", false), ("A: b\n\n1 = 1\n", false),
            ("A: b\n\nsoft=\nbreak", true),
            ("Content-Transfer-Encoding: quoted-printable\n\na=3Db\n", false),
            ("Content-Transfer-Encoding: quoted-printable\n\na=3D3Db\n", true),
            ("Content-Transfer-Encoding: quoted-printable\nA: b; c=3D\"d\"\n\ne=3D3D\n", true),
            ("CONTENT-TRANSFER-ENCODING: Quoted-Printable\nA: b\n\ne=3Dx\n", false),
            (
                "--b\nContent-Transfer-Encoding: quoted-printable\n\na=3D3D\n--b\n"
                    + "A: b; c=3D\"d\"\n", true
            ),
        ])
    func quotedMessage(message: String, isEncoded: Bool) {
        let found = ContentJudge.isAsLabelled(
            message.bytes.span, head("message/rfc822", "quoted-printable"), isWhole: true)
        #expect(found == isEncoded)
    }

    @Test(
        "Text after base64 is kept, however it is cut",
        arguments: [
            ("YQ==\r\n\r\n-- \r\nb\r\n", "a\r\n\r\n-- \r\nb\r\n"),
            ("YQ==\nSent by b.", "a\r\nSent by b."),
            ("YQ==\nYg==\n\n\nSent by b.\n", "ab\r\n\n\nSent by b.\n"),
            ("YWJj\n__\nb\n", "abc\r\n__\nb\n"),
            ("YQo=\n====\nb\n", "a\n====\nb\n"), ("YQ==\nYg==", "ab"), ("YQ==\n\n\n", "a"),
            ("YQ=\n=\nYg==", "ab"), ("YWJj\n*\nYWJj", "abcabc"),
            ("YQ==\nRegards\n", "a\r\nRegards\n"),
            ("YWJj\n<p>b c</p>\n", "abc\r\n<p>b c</p>\n"), ("YQ==\n\u{e9}\n", "a\r\n\u{e9}\n"),
            ("YQ==\nYWJj YWJj\n", "aabcabc"),
            ("YQ==\n" + String(repeating: "YWJj", count: 60), nil),
        ])
    func tail(input: String, expected: String?) {
        let text = expected ?? "a" + String(repeating: "abc", count: 60)
        for plan in Splits.plans(for: input.utf8.count, random: 4) {
            for regionBytes in [1, 7, 1_000] {
                #expect(decodedBase64(input, plan, regionBytes) == text, "\(plan)")
            }
        }
    }

    @Test("Any tail comes out the same, however it is cut", arguments: 0..<60)
    func randomTail(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let tokens = [
            "YQ==", "YWJj", "\n", "\r\n", " ", "=", "_", "--", "word", ".", "é", "Y",
            String(repeating: "YWJj", count: 50), String(repeating: "\n", count: 20),
        ]
        var text = ""
        for _ in 0..<Int(generator.next() % 20) { text += tokens.randomElement(using: &generator)! }
        func passed(_ plan: [Int], _ regionBytes: Int) -> (String?, Int, Bool) {
            var filter = Base64Filter()
            let output = transformed(
                text.bytes, plan: plan, regionBytes: regionBytes,
                feed: { filter.feed($0, into: &$1) }, finish: { filter.finish(into: &$0) })?.text
            return (output, filter.strayCount, filter.hasText)
        }
        let whole = decodedBase64(text, [text.utf8.count], 10_000)
        let filtered = passed([text.utf8.count], 10_000)
        for plan in Splits.plans(for: text.utf8.count, seed: UInt64(seed), random: 5) {
            for regionBytes in [1, 16, 1_000] {
                #expect(decodedBase64(text, plan, regionBytes) == whole, "\(plan)")
                #expect(passed(plan, regionBytes) == filtered, "\(plan)")
            }
        }
    }
}
