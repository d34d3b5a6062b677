// Answers of the admin listener and their heads.

/// One HTTP answer.
struct AdminAnswer {
    var status: Int
    var contentType = "text/plain; charset=utf-8"
    /// For 405.
    var allowed: String?
    var body: [UInt8]

    init(_ status: Int, _ text: String) {
        self.status = status
        body = Array((text + "\n").utf8)
    }

    init(_ status: Int, _ contentType: String, _ body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    static func json(_ body: [UInt8]) -> AdminAnswer {
        AdminAnswer(200, "application/json", body)
    }

    /// The status line and the header fields. Pages may run their own script and style and talk to
    /// this listener, and nothing else; nobody keeps a copy.
    func head(closes: Bool) -> String {
        var lines = [
            "HTTP/1.1 \(status) \(Self.phrase(status))",
            "Content-Type: \(contentType)",
            "Content-Length: \(body.count)",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "X-Frame-Options: DENY",
            "Content-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; "
                + "style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'",
        ]
        if let allowed { lines.append("Allow: \(allowed)") }
        if closes { lines.append("Connection: close") }
        return lines.joined(separator: "\r\n") + "\r\n\r\n"
    }

    private static func phrase(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 400: "Bad Request"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 413: "Content Too Large"
        case 431: "Request Header Fields Too Large"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 505: "HTTP Version Not Supported"
        default: "Status"
        }
    }
}
