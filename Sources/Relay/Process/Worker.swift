// What one loop has: the pool, the caches' front ends, the counters, and a way to the shared parts.
//
// One worker per loop, made on the loop's thread, never touched by another. Sessions reach
// everything through it; nothing here is global.

import Reactor
import Synchronization
import Wire

/// What all loops share. Each part is safe to use from any of them.
final class Shared: Sendable {
    let configuration: Configuration
    let serverTLS: TLSContext
    let clientTLS: TLSContext?
    let keyCache: KeyCache
    let rateLimits: RateLimitMemory
    let duplicates: DuplicateGuard
    let budget: MemoryBudget
    let abuse: AbuseThrottle
    let log: EventLog
    /// Where the API's host is looked up.
    let names: NameService
    /// Live sessions of all loops, and connections that are being turned away.
    let sessionCount = Atomic<Int>(0)

    init(
        configuration: Configuration, serverTLS: TLSContext, clientTLS: TLSContext?, log: EventLog,
        names: NameService = SystemNameService()
    ) {
        self.configuration = configuration
        self.serverTLS = serverTLS
        self.clientTLS = clientTLS
        self.log = log
        self.names = names
        keyCache = KeyCache(options: configuration.api)
        rateLimits = RateLimitMemory()
        duplicates = DuplicateGuard(windowMilliseconds: configuration.duplicateWindowMilliseconds)
        budget = MemoryBudget(bytesMax: configuration.memoryBudgetBytes)
        abuse = AbuseThrottle(limits: configuration.abuse)
    }

    /// No descriptor is to spare for one more session.
    var isFull: Bool { sessionCount.load(ordering: .relaxed) >= configuration.sessionsMax }

    /// More were accepted at once than could be stopped in time: one more would cost the reserve.
    var isOverfull: Bool {
        let most = configuration.sessionsMax
        return sessionCount.load(ordering: .relaxed) - most >= DescriptorBudget.overshoot(most)
    }
}

/// Everything that belongs to one loop.
final class Worker {
    let loop: Loop
    let shared: Shared
    let pool: ConnectionPool
    let keyChecker: KeyChecker
    let charsets = CharsetCache()
    let mappers: MapperPool
    var counters = RelayCounters()
    /// Live sessions, for drain; a session enters itself when accepted and leaves when closed.
    var sessions = SessionList()
    var listeners: [Listener] = []
    /// Set while the worker drains.
    var drainWatch: DrainWatch?

    var configuration: Configuration { shared.configuration }

    init(loop: Loop, shared: Shared) {
        self.loop = loop
        self.shared = shared
        pool = ConnectionPool(
            loop: loop, options: shared.configuration.api, tls: shared.clientTLS, log: shared.log,
            names: shared.names)
        mappers = MapperPool(
            configuration: shared.configuration, charsets: charsets, slabs: loop.slabs)
        keyChecker = KeyChecker(loop: loop, cache: shared.keyCache, pool: pool)
    }
}
