// What a stream tells its owner, and why a stream ended.

/// Why a stream has ended.
public enum CloseReason: Equatable, Sendable {
    /// We asked for it (`finish` or `abort`).
    case local
    /// The peer closed in order (FIN; over TLS also without close_notify).
    case peer
    /// The kernel refused: `errno` of the failed call (ECONNRESET, EPIPE, ECONNREFUSED…).
    case system(errno: Int32)
    /// TLS failed: alert, bad record, verification. One printable line for the log.
    case tls(String)
}

/// What a stream tells its owner. Every method is called on the loop's thread, never re-entrantly
/// from inside a call that the owner makes on the stream.
open class StreamHandler {
    /// For subclasses.
    public init() {}
    /// A connection from a listener, before anything else and before any handshake: the moment to
    /// keep the stream and to set its deadline. Not called for streams from `Stream.connect`.
    open func streamAccepted(_ stream: Stream) {}
    /// Whether a listener's TLS waits: the handler reads plaintext first, and calls `startTLS`.
    /// Asked once, before `streamAccepted`.
    open var beginsInPlaintext: Bool { false }
    /// The stream is ready for bytes: TCP connected and, where TLS was asked for, handshake done.
    /// Called again after `startTLS` has finished its handshake.
    open func streamOpened(_ stream: Stream) {}
    /// Bytes (plaintext) from the peer, all to be consumed or copied during the call; the memory is
    /// the loop's shared buffer. Not called while receiving is paused.
    open func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {}
    /// The peer has ended its side (FIN or close_notify), and everything before it was delivered.
    /// True: the stream stays open for bytes that are still to be written, until `finish` or
    /// `abort`. False: what is queued leaves, and then the stream ends.
    open func streamPeerEnded(_ stream: Stream) -> Bool { false }
    /// The bytes queued for sending were above the stream's high mark (`StreamBounds`) and are now
    /// below its low mark.
    open func streamDrained(_ stream: Stream) {}
    /// The stream's deadline has passed. The deadline is cleared; the owner decides.
    open func streamTimedOut(_ stream: Stream) {}
    /// The last call, exactly once per stream, whatever ended it. Nothing may be written after it.
    open func streamClosed(_ stream: Stream, _ reason: CloseReason) {}
}
