// A block of IP addresses as a flag names it (CIDR, RFC 4632 section 3.1): 192.0.2.0/24,
// 2001:db8::/32, or a single address.

/// A block of addresses.
public struct AddressBlock: Hashable, Sendable, CustomStringConvertible {
    private let high: UInt64
    private let low: UInt64
    /// How many of the 128 bits of an address count (IPv4 mapped into IPv6).
    private let prefixBits: Int
    private let isIPv6: Bool

    /// "192.0.2.0/24", "2001:db8::/32", "192.0.2.1"; nil for anything else, and for an address with
    /// bits after its prefix, which is likely to be a mistake.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let host = parts[0]
        let isIPv6 = host.contains(":")
        guard let address = SocketAddress(isIPv6 ? "[\(host)]:0" : "\(host):0"),
            address.isIPv6 == isIPv6
        else { return nil }
        var bits = isIPv6 ? 128 : 32
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
                let given = Int(parts[1]), given <= bits
            else { return nil }
            bits = given
        }
        self.isIPv6 = isIPv6
        prefixBits = isIPv6 ? bits : bits + 96
        (high, low) = address.addressBits
        guard AddressBlock.masked(high, low, prefixBits) == (high, low) else { return nil }
    }

    /// Whether `address` is one of them.
    public func contains(_ address: SocketAddress) -> Bool {
        guard address.isIPv6 == isIPv6 else { return false }
        let (high, low) = address.addressBits
        return AddressBlock.masked(high, low, prefixBits) == (self.high, self.low)
    }

    private static func masked(_ high: UInt64, _ low: UInt64, _ bits: Int) -> (UInt64, UInt64) {
        // A shift by 64 gives 0 in Swift: no bits count.
        let highMask = UInt64.max << UInt64(max(0, 64 - bits))
        let lowMask = UInt64.max << UInt64(min(64, 128 - bits))
        return (high & highMask, low & lowMask)
    }

    /// "192.0.2.0/24"
    public var description: String {
        let host = SocketAddress(high: high, low: low, port: 0).host
        return "\(host)/\(isIPv6 ? prefixBits : prefixBits - 96)"
    }
}
