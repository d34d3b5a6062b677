// A listening socket on one loop; every loop has its own for the same port (SO_REUSEPORT), and the
// kernel spreads the connections over them.
//
// Out of descriptors or memory it rests for a second instead of spinning, and is counted.

/// What a listener tells its owner.
open class ListenerHandler {
    /// For subclasses.
    public init() {}
    /// A new connection; returns who handles its stream, or nil to close it at once. The stream
    /// itself comes with `streamAccepted`; with implicit TLS `streamOpened` follows the handshake.
    open func accepted(_ address: SocketAddress, on listener: Listener) -> StreamHandler? { nil }
}

/// A listening TCP socket with SO_REUSEPORT on one loop. Out of descriptors, it pauses and tries
/// again after a second instead of spinning.
public final class Listener {
    /// Rest after a failed accept.
    static let pauseMilliseconds = 1_000

    /// The loop that it belongs to.
    public let loop: Loop
    /// The bound address (the real port when 0 was asked for).
    public let address: SocketAddress
    /// Implicit TLS for every connection; nil for plaintext at first.
    public let tls: TLSContext?

    private var handler: ListenerHandler?
    private var token: Token
    private let descriptor: Int32

    /// - Parameters:
    ///   - tls: implicit TLS for every connection; nil for plaintext at first.
    ///   - backlog: connections that the kernel keeps until they are accepted.
    ///   - handler: held until `close`.
    /// - Throws: `SystemError` ("bind 0.0.0.0:25: Permission denied").
    public init(
        loop: Loop, address: SocketAddress, tls: TLSContext?, backlog: Int = 4_096,
        handler: ListenerHandler
    ) throws(SystemError) {
        self.loop = loop
        self.tls = tls
        self.handler = handler
        descriptor = try loop.backend.listen(on: address, backlog: backlog)
        self.address = loop.backend.localAddress(of: descriptor) ?? address
        token = loop.slots.reserve()
        loop.slots.occupy(token, .listener(self))
        loop.backend.accept(on: descriptor, token)
    }

    /// Stops accepting and closes the socket.
    public func close() {
        guard handler != nil else { return }
        handler = nil
        loop.wheel.disarm(token.slot)
        if !loop.backend.close(token, withReset: false) { loop.slots.release(token) }
    }

    /// The next connection, or the lack of one.
    func handle(_ completion: Completion) {
        switch completion {
        case .accepted(let descriptor, let peer): welcome(descriptor, peer)
        case .acceptFailed: rest()
        case .released: loop.slots.release(token)
        default: assertionFailure("not an operation of listeners: \(completion)")
        }
    }

    private func welcome(_ descriptor: Int32, _ peer: SocketAddress) {
        loop.counters.accepted += 1
        guard let streamHandler = handler?.accepted(peer, on: self) else {
            loop.counters.closed += 1
            return loop.backend.discard(descriptor)
        }
        Stream.accept(descriptor, from: peer, on: self, handler: streamHandler)
    }

    private func rest() {
        guard handler != nil else { return }
        loop.counters.acceptPauses += 1
        loop.wheel.arm(
            token.slot, at: loop.now.advanced(byMilliseconds: Listener.pauseMilliseconds))
    }

    /// The rest is over.
    func due() {
        if handler != nil { loop.backend.accept(on: descriptor, token) }
    }
}
