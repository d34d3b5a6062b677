// What a load run does, as one value.

import Reactor

/// How the client secures its connections.
enum Security: String, CaseIterable, Sendable { case plain, starttls, tls }

/// One scenario against one server.
struct LoadPlan: Sendable {
    var server: SocketAddress
    /// For SNI and verification.
    var serverName: String
    var security: Security
    /// PEM of the authorities to trust; nil verifies against the system's.
    var caFile: String?
    var username = "postscale"
    /// nil: no AUTH.
    var password: String?
    var connections: Int
    var messagesPerConnection: Int
    var recipients: Int
    /// Bytes of one message on the wire, headers included.
    var messageBytes: Int
    var isPipelining: Bool
    /// Messages that are sent before measuring starts.
    var warmUpMessages: Int
    var messages: Int
    var sender = "sender@yourdomain.com"
    var recipientDomain = "example.com"
}
