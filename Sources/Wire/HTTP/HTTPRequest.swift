// One HTTP request without its body, copied out of the bytes of its connection (RFC 9112 3, RFC 9113
// 8.3.1).
//
// It owns all that it shows, so it can outlive the read that it came with. Its credentials live as
// long as it does; nobody logs them.

/// A request: its head, taken apart.
package struct HTTPRequest: Equatable {
    package let method: String
    /// Without the query, still percent-encoded.
    package let path: String
    /// After the `?`, still percent-encoded; empty when there is none.
    package let query: String
    /// The value of `Host`; nil without that field, which only HTTP/1.0 allows.
    package let host: String?
    /// The value of `Authorization`; nil without that field.
    package let authorization: [UInt8]?
    /// The value of `Content-Type` with its parameters; empty without that field.
    package let contentType: String
    /// Whether `HTTPRequestHead.callField` is there.
    package let hasCallField: Bool
    package let framing: HTTPBodyFraming
    /// Whether the client may send another request on the same connection.
    package let keepAlive: Bool
    /// Whether the client waits for `100 Continue` before it sends the body.
    package let expectsContinue: Bool

    /// Copies what `head` shows of `input`.
    package init(_ head: HTTPRequestHead, in input: Bytes) {
        func text(_ range: Range<Int>) -> String { input.extracting(range).copiedText() }
        self.init(
            method: text(head.method), target: text(head.target), host: head.host.map(text),
            authorization: head.authorization.map { input.extracting($0).copied() },
            contentType: head.contentType.map(text) ?? "", hasCallField: head.hasCallField,
            framing: head.framing, keepAlive: head.keepAlive,
            expectsContinue: head.expectsContinue)
    }

    /// A request of another version of HTTP.
    /// - Parameter target: path and query, still percent-encoded.
    package init(
        method: String, target: String, host: String?, authorization: [UInt8]?,
        contentType: String, hasCallField: Bool, framing: HTTPBodyFraming, keepAlive: Bool,
        expectsContinue: Bool
    ) {
        let pieces = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        self.method = method
        path = String(pieces[0])
        query = pieces.count > 1 ? String(pieces[1]) : ""
        self.host = host
        self.authorization = authorization
        self.contentType = contentType
        self.hasCallField = hasCallField
        self.framing = framing
        self.keepAlive = keepAlive
        self.expectsContinue = expectsContinue
    }

    /// Whether a body of at least one byte may follow.
    package var hasBody: Bool { framing != .none && framing != .length(0) }

    /// The token of `Authorization: Bearer`; nil without that field, for another scheme, and for an
    /// empty token (RFC 6750 2.1: the scheme without case, one or more blanks, the token).
    package var bearerToken: [UInt8]? {
        guard let authorization else { return nil }
        let value = authorization.span
        guard value.startsIgnoringCase("bearer ") else { return nil }
        let range = value.trimmed(7..<value.count)
        return range.isEmpty ? nil : value.extracting(range).copied()
    }

    /// The names and values of the query in their order, still percent-encoded. A name without a
    /// value has an empty one.
    package var queryItems: [(name: Substring, value: Substring)] {
        query.split(separator: "&").map { pair in
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (sides[0], sides.count > 1 ? sides[1] : "")
        }
    }

    /// The first value of a query parameter, still percent-encoded; nil when it is not there.
    package func value(_ name: String) -> String? {
        queryItems.first { $0.name == name }.map { String($0.value) }
    }
}
