// Everything that one loop has counted and has, as one value that may leave its thread.

import APIClient
import Reactor

/// One loop at one moment.
struct WorkerSnapshot: Sendable {
    var index: Int
    var loop: LoopCounters
    var gauges: LoopGauges
    var counters: RelayCounters
    /// By the index of the listener.
    var listeners: [ListenerCounters]
    var pool: PoolReport
    var keyChecks: KeyCheckCounts
    var sessions: Int
}

/// Questions about keys by where their answer came from.
struct KeyCheckCounts: Sendable {
    var fromCache = 0
    var asked = 0
    /// Somebody was asking already.
    var joined = 0
}

extension Worker {
    /// What it has now. On the loop's thread.
    func snapshot() -> WorkerSnapshot {
        WorkerSnapshot(
            index: loop.index, loop: loop.counters, gauges: loop.gauges, counters: counters,
            listeners: listenerCounters, pool: pool.report,
            keyChecks: KeyCheckCounts(
                fromCache: keyChecker.answeredFromCache, asked: keyChecker.asked,
                joined: keyChecker.joined),
            sessions: sessions.count)
    }
}

/// The sums over the loops, of what is not told apart by loop.
struct RelayTotals {
    var counters = RelayCounters()
    var listeners: [ListenerCounters] = []
    var pool = PoolCounters()
    var addresses: [AddressReport] = []
    var keyChecks = KeyCheckCounts()
    var queued = 0
    var sessions = 0
    var bytesReceived: UInt64 = 0
    var bytesSent: UInt64 = 0
    var acceptPauses: UInt64 = 0
    /// Loops whose pool has an address of the API that is believed usable.
    var readyLoops = 0

    init(of workers: [WorkerSnapshot]) { for worker in workers { add(worker) } }

    private mutating func add(_ worker: WorkerSnapshot) {
        counters.add(worker.counters)
        while listeners.count < worker.listeners.count { listeners.append(ListenerCounters()) }
        for (index, counts) in worker.listeners.enumerated() { listeners[index].add(counts) }
        pool.add(worker.pool.counters)
        for address in worker.pool.addresses { add(address) }
        keyChecks.fromCache += worker.keyChecks.fromCache
        keyChecks.asked += worker.keyChecks.asked
        keyChecks.joined += worker.keyChecks.joined
        queued += worker.pool.queued
        sessions += worker.sessions
        bytesReceived &+= worker.loop.bytesReceived
        bytesSent &+= worker.loop.bytesSent
        acceptPauses &+= worker.loop.acceptPauses
        readyLoops += worker.pool.isReady ? 1 : 0
    }

    /// An address is as healthy as the healthiest loop finds it.
    private mutating func add(_ report: AddressReport) {
        guard let index = addresses.firstIndex(where: { $0.address == report.address }) else {
            return addresses.append(report)
        }
        if report.health == .healthy { addresses[index].health = .healthy }
        addresses[index].isListed = addresses[index].isListed || report.isListed
        addresses[index].opening += report.opening
        addresses[index].idle += report.idle
        addresses[index].busy += report.busy
        addresses[index].calls += report.calls
        addresses[index].connectionsOpened += report.connectionsOpened
        addresses[index].connectionsFailed += report.connectionsFailed
    }
}

// MARK: - Sums

extension RelayCounters {
    mutating func add(_ other: RelayCounters) {
        sessionsAccepted += other.sessionsAccepted
        sessionsClosed += other.sessionsClosed
        commands.add(other.commands)
        bareLineFeeds += other.bareLineFeeds
        loginsAccepted += other.loginsAccepted
        loginsRefused += other.loginsRefused
        loginsWrongUsername += other.loginsWrongUsername
        loginsUnavailable += other.loginsUnavailable
        loginsTurnedAway += other.loginsTurnedAway
        messages.add(other.messages)
        messagesUnawaited += other.messagesUnawaited
        duplicatesAnswered += other.duplicatesAnswered
        duplicatesPending += other.duplicatesPending
        duplicateRecipients += other.duplicateRecipients
        contentBytes += other.contentBytes
        replies.add(other.replies)
        losses.add(other.losses)
        handshakeTimes.add(other.handshakeTimes)
        loginTimes.add(other.loginTimes)
        dataTimes.add(other.dataTimes)
        answerTimes.add(other.answerTimes)
    }
}

extension ListenerCounters {
    mutating func add(_ other: ListenerCounters) {
        accepted += other.accepted
        overConnections += other.overConnections
        overHandshakes += other.overHandshakes
        overDescriptors += other.overDescriptors
        handshakesTLS12 += other.handshakesTLS12
        handshakesTLS13 += other.handshakesTLS13
        handshakesResumed += other.handshakesResumed
        handshakesFailed += other.handshakesFailed
        headersBad += other.headersBad
        headersLate += other.headersLate
        headersMissing += other.headersMissing
    }
}

extension PoolCounters {
    mutating func add(_ other: PoolCounters) {
        sendStatuses.add(other.sendStatuses)
        checkStatuses.add(other.checkStatuses)
        sendTimes.add(other.sendTimes)
        checkTimes.add(other.checkTimes)
        retries.nothingWritten += other.retries.nothingWritten
        retries.partlyWritten += other.retries.partlyWritten
        retries.handedOver += other.retries.handedOver
        uncertain += other.uncertain
        notSentQueueFull += other.notSentQueueFull
        notSentNoAddress += other.notSentNoAddress
        notSentLate += other.notSentLate
        notSentBroken += other.notSentBroken
    }
}
