// The header by which a balancer tells, at the start of a connection, whose connection it is:
// HAProxy's PROXY protocol, version 1 (a line of text) and version 2 (binary).
//
// The relay believes the header, so the reader must be given only bytes from a trusted balancer. A
// header that is not exactly right is bad; the reader never guesses.

import Glibc

/// The address and port of one end of a proxied connection.
package struct ProxyEndpoint: Equatable, Sendable {
    /// The address as 16 bytes (IPv4 mapped into IPv6), most significant first.
    package let high: UInt64
    package let low: UInt64
    package let port: UInt16

    package init(high: UInt64, low: UInt64, port: UInt16) {
        self.high = high
        self.low = low
        self.port = port
    }

    /// IPv4.
    init(ipv4 bits: UInt32, port: UInt16) {
        self.init(high: 0, low: 0xFFFF << 32 | UInt64(bits), port: port)
    }
}

/// What a header says.
package enum ProxyHeader: Equatable, Sendable {
    /// The connection is the balancer's own (a health check), or the balancer does not know whose
    /// it is.
    case local
    /// The balancer's client, and the address that it connected to.
    case proxied(source: ProxyEndpoint, destination: ProxyEndpoint)
}

/// Why a header is bad; for the log.
package enum ProxyHeaderError: String, Equatable, Sendable {
    case noHeader = "no PROXY header"
    case malformed = "malformed"
    case tooLong = "too long"
    case version = "unknown version"
    case family = "unknown family"
    case checksum = "wrong checksum"
}

/// Reads one header, in pieces of any size. Keeps what it has read: at most 107 bytes of version 1,
/// 4,096 of version 2.
package struct ProxyHeaderReader {
    /// How far the header is.
    package enum Step: Equatable {
        case needsInput
        case done(ProxyHeader)
        case bad(ProxyHeaderError)
    }

    /// The longest line of version 1, its end included.
    package static let lineBytesMax = 107
    /// The longest header of version 2. Values that a certificate's holder chose may make it long;
    /// the protocol promises only that 536 bytes can be received.
    package static let binaryBytesMax = 4_096
    /// Bytes of version 2 before the addresses.
    private static let prefixBytes = 16
    private static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]
    private static let lineStart = Array("PROXY ".utf8)

    private var header: [UInt8] = []

    package init() {}

    /// Takes bytes up to the end of the header and no more.
    /// - Returns: how many bytes of `input` belong to it. Must not be called again after the end.
    package mutating func take(_ input: Bytes) -> (used: Int, step: Step) {
        var used = 0
        while used < input.count {
            let byte = input[used]
            used += 1
            header.append(byte)
            let step = header[0] == Self.signature[0] ? advanceBinary() : advanceLine(byte)
            if step != .needsInput { return (used, step) }
        }
        return (used, .needsInput)
    }

    private func advanceLine(_ byte: UInt8) -> Step {
        let count = header.count
        if count <= Self.lineStart.count, byte != Self.lineStart[count - 1] {
            return .bad(.noHeader)
        }
        if byte == 0x0A {
            guard header[count - 2] == 0x0D else { return .bad(.malformed) }
            return ProxyLine.parse(header.span.extracting(0..<count - 2))
        }
        return count < Self.lineBytesMax ? .needsInput : .bad(.tooLong)
    }

    private func advanceBinary() -> Step {
        let count = header.count
        if count <= Self.signature.count {
            return header[count - 1] == Self.signature[count - 1] ? .needsInput : .bad(.noHeader)
        }
        guard count >= Self.prefixBytes else { return .needsInput }
        let total = Self.prefixBytes + Int(header[14]) << 8 + Int(header[15])
        guard total <= Self.binaryBytesMax else { return .bad(.tooLong) }
        return count < total ? .needsInput : ProxyBlock.parse(header)
    }
}

// MARK: - The two versions, once the header is there whole

/// Version 1: "PROXY TCP4 192.0.2.1 198.51.100.1 4711 587".
enum ProxyLine {
    static func parse(_ line: Bytes) -> ProxyHeaderReader.Step {
        let text = line.copiedText()
        if text == "PROXY UNKNOWN" || text.hasPrefix("PROXY UNKNOWN ") { return .done(.local) }
        let fields = text.split(separator: " ", omittingEmptySubsequences: false)
        guard fields.count == 6, fields[1] == "TCP4" || fields[1] == "TCP6" else {
            return .bad(.malformed)
        }
        let isIPv6 = fields[1] == "TCP6"
        guard let source = endpoint(fields[2], fields[4], isIPv6: isIPv6),
            let destination = endpoint(fields[3], fields[5], isIPv6: isIPv6)
        else { return .bad(.malformed) }
        return .done(.proxied(source: source, destination: destination))
    }

    private static func endpoint(
        _ host: Substring, _ port: Substring, isIPv6: Bool
    ) -> ProxyEndpoint? {
        guard let port = number(port), host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return nil
        }
        if isIPv6 {
            var raw = in6_addr()
            guard inet_pton(AF_INET6, String(host), &raw) == 1 else { return nil }
            return withUnsafeBytes(of: raw) {
                ProxyEndpoint(
                    high: UInt64(bigEndian: $0.load(as: UInt64.self)),
                    low: UInt64(bigEndian: $0.load(fromByteOffset: 8, as: UInt64.self)), port: port)
            }
        }
        var raw = in_addr()
        guard inet_pton(AF_INET, String(host), &raw) == 1 else { return nil }
        return ProxyEndpoint(ipv4: UInt32(bigEndian: raw.s_addr), port: port)
    }

    /// Decimal digits, without a zero in front.
    private static func number(_ text: Substring) -> UInt16? {
        guard text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            text == "0" || !text.hasPrefix("0")
        else { return nil }
        return UInt16(text)
    }
}

/// Version 2: 16 bytes, addresses, and values with a type and a length (TLVs).
enum ProxyBlock {
    private static let tlvStart = 16
    private static let checksumType: UInt8 = 0x03

    /// - Parameter header: the whole header; its signature and length are already checked.
    static func parse(_ header: [UInt8]) -> ProxyHeaderReader.Step {
        guard header[12] >> 4 == 2, header[12] & 15 <= 1 else { return .bad(.version) }
        let isLocal = header[12] & 15 == 0
        guard let addressBytes = addressBytes(family: header[13]) else {
            // The protocol wants a receiver of LOCAL to ignore the rest.
            return isLocal ? .done(.local) : .bad(.family)
        }
        let end = tlvStart + addressBytes
        guard header.count >= end else { return isLocal ? .done(.local) : .bad(.malformed) }
        if let error = check(header, from: end) { return .bad(error) }
        switch header[13] {
        case 0x11 where !isLocal:
            return .done(
                .proxied(
                    source: ProxyEndpoint(
                        ipv4: UInt32(big(header, 16, 4)), port: UInt16(big(header, 24, 2))),
                    destination: ProxyEndpoint(
                        ipv4: UInt32(big(header, 20, 4)), port: UInt16(big(header, 26, 2)))))
        case 0x21 where !isLocal:
            return .done(
                .proxied(
                    source: ProxyEndpoint(
                        high: big(header, 16, 8), low: big(header, 24, 8),
                        port: UInt16(big(header, 48, 2))),
                    destination: ProxyEndpoint(
                        high: big(header, 32, 8), low: big(header, 40, 8),
                        port: UInt16(big(header, 50, 2)))))
        default: return .done(.local)
        }
    }

    /// Length of the addresses of a family over TCP; nil for a family that cannot carry SMTP.
    private static func addressBytes(family: UInt8) -> Int? {
        switch family {
        case 0x00: 0
        case 0x11: 12
        case 0x21: 36
        case 0x31: 216  // The balancer's client used a Unix socket.
        default: nil
        }
    }

    private static func big(_ bytes: [UInt8], _ start: Int, _ count: Int) -> UInt64 {
        bytes[start..<start + count].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Steps over the TLVs and checks the checksum, if there is one.
    private static func check(_ header: [UInt8], from start: Int) -> ProxyHeaderError? {
        var offset = start
        while offset < header.count {
            guard offset + 3 <= header.count else { return .malformed }
            let length = Int(big(header, offset + 1, 2))
            let value = offset + 3
            guard value + length <= header.count else { return .malformed }
            if header[offset] == checksumType {
                guard length == 4 else { return .malformed }
                var zeroed = header
                for index in value..<value + 4 { zeroed[index] = 0 }
                guard UInt64(crc32c(zeroed)) == big(header, value, 4) else { return .checksum }
            }
            offset = value + length
        }
        return nil
    }

    /// CRC-32C (Castagnoli; RFC 9260 appendix A), bit by bit: there is at most one header per
    /// connection.
    static func crc32c(_ bytes: [UInt8]) -> UInt32 {
        var remainder = UInt32.max
        for byte in bytes {
            remainder ^= UInt32(byte)
            for _ in 0..<8 {
                remainder = remainder >> 1 ^ (remainder & 1 == 1 ? 0x82F6_3B78 : 0)
            }
        }
        return ~remainder
    }
}
