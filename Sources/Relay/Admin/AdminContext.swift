// What the admin listener needs of the rest of the process, and what it says about the process.

import Log
import Reactor

/// Where the admin listener listens, and what it shows. Safe to carry to its thread.
package struct AdminContext: Sendable {
    package let addresses: [SocketAddress]
    package let backend: BackendKind
    package let shared: Shared
    package let roster: WorkerRoster
    /// Seconds since 1970.
    package let startedAt: Int64

    package init(
        addresses: [SocketAddress], backend: BackendKind, shared: Shared, roster: WorkerRoster,
        startedAt: Int64
    ) {
        self.addresses = addresses
        self.backend = backend
        self.shared = shared
        self.roster = roster
        self.startedAt = startedAt
    }

    /// What does not belong to a loop.
    /// - Parameter now: seconds since 1970.
    func facts(now: Int64) -> RelayFacts {
        var facts = RelayFacts()
        facts.hostname = shared.configuration.hostname
        facts.backend = backend.rawValue
        facts.listeners = shared.configuration.listeners
        facts.now = now
        facts.startedAt = startedAt
        facts.isDraining = shared.isLeaving
        facts.certificateEnd = shared.serverTLS.notAfter
        facts.memoryBytesMax = shared.budget.bytesMax
        facts.memoryBytesReserved = shared.budget.reservedBytes
        facts.memoryWaiting = shared.budget.waitingCount
        facts.temporaryBytesMax = shared.temporary.bytesMax
        facts.temporaryBytesUsed = shared.temporary.usedBytes
        facts.accountCount = shared.accounts.count
        facts.ledger = shared.ledgerHome.status
        facts.abuseEntries = shared.abuse.entryCount
        facts.sessionCount = shared.clientCount
        facts.sessionsMax = shared.configuration.sessionsMax
        facts.logLinesDropped = shared.log.control.droppedLines
        facts.process = ProcessFacts.read()
        return facts
    }
}
