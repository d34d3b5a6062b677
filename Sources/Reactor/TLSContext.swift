// STUB of the contract; the reactor's author replaces the bodies.

/// One SSL_CTX: certificates and policy, shared by all loops.
public final class TLSContext: Sendable {
    /// A server's: PEM chain and key from files.
    public static func server(certificateFile: String, keyFile: String) throws(TLSError)
        -> TLSContext
    { fatalError() }
    /// A server's from a new self-signed ECDSA P-256 certificate in memory, for `names` (DNS names
    /// and IP addresses), good for 30 days; `certificatePEM` shows it.
    public static func selfSignedServer(names: [String]) throws(TLSError) -> TLSContext {
        fatalError()
    }
    /// A client's: verifies against the system store, or `caFile` alone when given; checks the
    /// host name; keeps sessions per server name for resumption.
    public static func client(caFile: String?) throws(TLSError) -> TLSContext { fatalError() }
    /// A server's own certificate as PEM text.
    public var certificatePEM: String? { fatalError() }
    /// Seconds since 1970 when the server certificate ends.
    public var notAfter: Int64? { fatalError() }
}

/// What OpenSSL refused, on which file, in one line.
public struct TLSError: Error, Sendable, CustomStringConvertible {
    public let description: String
}

/// What was negotiated.
public struct TLSInfo: Sendable {
    /// "TLSv1.3"
    public let version: String
    /// "TLS_AES_128_GCM_SHA256"
    public let cipher: String
    public let resumed: Bool
}
