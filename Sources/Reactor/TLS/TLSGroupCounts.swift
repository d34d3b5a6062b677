// Handshakes by the group of their key exchange (RFC 8446 section 4.2.7): plain data.

/// Counts of handshakes; the metrics of clients and of the API show them.
package struct TLSGroupCounts: Sendable, Equatable {
    /// X25519MLKEM768.
    package var hybrid = 0
    package var x25519 = 0
    package var p256 = 0
    package var p384 = 0
    package var other = 0
    /// A resumed session of TLS 1.2 has no key exchange.
    package var none = 0

    package init() {}

    /// Where handshakes with a group are counted.
    /// - Parameter group: of a `TLSInfo`.
    package static func place(of group: String) -> WritableKeyPath<TLSGroupCounts, Int> {
        switch group.lowercased() {
        case "x25519mlkem768": \.hybrid
        case "x25519": \.x25519
        case "secp256r1": \.p256
        case "secp384r1": \.p384
        case "": \.none
        default: \.other
        }
    }
}
