// STUB of the contract; the reactor's author replaces the bodies.

/// What a listener tells its owner.
open class ListenerHandler {
    public init() {}
    /// A new connection; returns who handles its stream, or nil to close it at once. With implicit
    /// TLS this comes before the handshake, `streamOpened` after it.
    open func accepted(_ address: SocketAddress, on listener: Listener) -> StreamHandler? { nil }
}

/// A listening TCP socket with SO_REUSEPORT on one loop. Out of descriptors, it pauses and tries
/// again after a second instead of spinning.
public final class Listener {
    public let loop: Loop
    /// The bound address (the real port when 0 was asked for).
    public var address: SocketAddress { fatalError() }
    public let tls: TLSContext?

    /// - Parameter tls: implicit TLS for every connection; nil for plaintext at first.
    /// - Throws: `SystemError` ("bind 0.0.0.0:25: Permission denied").
    public init(
        loop: Loop, address: SocketAddress, tls: TLSContext?, backlog: Int = 4_096,
        handler: ListenerHandler
    ) throws(SystemError) { fatalError() }
    /// Stops accepting and closes the socket.
    public func close() { fatalError() }
}

/// An IPv4 or IPv6 address and port.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// "0.0.0.0:587", "[::]:465", "127.0.0.1:0"; nil for anything else.
    public init?(_ text: String) { fatalError() }
    public var port: UInt16 { fatalError() }
    public var host: String { fatalError() }
    public var isLoopback: Bool { fatalError() }
    /// The address without its port as 16 bytes (IPv4 mapped), for per-address counting.
    public var addressBits: (UInt64, UInt64) { fatalError() }
    public var description: String { fatalError() }
    /// Blocking getaddrinfo; for helper threads and start-up only.
    public static func resolve(host: String, port: UInt16) throws(ResolveError) -> [SocketAddress] {
        fatalError()
    }
}

/// getaddrinfo's refusal in words.
public struct ResolveError: Error, Sendable, CustomStringConvertible {
    public let description: String
}
