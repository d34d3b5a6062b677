// The interface between the loop and the kernel: the loop asks for operations and pulls
// completions.
//
// It has the shape of a completion queue, because a backend that only reports readiness can emulate
// a completion queue by trying; the reverse costs copies. Three rules make every implementation
// possible: memory given to `send` stays valid until its completion; received memory belongs to the
// backend and is valid until the next completion is asked for; after `stopReceiving` nothing is
// delivered until `receive`, and the backend keeps what arrives in that time.

import Glibc

/// Names one use of one slot of a loop, as user data that the kernel carries.
///
/// Bits 0–31: slot; 32–55: generation, so that a late completion for a slot's earlier occupant is
/// recognised; 56–63: zero, free for the backend's own marks.
public struct Token: Hashable, Sendable {
    /// The bits as the kernel carries them.
    public let bits: UInt64

    /// The token with these bits.
    public init(bits: UInt64) { self.bits = bits }

    /// A token of a slot's `generation` (24 bits count).
    init(slot: Int, generation: UInt32) {
        bits = UInt64(UInt32(truncatingIfNeeded: slot)) | UInt64(generation & 0xFF_FFFF) << 32
    }

    /// Index into the tables of loop and backend.
    public var slot: Int { Int(UInt32(truncatingIfNeeded: bits)) }

    /// Which occupant of the slot is meant.
    var generation: UInt32 { UInt32(truncatingIfNeeded: bits >> 32) & 0xFF_FFFF }
}

/// The result of an operation. Error numbers are positive.
public enum Completion {
    /// A listener's next connection: its descriptor, not yet adopted, and where it comes from.
    case accepted(descriptor: Int32, peer: SocketAddress)
    /// No connection could be accepted (out of descriptors, out of memory); accepting has stopped.
    case acceptFailed(errno: Int32)
    /// A connection is up (0), or could not be made.
    case connected(errno: Int32)
    /// Bytes, valid until the next completion is asked for. None: the peer has ended its side.
    case received(UnsafeRawBufferPointer)
    /// Receiving failed, for good.
    case receiveFailed(errno: Int32)
    /// The kernel has taken this many bytes of the chain given to `send`; the rest must be sent
    /// again.
    case sent(byteCount: Int)
    /// Sending failed, for good.
    case sendFailed(errno: Int32)
    /// The backend holds nothing of this stream any more; follows a `close` that returned true.
    case released
}

/// A completion and the token of the operation that it completes.
public struct Event {
    /// As given to the operation.
    public let token: Token
    /// What happened.
    public let completion: Completion

    /// An event, for backends to make.
    public init(token: Token, completion: Completion) {
        self.token = token
        self.completion = completion
    }
}

/// The immediate result of `Backend.send`.
public enum SendOutcome {
    /// This many bytes are sent; there will be no completion.
    case sent(byteCount: Int)
    /// `Completion.sent` or `.sendFailed` will follow; until then the memory is the backend's.
    case pending
    /// Failed for good; there will be no completion.
    case failed(errno: Int32)
}

/// Moves bytes for one loop, on that loop's thread.
///
/// Descriptors are the backend's own numbers; no one else makes a system call with them.
public protocol Backend: AnyObject {
    /// The time on this backend's clock.
    func readClock() -> MonotonicTime
    /// Seconds since 1970 on this backend's wall clock, for dates that a peer sends.
    func readWallClock() -> Int64
    /// Lets writes to this eventfd end a `wait`. Called once, before anything else.
    func watch(wakeUp descriptor: Int32) throws(SystemError)

    /// A listening socket. `isShared`: with SO_REUSEPORT, as those of the other loops.
    /// `sendBufferBytes`: what the kernel keeps to send for each accepted connection (SO_SNDBUF,
    /// which it doubles); nil for the kernel's own choice.
    func listen(
        on address: SocketAddress, backlog: Int, isShared: Bool, sendBufferBytes: Int?
    ) throws(SystemError) -> Int32
    /// A listening socket of this backend that shares what `inherited` shows with others: closing
    /// it does not end their listening. Its options and flags are theirs, and stay as they are.
    func share(_ inherited: Int32) throws(SystemError) -> Int32
    /// Sets what a connection of a shared socket could not inherit: the options of every stream,
    /// and the send buffer as in `listen`.
    func setOptions(ofAccepted descriptor: Int32, sendBufferBytes: Int?)
    /// The address that a descriptor is bound to.
    func localAddress(of descriptor: Int32) -> SocketAddress?
    /// Accepts connections, one completion each, until `stopAccepting`, `close` or a failure.
    func accept(on descriptor: Int32, _ token: Token)
    /// Accepts no more; `accept` begins again.
    func stopAccepting(_ token: Token)
    /// Whether several backends that share a socket may lose a connection: only one of them is told
    /// of it, and that one may be gone before it accepts. Then `acceptOverlooked` finds it.
    var tellsOnlyOne: Bool { get }
    /// Looks for connections on a shared socket of which another backend was told, and accepts
    /// them.
    func acceptOverlooked(_ token: Token)

    /// Makes an accepted descriptor ready for `receive` and `send`; 0 or an error number.
    func adopt(_ descriptor: Int32, _ token: Token) -> Int32
    /// Begins to connect; the descriptor, or a negative error number (and no completion).
    func connect(to address: SocketAddress, _ token: Token) -> Int32

    /// Receives, one completion for each piece, until `stopReceiving`, the end, or a failure.
    func receive(_ token: Token)
    /// From now on a piece has at most this many bytes, `Stream.receiveBytesMax` at most and at first.
    func limitReceives(_ token: Token, to byteCount: Int)
    /// Delivers nothing from now on; what arrives is kept, by the kernel or by the backend.
    func stopReceiving(_ token: Token)
    /// Bytes that have arrived for a stream and were not delivered yet, as far as can be told.
    func unreadByteCount(_ token: Token) -> Int
    /// Bytes that the kernel has taken and the peer has not acknowledged, our FIN included (SIOCOUTQ).
    /// `Int.max` when that cannot be told.
    func unacknowledgedByteCount(_ token: Token) -> Int
    /// Acknowledges now what has been received, without waiting for something to send.
    func acknowledge(_ token: Token)
    /// Sends `first` and the slabs chained after it. One send at a time for each token. Slabs may
    /// be filled further and chained on in that time; what is in use must not move or be given
    /// back.
    func send(_ token: Token, first: Slab) -> SendOutcome
    /// Ends our side of a connection in order (FIN).
    func shutDown(_ token: Token)
    /// Closes a token's descriptor, with a reset if asked for; no completion follows except, when
    /// true is returned, `released`: until that comes, memory given to `send` is the backend's.
    func close(_ token: Token, withReset: Bool) -> Bool
    /// Closes a descriptor that was accepted and not adopted.
    func discard(_ descriptor: Int32)

    /// Passes the requested operations to the kernel, and waits for completions, at most for
    /// `milliseconds` (-1 for as long as it takes, 0 not at all).
    func wait(milliseconds: Int32)
    /// The next completion of this batch, or nil when it is used up.
    func next() -> Event?
    /// What has gone wrong with the backend itself so far.
    var trouble: BackendTrouble { get }
}

/// What has gone wrong with a backend itself, not with one of its sockets.
public struct BackendTrouble: Sendable {
    /// Refusals of the kernel so far, passing ones too.
    public var errorCount: Int
    /// The number of the error after which the backend cannot go on; 0 while it can.
    public var failureErrno: Int32
    /// The call that the kernel refused.
    public var operation: StaticString

    /// - Parameter operation: the call whose errors are counted.
    public init(operation: StaticString, errorCount: Int = 0, failureErrno: Int32 = 0) {
        self.operation = operation
        self.errorCount = errorCount
        self.failureErrno = failureErrno
    }
}

extension Backend {
    /// For backends that have no sockets of the kernel.
    public func share(_ inherited: Int32) throws(SystemError) -> Int32 {
        throw SystemError(operation: "share a socket", errno: ENOTSUP)
    }
    /// For backends that have no sockets of the kernel.
    public func setOptions(ofAccepted descriptor: Int32, sendBufferBytes: Int?) {}
    /// For backends without acknowledgements.
    public func acknowledge(_ token: Token) {}
    /// For backends whose pieces are small anyway.
    public func limitReceives(_ token: Token, to byteCount: Int) {}
    /// For backends that cannot fail.
    public var trouble: BackendTrouble { BackendTrouble(operation: "") }
    /// The kernel's wall clock.
    public func readWallClock() -> Int64 { Int64(time(nil)) }
}
