// What one loop counts of its calls to the API: plain data. `ConnectionPool` counts; the metrics get
// a copy and add it to those of the other loops.

import Reactor

/// Counters of one pool.
package struct PoolCounters: Sendable {
    /// Answers to messages, and to checks of keys, by HTTP status.
    package var sendStatuses = CodeCounts()
    package var checkStatuses = CodeCounts()
    /// From the moment when the request was whole until its answer, with the wait for a connection.
    package var sendTimes = LatencyHistogram()
    package var checkTimes = LatencyHistogram()
    /// Requests that were put on a connection again, by how far they had got.
    package var retries = RetryCounts()
    /// Messages whose outcome nobody knows, because their connection broke or stayed silent.
    package var uncertain = 0

    // Calls that were not acted on and not tried again.

    package var notSentQueueFull = 0
    package var notSentNoAddress = 0
    /// No connection was free in time.
    package var notSentLate = 0
    /// The connection broke, or the API did not read in time, and the rule allows no other try.
    package var notSentBroken = 0

    // HTTP/2 connections that the relay has given up.

    /// Nothing came, and a PING had no answer.
    package var connectionsSilent = 0
    /// The peer broke the protocol, or sent too much of something.
    package var connectionsFaulty = 0

    package var bounds = PoolBoundCounts()
    /// TLS handshakes with the API.
    package var groups = TLSGroupCounts()

    package init() {}
}

/// What the bounds of one pool have delayed or refused, so that others lose nothing.
package struct PoolBoundCounts: Sendable, Equatable {
    /// Uploads that waited for their share of the connections.
    package var uploadsDelayed = 0
    /// Uploads that gave their connection to others, because the API takes fewer than was known.
    package var uploadsBrokenOff = 0
    /// Calls that gave their place in the full queue to a customer with fewer.
    package var pushedOut = 0
    /// Times that a connection was wanted and not opened, because the API takes no more.
    package var openingsHeld = 0
    /// Connections opened because the idle ones were too old for a message.
    package var connectionsTooOld = 0
    /// Uploads that broke because their client stalled: no fault of the API's address.
    package var clientFaults = 0
}

extension PoolCounters: CounterGroup {
    package static let answerFamilies: [CounterFamily<PoolCounters>] = [
        .counters(
            "api_responses_total", "Answers of the API by call and status.", label: "call",
            ["send": \.sendStatuses, "check": \.checkStatuses], kind: "status",
            status: .one("statuses", of: "send"))
    ]
    package static let failureFamilies: [CounterFamily<PoolCounters>] = [
        .counters(
            "api_retries_total", "Requests sent again, by how far they had come.", label: "reason",
            [
                "nothing-written": \.retries.nothingWritten,
                "partly-written": \.retries.partlyWritten,
                "unacknowledged": \.retries.unacknowledged, "refused": \.retries.refused,
                "key-check": \.retries.handedOver,
            ], status: .sum("retries")),
        .counters(
            "api_not_sent_total", "Calls that were certainly not acted on, and why.",
            label: "reason",
            [
                "queue-full": \.notSentQueueFull, "no-address": \.notSentNoAddress,
                "no-connection-in-time": \.notSentLate, "broken": \.notSentBroken,
            ], status: .sum("not_sent")),
        .counters(
            "api_connections_given_up_total", "HTTP/2 connections that the relay has given up.",
            label: "reason", ["silent": \.connectionsSilent, "fault": \.connectionsFaulty],
            status: .sum("given_up")),
    ]
    package static let boundFamilies: [CounterFamily<PoolCounters>] = [
        .counters(
            "api_bounds_total", "What was delayed or refused so that others lose nothing.",
            label: "bound",
            [
                "upload-share": \.bounds.uploadsDelayed,
                "upload-end": \.bounds.uploadsBrokenOff, "queue-place": \.bounds.pushedOut,
                "connection-limit": \.bounds.openingsHeld,
                "idle-age": \.bounds.connectionsTooOld,
                "client-stall": \.bounds.clientFaults,
            ], status: .object("bounds"))
    ]
    package static let doubtFamilies: [CounterFamily<PoolCounters>] = [
        .counter(
            "api_uncertain_total",
            "Calls for messages that broke, or were not answered, when the API may have acted.",
            of: \.uncertain, status: .value("uncertain"))
    ]
    package static let handshakeFamilies: [CounterFamily<PoolCounters>] = [
        .counters(
            "api_tls_handshakes_total",
            "Finished TLS handshakes with the API by the group of their key exchange.",
            label: "group",
            [
                "X25519MLKEM768": \.groups.hybrid, "x25519": \.groups.x25519,
                "secp256r1": \.groups.p256, "secp384r1": \.groups.p384,
                "other": \.groups.other, "none": \.groups.none,
            ])
    ]
    package static let timeFamilies: [CounterFamily<PoolCounters>] = [
        .counters(
            "api_seconds",
            "Answered calls of the API, from the whole request, waiting for a connection included.",
            label: "call", ["send": \.sendTimes, "check": \.checkTimes], in: .histogram(step: 1),
            status: .one("api", of: "send"))
    ]

    package static let families =
        answerFamilies + failureFamilies + boundFamilies + doubtFamilies + handshakeFamilies
        + timeFamilies
}

/// Retries, by how far the request had got.
package struct RetryCounts: Sendable {
    package var nothingWritten = 0
    package var partlyWritten = 0
    package var unacknowledged = 0
    /// Streams of HTTP/2 that the API did not act on.
    package var refused = 0
    /// Checks of keys only.
    package var handedOver = 0
}
