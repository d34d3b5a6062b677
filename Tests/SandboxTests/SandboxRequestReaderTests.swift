// The HTTP/1.1 request reader: however the bytes are cut, the requests are the same.

import Testing
import Wire

@testable import Sandbox

@Suite struct SandboxRequestReaderTests {
    /// What a reader said of the pieces of `input`, joined: heads, bodies, ends.
    private func transcript(_ input: [UInt8], cuts: [Int]) -> String {
        var reader = SandboxRequestReader()
        var text = ""
        var start = 0
        for end in cuts + [input.count] {
            let piece = Array(input[start..<end])
            start = end
            var offset = 0
            reading: while true {
                switch reader.next(piece.span, &offset) {
                case .needInput: break reading
                case .head(let head): text += "<\(head.method) \(head.path) \(head.query.count)>"
                case .content(let range): text += String(decoding: piece[range], as: UTF8.self)
                case .end: text += "."
                case .invalid(let status, _): return text + "!\(status)"
                }
            }
        }
        return text
    }

    private static let pipeline = Array(
        ("POST /v1/send HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
            + "\r\nGET /v1/emails?limit=1&offset=2 HTTP/1.1\r\nHost: x\r\n\r\n"
            + "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n"
            + "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").utf8)
    private static let expected =
        "<POST /v1/send 0>hello.<GET /v1/emails 2>.<POST /a 0>abc0123456789.<POST /b 0>."

    @Test("Requests in one piece")
    func whole() { #expect(transcript(Self.pipeline, cuts: []) == Self.expected) }

    @Test("Requests byte by byte")
    func bytewise() {
        #expect(transcript(Self.pipeline, cuts: Array(1..<Self.pipeline.count)) == Self.expected)
    }

    @Test("Requests cut in two at every place")
    func everyCut() {
        for cut in 1..<Self.pipeline.count {
            #expect(transcript(Self.pipeline, cuts: [cut]) == Self.expected, "cut at \(cut)")
        }
    }

    @Test(
        "What is not HTTP/1.1 is refused",
        arguments: ["\u{16}\u{03}\u{01}\r\n\r\n", "GET /\r\n\r\n", "EHLO there\r\n\r\n"])
    func invalid(input: String) {
        #expect(transcript(Array(input.utf8), cuts: []).hasPrefix("!"))
    }

    @Test("A request that is not complete is known to be inside")
    func inside() {
        var reader = SandboxRequestReader()
        #expect(!reader.isInsideRequest)
        var offset = 0
        let start = Array("POST /v1/send HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe".utf8)
        while true {
            if case .needInput = reader.next(start.span, &offset) { break }
        }
        #expect(reader.isInsideRequest)
    }
}
