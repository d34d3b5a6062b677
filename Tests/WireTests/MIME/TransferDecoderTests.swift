// Transfer encodings in tables, cut at every place, into regions of one byte and more.

import TestSupport
import Testing

@testable import Wire

private func decoded(
    _ input: [UInt8], _ encoding: TransferEncoding, plan: [Int]? = nil, region: Int = 4_096
) -> (text: [UInt8]?, irregular: Int) {
    var decoder = TransferDecoder(encoding)
    let text = transformed(
        input, plan: plan ?? [input.count], regionBytes: region,
        feed: { decoder.feed($0, into: &$1) }, finish: { decoder.finish(into: &$0) })
    return (text, decoder.irregularCount)
}

struct DecodedText: CustomTestStringConvertible, Sendable {
    var encoding: TransferEncoding
    var input: String
    var output: String
    var irregular: Int
    var testDescription: String { input.debugDescription }

    init(_ encoding: TransferEncoding, _ input: String, _ output: String, irregular: Int = 0) {
        self.encoding = encoding
        self.input = input
        self.output = output
        self.irregular = irregular
    }
}

private let blanks = String(repeating: " ", count: 128)

private let encodedTexts: [DecodedText] = [
    .init(.quotedPrintable, "", ""),
    .init(.quotedPrintable, "abc", "abc"),
    .init(.quotedPrintable, "a=3Db=3dc", "a=b=c"),
    .init(.quotedPrintable, "a=\r\nb=\nc", "abc"),
    .init(.quotedPrintable, "a= \t\r\nb=  \nc", "abc"),
    .init(.quotedPrintable, "a  \r\nb\t\nc \t", "a\r\nb\nc"),
    .init(.quotedPrintable, "a  =\r\nb", "a  b"),
    .init(.quotedPrintable, "a=20\r\nb", "a \r\nb"),
    .init(.quotedPrintable, "a=", "a"),
    .init(.quotedPrintable, "a=\r", "a"),
    .init(.quotedPrintable, "a=  ", "a"),
    .init(.quotedPrintable, "a=4", "a=4", irregular: 1),
    .init(.quotedPrintable, "a=4x", "a=4x", irregular: 1),
    .init(.quotedPrintable, "a=xy", "a=xy", irregular: 1),
    .init(.quotedPrintable, "a==41", "a=A", irregular: 1),
    .init(.quotedPrintable, "a=4=41", "a=4A", irregular: 1),
    .init(.quotedPrintable, "= x", "= x", irregular: 1),
    .init(.quotedPrintable, "=\rx", "=\rx", irregular: 1),
    .init(.quotedPrintable, "= \rx", "= \rx", irregular: 1),
    .init(.quotedPrintable, "a \rb", "a \rb"),
    .init(.quotedPrintable, "a \r\r\nb", "a \r\r\nb"),
    .init(.quotedPrintable, "a\r\n\r\n \r\nb\n\n", "a\r\n\r\n\r\nb\n\n"),
    .init(.quotedPrintable, "a\r", "a\r"),
    .init(.quotedPrintable, "a\(blanks)\r\nb", "a\r\nb"),
    .init(.quotedPrintable, "a\(blanks) \r\nb \n", "a\(blanks) \r\nb\n"),
    .init(.quotedPrintable, "a=\(blanks) \r\nb", "a=\(blanks) \r\nb", irregular: 1),
    .init(.quotedPrintable, "J'interdis aux =C3=A9l=C3=A8ves", "J'interdis aux élèves"),
    .init(.base64, "SGVs\r\nbG8=\r\n", "Hello"),
    .init(.base64, "SGVs bG8", "Hello"),
    .init(.base64, "SGV$sbG8=", "Hello", irregular: 1),
    .init(.identity, "a=41\r\n \r\n", "a=41\r\n \r\n"),
    .init(.unknown, "a=41\r\n \r\n", "a=41\r\n \r\n"),
    .init(.uuencode, "begin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\n", "Cat"),
    .init(.uuencode, "begin 644 cat.txt\n#0V%T\n \nend\n", "Cat"),
    .init(.uuencode, "\r\nbegin 644 cat.txt\n#0V%T\nend", "Cat"),
    .init(.uuencode, "text\nbegin 644 a b\n%2&5L;&\\\n`\nend\n", "Hello", irregular: 1),
    .init(.uuencode, "begin 644 x\n%2&5L;&\\*\n`\nend\n", "Hello"),
    .init(.uuencode, "begin 644 x\n#\n#0V%T\n`\nend\n", "\0\0\0Cat"),
    .init(.uuencode, "begin 644 x\n#0V%T", "Cat"),
    .init(.uuencode, "begin 644 x\n#0V%", "Ca@"),
    .init(.uuencode, "begin 644 x\n~~~\n#0V%T\nend\nmore\n", "Cat", irregular: 2),
    .init(.uuencode, "begin 644 x\n#0V%T\nend \n\n \nmore\n\nand more", "Cat", irregular: 2),
    .init(.uuencode, "begin at once\nbegin 644 x\n#0V%T\nend", "Cat", irregular: 1),
    .init(.uuencode, "begin \nbegin 644 x\n#0V%T\nend", "Cat", irregular: 1),
    .init(.uuencode, "", ""),
    .init(.uuencode, "begin 644 x\n#``$`\n&````!```\n`\nend", "\0\u{1}\0\0\0\0\u{4}\0\0"),
    .init(.uuencode, "no begin\nat all", "no begin\nat all", irregular: 1),
    .init(.uuencode, "#0V%T\r\n`\r\nend\r\n", "#0V%T\r\n`\r\nend\r\n", irregular: 1),
    .init(.uuencode, "begin", "begin", irregular: 1),
]

@Suite struct TransferDecoderTests {
    @Test("An encoding is removed", arguments: encodedTexts)
    func table(_ row: DecodedText) {
        let result = decoded(row.input.bytes, row.encoding)
        #expect(result.text?.text == row.output)
        #expect(result.irregular == row.irregular)
    }

    @Test("Cuts and small regions do not change the result", arguments: encodedTexts)
    func cuts(_ row: DecodedText) {
        let input = row.input.bytes
        for plan in Splits.everyCut(of: input.count) + Splits.plans(for: input.count) {
            for region in [1, 2, 3, 5, 4_096] {
                let result = decoded(input, row.encoding, plan: plan, region: region)
                #expect(result.text?.text == row.output)
                #expect(result.irregular == row.irregular)
            }
        }
    }

    @Test("Random encoded text decodes the same however it is cut", arguments: 0..<80)
    func random(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let kinds: [(TransferEncoding, front: String, alphabet: String)] = [
            (.quotedPrintable, "", "=4Aa \t\r\nx="), (.base64, "", "QUJD=\r\n *"),
            (.uuencode, "", "begin 6\r\n"), (.uuencode, "begin 644 x\n", "#0V%T`end!\r\n "),
        ]
        for (encoding, front, alphabet) in kinds {
            let count = Int(generator.next() % 400)
            let input = front.bytes + generator.bytes(count, from: alphabet.bytes)
            let whole = decoded(input, encoding)
            for plan in Splits.plans(for: input.count, seed: UInt64(seed)) {
                for region in [1, 7, 64] {
                    let result = decoded(input, encoding, plan: plan, region: region)
                    #expect(result.text == whole.text && result.irregular == whole.irregular)
                }
            }
        }
    }

    @Test(
        "Quoted-printable that is made to be slow takes linear time",
        arguments: ["=", "=Z", " ", "= ", "\t\r", "=41", "=\r", " =", "  \r\n", " \t"])
    func work(unit: String) {
        let isLinear = growsLinearly(from: 16_384, make: { repeated(unit, $0) }) {
            _ = decoded($0, .quotedPrintable, region: 1_024)
        }
        #expect(isLinear)
    }

    @Test(
        "Base64 and uuencoded text that is made to be slow takes linear time",
        arguments: ["A=", "=", "AA==", "A \n", "*", "begin ", "!\n", "M\n", "\n"])
    func otherWork(unit: String) {
        for (encoding, front) in [
            (TransferEncoding.base64, ""), (.uuencode, ""), (.uuencode, "begin 644 x\n"),
        ] {
            let isLinear = growsLinearly(
                from: 16_384, make: { front.bytes + repeated(unit, $0) },
                work: { _ = decoded($0, encoding, region: 1_024) })
            #expect(isLinear)
        }
    }

    @Test("A begin line too far from the start is text, and nothing is lost")
    func farBegin() {
        let front = String(repeating: "Some text.\r\n", count: 400)
        let input = (front + "begin 644 x\r\n#0V%T\r\n`\r\nend\r\n").bytes
        for plan in Splits.plans(for: input.count) {
            for region in [1, 4_096] {
                let result = decoded(input, .uuencode, plan: plan, region: region)
                #expect(result.text == input && result.irregular == 1)
            }
        }
    }

    @Test(
        "Labels",
        arguments: [
            ("", TransferEncoding.identity), ("7bit", .identity), ("8BIT", .identity),
            ("7-bit", .identity), ("8bits", .identity), ("binary", .identity),
            ("base64", .base64), (" Base64 (comment)", .base64), ("base64;", .base64),
            ("quoted-printable", .quotedPrintable), ("Quoted-Printable;", .quotedPrintable),
            ("quoted printable", .quotedPrintable), ("x-uuencode", .uuencode),
            ("uuencode", .uuencode), ("x-uue", .uuencode), ("plain", .unknown),
            ("(a comment) base64", .base64), ("\r\n (a\r\n b)\r\n base64 (c)", .base64),
            ("\"base64\"", .base64), ("base64, 8bit", .base64), ("7bit charset=utf-8", .identity),
            ("utf-8", .identity), ("ISO-8859-1", .identity), ("x-zip", .unknown),
            ("base64 x-zip", .base64), ("(only a comment)", .identity),
            ("text/html", .unknown), ("base6", .unknown), ("=?utf-8?Q?8bit?=", .unknown),
            ("=?utf-8?Q?base64?=", .base64), ("=?utf-8?b?YmFzZTY0?=", .base64),
            ("=?utf-8?q?quoted-printable?=", .quotedPrintable), ("=?utf-8", .unknown),
            (String(repeating: "7", count: 99), .unknown),
        ])
    func labels(label: String, encoding: TransferEncoding) {
        #expect(TransferEncoding(label: label.bytes.span) == encoding)
    }
}
