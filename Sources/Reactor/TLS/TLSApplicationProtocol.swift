// Which protocol is spoken over TLS, agreed upon in the handshake (ALPN, RFC 7301).

import CEpoll.TLS

/// A protocol that both sides of a handshake may name.
public enum TLSApplicationProtocol: Sendable, Equatable {
    case http11, http2

    /// The name, with its length in front (RFC 7301 section 3.1).
    private var wireName: StaticString {
        switch self {
        case .http11: "\u{08}http/1.1"
        case .http2: "\u{02}h2"
        }
    }

    /// What a server accepts, best first.
    private static let served: StaticString = "\u{02}h2\u{08}http/1.1"

    /// A client's context offers these.
    static func offer(_ protocols: [Self], on context: OpaquePointer) {
        guard !protocols.isEmpty else { return }
        let names = protocols.flatMap { name in
            name.wireName.withUTF8Buffer { Array($0) }
        }
        SSL_CTX_set_alpn_protos(context, names, UInt32(names.count))
    }

    /// A server's context chooses the best that a client offers, and nothing when it offers none.
    static func letClientsChoose(_ context: OpaquePointer) {
        SSL_CTX_set_alpn_select_cb(
            context,
            { _, chosen, chosenCount, offered, offeredCount, _ in
                guard let chosen, let chosenCount, let offered else { return SSL_TLSEXT_ERR_NOACK }
                let served = TLSApplicationProtocol.served
                var choice: UnsafeMutablePointer<UInt8>?
                // The choice is a part of one of the two lists; both outlive the call.
                let result = SSL_select_next_proto(
                    &choice, chosenCount, served.utf8Start, UInt32(served.utf8CodeUnitCount),
                    offered, offeredCount)
                guard result == OPENSSL_NPN_NEGOTIATED, let choice else {
                    return SSL_TLSEXT_ERR_NOACK
                }
                chosen.pointee = UnsafePointer(choice)
                return SSL_TLSEXT_ERR_OK
            }, nil)
    }

    /// What the two sides have agreed upon; nil for nothing, and for what we don't know.
    init?(of ssl: OpaquePointer) {
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &name, &count)
        switch String(decoding: UnsafeBufferPointer(start: name, count: Int(count)), as: UTF8.self)
        {
        case "h2": self = .http2
        case "http/1.1": self = .http11
        default: return nil
        }
    }
}
