// An IP address and port as a value: parsed from a flag, compared, hashed, shown.
//
// An IPv4 address inside IPv6 (RFC 4291 section 2.5.5.2) is an IPv4 address here, so that a client
// has one address, whichever listener it came through.

import CEpoll.System
import Glibc

/// An IPv4 or IPv6 address and port.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    private let high: UInt64
    private let low: UInt64
    private let scope: UInt32
    /// The port in host order.
    public let port: UInt16
    /// Whether the address is of IPv6 (IPv4 inside IPv6 counts as IPv4).
    public let isIPv6: Bool

    private static let mappedPrefix: UInt64 = 0xFFFF << 32

    private init(high: UInt64, low: UInt64, scope: UInt32, port: UInt16) {
        isIPv6 = high != 0 || low >> 32 != SocketAddress.mappedPrefix >> 32
        self.high = high
        self.low = low
        self.scope = scope
        self.port = port
    }

    /// The IPv4 address whose four bytes are `bits`, most significant first: 0x7F000001.
    public init(ipv4 bits: UInt32, port: UInt16) {
        self.init(
            high: 0, low: SocketAddress.mappedPrefix | UInt64(bits), scope: 0, port: port)
    }

    /// The address with these 16 bytes (IPv4 mapped), most significant first, as `addressBits` has
    /// them.
    public init(high: UInt64, low: UInt64, port: UInt16) {
        self.init(high: high, low: low, scope: 0, port: port)
    }

    /// 0.0.0.0:0, where there is no address to show.
    public static let none = SocketAddress(ipv4: 0, port: 0)

    /// "0.0.0.0:587", "[::]:465", "127.0.0.1:0"; nil for anything else.
    public init?(_ text: String) {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let port = UInt16(digits)
        else { return nil }
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        self.init(host: String(host), isIPv6: isBracketed, port: port)
    }

    private init?(host: String, isIPv6: Bool, port: UInt16) {
        if isIPv6 {
            var raw = in6_addr()
            guard inet_pton(AF_INET6, host, &raw) == 1 else { return nil }
            self.init(raw, scope: 0, port: port)
        } else {
            var raw = in_addr()
            guard inet_pton(AF_INET, host, &raw) == 1 else { return nil }
            self.init(ipv4: UInt32(bigEndian: raw.s_addr), port: port)
        }
    }

    private init(_ raw: in6_addr, scope: UInt32, port: UInt16) {
        let (high, low) = withUnsafeBytes(of: raw) {
            ($0.load(as: UInt64.self), $0.load(fromByteOffset: 8, as: UInt64.self))
        }
        self.init(
            high: UInt64(bigEndian: high), low: UInt64(bigEndian: low), scope: scope, port: port)
    }

    /// What the kernel filled in; nil for families other than IPv4 and IPv6.
    public init?(_ storage: sockaddr_storage) {
        switch Int32(storage.ss_family) {
        case AF_INET:
            let raw = withUnsafeBytes(of: storage) { $0.load(as: sockaddr_in.self) }
            self.init(
                ipv4: UInt32(bigEndian: raw.sin_addr.s_addr), port: UInt16(bigEndian: raw.sin_port))
        case AF_INET6:
            let raw = withUnsafeBytes(of: storage) { $0.load(as: sockaddr_in6.self) }
            self.init(
                raw.sin6_addr, scope: raw.sin6_scope_id, port: UInt16(bigEndian: raw.sin6_port))
        default:
            return nil
        }
    }

    /// Calls `body` with the address in the kernel's form, valid during the call.
    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var storage = sockaddr_storage()
        let size = fill(&storage)
        return withUnsafePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, size) }
        }
    }

    private func fill(_ storage: inout sockaddr_storage) -> socklen_t {
        withUnsafeMutableBytes(of: &storage) { raw in
            guard isIPv6 else {
                var address = sockaddr_in()
                address.sin_family = sa_family_t(AF_INET)
                address.sin_port = port.bigEndian
                address.sin_addr.s_addr = UInt32(truncatingIfNeeded: low).bigEndian
                raw.storeBytes(of: address, as: sockaddr_in.self)
                return socklen_t(MemoryLayout<sockaddr_in>.size)
            }
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            address.sin6_addr = rawIPv6
            address.sin6_scope_id = scope
            raw.storeBytes(of: address, as: sockaddr_in6.self)
            return socklen_t(MemoryLayout<sockaddr_in6>.size)
        }
    }

    private var rawIPv6: in6_addr {
        var raw = in6_addr()
        withUnsafeMutableBytes(of: &raw) {
            $0.storeBytes(of: high.bigEndian, as: UInt64.self)
            $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return raw
    }

    /// AF_INET or AF_INET6.
    var family: Int32 { isIPv6 ? AF_INET6 : AF_INET }

    /// The address without port or brackets: "192.0.2.1", "2001:db8::1".
    public var host: String {
        guard isIPv6 else {
            return "\(low >> 24 & 255).\(low >> 16 & 255).\(low >> 8 & 255).\(low & 255)"
        }
        var raw = rawIPv6
        return withUnsafeTemporaryAllocation(
            of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)
        ) { buffer in
            guard let start = buffer.baseAddress,
                inet_ntop(AF_INET6, &raw, start, socklen_t(buffer.count)) != nil
            else { return "::" }
            return String(cString: start)
        }
    }

    /// 127.0.0.0/8 or ::1.
    public var isLoopback: Bool {
        isIPv6 ? high == 0 && low == 1 : low >> 24 & 255 == 127
    }

    /// The address without its port as 16 bytes (IPv4 mapped), most significant first: for
    /// counting per address, or per prefix with a mask.
    public var addressBits: (UInt64, UInt64) { (high, low) }

    /// "192.0.2.1:4711", "[2001:db8::1]:4711".
    public var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Blocking getaddrinfo; for helper threads and start-up only.
    ///
    /// - Returns: the stream addresses in the system's order of preference, without repeats.
    public static func resolve(host: String, port: UInt16) throws(ResolveError) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        guard status == 0 else {
            throw ResolveError(description: "\(host): \(String(cString: gai_strerror(status)))")
        }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var cursor = list
        while let entry = cursor {
            if let address = SocketAddress(entry.pointee), !found.contains(address) {
                found.append(address)
            }
            cursor = entry.pointee.ai_next
        }
        guard !found.isEmpty else { throw ResolveError(description: "\(host): no IP address") }
        return found
    }

    private init?(_ entry: addrinfo) {
        guard let address = entry.ai_addr,
            Int(entry.ai_addrlen) <= MemoryLayout<sockaddr_storage>.size
        else { return nil }
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) {
            $0.copyMemory(
                from: UnsafeRawBufferPointer(start: address, count: Int(entry.ai_addrlen)))
        }
        self.init(storage)
    }
}

/// getaddrinfo's refusal in words.
public struct ResolveError: Error, Sendable, CustomStringConvertible {
    /// "api.example: Name or service not known".
    public let description: String
}
