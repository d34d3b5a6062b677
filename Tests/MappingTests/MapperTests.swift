// The limits of the mapper, its refusals, and what goes to a file.

import Foundation
import TestSupport
import Testing

@testable import Mapping

@Suite("Limits and refusals of the mapper")
struct MapperTests {
    let bench = MapperBench()

    private func reason(_ text: String, from sender: String = "s@example.com") -> String? {
        let result = bench.map(MappedMessage(crlf(text), from: sender))
        guard case .unparsable(let reason) = result.failure else { return nil }
        return String(decoding: reason, as: UTF8.self)
    }

    @Test(
        "bad metadata says what and where",
        arguments: [
            ("[1]", "bad X-Postscale-Metadata: not a JSON object at byte 0"),
            ("\"x\"", "bad X-Postscale-Metadata: not a JSON object at byte 0"),
            ("{\"a\": 1", "bad X-Postscale-Metadata: invalid JSON at byte 7"),
            ("{\"a\" 1}", "bad X-Postscale-Metadata: invalid JSON at byte 5"),
            ("{} x", "bad X-Postscale-Metadata: invalid JSON at byte 3"),
            ("", "bad X-Postscale-Metadata: invalid JSON at byte 0"),
        ])
    func badMetadata(value: String, expected: String) {
        #expect(reason("X-Postscale-Metadata: \(value)\n\nb") == expected)
    }

    @Test("variables must be an object")
    func badVariables() {
        #expect(
            reason("X-Postscale-Template: t\nX-Postscale-Variables: 7\n\n")
                == "bad X-Postscale-Variables: not a JSON object at byte 0")
    }

    @Test("a null sender needs a From header")
    func nullSender() {
        #expect(reason("Subject: s\n\nb", from: "") == "no From header and a null sender")
        #expect(bench.map(MappedMessage("From: a@b.c\r\n\r\nb", from: "")).failure == nil)
    }

    private func attachments(_ contents: [String]) -> String {
        var text = "Content-Type: multipart/mixed; boundary=m\n\n"
        for content in contents {
            text += "--m\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n"
            text += content + "\n"
        }
        return crlf(text + "--m--\n")
    }

    @Test("one attachment more than allowed is refused, an empty one does not count")
    func attachmentCount() {
        var message = MappedMessage(attachments(["AAAA", "", "AAAA"]))
        message.options.attachmentsMax = 2
        #expect(bench.map(message).failure == nil)
        #expect(bench.map(message).losses[.attachmentsEmpty] == 1)
        message.options.attachmentsMax = 1
        guard case .attachmentLimit(isSize: false, _) = bench.map(message).failure else {
            Issue.record("not refused")
            return
        }
    }

    @Test("sizes are those of the decoded bytes")
    func attachmentSizes() {
        var message = MappedMessage(attachments(["AAAAAAAA", "AAAA"]))
        message.options.attachmentBytesMax = 6
        message.options.attachmentsBytesMax = 9
        #expect(bench.map(message).failure == nil)
        message.options.attachmentBytesMax = 5
        guard case .attachmentLimit(isSize: true, _) = bench.map(message).failure else {
            Issue.record("one that is too large is not refused")
            return
        }
        message.options.attachmentBytesMax = 6
        message.options.attachmentsBytesMax = 8
        guard case .attachmentLimit(isSize: true, _) = bench.map(message).failure else {
            Issue.record("too much in all is not refused")
            return
        }
    }

    @Test("a text that comes after the attachments may be larger than memory for it")
    func lateText() throws {
        let line = String(repeating: "0123456789 \"quoted\" ", count: 4)
        let text = Array(repeating: line, count: 12_000).joined(separator: "\n")
        var message = MappedMessage(
            crlf(
                """
                Content-Type: multipart/mixed; boundary=m

                --m
                Content-Type: application/pdf

                x
                --m

                \(text)
                --m--
                """))
        message.heldBytesMax = 20_000
        let result = bench.map(message)
        let object = try #require(result.object)
        #expect(object["text_body"] as? String == text)
        #expect(bench.slabs.outstanding == 0)
    }

    @Test("hidden recipients: the request is held without them, in a file when it is large")
    func group() throws {
        let text = String(repeating: "All of you.\n", count: 20_000)
        var message = MappedMessage(
            crlf("From: a@example.com\nSubject: s\n\n\(text)"),
            to: ["x@example.com", "y@example.com"])
        message.heldBytesMax = 20_000
        let result = bench.map(message)
        #expect(result.isGroup)
        let object = try #require(result.object)
        #expect(object["to"] == nil && object["bcc"] == nil && object["cc"] == nil)
        #expect(object["text_body"] as? String == text)
    }

    @Test("thousands of header addresses, and each recipient is found among them")
    func manyAddresses() {
        var head = ""
        for header in 0..<8 {
            let list = (0..<1_000).map { "u\(header * 1_000 + $0)@example.com" }
            head += "To: " + list.joined(separator: ",\n ") + "\n"
        }
        let recipients = (0..<100).map { "u\($0 * 30)@EXAMPLE.com" }
        let result = bench.map(MappedMessage(crlf("\(head)\nb"), to: recipients))
        #expect((result.object?["to"] as? [String])?.count == 100)
        #expect(result.losses[.addressesNotInEnvelope] == 7_900)
    }

    @Test("a list of more addresses than the parser takes is refused")
    func tooManyAddresses() {
        let list = (0..<10_500).map { _ in "a@b" }.joined(separator: ",")
        #expect(reason("To: \(list)\n\nb") == "too many addresses in a header")
    }
}
