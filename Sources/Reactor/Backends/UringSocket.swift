// What the io_uring backend remembers of each socket: which requests the kernel has, and what was
// received while nobody wanted it.

import Glibc

/// The kinds of requests, as the upper byte of their user data; never 0.
enum Operation: UInt8 {
    case accept = 1
    case connect = 2
    case receive = 3
    case send = 4
    /// Waits for bytes without receiving them.
    case readable = 5

    init?(data: UInt64) { self.init(rawValue: UInt8(truncatingIfNeeded: data >> 56)) }

    /// User data of such a request on the socket of `token`.
    func data(_ token: Token) -> UInt64 { token.bits | UInt64(rawValue) << 56 }
}

/// Requests in flight on one socket, a bit each.
struct RequestSet {
    private var bits: UInt8 = 0

    var isEmpty: Bool { bits == 0 }
    func contains(_ operation: Operation) -> Bool { bits & 1 << operation.rawValue != 0 }
    mutating func insert(_ operation: Operation) { bits |= 1 << operation.rawValue }
    mutating func remove(_ operation: Operation) { bits &= ~(1 << operation.rawValue) }
}

/// What came while a socket was paused: bytes, the end (0), or a negative error number. The bytes
/// are a copy, so that paused sockets never use up the ring's buffers.
struct HeldPiece {
    let result: Int32
    /// `result` bytes, freed by whoever takes the piece; nil for the end and for errors.
    let memory: UnsafeMutableRawPointer?
}

/// One socket of the io_uring backend.
struct UringSocket: SlotSocket {
    static var nobody: UringSocket { UringSocket(token: Token(bits: .max), descriptor: -1) }

    var token: Token
    var descriptor: Int32
    var inFlight = RequestSet()
    /// `receive` (or `accept`) is wanted.
    var isReceiving = false
    /// Accepting was stopped once, for lack of room: from then on one connection is accepted at a
    /// time, because a multishot accept takes all that wait before anybody can stop it.
    var acceptsOneByOne = false
    /// `close` was called; requests are still in flight.
    var isClosing = false
    /// Stands in the queue of those with something to deliver.
    var isQueued = false
    /// Receives by system calls, as soon as the kernel has no receive of it in flight.
    var isBulk = false
    /// In bulk: a system call may find bytes, or the end, without waiting.
    var isReadable = false
    /// In bulk: bytes since the socket was waited for.
    var burstBytes = 0
    /// In bulk: bursts since the last one that was more than a small buffer holds.
    var smallBursts = 0
    /// Received since `stopReceiving`; nearly always empty, and without memory of its own then.
    var held: [HeldPiece] = []
}
