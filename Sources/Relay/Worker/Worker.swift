// What one loop has: its listeners, its sessions, the pool, the front ends of the caches, the
// counters, and the way to what all loops share.
//
// There is one worker per loop. It is made on the loop's thread, and no other thread touches it.
// Sessions reach everything through it; nothing is global.

import APIClient
import Log
import Mapping
import Reactor
import Wire

/// Everything that belongs to one loop.
package final class Worker {
    package let loop: Loop
    package let shared: Shared
    /// For what is logged of every message and login; `shared.log` for the rest.
    let log: LoopLog
    package let pool: ConnectionPool
    let keyChecker: KeyChecker
    let ledger: Ledger
    /// Messages that wait for the end of a limit.
    let limitLines: LimitLines
    /// Keys that are logged in on this loop.
    let accounts: LoopAccountTable
    let charsets = CharsetCache()
    package let mappers: MapperPool

    /// What the kernel may keep to send to one client. All that clients are sent is replies.
    private static let sendBufferBytes = 32_768

    /// Live sessions. A session enters when it is accepted, and leaves when it is closed.
    package private(set) var sessions: SessionList
    private(set) var listeners: [Listener] = []
    /// What new sessions go by. Open sessions keep the limits that they began with.
    private(set) var configuration: Configuration
    private(set) var serverTLS: TLSContext

    /// Connections of balancers that have not named their client yet.
    private var doorCount = 0
    private var drainWatch: DrainWatch?
    private var counted = RelayCounters()
    /// By the index of the listener; a worker without listeners has one too.
    private var listenerCounted: [ListenerCounters]

    package init(loop: Loop, shared: Shared) {
        let configuration = shared.configuration
        self.loop = loop
        self.shared = shared
        log = LoopLog(shared.log)
        self.configuration = configuration
        serverTLS = shared.serverTLS
        sessions = SessionList(startedAt: loop.readWallClock(), loop.now)
        let options = configuration.api.share(ofLoops: configuration.loops)
        // Before the pool: when the loop ends, the pool ends what waited in a line too.
        limitLines = LimitLines(
            loop: loop, memory: shared.rateLimits, waitersMax: options.queueMax,
            lease: configuration.api.timeoutMilliseconds)
        pool = ConnectionPool(
            loop: loop, options: options, tls: shared.clientTLS, http1TLS: shared.http1TLS,
            log: shared.log, answers: shared.answers, names: shared.names)
        accounts = LoopAccountTable(
            accounts: shared.accounts, pool: pool, temporary: shared.temporary)
        mappers = MapperPool(
            options: configuration.mapping, charsets: charsets, slabs: loop.slabs,
            heldBytesMax: configuration.messages.bufferThresholdBytes)
        ledger = Ledger(
            home: shared.ledgerHome,
            windows: Ledger.Windows(
                duplicateMilliseconds: configuration.messages.duplicateWindowMilliseconds,
                groupMilliseconds: configuration.messages.groupWindowMilliseconds), loop: loop)
        keyChecker = KeyChecker(
            loop: loop, cache: shared.keyCache, fleet: shared.fleet, pool: pool)
        listenerCounted = Array(
            repeating: ListenerCounters(), count: max(1, configuration.listeners.count))
    }

    /// Makes the worker and opens its listeners.
    /// - Throws: `SystemError` that names the address.
    package convenience init(
        loop: Loop, shared: Shared, listening configuration: Configuration
    ) throws {
        self.init(loop: loop, shared: shared)
        for (index, spec) in configuration.listeners.enumerated() {
            let handler = SMTPListener(
                worker: self, isImplicitTLS: spec.isImplicitTLS, index: index)
            listeners.append(
                try Listener(
                    loop: loop, address: spec.address,
                    tls: spec.isImplicitTLS ? shared.serverTLS : nil, inherited: spec.inherited,
                    sendBufferBytes: Self.sendBufferBytes, handler: handler))
        }
    }

    /// From now on new sessions go by these; on the loop's thread.
    package func adopt(_ settings: ReloadableSettings, _ serverTLS: TLSContext) {
        configuration.reloadable = settings
        self.serverTLS = serverTLS
        for listener in listeners where listener.tls != nil { listener.use(serverTLS) }
    }

    // MARK: Counting

    /// Each part of the loop adds to these where the event happens; nobody takes away.
    package var counters: RelayCounters {
        get { counted }
        _modify { yield &counted }
    }

    /// The same, by the index of the listener.
    var listenerCounters: [ListenerCounters] {
        get { listenerCounted }
        _modify { yield &listenerCounted }
    }

    // MARK: Clients

    /// A session begins.
    /// - Returns: its id, unique in the process and never 0.
    func enter(_ session: Session) -> UInt64 {
        shared.clientEntered()
        return sessions.enter(session, loopIndex: loop.index)
    }

    /// A session has ended; once for each that has entered.
    func leave(_ session: Session) {
        sessions.leave(session)
        shared.clientLeft()
    }

    /// A balancer's connection begins. It has a descriptor like a session, and the drain waits for it.
    func doorOpened() {
        doorCount += 1
        shared.clientEntered()
    }

    /// Its client is known, or it has ended.
    func doorClosed() {
        doorCount -= 1
        shared.clientLeft()
    }

    /// Sessions, or connections of balancers that may become sessions.
    var hasClients: Bool { sessions.count > 0 || doorCount > 0 }

    // MARK: The end

    /// The worker takes no new connections, and ends with its last client.
    var isDraining: Bool { drainWatch != nil }

    /// Clients that still come in hear 421: the drain has begun, and its grace is over.
    var turnsClientsAway: Bool { drainWatch.map { !$0.isGraceful } ?? false }

    /// Stops accepting, ends idle sessions, and lets messages in flight have their answer; then stops
    /// the loop and calls `whenDone`. On the loop's thread, once.
    package func drain(_ whenDone: @escaping () -> Void) {
        for listener in listeners { listener.close() }
        listeners.removeAll()
        let grace = configuration.drain.graceMilliseconds
        sessions.drainAll(isGraceful: grace > 0)
        drainWatch = DrainWatch(worker: self, graceMilliseconds: grace, whenDone: whenDone)
    }

    /// By the drain's watch alone: it needs the worker no more.
    func drainEnded() { drainWatch = nil }
}
