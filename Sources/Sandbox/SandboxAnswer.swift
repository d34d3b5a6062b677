// What the sandbox answers: status, body, and how (at once, late, never, with a reset).
//
// The API's errors come in three shapes, and a client must read all of them, so the sandbox uses
// all three, each in its own places: `.text` for keys, paths and outages; `.coded` for decisions
// about an account (403, 413, 422, 429); `.nested` for what is wrong with a request (400).

/// One HTTP answer.
struct SandboxAnswer {
    /// How the answer leaves.
    enum Delivery: Equatable {
        case now
        case after(milliseconds: Int)
        /// The connection stays open and silent.
        case never
        /// The connection is reset instead.
        case reset
    }

    /// The three shapes of an error body.
    enum ErrorShape {
        /// `{"error":"text"}`
        case text
        /// `{"error":"code","message":"text"}`
        case coded
        /// `{"error":{"code":"…","message":"…"}}`
        case nested
    }

    var status: Int
    var headers: [(name: String, value: String)] = []
    var contentType = "application/json"
    var body: [UInt8]
    var delivery = Delivery.now
    /// Ends the connection behind this answer.
    var closes = false

    /// An answer with a JSON body.
    init(status: Int, json: [UInt8]) {
        self.status = status
        body = json
    }

    /// An answer with a JSON body that needs no escaping.
    init(status: Int, json: String) { self.init(status: status, json: Array(json.utf8)) }

    /// An error in one of the API's shapes.
    static func error(
        _ status: Int, _ shape: ErrorShape, code: String = "", _ message: String
    ) -> SandboxAnswer {
        var json: [UInt8] = []
        switch shape {
        case .text:
            json.append(text: #"{"error":"#)
            json.append(jsonString: message)
            json.append(text: "}")
        case .coded:
            json.append(text: #"{"error":"#)
            json.append(jsonString: code)
            json.append(text: #","message":"#)
            json.append(jsonString: message)
            json.append(text: "}")
        case .nested:
            json.append(text: #"{"error":{"code":"#)
            json.append(jsonString: code)
            json.append(text: #","message":"#)
            json.append(jsonString: message)
            json.append(text: "}}")
        }
        return SandboxAnswer(status: status, json: json)
    }

    static func badRequest(_ message: String) -> SandboxAnswer {
        .error(400, .nested, code: "invalid_request", message)
    }

    static func unauthorized() -> SandboxAnswer {
        .error(401, .text, "invalid or revoked API key")
    }

    static func tooLarge(_ message: String) -> SandboxAnswer {
        .error(413, .coded, code: "request_too_large", message)
    }

    static func notFound() -> SandboxAnswer { .error(404, .text, "not found") }

    static func methodNotAllowed(_ allowed: String) -> SandboxAnswer {
        var answer = SandboxAnswer.error(405, .text, "method not allowed")
        answer.headers.append(("Allow", allowed))
        return answer
    }

    /// The head as it goes over the wire, blank line included.
    func head(requestID: String, closes: Bool) -> String {
        var text = "HTTP/1.1 \(status) \(Self.reason(status))\r\n"
        text += "Content-Type: \(contentType)\r\nContent-Length: \(body.count)\r\n"
        text += "X-Request-ID: \(requestID)\r\n"
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
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 409: "Conflict"
        case 413: "Content Too Large"
        case 415: "Unsupported Media Type"
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
