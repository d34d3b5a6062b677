// Parameters: RFC 2045 and 2231's examples, what mailers write, and hostile ones.

import TestSupport
import Testing

@testable import Wire

/// The decoded text of a parameter, nil when it is absent.
func parameterText(_ name: String, _ value: [UInt8]) -> String? {
    question(name, value) { parameters, name, region in
        var losses = DecodeLosses()
        return parameters.text(
            name, value.span, charsets: CharsetCache(), into: &region, losses: &losses)
    }
}

/// The raw value of a parameter, nil when it is absent.
func parameterRaw(_ name: String, _ value: [UInt8]) -> String? {
    question(name, value) { $0.raw($1, value.span, into: &$2) }
}

/// The main value in lower case.
func mainValue(_ value: [UInt8]) -> String {
    let parameters = FieldParameters(value.span)
    return written(capacity: value.count) { parameters.writeMain(value.span, into: &$0) }.text
}

private func question(
    _ name: String, _ value: [UInt8],
    _ ask: (FieldParameters, StaticString, inout Region) -> Bool
) -> String? {
    guard let name = names.first(where: { "\($0)" == name }) else { return "(name not listed)" }
    let parameters = FieldParameters(value.span)
    var isThere = false
    let bytes = written(capacity: 4 * value.count + 64) { region in
        isThere = ask(parameters, name, &region)
    }
    guard isThere else { return nil }
    return String(validating: bytes, as: UTF8.self) ?? "(not UTF-8)"
}

/// A `StaticString` cannot be made at run time.
private let names: [StaticString] = [
    "charset", "name", "filename", "boundary", "title", "url", "x", "key", "key2", "key3", "key4",
    "access-type", "URL", "server", "expiration", "site", "mode", "directory", "format", "id",
    "number", "total", "micalg", "protocol", "x-mac-type", "permission", "size",
]

@Suite("Field parameters")
struct FieldParametersTests {
    @Test(
        "The main value is found without comments and blanks",
        arguments: [
            ("text/plain", "text/plain"), (" Text/HTML ; a=b", "text/html"),
            ("text / (x) plain (y)", "text/plain"), ("(a) text (b) / plain", "text/plain"),
            ("attachment", "attachment"), ("", ""), (";charset=x", ""), ("/", "/"),
            ("text/plain charset=utf-8", "text/plain"), ("text/plain\r\n name=x", "text/plain"),
            ("inline(x", "inline(x"), ("charset=utf-8", ""), (" name = \"a/b\"", ""),
            ("=?us-ascii?q?attachment?=", "=?us-ascii?q?attachment?="),
        ])
    func main(value: String, expected: String) {
        #expect(mainValue(value.bytes) == expected)
    }

    @Test(
        "The examples of RFC 2045 and RFC 2231 come out as the RFCs say",
        arguments: [
            ("text/plain; charset=us-ascii (Plain text)", "charset", "us-ascii"),
            ("text/plain; charset=\"us-ascii\"", "charset", "us-ascii"),
            (
                "message/external-body; access-type=URL;\r\n URL*0=\"ftp://\";\r\n "
                    + "URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\"",
                "URL", "ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar"
            ),
            (
                "application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
                "title", "This is ***fun***"
            ),
            (
                "application/x-stuff\r\n title*0*=us-ascii'en'This%20is%20even%20more%20\r\n "
                    + "title*1*=%2A%2A%2Afun%2A%2A%2A%20\r\n title*2=\"isn't it!\"",
                "title", "This is even more ***fun*** isn't it!"
            ),
        ])
    func examplesOfTheRFCs(value: String, name: String, expected: String) {
        #expect(parameterText(name, value.bytes) == expected)
    }

    @Test(
        "Parameters that mailers write are read as they mean them",
        arguments: [
            ("a; filename=My holiday photo.jpg; x=1", "My holiday photo.jpg"),
            ("a; filename=copy (1).pdf", "copy (1).pdf"),
            ("a; filename=copy(1).pdf", "copy(1).pdf"),
            ("a; filename=\"C:\\temp\\new.txt\"", "C:\\temp\\new.txt"),
            ("a; filename=\"a \\\"b\\\" \\\\ c\"", "a \"b\" \\ c"),
            ("a; filename=\"open end.txt", "open end.txt"),
            ("a; filename=\"a.txt\" junk; x=1", "a.txt"),
            ("a; filename = \"a.txt\"", "a.txt"), ("a; FileName=a.txt", "a.txt"),
            ("a; filename=first.txt; filename=second.txt", "first.txt"),
            ("a; filename=plain.txt; filename*=utf-8''f%C3%A9.txt", "fé.txt"),
            ("a; filename*=utf-8''f%C3%A9.txt; filename=plain.txt", "fé.txt"),
            ("a; filename*=UTF-8'en'%E2%82%AC%20rates", "€ rates"),
            ("a; filename*=iso-8859-1''caf%E9", "café"),
            ("a; filename*=\"iso-8859-1''caf%E9\"", "café"), ("a; filename*=caf%C3%A9", "café"),
            ("a; filename*=utf-8''100%", "100%"), ("a; filename*=utf-8''a%zz%4", "a%zz%4"),
            ("a; filename*1=b; filename*0=a; filename*2=c", "abc"),
            ("a; filename*0*=utf-8''%E2; filename*1*=%82; filename*2*=%AC", "€"),
            ("a; filename*0*=utf-8''a%20; filename*1=b%20c", "a b%20c"),
            ("a; filename*0=a; filename*2=c", "ac"),
            ("a; filename*1=b; filename*2=c", "bc"), ("a; filename*0=a; filename*0=b", "a"),
            ("a; filename*1=b; filename*0=a; filename*1=c", "ab"),
            ("a; filename*10=k; filename*9=j; filename*0=a", "ajk"),
            ("a; filename*1*=%AC; filename*0*=utf-8'en'%E2%82", "€"),
            ("a; filename*=utf-8''x; filename*0=y", "x"),
            ("a; filename*0=y; filename*=utf-8''x", "y"),
            ("a; filename*=shift_jis'ja'%93%FA%96%7B.txt", "日本.txt"),
            ("a; filename*=utf-8''", ""), ("a; filename*=''a", "a"),
            ("a; filename*=klingon''caf%C3%A9", "café"),
            ("a; filename=\"=?utf-8?B?w6kudHh0?=\"", "é.txt"),
            ("a; filename==?utf-8?B?w6kudHh0?=", "é.txt"),
            ("a; filename==?utf-8?Q?a?= =?utf-8?Q?b?=.txt", "ab.txt"),
            ("a; filename=\"=?utf-8?Q?a?=\r\n =?utf-8?Q?b?=\"", "ab"),
            ("a; filename*0=\"=?utf-8?B?w6\"; filename*1=\"kudHh0?=\"", "é.txt"),
            ("a; filename=\"two\r\n lines\"", "two lines"),
            ("a\r\n filename=x.txt\r\n name=y", "x.txt"),
            ("a; x=1 filename=x.txt", "x.txt"),
            ("a; x=\"y;filename=no\"; filename=yes", "yes"),
            ("a; (c;filename=no) filename=yes", "yes"),
            ("a;;; = ;; =b; filename=yes", "yes"),
            ("a; filename=\"a=0D=0A.txt\"", "a=0D=0A.txt"),
            ("a; filename*=utf-8''a%0D%0Ab%00", "a  b"),
            ("a; filename=\"\"", ""),
        ])
    func seenInTheWild(value: String, expected: String) {
        #expect(parameterText("filename", value.bytes) == expected)
    }

    @Test("8-bit values are UTF-8 or else windows-1252")
    func undeclaredValues() {
        #expect(parameterText("filename", "a; filename=\"é.txt\"".bytes) == "é.txt")
        #expect(parameterText("filename", "a; filename=".bytes + [0xE9]) == "é")
    }

    @Test(
        "An absent parameter is absent",
        arguments: [
            "", "a", "a;", "a; filename", "a; filename=", "a; xfilename=b", "a; filename; b=c",
        ])
    func absent(value: String) {
        #expect(parameterText("filename", value.bytes) == nil)
        #expect(parameterRaw("filename", value.bytes) == nil)
    }

    @Test(
        "A raw value keeps its bytes",
        arguments: [
            ("m/m; boundary=\"a b\\\"=?c?=\"", "a b\"=?c?="), ("m/m; boundary=a:b'c", "a:b'c"),
            ("m/m; boundary=simple (comment)", "simple"),
            ("m/m; boundary*0=abc; boundary*1=def", "abcdef"),
            ("m/m; boundary*=us-ascii''a%20b", "a b"),
        ])
    func rawValues(value: String, expected: String) {
        #expect(parameterRaw("boundary", value.bytes) == expected)
    }

    @Test("More sections than a header may hold, in any order, come out by their numbers")
    func manySections() {
        let numbers = Array(0..<2_000)
        let expected = numbers.map { "\($0)," }.joined()
        var generator = SeededGenerator(seed: 7)
        let orders = [numbers, numbers.reversed(), numbers.shuffled(using: &generator)]
        for order in orders {
            let value = "a" + order.map { "; filename*\($0)=\"\($0),\"" }.joined()
            #expect(parameterText("filename", value.bytes) == expected)
        }
    }

    @Test(
        "Fields made to be slow take linear time",
        arguments: [
            "(", "(;", ";", "x=(;", "\"", "filename*1=a;", "=", "filename*0=\"", "a=\"\\", " x",
            "\n x=", "filename*0*=", "%", "'", "filename*9=a;filename*8=b;", " (",
        ] as [String])
    func slowFields(part: String) {
        expectLinear(part, after: "a; filename*0=x;") {
            _ = parameterText("filename", $0)
            _ = mainValue($0)
        }
    }

    @Test("Random fields give valid text without controls")
    func randomFields() {
        var generator = SeededGenerator(seed: 2231)
        let parts = [
            "; ", "filename", "*", "0", "1", "=", "\"", "'", "utf-8''", "%E2%82", "%AC", "(", ")",
            "\\", " ", "\r\n ", "=?utf-8?q?=0A?=", "é", "a.txt", "filename*0*=", "filename*1=",
        ].map(\.bytes)
        for _ in 0..<3000 {
            var value = "a; filename".bytes
            for _ in 0..<Int.random(in: 0...12, using: &generator) {
                value += parts.randomElement(using: &generator)!
            }
            let text = parameterText("filename", value) ?? ""
            #expect(text != "(not UTF-8)", "\(value.text)")
            #expect(!text.utf8.contains { $0 < 0x20 }, "\(value.text)")
            _ = parameterRaw("filename", value)
        }
    }
}
