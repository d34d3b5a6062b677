// JSON texts, right and wrong (RFC 8259).

import TestSupport
import Testing

@testable import Wire

private func described(_ text: [UInt8]) -> String {
    var reader = JSONReader()
    var parts: [String] = []
    while true {
        switch reader.next(text.span) {
        case .objectStart: parts.append("{")
        case .objectEnd: parts.append("}")
        case .arrayStart: parts.append("[")
        case .arrayEnd: parts.append("]")
        case .key(let range): parts.append(Array(text[range]).text + ":")
        case .string(let range): parts.append("'" + Array(text[range]).text + "'")
        case .number(let range): parts.append(Array(text[range]).text)
        case .bool(let value): parts.append("\(value)")
        case .null: parts.append("null")
        case .end: return parts.joined(separator: " ")
        case .invalid(let at):
            let again = reader.next(text.span)
            #expect(again == .invalid(at: at))
            return "invalid at \(at)"
        }
    }
}

@Suite struct JSONReaderTests {
    @Test(arguments: [
        ("{}", "{ }"), (" [ ] ", "[ ]"), ("{\"a\":1}", "{ a: 1 }"), ("\"\"", "''"),
        (
            "\t{ \"a\" : [ 1 , { \"b\" : null } ] , \"c\" : \"d\" }\r\n",
            "{ a: [ 1 { b: null } ] c: 'd' }"
        ),
        ("[true,false,null]", "[ true false null ]"), ("0", "0"), ("-0", "-0"),
        ("[1.5,-2e10,3E-7,0.0e+1]", "[ 1.5 -2e10 3E-7 0.0e+1 ]"), ("[[],{}]", "[ [ ] { } ]"),
        ("\"a\\\"b\\u00e9\\\\\"", "'a\\\"b\\u00e9\\\\'"), ("\"é\"", "'é'"),
    ])
    func `valid texts are read token by token`(text: String, expected: String) {
        #expect(described(text.bytes) == expected)
    }

    @Test(arguments: [
        ("", 0), ("  ", 2), ("{", 1), ("[", 1), ("}", 0), ("{]", 1), ("[}", 1), ("[1}", 2),
        ("{\"a\"]", 4), ("{\"a\":1]", 6), ("{\"a\"}", 4), ("{\"a\":}", 5), ("{\"a\":1,}", 7),
        ("[1,]", 3), ("[,1]", 1), ("[1 2]", 3), ("1 2", 2), ("{a:1}", 1), ("{1:1}", 1),
        ("01", 1), ("+1", 0), ("1.", 2), (".5", 0), ("1e", 2), ("-", 1), ("--1", 1), ("0x1", 1),
        ("tru", 0), ("truex", 4), ("nul", 0), ("True", 0), ("'a'", 0), ("\"a", 2), ("\"\\", 1),
        ("\"\\x\"", 1), ("\"\\u12g4\"", 1), ("\"\\u12", 1), ("\"a\nb\"", 2), ("\"\u{0}\"", 1),
        ("[1]]", 3), ("{}{}", 2), ("\u{FEFF}1", 0), ("NaN", 0), ("[\"a\",\u{B}1]", 5),
    ])
    func `invalid texts are refused where they go wrong`(text: String, at: Int) {
        #expect(described(text.bytes) == "invalid at \(at)")
    }

    @Test func `nesting ends at its bound`() {
        func nested(_ depth: Int) -> [UInt8] {
            (String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).bytes
        }
        #expect(!described(nested(64)).hasPrefix("invalid"))
        #expect(described(nested(65)) == "invalid at 64")
        #expect(described([UInt8](repeating: 91, count: 100_000)) == "invalid at 64")
        let objects = String(repeating: "{\"a\":", count: 64).bytes
        #expect(described(objects + "1".bytes + [UInt8](repeating: 125, count: 64)).hasSuffix("}"))
    }

    @Test(arguments: [
        "1", "-2.5e3", "true", "false", "null", "\"a\\\"]b\"", "[]", "{}", "[1,[2],{\"a\":\"}\"}]",
        "{\"a\":{\"b\":[1,2]}}",
    ])
    func `a value is skipped whole`(value: String) {
        let text = "{\"k\": \(value) ,\"z\":0}".bytes
        var reader = JSONReader()
        _ = reader.next(text.span)
        _ = reader.next(text.span)
        let range = reader.skipValue(text.span)
        #expect(range.map { Array(text[$0]).text } == value)
        let next = reader.next(text.span)
        #expect(next == .key(9 + value.utf8.count..<10 + value.utf8.count))
    }

    @Test(arguments: ["{\"a\"", "[1,}", "]", "", "[[1]"])
    func `an invalid value is not skipped`(text: String) {
        var reader = JSONReader()
        let range = reader.skipValue(text.bytes.span)
        #expect(range == nil)
    }

    @Test(arguments: [
        ("a\\n\\t\\b\\f\\r\\/\\\\\\\"", "a\n\t\u{8}\u{C}\r/\\\""), ("\\u0041\\u00e9\\u20AC", "Aé€"),
        ("\\ud83d\\ude00", "😀"), ("\\ud83d", "\u{FFFD}"), ("\\ude00x", "\u{FFFD}x"),
        ("\\ud83d\\ud83d\\ude00", "\u{FFFD}😀"), ("\\u0000", "\u{0}"), ("é😀", "é😀"), ("", ""),
        ("\\", "\\"), ("\\u12", "u12"),
    ])
    func `strings are unescaped`(escaped: String, expected: String) {
        let bytes = escaped.bytes
        #expect(JSONReader.unescaped(bytes.span, 0..<bytes.count) == expected)
    }

    @Test(arguments: 0..<300)
    func `no text traps or hangs the reader`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let text = generator.bytes(40, from: "{}[]\",:\\u0 1e-.truefalsn\n".bytes)
        #expect(described(text).utf8.count < 1_000)
    }

    @Test func `what the escaper writes the reader reads back`() {
        let bytes = (0..<128).map { UInt8($0) } + "é漢😀".bytes
        var escaper = JSONEscaper()
        let inside = transformed(
            bytes, plan: [bytes.count], regionBytes: 1_000,
            feed: { escaper.feed($0, into: &$1) }, finish: { escaper.finish(into: &$0) })!
        let text = [34] + inside + [34]
        #expect(described(text) == "'\(inside.text)'")
        #expect(JSONReader.unescaped(text.span, 1..<text.count - 1).bytes == bytes)
    }
}
