// The header that a balancer puts in front of a connection to say whose it is: HAProxy's PROXY
// protocol, version 1 (a line of text) and version 2 (binary).
//
// What the balancer says is believed, so this must only be given the bytes of one that is trusted.
// A header that is not right to the letter is bad: there is no guessing.

/// Who a balancer's client is.
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
    /// The connection is the balancer's own (a health check), or it does not know whose it is.
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

/// Reads one header, in whatever pieces it comes. Keeps what it has read: 107 bytes of version 1 at
/// most, 4,096 of version 2.
package struct ProxyHeaderReader {
    /// Where the header stands.
    package enum Step: Equatable {
        case needsInput
        case done(ProxyHeader)
        case bad(ProxyHeaderError)
    }

    /// The longest line of version 1, its end included.
    package static let lineBytesMax = 107
    /// The longest header of version 2. What holders of certificates put into it may be long; the
    /// protocol promises no more than that 536 bytes can be received.
    package static let binaryBytesMax = 4_096
    /// Bytes of version 2 in front of the addresses.
    private static let prefixBytes = 16
    private static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]
    private static let lineStart = Array("PROXY ".utf8)

    private var header: [UInt8] = []

    package init() {}

    /// Takes bytes up to the end of the header and not one more.
    /// - Returns: how many bytes of `input` belong to it. Not to be called again after the end.
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
