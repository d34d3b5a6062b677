// The settings of the sandbox: where it listens, what it keeps, how slow "slow" is.
//
// Flags or a test make them; they never change while the sandbox runs. The limits of the API are
// apart from the settings, because nobody can set them.

import Reactor

/// Settings of a `SandboxServer`.
package struct SandboxOptions: Sendable {
    /// Where to listen; port 0 picks a free one.
    package var addresses: [SocketAddress]
    /// HTTPS with this certificate; nil for plain HTTP.
    package var tls: TLSContext?
    /// The name that `Host` may have besides IP addresses and localhost; nil for none.
    package var hostname: String?
    /// Folder that accepted messages are written to; nil keeps them in memory. It must exist.
    var storeFolder: String?
    /// Accepted messages remembered; the oldest are forgotten (files in `storeFolder` stay).
    var messagesMax = 1_000
    /// Bytes of accepted requests held in memory; the oldest are forgotten.
    var messageBytesMax = 256 * 1_048_576
    /// How long `ps_test_slow` waits with its answer.
    package var slowMilliseconds: Int
    /// Faults that messages meet from the start.
    var chaos = SandboxChaos()
    /// How long a connection may be silent, between requests and inside one.
    var idleTimeoutMilliseconds = 60_000
    /// Connections at the same time; further ones are closed at once.
    var connectionsMax = 4_096
    /// Bytes of requests that are still arriving, over all connections; above it the answer is 503.
    var uploadBytesMax = 2_048 * 1_048_576

    /// Where the sandbox listens when it is told nothing else.
    package static let usualAddress = SocketAddress(ipv4: 0x7F00_0001, port: 8587)

    package init(
        addresses: [SocketAddress] = [Self.usualAddress], tls: TLSContext? = nil,
        hostname: String? = nil, storeFolder: String? = nil,
        slowMilliseconds: Int = 3_000, chaos: SandboxChaos = SandboxChaos()
    ) {
        self.addresses = addresses
        self.tls = tls
        self.hostname = hostname
        self.storeFolder = storeFolder
        self.slowMilliseconds = slowMilliseconds
        self.chaos = chaos
    }
}

/// The limits that the Postscale API and its official clients enforce.
package struct SandboxLimits: Sendable {
    /// A whole JSON request: 80 MiB.
    var requestBytesMax = 80 * 1_048_576
    var attachmentsMax = 10
    /// One attachment, decoded: 25 MiB.
    var attachmentBytesMax = 25 * 1_048_576
    /// All attachments, decoded: 50 MiB.
    var attachmentsBytesMax = 50 * 1_048_576
    /// Page size of `GET /v1/emails` when none is asked for.
    var pageSizeDefault = 50
    var pageSizeMax = 100

    /// The API's own; tests have smaller ones.
    static let api = SandboxLimits()
}
