// The settings of an HTTP/2 session: windows, streams, bounds. They never change while it lives.

/// Settings of a session.
package struct HTTP2Options: Sendable {
    package enum Role: Sendable { case client, server }

    package var role: Role
    /// Bytes that the peer may send on one stream before it is given more.
    package var streamWindowBytes: Int
    /// The same for all streams together.
    package var connectionWindowBytes: Int
    /// Streams that a client may have open on this server at once.
    package var streamsMax: Int
    /// A head of more bytes, counted as RFC 9113 section 6.5.2 says, resets its stream.
    package var headBytesMax = 16_384
    /// Windows are opened as soon as bytes have come; else by `consumed`.
    package var opensWindows = true

    /// A client whose answers are small.
    package static let client = HTTP2Options(
        role: .client, streamWindowBytes: 65_535, connectionWindowBytes: 1_048_576, streamsMax: 0)
    /// A server that takes 50 MB in one request: 8 MiB under way are 160 MB/s over a line of 50 ms.
    /// A client that holds half of the connection's window for other requests reaches the same.
    package static let server = HTTP2Options(
        role: .server, streamWindowBytes: 8 * 1_048_576, connectionWindowBytes: 16 * 1_048_576,
        streamsMax: 256)
}
