// One request to the sandbox, its head copied out of the connection's buffer.
//
// Owns all that it shows, so that it can outlive the read that it came with. The API key is kept
// only as long as the request and is never logged.

import Wire

/// A request head with its target taken apart.
package struct SandboxRequest {
    package var method: String
    /// The path, still percent-encoded.
    package var path: String
    /// Decoded names and values in their order.
    var query: [(name: String, value: String)]
    /// The token of `Authorization: Bearer`; nil when the header is missing or of another scheme.
    package var key: [UInt8]?
    /// The media type without parameters, lower case; empty when there is none.
    var mediaType: String
    var framing: HTTPBodyFraming
    package var keepAlive: Bool
    var expectsContinue: Bool

    /// Copies what `head` shows of `input`.
    init(_ head: HTTPRequestHead, in input: Bytes) {
        func text(_ range: Range<Int>) -> String { input.extracting(range).copiedText() }
        let target = text(head.target)
        let pieces = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        method = text(head.method)
        path = String(pieces[0])
        query = pieces.count > 1 ? Self.query(pieces[1]) : []
        key = head.authorization.flatMap { Self.bearerToken(input.extracting($0)) }
        let type = head.contentType.map(text) ?? ""
        let essence = type.split(separator: ";", omittingEmptySubsequences: false).first ?? ""
        mediaType = essence.filter { $0 != " " && $0 != "\t" }.lowercased()
        framing = head.framing
        keepAlive = head.keepAlive
        expectsContinue = head.expectsContinue
    }

    /// The first value of a query parameter.
    func value(_ name: String) -> String? { query.first { $0.name == name }?.value }

    /// The decoded segments of the path behind `prefix` ("/sandbox/messages"); nil when the path
    /// is another one.
    func segments(behind prefix: String) -> [String]? {
        guard path == prefix || path.hasPrefix(prefix + "/") else { return nil }
        return path.dropFirst(prefix.count).split(separator: "/").map {
            SandboxText.percentDecoded($0)
        }
    }

    /// RFC 6750 2.1: the scheme without case, one or more blanks, the token.
    private static func bearerToken(_ value: Bytes) -> [UInt8]? {
        guard value.startsIgnoringCase("bearer ") else { return nil }
        let range = value.trimmed(7..<value.count)
        return range.isEmpty ? nil : value.extracting(range).copied()
    }

    private static func query(_ text: Substring) -> [(name: String, value: String)] {
        text.split(separator: "&").map { pair in
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (
                SandboxText.percentDecoded(sides[0], plusIsBlank: true),
                sides.count > 1 ? SandboxText.percentDecoded(sides[1], plusIsBlank: true) : ""
            )
        }
    }
}
