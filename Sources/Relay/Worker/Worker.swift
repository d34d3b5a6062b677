// What one loop has: the pool, the caches' front ends, the counters, and a way to the shared parts.
//
// One worker per loop, made on the loop's thread, never touched by another. Sessions reach
// everything through it; nothing here is global.

import APIClient
import Log
import Mapping
import Reactor
import Synchronization
import Wire

/// What all loops share. Each part is safe to use from any of them.
package final class Shared: Sendable {
    /// As the relay was started; what sessions go by is their worker's.
    package let configuration: Configuration
    let clientTLS: TLSContext?
    let keyCache: KeyCache
    let rateLimits: RateLimitMemory
    let ledger: Ledger
    package let budget: MemoryBudget
    package let abuse: AbuseThrottle
    package let log: EventLog
    /// Where the API's host is looked up.
    let names: any NameService
    /// Live sessions of all loops, and connections that are being turned away.
    let sessionCount = Atomic<Int>(0)
    /// The process is about to drain: whoever asks how it is should send clients elsewhere.
    package let isLeaving = Atomic<Bool>(false)
    private let certificates: Locked<TLSContext>

    package init(
        configuration: Configuration, serverTLS: TLSContext, clientTLS: TLSContext?, log: EventLog,
        names: any NameService = SystemNameService()
    ) {
        self.configuration = configuration
        certificates = Locked(serverTLS)
        self.clientTLS = clientTLS
        self.log = log
        self.names = names
        keyCache = KeyCache(options: configuration.api)
        rateLimits = RateLimitMemory()
        ledger = Ledger(windowMilliseconds: configuration.duplicateWindowMilliseconds)
        budget = MemoryBudget(bytesMax: configuration.memoryBudgetBytes)
        abuse = AbuseThrottle(limits: configuration.abuse)
    }

    /// The certificates that new connections get; replaced when they are read again.
    package var serverTLS: TLSContext {
        get { certificates.withLock { $0 } }
        set { certificates.withLock { $0 = newValue } }
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
package final class Worker {
    package let loop: Loop
    package let shared: Shared
    package let pool: ConnectionPool
    let keyChecker: KeyChecker
    let charsets = CharsetCache()
    package let mappers: MapperPool
    package var counters = RelayCounters()
    /// By the index of the listener; tests without listeners have one all the same.
    var listenerCounters: [ListenerCounters]
    /// Live sessions, for drain; a session enters itself when accepted and leaves when closed.
    package var sessions: SessionList
    var listeners: [Listener] = []
    /// Connections of balancers that have not said yet whose they are.
    var doorCount = 0
    /// Set while the worker drains.
    var drainWatch: DrainWatch?

    /// What new sessions go by. Sessions that are open keep the limits that they began with.
    private(set) var configuration: Configuration
    private(set) var serverTLS: TLSContext

    package init(loop: Loop, shared: Shared) {
        self.loop = loop
        self.shared = shared
        configuration = shared.configuration
        serverTLS = shared.serverTLS
        sessions = SessionList(startedAt: loop.readWallClock(), loop.now)
        pool = ConnectionPool(
            loop: loop, options: shared.configuration.api, tls: shared.clientTLS, log: shared.log,
            names: shared.names)
        mappers = MapperPool(
            options: shared.configuration.mapping, charsets: charsets, slabs: loop.slabs,
            heldBytesMax: shared.configuration.bufferThresholdBytes,
            temporaryFolder: shared.configuration.temporaryFolder)
        keyChecker = KeyChecker(loop: loop, cache: shared.keyCache, pool: pool)
        listenerCounters = Array(
            repeating: ListenerCounters(), count: max(1, shared.configuration.listeners.count))
    }

    /// From now on new sessions go by these; on the loop's thread.
    package func adopt(_ configuration: Configuration, _ serverTLS: TLSContext) {
        self.configuration = configuration
        self.serverTLS = serverTLS
        for listener in listeners where listener.tls != nil { listener.use(serverTLS) }
    }
}
