// What one loop counts of clients and messages: each counter, and under which name it is shown.
//
// Plain integers: the loop adds, a scrape sums the loops. A new counter is a field and its line in a
// list of families below, and then an addition where it happens; nothing else needs to know. A test
// misses a field without a line. docs/metrics.md lists the names.

import APIClient
import Mapping
import Reactor

/// Counters of one loop; add fields where something happens that an operator would ask for.
package struct RelayCounters: Sendable {
    package var sessionsAccepted = 0
    package var sessionsClosed = 0
    var commands = CommandCounts()
    var bareLineFeeds = 0
    var replies = CodeCounts()
    var loginsAccepted = 0
    var loginsRefused = 0
    var loginsWrongUsername = 0
    var loginsUnavailable = 0
    /// The address had failed too often; its keys were not looked at any more.
    var loginsTurnedAway = 0
    /// The key had more sessions than were free.
    var loginsOverShare = 0
    /// MAIL commands that were refused because a limit of the API still runs.
    var mailLimited = 0
    var messages = MessageCounts()
    /// Messages whose client left while the API was asked; their outcome is in `messages` too.
    var messagesUnawaited = 0
    /// Messages that stopped at a dot without CRLF around it, which ends none.
    var messagesUnended = 0
    var contentBytes = 0
    var losses = MappingLosses()
    /// Messages that were answered from the ledger.
    package var duplicatesAnswered = 0
    /// Messages that came again while their first try was still being answered.
    var duplicatesPending = 0
    /// Replies that did not wait any longer for records to be written.
    var ledgerWaitsOver = 0
    /// Recipients of a group that had the message from an earlier try.
    var duplicateRecipients = 0

    // What the bounds made wait or refused.

    /// Messages that waited for memory: so much was not free, or others were first.
    var memoryWaitsForBudget = 0
    /// The same: it was free, but the key would have held more than is left.
    var memoryWaitsForShare = 0
    /// Messages that found no memory in time, or never would have.
    var memoryRefused = 0
    var temporaryOverBudget = 0
    var temporaryOverShare = 0
    var temporaryWithoutFolder = 0
    var temporaryDiskErrors = 0
    /// Recipients that were one too many for the announced size.
    var groupsRefusedAtRcpt = 0
    var groupsRefusedInData = 0

    // How long it took, as the turns of the loop saw it.

    /// From the connection, or the STARTTLS command, until the TLS handshake is done.
    var handshakeTimes = LatencyHistogram()
    /// From the client's key until the answer about it.
    var loginTimes = LatencyHistogram()
    /// From 354 to the final dot.
    var dataTimes = LatencyHistogram()
    /// From the final dot to the reply.
    var answerTimes = LatencyHistogram()

    /// Nothing was counted.
    package init() {}
}

/// Messages and their bytes of content by outcome.
struct MessageCounts: Sendable {
    fileprivate(set) var counts = OutcomeCounts()
    fileprivate(set) var bytes = OutcomeCounts()

    mutating func count(_ kind: OutcomeKind, bytes contentBytes: Int) {
        counts.add(1, to: kind)
        bytes.add(contentBytes, to: kind)
    }
}

extension RelayCounters: CounterGroup {
    static let sessionFamilies: [CounterFamily<RelayCounters>] = [
        .counter("sessions_closed_total", "Sessions that have ended.", of: \.sessionsClosed),
        .counter(
            "commands_total", "Lines of clients by command.", of: \.commands, kind: "command"),
        .counter(
            "bare_line_feeds_total",
            "Command lines that ended without a carriage return, in sessions that have ended.",
            of: \.bareLineFeeds),
        .counter(
            "replies_total", "Replies to clients by code.", of: \.replies, kind: "code",
            status: .value("replies")),
        .counters(
            "logins_total", "Login attempts by outcome.", label: "outcome",
            [
                "accepted": \.loginsAccepted, "wrong-key": \.loginsRefused,
                "wrong-username": \.loginsWrongUsername, "unavailable": \.loginsUnavailable,
                "turned-away": \.loginsTurnedAway, "over-share": \.loginsOverShare,
            ], status: .object("logins")),
        .counter(
            "mail_limited_total", "MAIL commands refused because a limit of the API still runs.",
            of: \.mailLimited),
    ]
    static let messageFamilies: [CounterFamily<RelayCounters>] = [
        .counter(
            "messages_total", "Messages whose DATA began, by outcome.", of: \.messages.counts,
            kind: "outcome", status: .value("messages")),
        .counter(
            "message_bytes_total", "Bytes of content of messages by outcome.",
            of: \.messages.bytes, kind: "outcome"),
        .counter(
            "messages_unawaited_total", "Messages whose client left while the API was asked.",
            of: \.messagesUnawaited),
        .counter(
            "messages_unended_total",
            "Messages that stopped at a dot without CRLF around it, and so never ended.",
            of: \.messagesUnended),
        .counter(
            "content_bytes_total",
            "Bytes of content that arrived, of messages that were thrown away too.",
            of: \.contentBytes, status: .value("content_bytes")),
    ]
    static let lossFamilies: [CounterFamily<RelayCounters>] = [
        .counter(
            "message_losses_total", "What messages lost on the way to the API, by kind.",
            of: \.losses, kind: "kind", status: .value("losses"))
    ]
    static let timeFamilies: [CounterFamily<RelayCounters>] = [
        .counter(
            "handshake_seconds", "TLS handshakes of clients, from the connection or STARTTLS.",
            of: \.handshakeTimes, in: .histogram(step: 1), status: .value("handshake")),
        .counter(
            "login_seconds", "From a client's key until the word on it.", of: \.loginTimes,
            in: .histogram(step: 1), status: .value("login")),
        .counter(
            "data_seconds", "From 354 to the final dot.", of: \.dataTimes,
            in: .histogram(step: 1), status: .value("data")),
        .counter(
            "answer_seconds", "From the final dot to the reply.", of: \.answerTimes,
            in: .histogram(step: 1), status: .value("answer")),
    ]
    static let guardFamilies: [CounterFamily<RelayCounters>] = [
        .counters(
            "duplicates_total", "Hits of the duplicate guard, and what they came to.",
            label: "result",
            [
                "answered": \.duplicatesAnswered, "pending": \.duplicatesPending,
                "recipient-skipped": \.duplicateRecipients,
            ], status: .sum("duplicates")),
        .counter(
            "ledger_waits_over_total",
            "Replies to groups that did not wait any longer for their records to be written.",
            of: \.ledgerWaitsOver),
    ]
    static let boundFamilies: [CounterFamily<RelayCounters>] = [
        .counters(
            "memory_waits_total", "Times that a message waited for memory, by what was short.",
            label: "reason",
            ["budget": \.memoryWaitsForBudget, "share": \.memoryWaitsForShare],
            status: .object("memory_waits")),
        .counter(
            "memory_refused_total", "Messages that found no memory in time.",
            of: \.memoryRefused, status: .value("memory_refused")),
        .counters(
            "temporary_refused_total",
            "Messages that found no room in temporary files, by what was short.",
            label: "reason",
            [
                "budget": \.temporaryOverBudget, "share": \.temporaryOverShare,
                "folder": \.temporaryWithoutFolder, "disk": \.temporaryDiskErrors,
            ], status: .object("temporary_refused")),
        .counters(
            "groups_refused_total",
            "Messages or recipients over --group-bytes, by when it was known.", label: "at",
            ["rcpt": \.groupsRefusedAtRcpt, "data": \.groupsRefusedInData],
            status: .object("groups_refused")),
    ]

    package static let families =
        sessionFamilies + messageFamilies + lossFamilies + timeFamilies + guardFamilies
        + boundFamilies

    package static let unshown: [Counter<RelayCounters>] = [Counter(\.sessionsAccepted)]
}

extension SpillFailure {
    /// What counts messages that found no room for this reason.
    var counter: WritableKeyPath<RelayCounters, Int> {
        switch self {
        case .overBudget: \.temporaryOverBudget
        case .overShare: \.temporaryOverShare
        case .noFolder: \.temporaryWithoutFolder
        case .disk: \.temporaryDiskErrors
        }
    }
}

extension RelayCounters {
    package var messagesAccepted: Int { messages.counts[.accepted] }
    package var messagesUncertain: Int { messages.counts[.uncertain] }
    /// Those whose client was gone before it had its reply.
    package var messagesAbandoned: Int { messages.counts[.abandoned] + messagesUnawaited }
}
