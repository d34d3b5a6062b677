// What a service answers: status, header fields, body, and how the answer leaves (RFC 9112 4).

/// One HTTP answer.
package struct HTTPAnswer {
    /// How the answer leaves.
    package enum Delivery: Equatable {
        case now
        case after(milliseconds: Int)
        /// The connection stays open and silent until the client ends it.
        case never
        /// The connection is reset instead; over HTTP/2 the stream.
        case reset
    }

    package var status: Int
    package var contentType: String
    /// Further fields, in the order in which they are written. `Content-Type`, `Content-Length` and
    /// `Connection` are not for here.
    package var headers: [(name: String, value: String)] = []
    package var body: [UInt8]
    package var delivery = Delivery.now
    /// Ends the connection after this answer; over HTTP/2 after those of all streams that are open.
    package var closes = false

    package init(status: Int, contentType: String, body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// The status line and the header fields, the empty line included.
    func head(closes: Bool) -> String {
        var text = "HTTP/1.1 \(status) \(Self.reason(status))\r\n"
        text += "Content-Type: \(contentType)\r\nContent-Length: \(body.count)\r\n"
        for header in headers { text += "\(header.name): \(header.value)\r\n" }
        if closes { text += "Connection: close\r\n" }
        return text + "\r\n"
    }

    private static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 402: "Payment Required"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 413: "Content Too Large"
        case 415: "Unsupported Media Type"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 505: "HTTP Version Not Supported"
        default: "Status"
        }
    }
}
