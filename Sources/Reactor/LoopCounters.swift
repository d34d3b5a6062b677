// What a loop counts. Plain numbers, written on the loop's thread and read there.

/// Totals since the loop began.
public struct LoopCounters: Sendable {
    /// Turns of the loop.
    public var ticks: UInt64 = 0
    /// Connections accepted.
    public var accepted: UInt64 = 0
    /// Connections begun by us.
    public var connected: UInt64 = 0
    /// Streams that have ended, accepted or connected.
    public var closed: UInt64 = 0
    /// Bytes from the kernel, as on the wire.
    public var bytesReceived: UInt64 = 0
    /// Bytes to the kernel, as on the wire.
    public var bytesSent: UInt64 = 0
    /// Times a listener rested because there were no descriptors or no memory for a connection.
    public var acceptPauses: UInt64 = 0
    /// TLS handshakes finished.
    public var handshakesDone: UInt64 = 0
    /// TLS handshakes refused by either side, or broken off.
    public var handshakesFailed: UInt64 = 0
    /// Finished handshakes that resumed an earlier session.
    public var handshakesResumed: UInt64 = 0

    /// All zero.
    public init() {}
}
