// What one listener of one loop counts of its connections, and under which names it is shown.

import Reactor

/// Counters of one listener of one loop.
struct ListenerCounters: Sendable {
    /// Connections that became sessions.
    var accepted = 0
    /// Refused: an address or prefix had too many connections.
    var overConnections = 0
    /// Refused: an address or prefix had too many handshakes.
    var overHandshakes = 0
    /// Closed at once: no descriptor to spare.
    var overDescriptors = 0
    var handshakesTLS12 = 0
    var handshakesTLS13 = 0
    /// Handshakes of all versions, by the group of their key exchange.
    var groups = TLSGroupCounts()
    /// Handshakes that resumed an earlier session, of all versions.
    var handshakesResumed = 0
    /// Ended by either side before the TLS handshake was done.
    var handshakesFailed = 0
    /// Of balancers, reset because something else came instead of a PROXY header.
    var headersBad = 0
    /// Of balancers, reset because no whole header had come in time.
    var headersLate = 0
    /// Of balancers, ended before a whole header had come.
    var headersMissing = 0
}

extension ListenerCounters: CounterGroup {
    static let families: [CounterFamily<ListenerCounters>] = [
        .counter(
            "connections_total", "Connections that became sessions.", by: "listener", "mode",
            of: \.accepted, status: .value("connections")),
        .counters(
            "connections_refused_total", "Connections that were turned away, and why.",
            by: "listener", label: "reason",
            [
                "connections": \.overConnections, "handshakes": \.overHandshakes,
                "descriptors": \.overDescriptors,
            ], status: .sum("refused")),
        .counters(
            "tls_handshakes_total", "TLS handshakes of clients that were finished.",
            by: "listener", label: "version",
            ["TLSv1.2": \.handshakesTLS12, "TLSv1.3": \.handshakesTLS13],
            status: .one("tls12", of: "TLSv1.2"), .one("tls13", of: "TLSv1.3")),
        .counters(
            "tls_handshakes_groups_total",
            "Finished handshakes of clients by the group of their key exchange.",
            by: "listener", label: "group",
            [
                "X25519MLKEM768": \.groups.hybrid, "x25519": \.groups.x25519,
                "secp256r1": \.groups.p256, "secp384r1": \.groups.p384,
                "other": \.groups.other, "none": \.groups.none,
            ]),
        .counter(
            "tls_handshakes_resumed_total", "Finished handshakes that resumed a session.",
            by: "listener", of: \.handshakesResumed, status: .value("resumed")),
        .counter(
            "tls_handshakes_failed_total",
            "Connections that ended before their handshake was finished.", by: "listener",
            of: \.handshakesFailed, status: .value("failed")),
        .counters(
            "proxy_headers_refused_total",
            "Connections of balancers without a good PROXY header, by what was wrong.",
            by: "listener", label: "reason",
            [
                "malformed": \.headersBad, "timeout": \.headersLate, "closed": \.headersMissing,
            ]),
    ]
}

extension ListenerSpec {
    /// For metrics and the log.
    var modeWord: String { isImplicitTLS ? "implicit" : "starttls" }
}
