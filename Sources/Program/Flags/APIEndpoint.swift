// Reads the API's base URL and checks it.

import APIClient
import ArgumentParser
import Reactor

extension APIEndpoint {
    /// Reads `https://host[:port][/path]`, or `http://` to a loopback address.
    /// - Throws: `ValidationError` that names the URL and what is wrong with it.
    init(url: String) throws {
        func refused(_ reason: String) -> ValidationError {
            ValidationError("--api-url \(url): \(reason).")
        }
        let rest: Substring
        let isTLS: Bool
        if url.hasPrefix("https://") {
            isTLS = true
            rest = url.dropFirst(8)
        } else if url.hasPrefix("http://") {
            isTLS = false
            rest = url.dropFirst(7)
        } else {
            throw refused("begin it with https://")
        }
        let hasOddBytes = rest.utf8.contains { $0 <= 0x20 || $0 >= 0x7F }
        guard !hasOddBytes, !rest.contains(where: { "?#@\"\\".contains($0) }) else {
            throw refused("give scheme, host, port and path alone, in ASCII")
        }
        let authority = String(rest.prefix { $0 != "/" })
        var basePath = String(rest.dropFirst(authority.count))
        while basePath.hasSuffix("/") { basePath.removeLast() }
        guard let (host, port) = Self.split(authority, defaultPort: isTLS ? 443 : 80) else {
            throw refused("the host or the port is not valid")
        }
        if !isTLS, !Self.isLoopback(host) {
            throw refused("plain http is for loopback addresses only; use https")
        }
        self.init(
            isTLS: isTLS, host: host, port: port, basePath: basePath, authority: authority)
    }

    private static func split(_ authority: String, defaultPort: UInt16) -> (String, UInt16)? {
        var host = Substring(authority)
        var portText: Substring?
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { return nil }
            host = authority[authority.index(after: authority.startIndex)..<close]
            let tail = authority[authority.index(after: close)...]
            guard tail.isEmpty || tail.hasPrefix(":") else { return nil }
            portText = tail.isEmpty ? nil : tail.dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            portText = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty, host.utf8.count <= 253 else { return nil }
        guard let portText else { return (String(host), defaultPort) }
        guard let port = UInt16(portText), port > 0 else { return nil }
        return (String(host), port)
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" { return true }
        let literal = host.contains(":") ? "[\(host)]:1" : "\(host):1"
        return SocketAddress(literal)?.isLoopback ?? false
    }
}
