// The limits of the mapper, its refusals, and what goes to a file.

import APIClient
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
            ("{", "bad X-Postscale-Metadata: invalid JSON at byte 1"),
        ])
    func badMetadata(value: String, expected: String) {
        #expect(reason("X-Postscale-Metadata: \(value)\n\nb") == expected)
    }

    @Test("an empty field is no metadata", arguments: ["", "  ", "\n "])
    func emptyMetadata(value: String) {
        #expect(reason("X-Postscale-Metadata:\(value)\n\nb") == nil)
        #expect(reason("X-Postscale-Variables:\(value)\n\nb") == nil)
    }

    @Test("variables must be an object")
    func badVariables() {
        #expect(
            reason("X-Postscale-Template: t\nX-Postscale-Variables: 7\n\n")
                == "bad X-Postscale-Variables: not a JSON object at byte 0")
    }

    @Test("the client's Message-ID is kept only when it is asked for, and cut")
    func messageID() {
        let long = String(repeating: "x", count: 400)
        let rows: [(String, String)] = [
            ("Message-ID: <a@b>\n\n", "<a@b>"), ("message-id:\n  <a@b> \n\n", "<a@b>"),
            ("Message-ID:\nMessage-ID: <2@b>\nMessage-ID: <3@b>\n\n", "<2@b>"),
            ("Subject: s\n\nMessage-ID: <a@b>", ""), ("Message-ID: \(long)\n\n", long),
        ]
        for (text, wanted) in rows {
            var message = MappedMessage(crlf("From: a@b.c\n" + text))
            #expect(bench.map(message).messageID.isEmpty)
            message.options.keepsMessageID = true
            #expect(bench.map(message).messageID == Array(wanted.utf8.prefix(256)))
        }
    }

    @Test("signed and encrypted mail is refused when the operator wants that, and only that")
    func protected() {
        let rows: [(String, Outcome?)] = [
            (
                "Content-Type: multipart/signed; boundary=b\n\n--b\n\nx\n--b--",
                .protected(isEncrypted: false)
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
                    + "Content-Type: multipart/encrypted; boundary=c\n\n--c\n\nx\n--c--\n--b--",
                .protected(isEncrypted: true)
            ),
            (
                "Content-Type: application/pkcs7-mime; smime-type=signed-data\n\nx",
                .protected(isEncrypted: false)
            ),
            ("Content-Type: application/pkcs7-mime\n\nx", .protected(isEncrypted: true)),
            ("Content-Type: application/pkcs7-mime; smime-type=certs-only\n\nx", nil),
            ("Content-Type: text/plain\n\n-----BEGIN PGP MESSAGE-----", nil),
            (
                "Content-Type: message/rfc822\n\nContent-Type: multipart/signed; boundary=b\n\nx",
                nil
            ),
        ]
        for (text, wanted) in rows {
            var message = MappedMessage(crlf("From: a@b.c\n" + text))
            #expect(bench.map(message).failure == nil, "\(text)")
            message.options.refusesProtected = true
            #expect(bench.map(message).failure == wanted, "\(text)")
        }
    }

    @Test("a refusal is known as soon as the header is")
    func refusedEarly() {
        var message = MappedMessage(
            crlf("From: a@b.c\nContent-Type: multipart/signed; boundary=b\n\n"))
        message.options.refusesProtected = true
        let mapper = MessageMapper(
            options: message.options, charsets: bench.charsets, scratch: bench.scratch,
            pool: bench.slabs, heldBytesMax: 1_000)
        var isRefused = false
        _ = bench.map(message, with: mapper) { isRefused = mapper.failure != nil }
        #expect(isRefused)
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

    /// A text after an attachment, larger than memory for it.
    private let lateAndLong = crlf(
        "Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: application/pdf\n\nx\n"
            + "--m\nContent-Type: text/plain\n\n"
            + String(repeating: "0123456789abcdef\n", count: 40_000) + "--m--\n")

    @Test("what needs a file and finds no room is refused while it arrives, and keeps nothing")
    func noRoom() {
        for (name, make, failure) in SpillBufferTests.failures {
            guard let files = make() else { continue }
            let bench = MapperBench(files: files)
            var group = MappedMessage(lateAndLong, to: ["a@example.com", "b@example.com"])
            group.heldBytesMax = 16_384
            for message in [MappedMessage(lateAndLong), group] {
                let mapper = MessageMapper(
                    options: message.options, charsets: bench.charsets, scratch: bench.scratch,
                    pool: bench.slabs, heldBytesMax: message.heldBytesMax)
                let pieces = message.content.count / 10_000
                let cut = Array(repeating: 10_000, count: pieces)
                var refusedAt = 0
                let request = bench.map(message, with: mapper, cut: cut) { refusedAt += 1 }
                #expect(request.failure == .noRoom, "\(name)")
                #expect(refusedAt < pieces, "\(name): only at the end")
                #expect(request.spillFailure == failure, "\(name)")
                #expect(files.taken == 0 && bench.slabs.outstanding == 0, "\(name)")
            }
        }
    }

    @Test("a group is refused as soon as its size times its recipients is over the limit")
    func groupBytes() {
        let body = String(repeating: "0123456789abcdef\n", count: 10_000)
        func failure(_ recipients: Int, _ bytesMax: Int, header: String = "") -> Outcome? {
            var message = MappedMessage(
                crlf(header + "\n" + body), to: (0..<recipients).map { "r\($0)@example.com" })
            message.options.groupBytesMax = bytesMax
            return bench.map(message).failure
        }
        let size = body.utf8.count + 10_000  // A line end is two characters in JSON.
        #expect(failure(10, 11 * size) == nil)
        #expect(failure(11, 10 * size) == .groupTooLarge)
        #expect(failure(10, 9 * size) == .groupTooLarge)
        #expect(failure(1, size / 2) == nil, "one recipient is no group")
        #expect(failure(10, size, header: "To: r1@example.com\n") == nil, "one call for all")
        #expect(bench.slabs.outstanding == 0)
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
