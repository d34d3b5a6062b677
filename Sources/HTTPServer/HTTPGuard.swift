// Which requests may come from a web page in the operator's browser, and are therefore refused.
//
// A page of any site can send requests to this machine. Two checks stop it. `Host`: a page that has
// let its own name resolve to this machine (DNS rebinding) still sends that name. Calls that change
// something: a page may send a POST to another site only with a form's media types and without
// fields of its own (Fetch Standard 2.2.2, CORS-safelisted); for anything else the browser asks
// first, by OPTIONS, and no service here ever agrees. A pure function of the head; no state.

import Reactor
import Wire

/// What a server's services accept as `Host`, and how calls must look.
package struct HTTPGuard: Sendable {
    /// The field that every POST call must have, with any value that is not empty.
    package static let callField = "\(HTTPRequestHead.callField)"

    /// Why a request is refused.
    package enum Fault: Equatable {
        /// `Host` is neither an IP address, nor localhost, nor the server's own name.
        case foreignHost
        /// A POST whose body is not announced as JSON.
        case notJSON
        /// A POST without `HTTPGuard.callField`.
        case noCallField

        /// The status to answer with: 421 (RFC 9110 15.5.20), 415, 403.
        package var status: Int {
            switch self {
            case .foreignHost: 421
            case .notJSON: 415
            case .noCallField: 403
            }
        }

        /// What to tell the client.
        package var reason: String {
            switch self {
            case .foreignHost: "Host must be an IP address, localhost, or the name of --hostname"
            case .notJSON: "Content-Type must be application/json"
            case .noCallField: "the header field \(HTTPGuard.callField) is required"
            }
        }
    }

    /// In lower case, without a port; empty for none.
    private let hostname: String

    /// - Parameter hostname: the name that is accepted besides IP addresses and localhost; nil for
    ///   none.
    package init(hostname: String?) { self.hostname = hostname?.lowercased() ?? "" }

    /// The check of every request. A request without `Host` passes: only HTTP/1.0 allows it, and no
    /// browser sends it.
    package func fault(of request: HTTPRequest) -> Fault? {
        guard let host = request.host else { return nil }
        return accepts(host: host) ? nil : .foreignHost
    }

    /// The check of a request to a service's own calls: a POST needs JSON and the call field.
    package static func callFault(of request: HTTPRequest) -> Fault? {
        callFault(
            method: request.method, contentType: request.contentType,
            hasCallField: request.hasCallField)
    }

    /// - Parameter contentType: the field's value with its parameters; empty when there is none.
    package static func callFault(
        method: String, contentType: String, hasCallField: Bool
    ) -> Fault? {
        guard method == "POST" else { return nil }
        let type = contentType.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }
        guard type.lowercased() == "application/json" else { return .notJSON }
        return hasCallField ? nil : .noCallField
    }

    /// - Parameter host: the value of `Host`: a name or an address, with or without a port.
    package func accepts(host: String) -> Bool {
        guard let name = Self.withoutPort(host) else { return false }
        if name.hasPrefix("[") {
            return name.hasSuffix("]") && SocketAddress("\(name):0") != nil
        }
        let lower = name.lowercased()
        return lower == "localhost" || !lower.isEmpty && lower == hostname
            || SocketAddress("\(name):0") != nil
    }

    /// nil when what follows the name is no port: up to five digits, or none (RFC 3986 3.2.3).
    private static func withoutPort(_ host: String) -> Substring? {
        let end = host.lastIndex(of: "]").map { host.index(after: $0) } ?? host.startIndex
        guard let colon = host[end...].firstIndex(of: ":") else { return Substring(host) }
        let port = host[host.index(after: colon)...]
        let isPort = port.count <= 5 && port.utf8.allSatisfy { $0 &- 0x30 < 10 }
        return isPort ? host[..<colon] : nil
    }
}
