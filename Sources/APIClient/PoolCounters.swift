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

    package init() {}
}

/// Retries, by how far the request had got.
package struct RetryCounts: Sendable {
    package var nothingWritten = 0
    package var partlyWritten = 0
    /// Checks of keys only.
    package var handedOver = 0
}
