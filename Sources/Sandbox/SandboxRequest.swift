// One request to the sandbox, as the API reads it: key, media type, decoded query.
//
// The API key lives as long as the request and is never logged.

import Wire

/// A request head with its fields taken apart.
struct SandboxRequest {
    let method: String
    /// The path, still percent-encoded.
    let path: String
    /// Decoded names and values in their order.
    let query: [(name: String, value: String)]
    /// The token of `Authorization: Bearer`; nil when the header is missing or of another scheme.
    let key: [UInt8]?
    /// The media type without parameters, lower case; empty when there is none.
    let mediaType: String
    let framing: HTTPBodyFraming

    init(_ request: HTTPRequest) {
        method = request.method
        path = request.path
        query = request.queryItems.map {
            (
                SandboxText.percentDecoded($0.name, plusIsBlank: true),
                SandboxText.percentDecoded($0.value, plusIsBlank: true)
            )
        }
        key = request.bearerToken
        let type = request.contentType
        let essence = type.split(separator: ";", omittingEmptySubsequences: false).first ?? ""
        mediaType = essence.filter { $0 != " " && $0 != "\t" }.lowercased()
        framing = request.framing
    }

    /// The first value of a query parameter.
    func value(_ name: String) -> String? { query.first { $0.name == name }?.value }

    /// Whether it is for what only the sandbox has: the inbox page and the calls for tests.
    var isForInbox: Bool { path == "/" || segments(below: "/sandbox") != nil }

    /// The decoded segments of the path below `prefix` ("/sandbox/messages"); nil when the path
    /// is another one.
    func segments(below prefix: String) -> [String]? {
        guard path == prefix || path.hasPrefix(prefix + "/") else { return nil }
        return path.dropFirst(prefix.count).split(separator: "/").map {
            SandboxText.percentDecoded($0)
        }
    }
}
