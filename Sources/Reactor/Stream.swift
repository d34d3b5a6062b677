// STUB of the contract; the reactor's author replaces the bodies.

/// Why a stream is no more.
public enum CloseReason: Equatable, Sendable {
    /// We asked for it (`finish` or `abort`).
    case local
    /// The peer closed in order (FIN; over TLS also without close_notify).
    case peer
    /// The kernel said no: `errno` of the failed call (ECONNRESET, EPIPE, ECONNREFUSED…).
    case system(errno: Int32)
    /// TLS failed: alert, bad record, verification. One printable line for the log.
    case tls(String)
}

/// What a stream tells its owner. Every method is called on the loop's thread, never re-entrantly
/// from inside a call that the owner makes on the stream.
open class StreamHandler {
    public init() {}
    /// The stream is ready for bytes: TCP connected and, where TLS was asked for, handshake done.
    /// Called again after `startTLS` has finished its handshake.
    open func streamOpened(_ stream: Stream) {}
    /// Bytes (plaintext) from the peer, all to be consumed or copied during the call; the memory is
    /// the loop's shared buffer. Not called while receiving is paused.
    open func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {}
    /// What was queued for sending has fallen below `Stream.lowWater` after having been above
    /// `Stream.highWater`.
    open func streamDrained(_ stream: Stream) {}
    /// The stream's deadline has passed. The deadline is cleared; the owner decides.
    open func streamTimedOut(_ stream: Stream) {}
    /// The last call, exactly once per stream, whatever ended it. Nothing may be written any more.
    open func streamClosed(_ stream: Stream, _ reason: CloseReason) {}
}

/// A TCP connection on one loop, with or without TLS: plaintext to and from its handler.
public final class Stream {
    /// Queued bytes above which `isAboveHighWater` holds.
    public static let highWater = 256 * 1024
    /// Queued bytes below which `streamDrained` is called.
    public static let lowWater = 64 * 1024

    public let loop: Loop
    public var handler: StreamHandler
    /// "192.0.2.1:4711", "[2001:db8::1]:4711"; made once.
    public var peerAddress: SocketAddress { fatalError() }
    public var localAddress: SocketAddress { fatalError() }
    /// Set once TLS is up.
    public var tls: TLSInfo? { fatalError() }
    /// Bytes (ciphertext) waiting for the kernel.
    public var queuedBytes: Int { fatalError() }
    public var isAboveHighWater: Bool { fatalError() }
    public var isClosed: Bool { fatalError() }

    init(loop: Loop, handler: StreamHandler) {
        self.loop = loop
        self.handler = handler
    }

    /// Opens a connection; the handler hears `streamOpened` or `streamClosed`, never during this
    /// call. `serverName` is for SNI, verification and the session cache of `tls`.
    public static func connect(
        loop: Loop, to address: SocketAddress, tls: TLSContext?, serverName: String,
        handler: StreamHandler
    ) -> Stream { fatalError() }

    /// Copies `bytes` into the gathering buffer; sent with everything else that is written before
    /// the current event is over (one record, one system call where it fits).
    public func write(_ bytes: Span<UInt8>) { fatalError() }
    /// The same for a text that lives as long as the program.
    public func write(_ text: StaticString) { fatalError() }
    /// Flushes what is gathered, then encrypts `bytes` (best: at most 16,384, one record) straight
    /// from the caller's memory, which is free again on return.
    public func writeRecord(_ bytes: Span<UInt8>) { fatalError() }

    /// Stops the delivery of `streamReceived` (and, soon, of reading from the socket).
    public func pauseReceiving() { fatalError() }
    public func resumeReceiving() { fatalError() }
    public var isReceivingPaused: Bool { fatalError() }

    /// Server side of STARTTLS: everything written so far leaves in plaintext, everything that
    /// arrives from now on is TLS. Plaintext that came in the same read is the caller's to refuse.
    public func startTLS(_ context: TLSContext) { fatalError() }

    /// One deadline a stream; setting it again is cheap (the wheel re-arms lazily).
    public var deadline: MonotonicTime {
        get { fatalError() }
        set { fatalError() }
    }

    /// Sends what is queued, then closes (close_notify, FIN); `streamClosed(.local)` follows.
    /// What still arrives is thrown away. Bounded by `lingerMilliseconds`.
    public func finish() { fatalError() }
    /// Closes at once, queued bytes thrown away; with a reset, so that the peer can't take what it
    /// got for complete. `streamClosed(.local)` follows at the end of the event.
    public func abort() { fatalError() }
}
