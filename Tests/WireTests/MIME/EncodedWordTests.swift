// Header text: the examples of RFC 2047 and 2231, what mailers make of them, and hostile ones.

import TestSupport
import Testing

@testable import Wire

/// The decoded text of a field value.
func decodedText(_ value: [UInt8], capacity: Int? = nil) -> (text: String, losses: DecodeLosses) {
    var losses = DecodeLosses()
    let cache = CharsetCache()
    let bytes = written(capacity: capacity ?? 4 * value.count + 64) { region in
        EncodedWord.decode(value.span, charsets: cache, into: &region, losses: &losses)
    }
    return (String(validating: bytes, as: UTF8.self) ?? "(not UTF-8)", losses)
}

@Suite("Encoded words")
struct EncodedWordTests {
    @Test(
        "The examples of RFC 2047 section 8 and RFC 2231 section 5 come out as the RFCs say",
        arguments: [
            ("=?US-ASCII?Q?Keith_Moore?=", "Keith Moore"),
            ("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"),
            ("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=", "Keld Jørn Simonsen"),
            ("=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"),
            (
                "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n "
                    + "=?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
                "If you can read this you understand the example."
            ),
            ("=?ISO-8859-1?Q?Olle_J=E4rnefors?=", "Olle Järnefors"),
            ("=?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?=", "Patrik Fältström"),
            ("=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=", "םולש ןב ילטפנ"),
            ("(=?ISO-8859-1?Q?a?=)", "(a)"),
            ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
        ])
    func examplesOfTheRFCs(value: String, expected: String) {
        #expect(decodedText(value.bytes).text == expected)
    }

    @Test(
        "Text that mailers write against the RFC is read as they mean it",
        arguments: [
            ("\"=?utf-8?q?J=C3=BCrgen?=\" x", "\"Jürgen\" x"),
            ("=?utf-8?Q?a?==?utf-8?Q?b?=", "ab"),
            ("[SPAM]=?utf-8?Q?a?=end", "[SPAM]aend"),
            ("=?utf-8?q?this is some text?=", "this is some text"),
            ("=?utf-8?Q?Hello\r\n  _there!?=", "Hello there!"),
            ("=?utf-8?b?SGVsbG8?=", "Hello"),
            ("=?utf-8?B?SGVs\r\n bG8=?=", "Hello"),
            ("=?utf-8?B?SGk=SGk=?=", "HiHi"),
            ("=?utf-8?Q?a=ZZb=?=", "a=ZZb="),
            ("=?utf-8?Q?what?now?=", "what?now"),
            ("=?utf-8?Q??=x", "x"),
            ("=?UTF8?Q?=C3=A9?=", "é"),
            ("=?utf-8?Q?=E2=82?= =?utf-8?Q?=AC?=", "€"),
            ("=?utf-8?B?4oI=?=\r\n\t=?UTF-8?B?rA==?=", "€"),
            ("=?utf-8?Q?=E2?= =?utf-8?B?gqw=?=", "€"),
            ("=?utf-8?B?4oK?= =?utf-8?B?s?=", "€"),
            ("=?utf-8?B?SGVsb?= =?utf-8?B?G8=?=", "Hello"),
            ("=?utf-8?B?SGVsbG8g?= =?utf-8?B?SG?= =?utf-8?B?k=?=", "Hello Hi"),
            ("=?utf-8?B?SGVsbG8?= =?utf-8?B?SGk?=", "HelloHi"),
            ("=?utf-8?B?SGk?= =?utf-8?Q?_Jo?=", "Hi Jo"),
            ("=?utf-8?B?SGk?= =?us-ascii?B?SGk=?=", "HiHi"),
            ("=?iso-2022-jp?B?GyRCRnw=?= =?iso-2022-jp?B?S1wbKEI=?=", "日本"),
            ("a=?utf-8?q?b?=(=?UTF-8?b?Yw==?=)", "ab(c)"),
            ("=?utf-8?q?a_=3D=3Futf-8=3Fq=3Fb=3F=3D?=", "a =?utf-8?q?b?="),
            ("=?utf-8*en-gb?q?colour?=", "colour"),
            ("=?gb2312?B?1tDO?= =?gb2312?B?xA==?=", "中文"),
            ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
            ("=?iso-2022-jp?B?GyRCLSEbKEI=?=", "①"),
            ("=?ks_c_5601-1987?B?x9Gx2w==?=", "한글"),
            ("=?windows-1251?Q?=CF=F0=E8=E2=E5=F2?=", "Привет"),
            ("=?unknown-8bit?Q?caf=E9?=", "café"),
        ])
    func commonMistakes(value: String, expected: String) {
        #expect(decodedText(value.bytes).text == expected)
    }

    @Test(
        "Text that only looks like an encoded word stays as it is",
        arguments: [
            "=", "=?", "=?utf-8", "=?utf-8?", "=?utf-8?Q", "=?utf-8?Q?", "=?utf-8?Q?abc", "=??=",
            "=?utf-8?X?abc?=", "=?utf 8?Q?abc?=", "a =?= b", "?= =?", "=?utf-8?Q?=",
        ])
    func lookalikes(value: String) {
        #expect(decodedText(value.bytes).text == value)
    }

    @Test(
        "Folding becomes one space, other white space stays, the ends are trimmed",
        arguments: [
            ("a\r\n b", "a b"), ("a \r\n\t  b", "a b"), ("a  b", "a  b"), ("a\tb", "a b"),
            ("  a  ", "a"), ("", ""), (" \r\n ", ""), ("a\n\tb\r\n", "a b"),
            ("=?utf-8?Q?a?=  b", "a  b"), ("x  =?utf-8?Q?a?=", "x  a"), ("a\rb", "a b"),
        ])
    func folding(value: String, expected: String) {
        #expect(decodedText(value.bytes).text == expected)
    }

    @Test("Undeclared 8-bit text is UTF-8 where it is valid and windows-1252 elsewhere")
    func undeclaredText() {
        #expect(decodedText("ハロー".bytes).text == "ハロー")
        #expect(decodedText([0x63, 0x61, 0x66, 0xE9]).text == "café")
        #expect(decodedText([0x93, 0x61, 0x94, 0x20, 0x80]).text == "“a” €")
        #expect(decodedText("é ".bytes + [0xE9] + " €".bytes).text == "é é €")
        #expect(decodedText([0x84, 0x47, 0x72, 0x75, 0xDF, 0x93]).text == "„Gruß“")
    }

    @Test("No control character comes out of an encoded word or of raw text")
    func controls() {
        let hostile = "=?utf-8?Q?a=0D=0ABcc:_x=00=1B=09z?= b\u{0}c\u{1}"
        #expect(decodedText(hostile.bytes).text == "a  Bcc: x   z b c")
        #expect(decodedText("=?utf-16be?B?AAAADQAKAGE=?=".bytes).text == "   a")
        #expect(decodedText("=?utf-7?Q?+AA0ACg-a?=".bytes).text == "  a")
    }

    @Test("A word of an unknown charset is read if it is UTF-8, and stays as it is otherwise")
    func unknownCharsets() {
        let (text, losses) = decodedText("=?x-klingon?Q?caf=C3=A9?= =?x-klingon?Q?=FF=FE?=".bytes)
        #expect(text == "café =?x-klingon?Q?=FF=FE?=")
        #expect(losses.unknownCharsets == 2)
        #expect(decodedText("=?utf-8/x?Q?=FF?=".bytes).text == "=?utf-8/x?Q?=FF?=")
    }

    @Test("What cannot be decoded is replaced and counted")
    func replacements() {
        let (text, losses) = decodedText("=?utf-8?Q?a=FFb?= =?iso-8859-7?Q?=D2?=".bytes)
        #expect(text == "a\u{FFFD}b\u{FFFD}")
        #expect(losses.replacedCharacters == 2)
    }

    @Test("Text beyond the region's room is cut between characters and counted once")
    func truncation() {
        for capacity in 0..<100 {
            let (text, losses) = decodedText(
                "=?utf-8?Q?=E2=82=AC?= é €uro ".bytes + [UInt8](repeating: 0xE9, count: 90),
                capacity: capacity)
            #expect(text != "(not UTF-8)")
            #expect(losses.truncated == 1)
            #expect("€ é €uro \(String(repeating: "é", count: 90))".hasPrefix(text))
        }
    }

    @Test("Nothing follows a character that had no room")
    func nothingAfterTheCut() {
        // The decoder of the word ends with a cut character, and U+FFFD has no room; the text after
        // it would fit.
        let value = "=?gb18030?q?".bytes + [UInt8](repeating: 0xB4, count: 60) + "x=9C?= y".bytes
        let whole = decodedText(value).text
        for capacity in 0..<200 {
            let short = decodedText(value, capacity: capacity)
            var text = short.text
            while text.hasSuffix("\u{FFFD}") { text.removeLast() }
            #expect(whole.hasPrefix(text), "\(capacity)")
            #expect(short.text == whole || short.losses.truncated == 1, "\(capacity)")
        }
    }

    @Test("Random pieces of encoded words give valid text without controls")
    func randomWords() {
        var generator = SeededGenerator(seed: 2047)
        let parts = [
            "=?utf-8?Q?", "=?iso-2022-jp?B?", "=?big5*zh?q?", "?=", "=", "?", " ", "\r\n ", "_",
            "=E2", "=82", "GyRC", "a", "\u{1b}$B", "=?", "é", "=?utf-7?B?", "K0FBMEFDZy0",
        ].map(\.bytes)
        for _ in 0..<3000 {
            var value: [UInt8] = []
            for _ in 0..<Int.random(in: 0...14, using: &generator) {
                value += parts.randomElement(using: &generator)!
                if Int.random(in: 0...9, using: &generator) == 0 { value += generator.bytes(2) }
            }
            let text = decodedText(value).text
            #expect(text != "(not UTF-8)", "\(value)")
            #expect(!text.utf8.contains { $0 < 0x20 }, "\(value)")
        }
    }

    @Test(
        "Inputs made to be slow take linear time",
        arguments: [
            "=?", "=?a?q?", "=?utf-8?q?a", "=?utf-8?b?YQ== ", "=", "?=", "=?utf-8?q?a?= ",
            "=?utf-8?q?=", " \r\n ", "=?x?q?=FF?=", "=?a=?", "=?utf-8?b?YQ?= ", "=?utf-8?b?Y?=",
        ] as [String])
    func slowInputs(part: String) {
        expectLinear(part) { _ = decodedText($0) }
    }
}
