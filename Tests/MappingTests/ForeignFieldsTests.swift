// What is left out of other services' headers, and that none of it refuses a message.

import TestSupport
import Testing

@testable import Mapping

@Suite("Other services' headers")
struct ForeignFieldsTests {
    @Test(
        "settings without a counterpart are counted",
        arguments: [
            (#"X-SMTPAPI: {"to": ["a@example.com"], "category": "a", "filters": {}}"#, 2),
            (#"X-SMTPAPI: {"category": "#, 1), ("X-SMTPAPI: 7", 1), ("X-SMTPAPI:", 0),
            (#"X-SMTPAPI: {"category": {"a": 1}}"#, 3), (#"X-SMTPAPI: {"unique_args": 7}"#, 1),
            ("X-MC-Metadata: []", 1), ("X-Mailgun-Variables: {,}", 1),
            ("X-SES-MESSAGE-TAGS: a=b, c, =d, e=", 2), ("X-SES-CONFIGURATION-SET: x", 1),
            ("X-MC-Tags: ,,", 0), ("X-PM-Tag: a", 0),
        ])
    func counted(header: String, count: Int) {
        var message = MappedMessage("\(header)\r\n\r\n.")
        message.options.mapsForeignHeaders = true
        let result = MapperBench().map(message)
        #expect(result.failure == nil)
        #expect(result.losses[.foreignSettings] == count)
        #expect(result.object?["headers"] == nil)
    }

    @Test("any bytes give one JSON object with unique keys")
    func random() {
        var generator = SeededGenerator(seed: 16)
        let parts = [
            "X-SMTPAPI: ", "X-MC-Metadata: ", "X-SES-MESSAGE-TAGS: ", "X-MC-Tags: ", "{", "}",
            "\"a\"",
            ":", ",", "[", "]", "7", "\r\n", "\r\n ", "category", "\"unique_args\"", "=", "\\u0000",
            "\"",
            "X-PM-Metadata-a: ", "null", "=?utf-8?q?=00?=",
        ]
        let bench = MapperBench()
        for _ in 0..<1_000 {
            var text = ""
            for _ in 0..<Int.random(in: 0...20, using: &generator) {
                text += parts.randomElement(using: &generator)!
            }
            var message = MappedMessage(text + "\r\n\r\n.")
            message.options.mapsForeignHeaders = true
            let result = bench.map(message)
            #expect(result.failure != nil || result.object != nil, "\(text)")
        }
    }
}
