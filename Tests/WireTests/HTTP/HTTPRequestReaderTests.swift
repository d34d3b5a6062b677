// Requests of a connection: however the bytes are cut, the requests are the same.

import Testing

@testable import Wire

@Suite struct HTTPRequestReaderTests {
    /// What a reader says of the pieces of `input`: heads, bodies (joined), ends; up to a refusal.
    private func transcript(
        _ input: [UInt8], headBytesMax: Int = 16_384, cut: (Int) -> Int
    ) -> String {
        var reader = HTTPRequestReader(headBytesMax: headBytesMax)
        var text = ""
        var start = 0
        while start < input.count {
            let end = min(input.count, start + max(1, cut(start)))
            let piece = Array(input[start..<end])
            var offset = 0
            reading: while true {
                let verdict = reader.next(piece.span, &offset)
                switch verdict {
                case .needInput: break reading
                case .head(let request): text += Self.words(request)
                case .content(let range): text += String(decoding: piece[range], as: UTF8.self)
                case .end: text += "."
                case .invalid(let status, let reason):
                    #expect(reader.next(piece.span, &offset) == verdict, "it stays so")
                    return text + "!\(status) \(reason)"
                }
            }
            #expect(offset == piece.count, "a piece is used up before more is asked for")
            start = end
        }
        return text
    }

    private static func words(_ request: HTTPRequest) -> String {
        var text = "<\(request.method) \(request.path)"
        if !request.query.isEmpty { text += "?" + request.query }
        if let key = request.authorization {
            text += " auth=" + String(decoding: key, as: UTF8.self)
        }
        if !request.contentType.isEmpty { text += " type=" + request.contentType }
        if !request.keepAlive { text += " close" }
        if request.hasBody { text += " body" }
        if request.expectsContinue { text += " expects" }
        return text + ">"
    }

    private static let inputs: [(input: String, wanted: String)] = [
        ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "<GET /metrics>."),
        (
            "\r\n\r\nPUT /log-level?level=debug HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            "<PUT /log-level?level=debug>."
        ),
        (
            "GET /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /b HTTP/1.0\r\n\r\n"
                + "GET /c HTTP/1.1\r\nhost: y\r\nConnection: close\r\n\r\n",
            "<GET /a>.<HEAD /b close>.<GET /c close>."
        ),
        (
            "POST /v1/send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
                + "Content-Type: application/json; charset=utf-8\r\nExpect: 100-continue\r\n"
                + "Content-Length: 5\r\n\r\nhello"
                + "\r\nGET /v1/emails?limit=1&offset=2 HTTP/1.1\r\nHost: x\r\n\r\n"
                + "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n"
                + "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            "<POST /v1/send auth=Bearer k type=application/json; charset=utf-8 body expects>hello."
                + "<GET /v1/emails?limit=1&offset=2>.<POST /a body>abc0123456789.<POST /b>."
        ),
        ("GET /unfinished HTTP/1.1\r\nHost", ""),
        ("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhe", "<POST /a body>he"),
        ("GET /a HTTP/1.1\r\n\r\n", "!400 no Host"),
        ("GET /a\r\n\r\n", "!400 bad request line"),
        ("GET / HTTP/2.0\r\n\r\n", "!505 version not supported"),
        ("EHLO there\r\n\r\n", "!400 bad request line"),
        ("\u{16}\u{3}\u{1}\nmore", "!400 A line does not end with CRLF."),
        ("\nGET", "!400 A line does not end with CRLF."),
        ("GET / HTTP/1.1\r\nHost: x\n\r\n", "!400 A line does not end with CRLF."),
        ("GET / HTTP/1.1\r\nHost: x\r\n a: b\r\n\r\n", "!400 folded header field"),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "<POST / body>!400 bad chunk size"
        ),
        (
            "GET /\(String(repeating: "a", count: 20_000)) HTTP/1.1\r\nHost: x\r\n\r\n",
            "!431 The head of the request is too large."
        ),
        (
            "GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 3_000) + "\r\n",
            "!431 The head of the request is too large."
        ),
    ]

    @Test("Whole, byte by byte and cut at random places, the requests are the same")
    func cuts() {
        var generator = SystemRandomNumberGenerator()
        for (text, wanted) in Self.inputs {
            let bytes = Array(text.utf8)
            #expect(transcript(bytes) { _ in bytes.count } == wanted, "\(text.prefix(60))")
            #expect(transcript(bytes) { _ in 1 } == wanted, "\(text.prefix(60))")
            for _ in 0..<30 {
                #expect(
                    transcript(bytes) { _ in Int.random(in: 1...40, using: &generator) } == wanted)
            }
        }
    }

    @Test("Cut in two at every place, the requests are the same")
    func everyCut() {
        let (text, wanted) = Self.inputs[3]
        let bytes = Array(text.utf8)
        for place in 1..<bytes.count {
            let found = transcript(bytes) { $0 == 0 ? place : bytes.count }
            #expect(found == wanted, "cut at \(place)")
        }
    }

    @Test(
        "A head of exactly the bound is read, one byte more is refused",
        arguments: [(0, "<GET /"), (1, "!431")])
    func bound(extra: Int, start: String) {
        let rest = " HTTP/1.1\r\nHost: x\r\n\r\n"
        let path = "GET /" + String(repeating: "a", count: 100 - 5 - rest.utf8.count + extra)
        let bytes = Array((path + rest).utf8)
        for length in [1, bytes.count] {
            #expect(transcript(bytes, headBytesMax: 100) { _ in length }.hasPrefix(start))
        }
    }

    @Test("A request is inside from its first byte to its last")
    func inside() {
        var reader = HTTPRequestReader()
        func feed(_ text: String) -> Bool {
            let bytes = Array(text.utf8)
            var offset = 0
            while reader.next(bytes.span, &offset) != .needInput {}
            return reader.isInsideRequest
        }
        #expect(!reader.isInsideRequest)
        #expect(!feed("\r\n"))
        #expect(feed("P"))
        #expect(feed("OST /v1/send HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"))
        #expect(feed("hell"))
        #expect(!feed("o"))
    }

    @Test("Parameters of a query, as they were sent")
    func parameters() throws {
        var reader = HTTPRequestReader()
        let bytes = Array("GET /?a=1&b&c=2=3&a=4&d=%41 HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        var offset = 0
        guard case .head(let request) = reader.next(bytes.span, &offset) else {
            Issue.record("no head")
            return
        }
        #expect(request.value("a") == "1")
        #expect(request.value("b") == "")
        #expect(request.value("c") == "2=3")
        #expect(request.value("d") == "%41")
        #expect(request.value("e") == nil)
        #expect(request.queryItems.map(\.name) == ["a", "b", "c", "a", "d"])
    }

    @Test(
        "The token of a bearer, and of nobody else",
        arguments: [
            ("Bearer k1", "k1"), ("bearer   k1", "k1"), ("BEARER k1 k2", "k1 k2"), ("Bearer", nil),
            ("Bearer  ", nil), ("Basic azE=", nil), ("Bearerk1", nil),
        ])
    func bearer(field: String, token: String?) {
        var reader = HTTPRequestReader()
        let bytes = Array("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: \(field)\r\n\r\n".utf8)
        var offset = 0
        guard case .head(let request) = reader.next(bytes.span, &offset) else {
            Issue.record("no head")
            return
        }
        #expect(request.bearerToken.map { String(decoding: $0, as: UTF8.self) } == token)
    }
}
