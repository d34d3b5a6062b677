// The relay inside the simulation: real workers on simulated hosts, and what they must not leave.

@testable import Reactor
@testable import Relay

/// One or two workers and what they share.
final class SimulatedRelay {
    let configuration: Configuration
    private let world: World
    private let names: SimulatedNames
    private var hosts: [SimulatedHost] = []
    private var workers: [Worker] = []
    private var shared: Shared?
    /// Must be nil when everything has ended.
    private var traces: [() -> AnyObject?] = []
    /// Slots that listeners and the resolver's timer have for as long as a worker lives.
    private static let slotsAtRest = 3

    init(
        world: World, plan: Plan, listeners: (start: SocketAddress, implicit: SocketAddress),
        apiAddresses: [SocketAddress], pem: String, key: String
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
        configuration.bufferThresholdBytes = dice.pick([16_384, 65_536, 262_144])
        if dice.happens(0.2) { configuration.memoryBudgetBytes = configuration.bufferThresholdBytes }
        configuration.api.connectionsMax = dice.pick([1, 2, 256])
        configuration.hasEnhancedStatusCodes = dice.happens(0.2)
        if dice.happens(0.05) { configuration.temporaryFolder = "/nonexistent" }
        self.configuration = configuration
        names = SimulatedNames(world: world, addresses: apiAddresses)
        let log = plan.isVerbose ? SimulatedLog.make(world) : EventLog.silent()
        let shared = Shared(
            configuration: configuration,
            serverTLS: try TLSContext.server(certificateFile: pem, keyFile: key),
            clientTLS: try TLSContext.client(caFile: pem), log: log,
            names: names)
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

    /// What is still there though all clients are gone and every time has passed.
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
            expect(host.openConnections, 0, "descriptors")
            expect(host.spoiledSends, 0, "sends whose memory was changed under way")
            expect(worker.sessions.count, 0, "sessions")
            expect(worker.mappers.outstanding, 0, "mappers")
            expect(worker.pool.connectionCount, 0, "API connections")
            expect(
                worker.counters.sessionsAccepted, worker.counters.sessionsClosed,
                "sessions accepted, and closed")
            expect(Int(loop.counters.accepted + loop.counters.connected), Int(loop.counters.closed),
                "streams begun, and ended")
        }
        // A resolver whose question is open has no timer.
        expect(
            slots + names.openQuestions, workers.count * Self.slotsAtRest,
            "slots (streams, listeners, timers)")
        if let shared {
            expect(shared.budget.reservedBytes, 0, "bytes of the memory budget")
            expect(shared.budget.waitingCount, 0, "waits for memory")
        }
        return found
    }

    /// Adds what the relay counted itself.
    func note(_ counts: inout Counts) {
        for worker in workers {
            counts.relayAccepted += worker.counters.messagesAccepted
            counts.uncertain += worker.counters.messagesUncertain
            counts.duplicatesAnswered += worker.counters.duplicatesAnswered
            counts.abandoned += worker.counters.messagesAbandoned
        }
    }

    /// Drains the workers as SIGTERM does.
    func end() -> [String] {
        var ended = 0
        for worker in workers { worker.drain { ended += 1 } }
        let count = workers.count
        let isDone = world.run(until: world.now.advanced(byMilliseconds: 10_000)) { ended == count }
        for host in hosts {
            host.isRunning = false
            host.loop?.stop()
            host.loop?.run()
            host.loop = nil
        }
        workers = []
        shared = nil
        return isDone ? [] : ["the drain did not end"]
    }

    /// What still holds on to a part of the relay.
    func survivors() -> [String] {
        let alive = traces.compactMap { $0() }
        return alive.isEmpty ? [] : ["not freed: \(alive.map { "\(type(of: $0))" })"]
    }
}
