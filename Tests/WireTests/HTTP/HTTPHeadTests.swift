// Heads of responses and requests, and every way to smuggle something in them.

import Testing

@testable import Wire

private func response(_ text: String) -> String {
    let bytes = text.bytes
    switch HTTPResponseHead.parse(bytes.span) {
    case .needMore: return "more"
    case .invalid: return "invalid"
    case .head(let head):
        func value(_ range: Range<Int>?) -> String { range.map { Array(bytes[$0]).text } ?? "-" }
        return "\(head.status) \(head.framing) \(head.keepAlive ? "keep" : "close") "
            + "\(value(head.requestID)) \(value(head.retryAfter)) \(head.headBytes)"
    }
}

private func request(_ text: String) -> String {
    let bytes = text.bytes
    switch HTTPRequestHead.parse(bytes.span) {
    case .needMore: return "more"
    case .invalid(let status, _): return "\(status)"
    case .head(let head):
        func value(_ range: Range<Int>?) -> String { range.map { Array(bytes[$0]).text } ?? "-" }
        return "\(value(head.method)) \(value(head.target)) \(head.framing) "
            + "\(head.keepAlive ? "keep" : "close")\(head.expectsContinue ? " continue" : "") "
            + "\(value(head.host)) \(value(head.authorization)) \(value(head.contentType))"
    }
}

@Suite struct HTTPResponseHeadTests {
    @Test(arguments: [
        ("200 OK", "Content-Length: 5", "200 length(5) keep - -"),
        ("202 ", "content-length:0\r\nX-Request-Id:\t r1 ", "202 length(0) keep r1 -"),
        ("429", "Transfer-Encoding: Chunked\r\nRetry-After: 30", "429 chunked keep - 30"),
        ("200 OK", "Content-Length: 5\r\nContent-Length: 5", "200 length(5) keep - -"),
        ("200 OK", "Content-Length: 5\r\nConnection: x , CLOSE", "200 length(5) close - -"),
        ("200 OK", "Connection: keep-alive", "200 untilClose close - -"),
        ("204 No Content", "X-A:", "204 none keep - -"),
        ("204 No Content", "Content-Length: 3", "204 none close - -"),
        ("304 Not Modified", "Content-Length: 3", "304 none keep - -"),
        ("100 Continue", "A: b", "100 none keep - -"),
        ("103 Early Hints", "A: é", "103 none keep - -"),
    ])
    func `framing follows RFC 9112`(status: String, fields: String, expected: String) {
        let head = "HTTP/1.1 \(status)\r\n\(fields)\r\n\r\n"
        #expect(response(head + "body") == "\(expected) \(head.utf8.count)")
        for length in 0..<head.utf8.count {
            #expect(response(String(decoding: head.utf8.prefix(length), as: UTF8.self)) == "more")
        }
    }

    @Test(arguments: [
        "Content-Length: 5\r\nTransfer-Encoding: chunked", "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5", "Content-Length: -1", "Content-Length: +1", "Content-Length:",
        "Content-Length: 0x5", "Content-Length: 99999999999999999999", "Content-Length: 1 2",
        "Transfer-Encoding: gzip", "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding:",
        "A: b\r\n folded", "A: b\r\n\tfolded", " A: b", "A : b", "A b: c", "A", ": b", "A\u{0}: b",
        "A: b\u{0}", "A: b\rc", "A: b\nC: d", "é: b",
    ])
    func `a head that two parsers could read in two ways is invalid`(fields: String) {
        #expect(response("HTTP/1.1 200 OK\r\n\(fields)\r\n\r\n") == "invalid")
    }

    @Test(arguments: [
        "HTTP/2.0 200 OK", "http/1.1 200 OK", "HTTP/1.1  200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000",
        "HTTP/1.1 200OK", "HTTP/1.1 099 X", "HTTP/1.1 600 X", "HTTP/1.1 ", "", "HTTP/1.10 200 OK",
        "HTTP/1.1 2x0 OK", "ICY 200 OK",
    ])
    func `a bad status line is invalid`(line: String) {
        #expect(response(line + "\r\nContent-Length: 0\r\n\r\n") == "invalid")
    }

    @Test func `HTTP 1.0 closes and knows no chunks`() {
        #expect(
            response("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n").hasPrefix(
                "200 length(1) close"))
        #expect(response("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") == "invalid")
    }

    @Test(arguments: [
        ("timeout=5", 5), ("timeout=5, max=100", 5), ("max=100, Timeout = \"60\"", 60),
        ("TIMEOUT=0", 0), ("timeout=99999999999999999999", 1_000_000_000), ("max=5", nil),
        ("timeout", nil), ("timeout=", nil), ("timeout=-1", nil), ("timeout=5s", nil),
        ("timeouts=5", nil), ("", nil), (",,timeout=1,", 1), ("timeout=\"", nil),
    ])
    func `the time that idle connections have is read from Keep-Alive`(
        _ value: String, _ seconds: Int?
    ) {
        let bytes = "HTTP/1.1 204 No Content\r\nKeep-alive: \(value)\r\n\r\n".bytes
        guard case .head(let head) = HTTPResponseHead.parse(bytes.span) else {
            Issue.record("not a head")
            return
        }
        #expect(head.keepAliveSeconds == seconds)
    }

    @Test(arguments: [
        ("max=5", 5), ("timeout=5, max=100", 100), ("MAX = \"0\", timeout=1", 0),
        ("timeout=5", nil),
        ("max=", nil), ("max=-1", nil), ("maximum=5", nil),
    ])
    func `the number of requests that a connection takes is read from Keep-Alive`(
        _ value: String, _ requests: Int?
    ) {
        let bytes = "HTTP/1.1 204 No Content\r\nKeep-alive: \(value)\r\n\r\n".bytes
        guard case .head(let head) = HTTPResponseHead.parse(bytes.span) else {
            Issue.record("not a head")
            return
        }
        #expect(head.keepAliveRequests == requests)
    }

    @Test func `a head over the bound is invalid`() {
        let field = "A: " + String(repeating: "b", count: HTTPResponseHead.bytesMax)
        #expect(response("HTTP/1.1 200 OK\r\n\(field)") == "invalid")
        #expect(response(String(repeating: "\n", count: HTTPResponseHead.bytesMax - 1)) == "more")
        #expect(response(String(repeating: "\n", count: HTTPResponseHead.bytesMax)) == "invalid")
    }
}

@Suite struct HTTPRequestHeadTests {
    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: a", "GET / none keep a - -"),
        ("\r\nGET /x?y=%20 HTTP/1.1\r\nhost: a:1", "GET /x?y=%20 none keep a:1 - -"),
        (
            "POST /v1/send HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\nContent-Length: 2\r\n"
                + "Content-Type: application/json\r\nExpect: 100-Continue",
            "POST /v1/send length(2) keep continue a Bearer k application/json"
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", "POST / chunked keep a - -"),
        ("GET / HTTP/1.0", "GET / none close - - -"),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close", "GET / none close a - -"),
    ])
    func `requests are taken apart`(head: String, expected: String) {
        let whole = head + "\r\n\r\n"
        #expect(request(whole) == expected)
        for length in 0..<whole.utf8.count {
            #expect(request(String(decoding: whole.utf8.prefix(length), as: UTF8.self)) == "more")
        }
    }

    @Test(arguments: [
        ("GET / HTTP/2.0\r\nHost: a", "505"), ("GET / HTTP/1.1", "400"), ("GET /", "400"),
        ("GET  / HTTP/1.1\r\nHost: a", "400"), ("G@T / HTTP/1.1\r\nHost: a", "400"),
        ("GET /a b HTTP/1.1\r\nHost: a", "400"), ("GET /\u{1} HTTP/1.1\r\nHost: a", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a", "400"), ("GET /é HTTP/1.1\r\nHost: a", "400"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip", "501"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x", "400"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999", "413"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", "400"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2", "400"),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\n b", "400"), ("GET / HTTP/1.1\nHost: a", "400"),
    ])
    func `a refused request has its status`(head: String, status: String) {
        #expect(request(head + "\r\n\r\n") == status)
    }

    @Test func `a head over the bound is refused`() {
        #expect(request(String(repeating: "a", count: HTTPRequestHead.bytesMax)) == "431")
    }
}
