// What one loop counts of its calls to the API, and what its pool has at a moment.

import Reactor

/// Counters of one pool.
package struct PoolCounters: Sendable {
    package init() {}

    /// Answers to messages, and to checks of keys, by HTTP status.
    package var sendStatuses = CodeCounts()
    package var checkStatuses = CodeCounts()
    /// From when the request was whole until its answer; a wait for a connection is part of it.
    package var sendTimes = LatencyHistogram()
    package var checkTimes = LatencyHistogram()
    /// Requests that were put on a connection again, by how far they had come.
    package var retries = RetryCounts()
    /// Messages whose outcome nobody knows, because their connection broke or stayed silent.
    package var uncertain = 0

    // Calls that were not acted on and not tried again.

    package var notSentQueueFull = 0
    package var notSentNoAddress = 0
    /// No connection was free in time.
    package var notSentLate = 0
    /// Broken off, and the rule says no to another try.
    package var notSentBroken = 0

    mutating func answered(_ call: APICall, status: Int, at now: MonotonicTime) {
        let took = now.nanoseconds(since: call.askedAt)
        switch call.kind {
        case .send:
            sendStatuses.count(status)
            sendTimes.record(nanoseconds: took)
        case .checkKey:
            checkStatuses.count(status)
            checkTimes.record(nanoseconds: took)
        }
    }
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
                "partly-written": \.retries.partlyWritten, "key-check": \.retries.handedOver,
            ], status: .sum("retries")),
        .counters(
            "api_not_sent_total", "Calls that were certainly not acted on, and why.",
            label: "reason",
            [
                "queue-full": \.notSentQueueFull, "no-address": \.notSentNoAddress,
                "no-connection-in-time": \.notSentLate, "broken": \.notSentBroken,
            ], status: .sum("not_sent")),
    ]
    package static let doubtFamilies: [CounterFamily<PoolCounters>] = [
        .counter(
            "api_uncertain_total",
            "Calls for messages that broke, or were not answered, when the API may have acted.",
            of: \.uncertain, status: .value("uncertain"))
    ]
    package static let timeFamilies: [CounterFamily<PoolCounters>] = [
        .counters(
            "api_seconds",
            "Answered calls of the API, from the whole request, waiting for a connection included.",
            label: "call", ["send": \.sendTimes, "check": \.checkTimes], in: .histogram(step: 1),
            status: .one("api", of: "send"))
    ]

    package static let families =
        answerFamilies + failureFamilies + doubtFamilies + timeFamilies
}

/// Retries by how far the request had come.
package struct RetryCounts: Sendable {
    package var nothingWritten = 0
    package var partlyWritten = 0
    /// Reads only.
    package var handedOver = 0

    mutating func count(_ progress: RequestProgress) {
        switch progress {
        case .nothingWritten: nothingWritten += 1
        case .partlyWritten: partlyWritten += 1
        case .handedOver: handedOver += 1
        }
    }
}

/// One address of the API as a pool sees it.
package struct AddressReport: Sendable {
    package enum Health: String, Sendable { case healthy, resting, probing }

    package var address: SocketAddress
    package var health: Health
    /// In the latest answer of name resolution.
    package var isListed: Bool
    package var opening: Int
    package var idle: Int
    package var busy: Int
    /// Since the address became known.
    package var calls: Int
    package var connectionsOpened: Int
    package var connectionsFailed: Int
}

/// What a pool has at a moment.
package struct PoolReport: Sendable {
    package var counters: PoolCounters
    package var addresses: [AddressReport]
    /// Calls that wait for a connection.
    package var queued: Int
    /// An address is believed to work, and not only to have rested enough to be tried again.
    package var isReady: Bool
}

extension ConnectionPool {
    /// Has the addresses of the API looked at, without a call.
    package func probe() {
        machine.probe()
        serviceLater()
    }

    /// The API did not read the request by its deadline.
    func notTaken(_ call: APICall) {
        counters.notSentBroken += 1
        finish(call, .notSent(reason: "the API did not take the request in time"))
    }

    /// What it has now. On the loop's thread.
    package var report: PoolReport {
        let addresses = machine.addresses
        let reports = addresses.indices.compactMap { index -> AddressReport? in
            let entry = addresses[index]
            guard entry.isListed || entry.connectionCount > 0 else { return nil }
            return AddressReport(
                address: entry.socketAddress, health: AddressReport.Health(entry.health),
                isListed: entry.isListed, opening: entry.opening, idle: entry.idle.count,
                busy: entry.busy, calls: entry.calls, connectionsOpened: entry.opened,
                connectionsFailed: entry.failed)
        }
        return PoolReport(
            counters: counters, addresses: reports, queued: machine.queue.count,
            isReady: reports.contains { $0.isListed && $0.health == .healthy })
    }
}

extension AddressReport.Health {
    init(_ health: AddressTable.Health) {
        switch health {
        case .healthy: self = .healthy
        case .resting: self = .resting
        case .probing: self = .probing
        }
    }
}
