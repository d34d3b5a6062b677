
import Testing
import Wire

@testable import Relay

/// What a reader finds in bytes that come in pieces of these lengths.
private func read(_ bytes: [UInt8], cut: (Int) -> Int) -> [AdminRequestReader.Verdict] {
    var reader = AdminRequestReader()
    var verdicts: [AdminRequestReader.Verdict] = []
    var start = 0
    while start < bytes.count {
        let end = min(bytes.count, start + max(1, cut(start)))
        let piece = Array(bytes[start..<end])
        var offset = 0
        reading: while true {
            let verdict = reader.next(piece.span, &offset)
            switch verdict {
            case .needInput: break reading
            case .request: verdicts.append(verdict)
            case .invalid: return verdicts + [verdict]
            }
        }
        #expect(offset == piece.count)
        start = end
    }
    return verdicts
}

private func request(
    _ method: String, _ path: String, query: String = "", keepAlive: Bool = true
) -> AdminRequestReader.Verdict {
    .request(AdminRequest(method: method, path: path, query: query, keepAlive: keepAlive))
}

@Suite struct AdminRequestReaderTests {
    private static let inputs: [(String, [AdminRequestReader.Verdict])] = [
        ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", [request("GET", "/metrics")]),
        (
            "\r\n\r\nPUT /log-level?level=debug HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
            [request("PUT", "/log-level", query: "level=debug")]
        ),
        (
            "GET /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /b HTTP/1.0\r\n\r\nGET /c HTTP/1.1\r\nhost: y\r\n"
                + "Connection: close\r\n\r\n",
            [
                request("GET", "/a"), request("HEAD", "/b", keepAlive: false),
                request("GET", "/c", keepAlive: false),
            ]
        ),
        ("GET /unfinished HTTP/1.1\r\nHost", []),
        ("GET /a HTTP/1.1\r\n\r\n", [.invalid(status: 400, "no Host")]),
        ("GET /a\r\n\r\n", [.invalid(status: 400, "bad request line")]),
        (
            "\u{16}\u{3}\u{1}\nmore", [.invalid(status: 400, "A line does not end with CRLF.")]
        ),
        ("\nGET", [.invalid(status: 400, "A line does not end with CRLF.")]),
        (
            "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
            [.invalid(status: 413, "Requests have no body here.")]
        ),
        (
            "GET /" + String(repeating: "a", count: 5_000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
            [.invalid(status: 431, "The head of the request is too large.")]
        ),
    ]

    @Test func wholeAndInPieces() {
        var generator = SystemRandomNumberGenerator()
        for (text, wanted) in Self.inputs {
            let bytes = Array(text.utf8)
            #expect(read(bytes) { _ in bytes.count } == wanted, "\(text.prefix(60))")
            #expect(read(bytes) { _ in 1 } == wanted, "\(text.prefix(60))")
            for _ in 0..<50 {
                #expect(
                    read(bytes) { _ in Int.random(in: 1...40, using: &generator) } == wanted)
            }
        }
    }

    @Test func parametersOfTheQuery() {
        let request = AdminRequest(
            method: "GET", path: "/", query: "a=1&b&c=2=3&a=4", keepAlive: true)
        #expect(request.value("a") == "1")
        #expect(request.value("b") == "")
        #expect(request.value("c") == "2=3")
        #expect(request.value("d") == nil)
    }
}
