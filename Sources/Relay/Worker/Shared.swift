// What all loops share: the few caches and counts that sessions of every loop must agree on.
//
// Each part is safe to use from any thread. Nothing else is shared, and nothing is global.

import APIClient
import Log
import Reactor
import Synchronization

/// What all loops share. Safe to use from any of them.
package final class Shared: Sendable {
    /// As the relay was started. What a session goes by is its worker's, which SIGHUP changes.
    package let configuration: Configuration
    let clientTLS: TLSContext?
    /// The same without HTTP/2, for an API that agrees on it and then refuses it; nil when there is no
    /// choice.
    let http1TLS: TLSContext?
    let keyCache: KeyCache
    let rateLimits: RateLimitMemory
    /// What this relay and the others of its fleet tell one another.
    let fleet: FleetFacts
    /// Which refused MAIL is logged.
    let refusedMail = RefusalPace()
    /// Whose sessions are written down.
    package let traces: TraceRules
    /// Where records are kept that outlive connections.
    package let ledgerHome: any LedgerHome
    package let accounts = AccountTable()
    package let budget: MemoryBudget
    package let temporary = TemporaryBudget()
    package let abuse: AbuseThrottle
    package let log: EventLog
    /// When the API answered last.
    let answers = LastAnswers()
    /// Where the API's host is looked up.
    let names: any NameService
    private let certificates: Locked<TLSContext>
    private let clients = Atomic<Int>(0)
    private let leaving = Atomic<Bool>(false)

    package init(
        configuration: Configuration, serverTLS: TLSContext, clientTLS: TLSContext?,
        http1TLS: TLSContext? = nil, log: EventLog,
        names: any NameService = SystemNameService(), ledgerHome: any LedgerHome = MemoryLedger()
    ) {
        self.configuration = configuration
        certificates = Locked(serverTLS)
        self.clientTLS = clientTLS
        self.http1TLS = http1TLS
        self.log = log
        self.names = names
        traces = configuration.trace ?? TraceRules()
        keyCache = KeyCache(
            options: configuration.keys,
            questionMillisecondsMax: configuration.api.timeoutMilliseconds)
        self.ledgerHome = ledgerHome
        rateLimits = RateLimitMemory()
        fleet = FleetFacts(link: ledgerHome.fleet, limits: rateLimits)
        budget = MemoryBudget(bytesMax: configuration.memoryBudgetBytes)
        abuse = AbuseThrottle(limits: configuration.reloadable.abuse)
    }

    // MARK: Reload

    /// The certificates that new connections get.
    package var serverTLS: TLSContext { certificates.withLock { $0 } }

    /// From now on new connections of all loops go by these. The workers must adopt them too.
    package func adopt(_ settings: ReloadableSettings, _ serverTLS: TLSContext) {
        certificates.withLock { $0 = serverTLS }
        abuse.change(settings.abuse)
    }

    // MARK: Clients

    /// Connections of clients on all loops, those that are being turned away included.
    var clientCount: Int { clients.load(ordering: .relaxed) }

    /// A client's connection begins to hold a descriptor.
    func clientEntered() { clients.add(1, ordering: .relaxed) }

    /// Its descriptor is free again.
    func clientLeft() { clients.subtract(1, ordering: .relaxed) }

    /// Clients that could still come.
    var freeSessions: Int { max(0, configuration.sessionsMax - clientCount) }

    /// No descriptor is left for one more client.
    var isFull: Bool { clientCount >= configuration.sessionsMax }

    /// More clients were accepted at once than could be stopped in time: one more would take a
    /// descriptor of the reserve.
    var isOverfull: Bool {
        let most = configuration.sessionsMax
        return clientCount - most >= DescriptorBudget.overshoot(most)
    }

    // MARK: The end

    /// The process is about to drain: a balancer that asks is told to send its clients elsewhere.
    package var isLeaving: Bool { leaving.load(ordering: .relaxed) }

    /// Says so from now on.
    package func leave() { leaving.store(true, ordering: .relaxed) }
}
