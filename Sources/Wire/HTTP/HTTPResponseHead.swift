// The head of an HTTP/1.1 response, for the API's connections (RFC 9112 4, 6.3).
//
// It is read as the answer to POST or GET; the relay never sends HEAD or CONNECT. Heads with a
// status of 100 to 199 are announcements: the caller skips them and reads the next head.

/// A response head, taken apart. Ranges are into the input that was parsed.
package struct HTTPResponseHead {
    package private(set) var status: Int
    /// `.none` for 1xx, 204 and 304.
    package private(set) var framing: HTTPBodyFraming
    /// Whether the connection may be used again (HTTP/1.1 without `Connection: close`).
    package private(set) var keepAlive: Bool
    /// `X-Request-ID`, the first one.
    package private(set) var requestID: Range<Int>?
    /// The raw value, seconds or a date.
    package private(set) var retryAfter: Range<Int>?
    /// `Keep-Alive: timeout=N` (RFC 2068 19.7.1.1): the server closes the connection when it has been
    /// idle for so many seconds. The first one.
    package private(set) var keepAliveSeconds: Int?
    /// `Keep-Alive: max=N`: the server takes so many more requests on the connection. The first one.
    package private(set) var keepAliveRequests: Int?
    /// Bytes up to and including the blank line.
    package private(set) var headBytes: Int

    package enum Result {
        case needMore
        case head(HTTPResponseHead)
        case invalid(String)
    }

    /// Heads over this many bytes are refused.
    package static let bytesMax = 16_384

    /// Strict: both framings, differing Content-Lengths, obs-fold and bad names are invalid.
    /// - Parameter input: starts at the status line; call again with more after it.
    package static func parse(_ input: Bytes) -> Result {
        let window = input.extracting(0..<min(input.count, bytesMax))
        guard let headBytes = HTTPHeadScanner.headEnd(window, from: 0) else {
            return input.count < bytesMax ? .needMore : .invalid("response head too large")
        }
        var scanner = HTTPHeadScanner(from: 0)
        guard let line = scanner.line(window), let (status, minor) = statusLine(window, line) else {
            return .invalid("bad status line")
        }
        var head = HTTPResponseHead(
            status: status, framing: .none, keepAlive: minor > 0, requestID: nil,
            retryAfter: nil, keepAliveSeconds: nil, keepAliveRequests: nil, headBytes: headBytes)
        var fields = HTTPFramingFields()
        while true {
            switch scanner.next(window) {
            case .field(let field):
                if fields.note(window, field) != nil { return .invalid("bad framing") }
                head.note(window, field)
            case .invalid(let reason): return .invalid(reason)
            case .end: return head.framed(fields, isVersion10: minor == 0)
            }
        }
    }

    private mutating func note(_ input: Bytes, _ field: HTTPHeadScanner.Field) {
        let name = input.extracting(field.name)
        if requestID == nil, name.equalsIgnoringCase("x-request-id") {
            requestID = field.value
        } else if retryAfter == nil, name.equalsIgnoringCase("retry-after") {
            retryAfter = field.value
        } else if name.equalsIgnoringCase("keep-alive") {
            let list = input.extracting(field.value)
            keepAliveSeconds = keepAliveSeconds ?? Self.number(of: "timeout", in: list)
            keepAliveRequests = keepAliveRequests ?? Self.number(of: "max", in: list)
        }
    }

    /// Where the first `Content-Type` and `Server` of a head are, which tell whose answer an error is.
    /// - Parameter input: starts with a head that `parse` found valid.
    package static func origin(
        in input: Bytes
    ) -> (contentType: Range<Int>?, server: Range<Int>?) {
        var origin: (contentType: Range<Int>?, server: Range<Int>?)
        var scanner = HTTPHeadScanner(from: 0)
        guard scanner.line(input) != nil else { return origin }
        while case .field(let field) = scanner.next(input) {
            let name = input.extracting(field.name)
            if origin.contentType == nil, name.equalsIgnoringCase("content-type") {
                origin.contentType = field.value
            } else if origin.server == nil, name.equalsIgnoringCase("server") {
                origin.server = field.value
            }
        }
        return origin
    }

    /// The number of `name=N` in a list of parameters; at most 10^9. The number may be quoted.
    private static func number(of name: StaticString, in list: Bytes) -> Int? {
        var start = 0
        while start < list.count {
            let end = list.firstIndex(of: 0x2C, from: start) ?? list.count
            let parameter = list.extracting(list.trimmed(start..<end))
            if parameter.startsIgnoringCase(name),
                let equals = parameter.firstIndex(of: 0x3D, from: 0),
                parameter.trimmed(name.utf8CodeUnitCount..<equals).isEmpty
            {
                return number(
                    parameter.extracting(parameter.trimmed(equals + 1..<parameter.count)))
            }
            start = end + 1
        }
        return nil
    }

    private static func number(_ text: Bytes) -> Int? {
        var digits = 0..<text.count
        if text.count >= 2, text[0] == 0x22, text[text.count - 1] == 0x22 {
            digits = 1..<text.count - 1
        }
        guard !digits.isEmpty else { return nil }
        var number = 0
        for index in digits {
            guard text[index] &- 0x30 < 10 else { return nil }
            number = min(number * 10 + Int(text[index] - 0x30), 1_000_000_000)
        }
        return number
    }

    /// RFC 9112 6.3, in its order.
    private consuming func framed(_ fields: HTTPFramingFields, isVersion10: Bool) -> Result {
        if fields.isChunked && (fields.length != nil || isVersion10) {
            return .invalid("ambiguous framing")
        }
        if fields.hasClose { keepAlive = false }
        if status < 200 || status == 204 || status == 304 {
            // The head announces a body where none may be: the peer may send it anyway.
            if status != 304 && (fields.isChunked || fields.length ?? 0 > 0) { keepAlive = false }
        } else if fields.isChunked {
            framing = .chunked
        } else if let length = fields.length {
            framing = .length(length)
        } else {
            framing = .untilClose
            keepAlive = false
        }
        return .head(self)
    }

    /// `HTTP/1.1 202 Accepted`; the reason and the blank before it may be missing.
    private static func statusLine(_ input: Bytes, _ line: Range<Int>) -> (Int, UInt8)? {
        let start = line.lowerBound
        guard line.count >= 12, input[start + 8] == 0x20,
            let minor = HTTPHeadScanner.minorVersion(input, start..<start + 8)
        else { return nil }
        var status = 0
        for i in start + 9..<start + 12 {
            guard input[i] &- 0x30 < 10 else { return nil }
            status = status * 10 + Int(input[i] - 0x30)
        }
        guard (100..<600).contains(status), line.count == 12 || input[start + 12] == 0x20 else {
            return nil
        }
        return (status, minor)
    }
}
