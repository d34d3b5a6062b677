// A listening socket on one loop. Every loop has its own for the same port (SO_REUSEPORT), and the
// kernel spreads the connections over them.
//
// If descriptors or memory run out, the listener rests for a second instead of spinning, and counts
// the rest. It rests for shorter times while its owner has no room: connections then wait in the
// kernel's backlog.

/// Why a listener accepts nothing for a while.
public enum ListenerPause: Equatable, Sendable {
    /// The owner has no room.
    case full
    /// The kernel could not hand out a connection: no descriptors, no memory.
    case failed(errno: Int32)
}

/// What a listener tells its owner.
open class ListenerHandler {
    /// For subclasses.
    public init() {}
    /// A new connection. Returns the handler of its stream, or nil to close it at once. The stream
    /// itself comes with `streamAccepted`; with implicit TLS `streamOpened` follows the handshake.
    open func accepted(_ address: SocketAddress, on listener: Listener) -> StreamHandler? { nil }
    /// Whether there is no room for one more. Asked after each connection, and again after each
    /// pause. A few connections that the kernel has accepted already may still follow.
    open var isFull: Bool { false }
    /// Nothing is accepted for a while; called at the beginning of each pause.
    open func paused(_ why: ListenerPause) {}
}

/// A listening TCP socket on one loop, usually with SO_REUSEPORT.
public final class Listener {
    /// Rest after a failed accept.
    static let pauseMilliseconds = 1_000
    /// Rest while the owner has no room.
    static let fullPauseMilliseconds = 100
    /// How often a listener looks at a shared queue for connections that the kernel announced to
    /// another process or loop only.
    static let overlookedMilliseconds = 250

    /// The loop that it belongs to.
    public let loop: Loop
    /// The bound address (the real port when 0 was asked for).
    public let address: SocketAddress
    /// Implicit TLS for every connection that is accepted from now on; nil for plaintext at first.
    public private(set) var tls: TLSContext?

    private var handler: ListenerHandler?
    private var isClosed = false
    private var token: Token
    private var isResting = false
    private let descriptor: Int32
    /// What each stream may bind until its owner raises it.
    let bounds: StreamBounds
    /// The socket is other processes' too; nothing is inherited from it.
    private let isInherited: Bool
    private let sendBufferBytes: Int?
    /// The queue may hold connections that the kernel announced to another process or loop only.
    private let looksAgain: Bool

    /// - Parameters:
    ///   - tls: implicit TLS for every connection; nil for plaintext at first.
    ///   - inherited: a listening socket that exists already, to be shared; it stays the caller's,
    ///     and so do its options and flags. Nil to bind one of its own.
    ///   - isShared: with SO_REUSEPORT. Without it the address is this socket's alone: a second one
    ///     is refused, by this process or another (EADDRINUSE).
    ///   - backlog: connections that the kernel keeps until they are accepted.
    ///   - bounds: what each of its streams may bind, until the stream's owner raises it.
    ///   - sendBufferBytes: what the kernel may keep to send for each connection (SO_SNDBUF, of
    ///     which it takes the double, for its own overhead); nil for its own choice, megabytes.
    ///   - handler: held until `close`.
    /// - Throws: `SystemError` ("bind 0.0.0.0:25: Permission denied").
    public init(
        loop: Loop, address: SocketAddress, tls: TLSContext?, inherited: Int32? = nil,
        isShared: Bool = true, backlog: Int = 4_096, bounds: StreamBounds = .stranger,
        sendBufferBytes: Int? = nil, handler: ListenerHandler
    ) throws(SystemError) {
        self.loop = loop
        self.tls = tls
        self.handler = handler
        self.bounds = bounds
        self.sendBufferBytes = sendBufferBytes
        isInherited = inherited != nil
        looksAgain = inherited != nil && loop.backend.tellsOnlyOne
        if let inherited {
            descriptor = try loop.backend.share(inherited)
        } else {
            descriptor = try loop.backend.listen(
                on: address, backlog: backlog, isShared: isShared,
                sendBufferBytes: sendBufferBytes)
        }
        self.address = loop.backend.localAddress(of: descriptor) ?? address
        token = loop.reserveSlot()
        loop.occupy(token, .listener(self))
        loop.backend.accept(on: descriptor, token)
        lookAgainLater()
    }

    /// Every connection that is accepted from now on has TLS with this context.
    public func use(_ tls: TLSContext) { self.tls = tls }

    /// Stops accepting and closes the socket. Connections that the backend has let in already may
    /// still come to the handler, until the end of the next tick.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        loop.disarm(token)
        if !loop.backend.close(token, withReset: false) { released() }
    }

    /// Closes, and closes every connection that still comes: the loop ends.
    func abandon() {
        handler = nil
        close()
    }

    private func released() {
        handler = nil
        loop.release(token)
    }

    /// The next connection, or a failure to accept one.
    func handle(_ completion: Completion) {
        switch completion {
        case .accepted(let descriptor, let peer): welcome(descriptor, peer)
        case .acceptFailed(let errno): rest(.failed(errno: errno))
        case .released: released()
        default: assertionFailure("not an operation of listeners: \(completion)")
        }
    }

    private func welcome(_ descriptor: Int32, _ peer: SocketAddress) {
        loop.count(.accepted)
        if isInherited {
            loop.backend.setOptions(ofAccepted: descriptor, sendBufferBytes: sendBufferBytes)
        }
        if let streamHandler = handler?.accepted(peer, on: self) {
            Stream.accept(descriptor, from: peer, on: self, handler: streamHandler)
        } else {
            loop.count(.closed)
            loop.backend.discard(descriptor)
        }
        guard let handler, !isClosed, handler.isFull else { return }
        loop.backend.stopAccepting(token)
        rest(.full)
    }

    private func rest(_ why: ListenerPause) {
        guard let handler, !isClosed else { return }
        if !isResting {
            isResting = true
            loop.count(.acceptPaused)
            handler.paused(why)
        }
        let milliseconds =
            why == .full ? Listener.fullPauseMilliseconds : Listener.pauseMilliseconds
        loop.arm(token, at: loop.now.advanced(byMilliseconds: milliseconds))
    }

    /// The rest is over if there is room; or it is time to look at the shared queue again.
    func due() {
        guard let handler else { return }
        if isResting {
            if handler.isFull { return rest(.full) }
            isResting = false
            loop.backend.accept(on: descriptor, token)
        } else {
            loop.backend.acceptOverlooked(token)
        }
        lookAgainLater()
    }

    private func lookAgainLater() {
        guard looksAgain else { return }
        loop.arm(
            token, at: loop.now.advanced(byMilliseconds: Self.overlookedMilliseconds))
    }
}
