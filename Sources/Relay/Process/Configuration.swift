// Every setting of the relay as one value, after the flags have been read and checked.
//
// Flags make it, tests make it by hand; nothing else does. It never changes while the relay runs.

import Reactor

/// Where the Postscale API is: `https://api.postscale.io`, or plain HTTP to a loopback address.
struct APIEndpoint: Sendable, Equatable {
    var isTLS: Bool
    /// Name or address literal (without brackets), for DNS, SNI, verification and `Host`.
    var host: String
    var port: UInt16
    /// Path in front of `/v1/…`; empty, or begins with `/` and does not end with one.
    var basePath: String
    /// The value of the `Host` header.
    var authority: String
}

/// One listening socket.
struct ListenerSpec: Sendable, Equatable {
    var address: SocketAddress
    /// TLS from the first byte instead of STARTTLS.
    var isImplicitTLS: Bool
    /// The descriptor that the process was started with; nil for a socket of our own.
    var inherited: Int32?
}

/// The limits of one message and one session.
struct SessionLimits: Sendable, Equatable {
    var messageBytesMax = 52_428_800
    var recipientsMax = 100
    /// Between commands and between chunks of DATA.
    var idleTimeoutMilliseconds = 60_000
    var sessionTimeoutMilliseconds = 30 * 60_000
    /// Bytes a second, averaged after the first ten seconds of DATA.
    var dataRateMin = 1_024
    var commandLineBytesMax = 2_048
    var authLineBytesMax = 12_288
    /// Wrong commands in a session before 421.
    var errorsMax = 20
    /// Refused logins in a session before 421.
    var failedLoginsMax = 3
    /// Each refused login of a session but the first is answered this much later than the last.
    var failedLoginDelayMilliseconds = 1_000
}

/// Per-address bounds on hostile behaviour; a prefix is /64 for IPv6 and /24 for IPv4.
struct AbuseLimits: Sendable, Equatable {
    var connectionsPerAddressMax = 1_000
    var connectionsPerPrefixMax = 4_000
    /// Failed logins in ten minutes before an address is turned away.
    var failedLoginsPerAddressMax = 300
    var failedLoginsPerPrefixMax = 1_000
    /// TLS handshakes begun in a minute.
    var handshakesPerAddressMax = 6_000
    var handshakesPerPrefixMax = 24_000
}

/// How the message is mapped to the API's fields.
struct MappingOptions: Sendable, Equatable {
    var hasBareRecipients = false
    /// Sends `content_id` with inline parts.
    var hasInlineContentID = true
    /// Lower-case names of headers that are passed although they would not be.
    var passedHeaders: [String] = []
    var attachmentsMax = 10
    var attachmentBytesMax = 25 * 1_048_576
    var attachmentsBytesMax = 50 * 1_048_576
}

/// The API side: addresses, pool, clocks.
struct APIOptions: Sendable, Equatable {
    var endpoint: APIEndpoint
    /// PEM file that replaces the system's trust store.
    var caFile: String?
    var keyCheckPath = "/v1/emails?limit=1"
    /// From the final dot to the reply.
    var timeoutMilliseconds = 50_000
    var connectTimeoutMilliseconds = 10_000
    /// Connections of one loop, all addresses together.
    var connectionsMax = 256
    /// Calls of one loop that may wait for a connection.
    var queueMax = 10_000
    var idleTimeoutMilliseconds = 30_000
    var dnsTTLMilliseconds = 30_000
    var validKeyTTLMilliseconds = 60_000
    var refusedKeyTTLMilliseconds = 10_000
}

/// All settings.
struct Configuration: Sendable {
    var hostname: String
    var listeners: [ListenerSpec]
    /// Balancers: their connections begin with a PROXY header, which says whose they are.
    var proxies: [AddressBlock] = []
    var loops: Int
    var backend: BackendKind = .auto
    var limits = SessionLimits()
    var abuse = AbuseLimits()
    var mapping = MappingOptions()
    var api: APIOptions
    /// Request bodies up to this size are held whole; larger ones are cut through.
    var bufferThresholdBytes = 262_144
    var memoryBudgetBytes: Int
    /// Sessions of all loops together; more wait until one ends.
    var sessionsMax = Int.max
    var duplicateWindowMilliseconds = 600_000
    /// After SIGTERM, how long connections are still accepted, so that a balancer learns of the end
    /// before there is one.
    var drainDelayMilliseconds = 0
    var drainTimeoutMilliseconds = 30_000
    /// Of that, how long clients that have sent no message yet may go on to send one.
    var drainGraceMilliseconds = 0
    var hasEnhancedStatusCodes = false
    var hasVerboseReplies = false
    /// Whose sessions are written down; nil for nobody's.
    var trace: TraceRules?
    /// Where operators and their machines are answered; empty for nowhere.
    var admin: [SocketAddress] = []
    /// Where bodies beyond the threshold are spilled when they must be held.
    var temporaryFolder = "/tmp"
}
