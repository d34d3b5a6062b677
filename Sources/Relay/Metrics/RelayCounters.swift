// What one loop counts. Plain integers: the loop adds, a scrape sums the loops.

import APIClient
import Mapping
import Reactor

/// Counters of one worker; add fields where something happens that an operator would ask for.
package struct RelayCounters: Sendable {
    package var sessionsAccepted = 0
    package var sessionsClosed = 0
    var commands = CommandCounts()
    var bareLineFeeds = 0
    var loginsAccepted = 0
    var loginsRefused = 0
    var loginsWrongUsername = 0
    var loginsUnavailable = 0
    /// The address had failed too often: its keys were not looked at any more.
    var loginsTurnedAway = 0
    var messages = MessageCounts()
    /// Messages whose client left while the API was asked; their outcome is in `messages` too.
    var messagesUnawaited = 0
    /// Submissions that were answered from the ledger.
    package var duplicatesAnswered = 0
    /// Submissions that came again while their first try was still being answered.
    var duplicatesPending = 0
    /// Recipients of a group that had the message from an earlier try.
    var duplicateRecipients = 0
    var contentBytes = 0
    var replies = CodeCounts()
    var losses = MappingLosses()

    // How long it took, as the turns of the loop saw it.

    /// From the connection, or the STARTTLS command, until TLS stands.
    var handshakeTimes = LatencyHistogram()
    /// From the key until the word on it.
    var loginTimes = LatencyHistogram()
    /// From 354 to the final dot.
    var dataTimes = LatencyHistogram()
    /// From the final dot to the reply.
    var answerTimes = LatencyHistogram()
}

extension RelayCounters {
    package var messagesAccepted: Int { messages.count(.accepted) }
    package var messagesUncertain: Int { messages.count(.uncertain) }
    /// Those whose client was gone before it had its reply.
    package var messagesAbandoned: Int { messages.count(.abandoned) + messagesUnawaited }
}

/// What one listener of one loop counts.
struct ListenerCounters: Sendable {
    /// Connections that became sessions.
    var accepted = 0
    /// Refused: an address or prefix had too many connections or failed logins.
    var overConnections = 0
    /// Refused: an address or prefix had too many handshakes.
    var overHandshakes = 0
    /// Closed unseen: no descriptor to spare.
    var overDescriptors = 0
    var handshakesTLS12 = 0
    var handshakesTLS13 = 0
    /// Handshakes that resumed an earlier session, of all versions.
    var handshakesResumed = 0
    /// Ended before TLS stood, by either side.
    var handshakesFailed = 0
    /// Of balancers, reset for what stood in front instead of a PROXY header.
    var headersBad = 0
    /// Of balancers, reset because no whole header had come in time.
    var headersLate = 0
    /// Of balancers, ended before a whole header had come.
    var headersMissing = 0

    mutating func count(_ tls: TLSInfo) {
        if tls.version == "TLSv1.3" { handshakesTLS13 += 1 } else { handshakesTLS12 += 1 }
        if tls.resumed { handshakesResumed += 1 }
    }
}
