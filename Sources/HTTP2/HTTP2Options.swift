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
    /// A server that takes 50 MB in one request: all of it may be under way, so a long line is as fast as
    /// over HTTP/1.1, where TCP alone bounds what is under way. Of the connection's window a client
    /// keeps a part for other requests.
    package static let server = HTTP2Options(
        role: .server, streamWindowBytes: 64 * 1_048_576, connectionWindowBytes: 128 * 1_048_576,
        streamsMax: 256)
}
