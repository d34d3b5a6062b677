// Where the API is, and how its client behaves: each setting of this module, with its one default.

import Reactor

/// Where the Postscale API is: `https://api.postscale.io`, or plain HTTP to a loopback address.
package struct APIEndpoint: Sendable, Equatable {
    package var isTLS: Bool
    /// Name or address literal (without brackets), for DNS, SNI, verification and `Host`.
    package var host: String
    package var port: UInt16
    /// Path in front of `/v1/…`: empty, or it begins with `/` and does not end with one.
    package var basePath: String
    /// The value of the `Host` header.
    package var authority: String

    package init(isTLS: Bool, host: String, port: UInt16, basePath: String, authority: String) {
        self.isTLS = isTLS
        self.host = host
        self.port = port
        self.basePath = basePath
        self.authority = authority
    }
}

extension APIEndpoint {
    /// Postscale's own.
    package static let postscale = APIEndpoint(
        isTLS: true, host: "api.postscale.io", port: 443, basePath: "",
        authority: "api.postscale.io")
}

extension APIEndpoint: CustomStringConvertible {
    /// The URL.
    package var description: String { "\(isTLS ? "https" : "http")://\(authority)\(basePath)" }
}

/// Which HTTP is spoken to the API.
package enum APIHTTPChoice: String, Sendable, CaseIterable {
    /// Over TLS what the API prefers, else 1.1.
    case auto
    case http11 = "1.1"
    /// Nothing else; without TLS by prior knowledge (RFC 9113 section 3.3).
    case http2 = "2"

    /// What is offered in the handshake, best first (ALPN, RFC 7301).
    package var offered: [TLSApplicationProtocol] {
        switch self {
        case .auto: [.http2, .http11]
        case .http11: [.http11]
        case .http2: [.http2]
        }
    }
}

/// The settings of the API side: addresses, pool, times.
package struct APIOptions: Sendable, Equatable {
    package var endpoint: APIEndpoint
    /// The TLS context of the pool offers the same.
    package var http = APIHTTPChoice.auto
    /// PEM file that replaces the system's trust store.
    package var caFile: String?
    /// What a key is checked with, by GET.
    package var keyCheckPath = "/v1/emails?limit=1"
    /// From the final dot to the reply.
    package var timeoutMilliseconds = 50_000
    package var connectTimeoutMilliseconds = 10_000
    /// Connections of one loop, all addresses together.
    package var connectionsMax = 256
    /// Calls of one loop that may wait for a connection.
    package var queueMax = 10_000
    /// An idle connection is closed after this.
    package var idleTimeoutMilliseconds = 30_000
    /// Bytes of request bodies per second, at most, shared between customers; nil: no limit. Of all
    /// loops together, until `share` divides it.
    package var bytesPerSecondMax: Int?
    /// How long the answer of a name service is used.
    package var dnsTTLMilliseconds = 30_000

    package init(endpoint: APIEndpoint = .postscale) { self.endpoint = endpoint }

    /// Whether a connection may turn out to speak HTTP/2.
    var offersHTTP2: Bool { http == .http2 || http == .auto && endpoint.isTLS }

    /// The settings of one of so many loops.
    package func share(ofLoops loops: Int) -> APIOptions {
        var options = self
        options.bytesPerSecondMax = bytesPerSecondMax.map { max(1, $0 / max(1, loops)) }
        return options
    }
}
