// The relay inside the simulation: real workers on simulated hosts, and what must not remain of
// them.

import APIClient
import Log
import Reactor
import Relay

/// One or two workers and their shared state.
final class SimulatedRelay {
    let configuration: Configuration
    /// The workers' own counts, after they have ended.
    private(set) var counts = Counts()
    private let world: World
    private let names: SimulatedNames
    private let home: Home
    private var hosts: [SimulatedHost] = []
    private var workers: [Worker] = []
    private var shared: Shared?
    /// Must be nil when everything has ended.
    private var traces: [() -> AnyObject?] = []
    /// Slots that listeners and the resolver's timer use for as long as a worker lives.
    private static let slotsAtRest = 3

    init(
        world: World, plan: Plan, listeners: (start: SocketAddress, implicit: SocketAddress),
        apiAddresses: [SocketAddress], pem: String, key: String, store: SimulatedStore?,
        home: SimulatedLedger
    ) throws {
        self.world = world
        var dice = Dice(seed: plan.seed, part: 5)
        let endpoint = APIEndpoint(
            isTLS: true, host: "api.simulation", port: 443, basePath: "",
            authority: "api.simulation")
        var configuration = Configuration(
            hostname: "relay.simulation",
            listeners: [
                ListenerSpec(address: listeners.start, isImplicitTLS: false),
                ListenerSpec(address: listeners.implicit, isImplicitTLS: true),
            ],
            loops: plan.isScripted ? 1 : dice.number(1...2), api: APIOptions(endpoint: endpoint),
            memoryBudgetBytes: 64 * 1_048_576)
        configuration.messages.bufferThresholdBytes = dice.pick([16_384, 65_536, 262_144])
        if dice.happens(0.2) {
            configuration.memoryBudgetBytes = configuration.messages.bufferThresholdBytes
        }
        configuration.api.connectionsMax = dice.pick([1, 2, 256])
        configuration.hasEnhancedStatusCodes = dice.happens(0.2)
        var folder = dice.happens(0.05) ? "/nonexistent" : "/tmp"
        if let crowd = plan.crowd {
            configuration.loops = 1
            configuration.messages.bufferThresholdBytes = 262_144
            folder = "/tmp"
            configuration.memoryBudgetBytes = (crowd.memoryMessages ?? 256) * 262_144
            configuration.api.connectionsMax = crowd.connections
        }
        if plan.expectsSuccess && plan.topic != .pauses { configuration.loops = 2 }
        if plan.expectsSuccess {
            folder = "/tmp"
            configuration.memoryBudgetBytes = 64 * 1_048_576
            configuration.api.connectionsMax = 256
        }
        self.configuration = configuration
        names = SimulatedNames(world: world, addresses: apiAddresses)
        let log = plan.isVerbose ? SimulatedLog.make(world) : EventLog.silent()
        let home = try Home(world, configuration, log, store: store, simulated: home)
        self.home = home
        let shared = Shared(
            configuration: configuration,
            serverTLS: try TLSContext.server(certificateFile: pem, keyFile: key),
            clientTLS: try TLSContext.client(
                caFile: pem, protocols: configuration.api.http.offered),
            http1TLS: try TLSContext.client(caFile: pem), log: log,
            names: names, ledgerHome: home.ledger)
        shared.temporary.open(folder: folder, bytesMax: 1 << 30)
        self.shared = shared
        for index in 0..<configuration.loops {
            let host = SimulatedHost(
                world: world, name: "relay \(index)", address: 0x0A00_0001, isExposed: true)
            let loop = host.makeLoop(index: index)
            let worker = try Worker(loop: loop, shared: shared, listening: configuration)
            hosts.append(host)
            workers.append(worker)
            traces.append { [weak worker] in worker }
            traces.append { [weak loop] in loop }
            traces.append { [weak pool = worker.pool] in pool }
        }
        traces.append { [weak shared] in shared }
    }

    /// What still exists although all clients are gone and every time has passed.
    func leftovers() -> [String] {
        var found: [String] = []
        func expect(_ value: Int, _ wanted: Int, _ what: String) {
            if value != wanted { found.append("left over: \(value) \(what), not \(wanted)") }
        }
        var slots = 0
        for (host, worker) in zip(hosts, workers) {
            let loop = worker.loop
            expect(loop.slabs.outstanding, 0, "slabs")
            slots += loop.slots.count
            expect(loop.tlsPort.engineCount, 0, "TLS engines")
            expect(loop.tlsPort.connectionCount, 0, "OpenSSL connections")
            expect(host.openConnections, home.connections, "descriptors")
            expect(host.spoiledSends, 0, "sends whose memory was changed under way")
            expect(worker.sessions.count, 0, "sessions")
            expect(worker.mappers.outstanding, 0, "mappers")
            expect(worker.pool.connectionCount, 0, "API connections")
            expect(
                worker.counters.sessionsAccepted, worker.counters.sessionsClosed,
                "sessions accepted, and closed")
            expect(
                Int(loop.counters.accepted + loop.counters.connected),
                Int(loop.counters.closed) + home.connections,
                "streams begun, and ended")
        }
        // A resolver with an open question has no timer.
        expect(
            slots + names.openQuestions, workers.count * (Self.slotsAtRest + home.slots),
            "slots (streams, listeners, timers)")
        if let shared {
            expect(shared.budget.reservedBytes, 0, "bytes of the memory budget")
            expect(shared.budget.waitingCount, 0, "waits for memory")
        }
        return found
    }

    /// Whether the ledger's home is in order, and how often it was not so far.
    var homeStatus: (isReachable: Bool, troubles: Int) {
        let status = home.ledger.status
        return (status.isReachable, status.failures + status.timeouts)
    }

    /// SIGTERM: drains the workers, at most for the drain's time, and ends.
    /// - Parameter whenDone: told whether everything in flight had its answer.
    func drain(_ whenDone: @escaping (_ isInOrder: Bool) -> Void) {
        var draining = workers.count
        var hasEnded = false
        let end = { [self] (isInOrder: Bool) in
            guard !hasEnded else { return }
            hasEnded = true
            switchOff(isInOrder: isInOrder)
            whenDone(isInOrder)
        }
        for worker in workers {
            worker.drain { [world] in
                draining -= 1
                // The loop is inside its turn; the process ends after it.
                if draining == 0 { world.after(microseconds: 0) { end(true) } }
            }
        }
        world.after(microseconds: configuration.drain.timeoutMilliseconds * 1_000) { end(false) }
    }

    /// kill -9.
    func kill() { switchOff(isInOrder: false) }

    private func switchOff(isInOrder: Bool) {
        for worker in workers { counts.note(worker.counters) }
        for host in hosts {
            if !isInOrder { host.touchLinks() }
            host.stop()
        }
        hosts = []
        workers = []
        shared = nil
        home.whenEnded(isInOrder)
    }

    /// Objects that still hold a part of a relay that has ended, however it ended.
    func survivors() -> [String] {
        let alive = traces.compactMap { $0() }
        return alive.isEmpty ? [] : ["not freed: \(alive.map { "\(type(of: $0))" })"]
    }
}

/// The ledger's home of one relay.
private struct Home {
    let ledger: any LedgerHome
    /// The relay has ended.
    let whenEnded: (_ isInOrder: Bool) -> Void
    /// What it holds on each loop at rest.
    var slots = 0
    var connections = 0

    init(
        _ world: World, _ configuration: Configuration, _ log: EventLog, store: SimulatedStore?,
        simulated: SimulatedLedger
    ) throws {
        guard let store else {
            ledger = simulated
            whenEnded = { simulated.relayEnded(isInOrder: $0) }
            return
        }
        let server = try store.home(
            log, messages: configuration.messages,
            apiTimeout: configuration.api.timeoutMilliseconds)
        ledger = server
        whenEnded = { isInOrder in
            guard isInOrder else { return }
            let host = SimulatedHost(
                world: world, name: "ending relay", address: 0x0A00_0001, isExposed: false)
            server.finish(on: host.makeLoop(index: 6))
            world.after(microseconds: 1_500_000) { host.stop() }
        }
        (slots, connections) = (2, 1)
    }
}
