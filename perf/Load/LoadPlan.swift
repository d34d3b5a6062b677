// What a load run does, as one value.

import Reactor

/// How the client secures its connections.
enum Security: String, CaseIterable, Codable, Sendable { case plain, starttls, tls }

/// Connections in addition to the measured ones.
struct Company: Codable, Equatable, Sendable {
    /// Logged in and silent, except for a NOOP every 30 s.
    var idle = 0
    /// Each sends one message after the other at `slowBytesPerSecond`.
    var slow = 0
    var slowBytesPerSecond = 4_096
    /// Each begins a message, resets the connection in the middle of it, and comes back.
    var vanishing = 0
}

/// One scenario against one server.
struct LoadPlan: Sendable {
    var server: SocketAddress
    /// For SNI and verification.
    var serverName = "localhost"
    var security = Security.starttls
    /// PEM of the authorities to trust; nil verifies against the system's.
    var caFile: String?
    var username = "postscale"
    /// nil: no AUTH.
    var password: String?
    /// Connections take turns with so many keys: `password` alone, or with a number after it.
    var keys = 1
    /// Connections at a time; in an open loop, the most that are kept open.
    var connections = 50
    var messagesPerConnection = 100
    var recipients = 1
    var mix = MessageMix.fixed(bytes: 4_096)
    /// MAIL, RCPT and DATA leave together.
    var isPipelining = false
    /// Content goes out by BDAT, in one chunk (RFC 3030), and not by DATA.
    var isChunked = false
    /// Later connections resume the first one's TLS session.
    var isResuming = false
    /// Messages that are accepted before measuring starts.
    var warmUpMessages = 0
    /// How many messages are measured; ignored where a duration is given.
    var messages = 1
    var durationMilliseconds: Int?
    /// Messages per second of an open loop; nil sends as fast as they are accepted.
    var ratePerSecond: Double?
    var company = Company()
    var sender = "sender@yourdomain.com"
    var recipientDomain = "example.com"

    /// Number of messages that are started; nil for as many as fit into the duration.
    var messagesInAll: Int? {
        guard let durationMilliseconds else { return warmUpMessages + messages }
        guard let ratePerSecond else { return nil }
        return warmUpMessages
            + max(1, Int((ratePerSecond * Double(durationMilliseconds) / 1_000).rounded()))
    }
}
