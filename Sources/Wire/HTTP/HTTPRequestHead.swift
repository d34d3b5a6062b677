// The head of an HTTP/1.1 request, for the sandbox and the admin endpoint (RFC 9112 3, 6.3).

/// A request head, for the sandbox and the admin endpoint. Ranges are into the input.
package struct HTTPRequestHead {
    package private(set) var method: Range<Int>
    /// Path and query, still percent-encoded: visible ASCII.
    package private(set) var target: Range<Int>
    package private(set) var framing: HTTPBodyFraming
    package private(set) var keepAlive: Bool
    package private(set) var expectsContinue: Bool
    package private(set) var authorization: Range<Int>?
    package private(set) var contentType: Range<Int>?
    package private(set) var host: Range<Int>?
    /// Whether `callField` is there, and not empty.
    package private(set) var hasCallField = false
    /// Bytes up to and including the blank line.
    package private(set) var headBytes: Int

    package enum Result {
        case needMore
        case head(HTTPRequestHead)
        /// The status to answer with (400, 413, 431, 501, 505) and why.
        case invalid(status: Int, String)
    }

    /// A field that no form of a web page can send, and that a script can send only with permission.
    package static let callField: StaticString = "X-Requested-By"

    /// Heads over this many bytes are refused.
    package static let bytesMax = 16_384

    /// - Parameter input: starts at the request line (one empty line before it is skipped, RFC 9112
    ///   2.2); call again with more after it.
    package static func parse(_ input: Bytes) -> Result {
        let window = input.extracting(0..<min(input.count, bytesMax))
        let start = window.count >= 2 && window[0] == 0x0D && window[1] == 0x0A ? 2 : 0
        guard let headBytes = HTTPHeadScanner.headEnd(window, from: start) else {
            return input.count < bytesMax ? .needMore : .invalid(status: 431, "head too large")
        }
        var scanner = HTTPHeadScanner(from: start)
        guard let line = scanner.line(window), let (method, target, version) = words(window, line)
        else { return .invalid(status: 400, "bad request line") }
        guard let minor = HTTPHeadScanner.minorVersion(window, version) else {
            return .invalid(status: 505, "version not supported")
        }
        var head = HTTPRequestHead(
            method: method, target: target, framing: .none, keepAlive: minor > 0,
            expectsContinue: false, headBytes: headBytes)
        var fields = HTTPFramingFields()
        while true {
            switch scanner.next(window) {
            case .field(let field):
                if let fault = fields.note(window, field) { return refusal(fault) }
                guard head.note(window, field) else {
                    return .invalid(status: 400, "repeated header field")
                }
            case .invalid(let reason): return .invalid(status: 400, reason)
            case .end: return head.framed(fields, isVersion10: minor == 0)
            }
        }
    }

    /// False for a second field of a kind that may come once.
    private mutating func note(_ input: Bytes, _ field: HTTPHeadScanner.Field) -> Bool {
        let name = input.extracting(field.name)
        if name.equalsIgnoringCase("host") {
            defer { host = field.value }
            return host == nil
        }
        if name.equalsIgnoringCase("authorization") {
            defer { authorization = field.value }
            return authorization == nil
        }
        if name.equalsIgnoringCase("content-type") {
            defer { contentType = field.value }
            return contentType == nil
        }
        if name.equalsIgnoringCase(Self.callField), !field.value.isEmpty { hasCallField = true }
        if name.equalsIgnoringCase("expect") {
            expectsContinue = input.extracting(field.value).equalsIgnoringCase("100-continue")
        }
        return true
    }

    private consuming func framed(_ fields: HTTPFramingFields, isVersion10: Bool) -> Result {
        if fields.isChunked && (fields.length != nil || isVersion10) {
            return .invalid(status: 400, "ambiguous framing")
        }
        if host == nil && !isVersion10 { return .invalid(status: 400, "no Host") }
        if fields.hasClose { keepAlive = false }
        if isVersion10 { expectsContinue = false }
        if fields.isChunked {
            framing = .chunked
        } else if let length = fields.length {
            framing = .length(length)
        }
        return .head(self)
    }

    private static func refusal(_ fault: HTTPFramingFields.Fault) -> Result {
        switch fault {
        case .badLength: .invalid(status: 400, "bad Content-Length")
        case .lengthTooLarge: .invalid(status: 413, "Content-Length too large")
        case .differingLengths: .invalid(status: 400, "differing Content-Lengths")
        case .unknownCoding: .invalid(status: 501, "transfer coding not implemented")
        case .repeatedCoding: .invalid(status: 400, "repeated Transfer-Encoding")
        }
    }

    /// Method, target and version between single spaces.
    private static func words(
        _ input: Bytes, _ line: Range<Int>
    ) -> (Range<Int>, Range<Int>, Range<Int>)? {
        guard let first = line.first(where: { input[$0] == 0x20 }),
            let last = line.last(where: { input[$0] == 0x20 }), first < last
        else { return nil }
        let method = line.lowerBound..<first
        let target = first + 1..<last
        guard HTTPHeadScanner.isToken(input, method), !target.isEmpty,
            target.allSatisfy({ input[$0] > 0x20 && input[$0] < 0x7F })
        else { return nil }
        return (method, target, last + 1..<line.upperBound)
    }
}
