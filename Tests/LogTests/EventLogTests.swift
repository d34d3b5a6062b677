// Whole lines of the log, from the event to the bytes that are written.

import Glibc
import Logging
import Testing

@testable import Log

@Suite("Lines of events")
struct EventLogTests {
    /// What is written for the events of `body`, line by line, without the time.
    private func lines(_ format: LogFormat, _ body: (EventLog) -> Void) throws -> [String] {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let writer = LogWriter(descriptor: ends[1])
        let handler = LineLogHandler(writer: writer, format: format, level: .trace)
        body(EventLog(logger: Logger(label: "test") { _ in handler }))
        writer.finish()
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = read(ends[0], &bytes, bytes.count)
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        return text.split(separator: "\n").map { line in
            format == .text ? String(line.drop { $0 != " " }.dropFirst()) : String(line)
        }
    }

    private func events(_ log: EventLog) {
        let key = hexadecimal(0x00ba_7816_bf8f_01cf)
        log.event(.info, "login-accepted", session: 0x1f, ["peer": "192.0.2.1", "key": key])
        log.event(
            .info, "login-refused", session: 0x1f, ["peer": "192.0.2.1", "reason": "username"],
            optional: ["key": ""])
        log.event(
            .info, "message", session: 0x1f,
            ["key": key, "message": "2", "message_id": "", "reply": "452"],
            optional: [
                "api_says": "429 daily \"limit\"", "accepted": "2/6", "message_ids": "a@x b@x",
                "ledger": "2 recipients", "from": "", "to": "",
            ])
    }

    @Test("A text line has the fields in order; those that are optional and empty are left out")
    func text() throws {
        #expect(
            try lines(.text, events) == [
                "info login-accepted key=00ba7816bf8f01cf peer=192.0.2.1 session=000000000000001f",
                "info login-refused peer=192.0.2.1 reason=username session=000000000000001f",
                "info message accepted=2/6 api_says=\"429 daily \\\"limit\\\"\""
                    + " key=00ba7816bf8f01cf ledger=\"2 recipients\" message=2 message_id=\"\""
                    + " message_ids=\"a@x b@x\" reply=452 session=000000000000001f",
            ])
    }

    @Test("A JSON line has the same fields")
    func json() throws {
        let line = try #require(try lines(.json, events).last)
        #expect(
            line.hasSuffix(
                #""level":"info","event":"message","accepted":"2/6","#
                    + #""api_says":"429 daily \"limit\"","key":"00ba7816bf8f01cf","#
                    + #""ledger":"2 recipients","message":"2","message_id":"","#
                    + #""message_ids":"a@x b@x","reply":"452","session":"000000000000001f"}"#))
    }

    @Test("Hexadecimal numbers have sixteen digits, in lower case")
    func digits() {
        for (number, wanted) in [
            (0, "0000000000000000"), (0xa, "000000000000000a"), (0xf9, "00000000000000f9"),
            (0x0123_4567_89ab_cdef, "0123456789abcdef"), (UInt64.max, "ffffffffffffffff"),
        ] {
            #expect(hexadecimal(number) == wanted)
        }
    }
}
