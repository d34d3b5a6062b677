// A TCP connection on one loop, with or without TLS: plaintext to and from its handler.
//
// This file holds what a stream is; the facets hold what it does: `+Opening`, `+Receiving`,
// `+Sending`, `+TLS`, `+Closing`. Calls of the owner only change state and queue bytes; `settle`,
// at the end of the event, does what follows from them. So a handler is never called from inside
// its own call on the stream, and everything written during one event leaves together.

/// A TCP connection on one loop, with or without TLS: plaintext to and from its handler.
public final class Stream {
    /// Queued bytes above which `isAboveHighWater` holds.
    public static let highWater = 256 * 1024
    /// Queued bytes below which `streamDrained` is called.
    public static let lowWater = 64 * 1024
    /// How long an ending stream waits for its peer, without progress, before it is closed.
    public static let lingerMilliseconds = 2_000
    /// How long it may do so in all, however slowly the peer takes what is queued.
    public static let lingerMillisecondsMax = 30_000

    /// Where a stream is in its life. It only moves down, except that `startTLS` leads back from
    /// open to handshaking.
    enum Phase: UInt8, Comparable {
        case connecting, handshaking, open
        /// Nothing is delivered or taken any more; what is queued leaves, then the stream closes.
        case draining
        case closed

        static func < (a: Phase, b: Phase) -> Bool { a.rawValue < b.rawValue }
    }

    /// The loop that it belongs to.
    public let loop: Loop
    /// Who is told; replaced by an inert one when the stream has ended.
    public var handler: StreamHandler
    /// "192.0.2.1:4711", "[2001:db8::1]:4711".
    public let peerAddress: SocketAddress
    /// Its slot on the loop.
    var token: Token
    var descriptor: Int32 = -1

    var phase: Phase
    /// In the loop's list of streams to settle.
    var isUnsettled = false
    /// The loop has been asked to receive for this stream.
    var isReceiveArmed = false
    /// Nothing is delivered until `resumeReceiving`.
    public internal(set) var isReceivingPaused = false
    /// The peer has ended its side, and the handler has still something to say.
    var isPeerEnded = false
    /// `streamDrained` is owed once the queue is below the low mark.
    var owesDrained = false
    /// The kernel takes no more bytes; what it still has for us is read before the stream ends.
    var isOutputDead = false
    /// To be closed when the event is over, with a reset if asked for.
    var isCondemned = false
    var closesWithReset = false
    /// Draining: our FIN is sent.
    var isShutDown = false
    /// Draining: the peer's end is waited for, so that our last bytes are not lost to a reset.
    var awaitsEnd = false
    /// Why the stream ends, once that is known.
    var closeReason: CloseReason?

    /// Bytes as they go over the wire.
    let output: OutputQueue
    /// Plaintext not yet encrypted: less than a record, or what was written before the handshake.
    var gathered = SlabChain()
    var gatheredByteCount = 0
    /// Ciphertext that came before receiving was paused and is not decrypted yet.
    var held = SlabChain()
    /// Since when the bytes that are delivered now may have been on this machine: when they were
    /// read from the kernel, or earlier when receiving was paused for long.
    public internal(set) var arrivedAt = MonotonicTime(nanoseconds: 0)
    var arrivals = ArrivalClock()
    /// The engine may have plaintext that needs no further ciphertext.
    var mayHavePlaintext = false
    var engine: TLSEngine?

    private var ownDeadline: MonotonicTime = .never
    /// When an ending stream is closed regardless.
    var lingerDeadline: MonotonicTime = .never
    /// The last moment that `lingerDeadline` may be moved to; set when the end begins.
    var lingerEnd: MonotonicTime = .never

    init(loop: Loop, handler: StreamHandler, peerAddress: SocketAddress, phase: Phase) {
        self.loop = loop
        self.handler = handler
        self.peerAddress = peerAddress
        self.phase = phase
        output = OutputQueue(pool: loop.slabs)
        token = loop.slots.reserve()
        loop.slots.occupy(token, .stream(self))
    }

    /// Our own end of the connection; 0.0.0.0:0 when it is closed or not yet connected.
    public var localAddress: SocketAddress {
        guard descriptor >= 0 else { return .none }
        return loop.backend.localAddress(of: descriptor) ?? .none
    }

    /// Set once TLS is up.
    public var tls: TLSInfo? { engine?.info }
    /// Bytes (ciphertext) waiting for the kernel, and plaintext waiting to be encrypted.
    public var queuedBytes: Int { output.byteCount + gatheredByteCount }
    /// More is queued than a writer should add to; `streamDrained` will follow.
    public var isAboveHighWater: Bool { queuedBytes > Stream.highWater }
    /// `streamClosed` has been, or is being, called.
    public var isClosed: Bool { phase == .closed }

    /// One deadline a stream; setting it again is cheap (the wheel re-arms lazily). `.never` means
    /// none. It holds in every phase, so also during a handshake and while the stream ends.
    public var deadline: MonotonicTime {
        get { ownDeadline }
        set {
            ownDeadline = newValue
            if newValue < .never, phase != .closed { loop.wheel.arm(token.slot, at: newValue) }
        }
    }

    /// The wheel has come to this stream's slot: a deadline has passed, or has moved.
    func due(_ now: MonotonicTime) {
        if lingerDeadline <= now { return giveUpLingering() }
        if ownDeadline <= now {
            ownDeadline = .never
            handler.streamTimedOut(self)
        }
        let next = min(ownDeadline, lingerDeadline)
        if phase != .closed, next < .never { loop.wheel.arm(token.slot, at: next) }
    }

    /// Does what follows from the event that is over; called by the loop, after every event that
    /// touched the stream.
    func settle() {
        if isCondemned { return close(closeReason ?? .local, withReset: closesWithReset) }
        if phase == .handshaking, !held.isEmpty { shakeHeldHands() }
        deliverHeld()
        flush()
        notifyDrained()
        advanceDraining()
        armReceiving()
    }
}
