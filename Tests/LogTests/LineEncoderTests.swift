// Every line is the one that the first handler wrote, byte for byte, whatever its values hold.

import Logging
import Testing

@testable import Log

struct LineEncoderTests {
    private static let time = "2026-11-22T18:37:20.123Z"

    private static func former(
        _ format: LogFormat, _ level: Logger.Level, _ fields: [(String, String)]
    ) -> [UInt8] {
        FormerLines.line(format, time, level, "message", fields)
    }

    private static func line(
        _ format: LogFormat, _ level: Logger.Level, _ fields: [(String, String)]
    ) -> [UInt8] {
        let line = LineLogHandler.line(format, Array(time.utf8), level, "message", fields)
        return format == .journald ? Array(line.dropFirst(LineEncoder.entryHeadBytes)) : line
    }

    @Test("Each byte alone, in front of seven others and after them", arguments: LogFormat.allCases)
    func eachByte(_ format: LogFormat) {
        for byte in UInt8.min...UInt8.max {
            for bytes in [[byte], [byte] + Array("1234567".utf8), Array("1234567".utf8) + [byte]] {
                let fields = [("key", String(decoding: bytes, as: UTF8.self))]
                #expect(Self.line(format, .info, fields) == Self.former(format, .info, fields))
            }
        }
    }

    @Test("Values of every kind and length, at each level", arguments: LogFormat.allCases)
    func values(_ format: LogFormat) {
        var random = SeededRandom(20_261_130)
        for round in 0..<200 {
            let level = Logger.Level.allCases[round % Logger.Level.allCases.count]
            let fields = ["a", "b_2", "content-type", "to"].map {
                ($0, String(decoding: random.value(), as: UTF8.self))
            }
            #expect(Self.line(format, level, fields) == Self.former(format, level, fields))
        }
    }

    /// What the log of a loop writes, and what swift-log writes of the same events.
    @Test(
        "The log of a loop writes what the former handler wrote of the same fields",
        arguments: [LogFormat.text, .json])
    func loops(_ format: LogFormat) throws {
        let capture = try LogCapture()
        let (log, writer) = makeLog(format, capture.descriptor)
        let loop = LoopLog(log)
        var random = SeededRandom(7)
        var expected: [[(String, String)]] = []
        for round in 0..<200 {
            let (bytes, text) = (random.value(), String(decoding: random.value(), as: UTF8.self))
            let number = round.isMultiple(of: 7) ? Int.min : Int(truncatingIfNeeded: random.next())
            let session = random.next() >> UInt64(round % 64)
            guard loop.begin(.info, "message") else { continue }
            loop.text("bytes", bytes)
            loop.optional("left_out", round.isMultiple(of: 3) ? "" : text)
            loop.number("number", number)
            loop.hexadecimal("session", session)
            loop.text("text", text)
            loop.word("word", round.isMultiple(of: 5) ? "" : "192.0.2.\(round)")
            loop.end()
            let optional = text.isEmpty || round.isMultiple(of: 3) ? [] : [("left_out", text)]
            expected.append(
                [("bytes", String(decoding: bytes, as: UTF8.self))] + optional + [
                    ("number", "\(number)"), ("session", hexadecimal(session)), ("text", text),
                    ("word", round.isMultiple(of: 5) ? "" : "192.0.2.\(round)"),
                ])
        }
        writer.finish()
        let lines = capture.lines
        try #require(lines.count == 200)
        for (line, fields) in zip(lines, expected) {
            let whole = FormerLines.line(format, "", .info, "message", fields).dropLast()
            #expect(
                Self.withoutTime(line) == Self.withoutTime(String(decoding: whole, as: UTF8.self)))
        }
    }

    /// Text without its first word; JSON without its first member.
    private static func withoutTime(_ line: String) -> Substring {
        line.drop { $0 != " " && $0 != "," }
    }

    @Test("A log that is swift-log's alone gets the events of loops through it")
    func forwarded() throws {
        let capture = try LogCapture()
        let writer = LogWriter(descriptor: capture.descriptor)
        let handler = LineLogHandler(writer: writer, format: .text, level: .trace)
        let loop = LoopLog(EventLog(logger: Logger(label: "test") { _ in handler }))
        #expect(loop.begin(.notice, "message"))
        loop.text("bytes", [0x61, 0xFF])
        loop.optional("empty", "")
        loop.number("number", -3)
        loop.hexadecimal("session", 31)
        loop.end()
        writer.finish()
        #expect(
            capture.lines.map(Self.withoutTime) == [
                " notice message bytes=\"a\u{FFFD}\" number=-3 session=000000000000001f"
            ])
    }

    @Test("The clock of lines says what the calendar says")
    func clock() {
        var clock = LineClock()
        for (seconds, milliseconds) in [(0, 0), (0, 9), (951_827_696, 999), (951_827_697, 40)] {
            clock.set(seconds: seconds, milliseconds: milliseconds)
            let text = clock.withText { String(decoding: $0, as: UTF8.self) }
            #expect(text == Timestamp.text(seconds: seconds, milliseconds: milliseconds))
        }
    }
}
