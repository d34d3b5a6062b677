// How much memory one stream may bind, before and after its owner knows the peer.
//
// Anybody can connect, so what a stranger may bind is multiplied by all strangers: a stranger that
// asks without end and reads nothing binds two small slabs of replies, and 4 KiB of input. With
// OpenSSL's connection for TLS 1.2 (15 kB) and the session that is less than 32 kB. A client that has
// logged in gets what one fast transfer needs.

/// The marks of a stream's queued output, and the size of its receives.
public struct StreamBounds: Equatable, Sendable {
    /// Queued bytes above which `Stream.isAboveHighWater` holds, and an accepted stream stops
    /// receiving. What of the first slab is sent already counts too.
    public let outputHighWater: Int
    /// Bytes below which `streamDrained` is called, and receiving goes on.
    public let outputLowWater: Int
    /// Bytes of one receive at most, and so of what is left over when the stream stops in its
    /// middle; `Stream.receiveBytesMax` at most.
    public let receiveBytesMax: Int
    /// Bytes that are read and thrown away at most after the stream's own end; then it is closed.
    let discardBytesMax: Int
    /// Output is queued in blocks of 4 KiB instead of 16.
    let usesSmallSlabs: Bool

    /// Of accepted streams, until their owner raises them. One more reply of a KiB fits into two
    /// small slabs when the output is just below its mark.
    public static let stranger = StreamBounds(
        outputHighWater: 7 * 1_024, outputLowWater: 2 * 1_024, receiveBytesMax: 4_096,
        discardBytesMax: 65_536, usesSmallSlabs: true)
    /// Of accepted streams whose peer is known and sends much, but gets short replies: one that does
    /// not read them binds no more of them than a stranger.
    public static let uploader = StreamBounds(
        outputHighWater: stranger.outputHighWater, outputLowWater: stranger.outputLowWater,
        receiveBytesMax: known.receiveBytesMax, discardBytesMax: .max, usesSmallSlabs: true)
    /// Of streams that we opened, and of accepted ones whose owner trusts the peer.
    public static let known = StreamBounds(
        outputHighWater: Stream.highWater, outputLowWater: Stream.lowWater,
        receiveBytesMax: Stream.receiveBytesMax, discardBytesMax: .max, usesSmallSlabs: false)
}

extension Stream {
    /// The high mark of `StreamBounds.known`.
    public static let highWater = 256 * 1024
    /// Its low mark.
    public static let lowWater = 64 * 1024
    /// Plaintext bytes of one full TLS record (RFC 8446 section 5.1).
    public static let recordBytesMax = 16_384
    /// Bytes of one receive at most: eight full records of TLS 1.3, with what is around them. Half as
    /// many bytes cost a large message twice as many turns of the loop.
    package static let receiveBytesMax =
        8 * (TLSRecordSealer.headerBytes + TLSRecordOpener.bodyBytesMax)

    /// Where a stream is in its life. It only moves down, except that `startTLS` leads back from
    /// open to handshaking.
    package enum Phase: UInt8, Comparable {
        case connecting, handshaking, open
        /// Nothing is delivered or taken any more; what is queued leaves, then the stream closes.
        case draining
        case closed

        package static func < (a: Phase, b: Phase) -> Bool { a.rawValue < b.rawValue }
    }

    /// Whether a server has answered the ClientHello.
    enum HelloTurn: UInt8 {
        case notYet
        /// It is whole, and held until others have had their turn.
        case waiting
        case had
    }

    /// Which side opened the connection. It decides about back pressure.
    public enum Role: Sendable {
        /// A peer connected to our listener. Above the high mark of queued output the stream does not
        /// receive until less than the low mark is queued. Otherwise a peer that asks and does not
        /// read the answers could make us collect them.
        case accepted
        /// We connected. The stream receives while output is queued, because a server may answer
        /// before it has read the whole request (413, 429), and we must read that answer. The owner
        /// of such a stream bounds what it queues.
        case opened
    }
}

extension Stream {
    /// Writes a text that lives as long as the program.
    public func write(_ text: StaticString) { text.withUTF8Buffer { write($0.span) } }
}
