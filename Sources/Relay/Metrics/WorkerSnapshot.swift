// Everything that one loop has counted and has, as one value that may leave its thread, and the sums
// over the loops.

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

extension Worker {
    /// What it has now. On the loop's thread.
    func snapshot() -> WorkerSnapshot {
        WorkerSnapshot(
            index: loop.index, loop: loop.counters, gauges: loop.gauges, counters: counters,
            listeners: listenerCounters, pool: pool.report, keyChecks: keyChecker.counts,
            sessions: sessions.count)
    }
}

/// The sums over the loops, of what is not told apart by loop.
struct RelayTotals {
    private(set) var loop = LoopCounters()
    private(set) var counters = RelayCounters()
    private(set) var listeners: [ListenerCounters] = []
    private(set) var pool = PoolCounters()
    private(set) var addresses: [AddressReport] = []
    private(set) var keyChecks = KeyCheckCounts()
    private(set) var queued = 0
    private(set) var sessions = 0
    /// Loops whose pool has an address of the API that is believed usable.
    private(set) var readyLoops = 0

    init(of workers: [WorkerSnapshot]) { for worker in workers { add(worker) } }

    private mutating func add(_ worker: WorkerSnapshot) {
        loop.add(worker.loop)
        counters.add(worker.counters)
        while listeners.count < worker.listeners.count { listeners.append(ListenerCounters()) }
        for (index, counts) in worker.listeners.enumerated() { listeners[index].add(counts) }
        pool.add(worker.pool.counters)
        for address in worker.pool.addresses { add(address) }
        keyChecks.add(worker.keyChecks)
        queued += worker.pool.queued
        sessions += worker.sessions
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
        addresses[index].callsInFlight += report.callsInFlight
        if addresses[index].version == .unknown { addresses[index].version = report.version }
        addresses[index].calls += report.calls
        addresses[index].connectionsOpened += report.connectionsOpened
        addresses[index].connectionsFailed += report.connectionsFailed
    }
}
