// The forms of a log line, and that no value can break out of one.

import Testing

@testable import Log
@testable import Wire

struct LineLogHandlerTests {
    private static let hostile = "a\nb \"c\" \\ \u{1B}[31m\u{7F}\u{202E}é"

    @Test func `a text line quotes values that are not plain`() {
        let line = LineLogHandler.line(
            .text, Array("T".utf8), .info, "message",
            [("bytes", "42"), ("from", "x y"), ("none", "")])
        #expect(
            String(decoding: line, as: UTF8.self)
                == "T info message bytes=42 from=\"x y\" none=\"\"\n")
    }

    @Test func `whatever a value holds, the event stays one line without controls`() {
        let text = LineLogHandler.line(
            .text, Array("T".utf8), .info, "message", [("from", Self.hostile)])
        let json = LineLogHandler.line(
            .json, Array("T".utf8), .info, "message", [("from", Self.hostile)])
        for line in [text, json].map({ String(decoding: $0, as: UTF8.self) }) {
            #expect(line.filter { $0 == "\n" }.count == 1 && line.hasSuffix("\n"))
            #expect(
                !line.dropLast().unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F })
            #expect(!line.unicodeScalars.contains("\u{202E}"))
            #expect(line.contains("\\u001b[31m") && line.contains("é"))
        }
    }

    @Test func `a JSON line is an object that the reader accepts`() {
        let bytes = LineLogHandler.line(
            .json, Array("T".utf8), .info, "message", [("from", Self.hostile)])
        var reader = JSONReader()
        #expect(reader.skipValue(bytes.span) != nil)
        #expect(reader.next(bytes.span) == .end)
    }

    @Test(arguments: [
        (0, 0, "1970-01-01T00:00:00.000Z"), (1_795_372_640, 7, "2026-11-22T18:37:20.007Z"),
        (951_827_696, 999, "2000-02-29T12:34:56.999Z"),
    ])
    func `times are RFC 3339 in UTC`(_ seconds: Int, _ milliseconds: Int, _ text: String) {
        #expect(Timestamp.text(seconds: seconds, milliseconds: milliseconds) == text)
    }
}
