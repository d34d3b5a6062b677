// One run: a world made from a seed, clients that hand in their messages, and the books at the end.
//
// The parts, and the path of data between them (each arrow is a simulated connection; everything
// except the relay's own classes in brackets belongs to the simulation):
//
//     MailClient, MailConnection ─▶ [Listener, Session … APIConnection] ─▶ SimulatedAPI
//             │    on a loop             one or two workers, a loop each        │  on a loop
//             └──────────────▶ Ledger (what each side saw) ◀───────────────────┘
//
// A loop's backend is a `SimulatedHost`; the `World` has the clock and decides what happens next.

import Reactor

/// What a run is made of.
struct Plan {
    var seed: UInt64
    var weather: Weather
    var clients = 3
    var messagesMax = 3
    var textBytesMax = 150_000
    var isVerbose = false
    /// Set in a run about shares.
    var crowd: Crowd?
    /// Clients and messages that are the same in every run, for sweeps.
    var isScripted = false
    /// Set in a run about one thing.
    var topic: Topic?

    /// Nothing goes wrong that the relay may pass on.
    var expectsSuccess: Bool { topic?.expectsSuccess ?? false }

    /// The chance that a message is a group.
    var groups: Double {
        if topic == .groups { return 1 }
        return crowd != nil || topic != nil ? 0 : 0.12
    }

    /// Its messages are all as large as they may be.
    var isLarge: Bool { topic == .pauses || topic == .groups }

    /// The plan of a seed.
    /// - Parameter isCounting: many messages and few handshakes, for large counts.
    static func random(seed: UInt64, isCounting: Bool, isVerbose: Bool) -> Plan {
        var dice = Dice(seed: seed, part: 3)
        var plan = Plan(seed: seed, weather: Weather.drawn(&dice))
        plan.clients = dice.number(1...5)
        plan.messagesMax = isCounting ? 30 : 3
        plan.isVerbose = isVerbose
        var crowdDice = Dice(seed: seed, part: 6)
        if !isCounting, crowdDice.happens(0.2) {
            let crowd = Crowd.drawn(&crowdDice)
            plan.crowd = crowd
            plan.weather = crowd.weather(&crowdDice)
            plan.clients = crowd.clients
            plan.textBytesMax = 20_000
            return plan
        }
        var versionDice = Dice(seed: seed, part: 10)
        plan.weather.apiSpeaksHTTP2 = versionDice.happens(0.4)
        plan.textBytesMax = dice.pick([2_000, 20_000, 60_000, 400_000])
        if isCounting {
            plan.textBytesMax = dice.happens(0.1) ? 200_000 : dice.skewed(500...20_000)
        }
        return plan
    }
}

/// The result of a run.
struct Result {
    var violations: [String] = []
    var traceHash: UInt64 = 0
    var operations = 0
    var counts = Counts()
}

/// The world of one run.
final class Simulation {
    let plan: Plan
    let world: World
    var ledger = Ledger()
    let clientTLS: TLSContext
    let startAddress = SocketAddress(ipv4: 0x0A00_0001, port: 587)
    let implicitAddress = SocketAddress(ipv4: 0x0A00_0001, port: 465)
    var counts = Counts()
    private var messages: [MailMessage] = []
    private var clients: [MailClient] = []
    private var connectionNumber = 0
    /// The relay that runs now, and those that ran before it.
    private var relays: [SimulatedRelay] = []
    private var api: SimulatedAPI?
    /// Where the relays keep what must outlive them.
    private let home: SimulatedLedger
    /// The same, elsewhere.
    private let store: SimulatedStore?
    private let apiAddresses: [SocketAddress]
    private let pemFile: String
    private let keyFile: String

    init(plan: Plan, certificates: String) throws {
        self.plan = plan
        world = World(
            weather: plan.weather, seed: plan.seed, trace: Trace(isVerbose: plan.isVerbose))
        home = SimulatedLedger(world: world, seed: plan.seed)
        ledger.homeOutlives = home.nature.outlives
        ledger.homeWriteMilliseconds = home.nature.writeMicroseconds / 1_000 + 1
        store =
            SimulatedStore.isDrawn(plan) ? try SimulatedStore(world: world, seed: plan.seed) : nil
        if store != nil {
            ledger.homeOutlives = true
            // To and fro, until the end of the tick, and as long as a loop may gather.
            ledger.homeWriteMilliseconds = 60
        }
        let pem = certificates + "/server.pem"
        let key = certificates + "/server.key"
        clientTLS = try TLSContext.client(caFile: pem, protocols: [])
        let addresses = (0..<plan.weather.apiAddresses).map {
            SocketAddress(ipv4: 0x0A00_0100 + UInt32($0), port: 443)
        }
        apiAddresses = addresses
        pemFile = pem
        keyFile = key
        try startRelay()
        let apiHost = SimulatedHost(
            world: world, name: "api", address: 0x0A00_0100, isExposed: false)
        _ = apiHost.makeLoop(index: 8)
        api = try SimulatedAPI(
            simulation: self, host: apiHost, seed: plan.seed,
            addresses: Array(addresses.dropFirst(plan.weather.apiDeadAddresses)),
            tls: TLSContext.server(
                certificateFile: pem, keyFile: key, speaksHTTP2: plan.weather.apiSpeaksHTTP2))
        makeClients()
        if let ending = plan.weather.ending {
            world.after(microseconds: ending.milliseconds * 1_000) { [unowned self] in
                endRelay(isKill: ending.isKill)
            }
        }
    }

    private func startRelay() throws {
        let relay = try SimulatedRelay(
            world: world, plan: plan, listeners: (startAddress, implicitAddress),
            apiAddresses: apiAddresses, pem: pemFile, key: keyFile, store: store,
            home: home)
        relays.append(relay)
        ledger.apiTimeoutMilliseconds = relay.configuration.api.timeoutMilliseconds
        ledger.duplicateWindowMilliseconds =
            relay.configuration.messages.duplicateWindowMilliseconds
    }

    /// Ends the relay as an operator or the kernel does; a new one replaces it.
    private func endRelay(isKill: Bool) {
        guard let relay = relays.last else { return }
        let startAgain = { [unowned self] in
            ledger.restarts.append(world.now)
            world.after(microseconds: 2_000_000) { [unowned self] in
                do {
                    try startRelay()
                } catch {
                    ledger.complaints.append("the relay did not start again: \(error)")
                }
            }
        }
        world.trace.note(world, "the relay ends", isKill ? 9 : 15)
        if isKill {
            counts.kills += 1
            relay.kill()
            startAgain()
        } else {
            counts.drains += 1
            ledger.drains.append(world.now)
            for client in clients { client.relayDrains() }
            relay.drain { _ in startAgain() }
        }
    }

    private func makeClients() {
        let host = SimulatedHost(
            world: world, name: "clients", address: 0xC000_0201, isExposed: false)
        _ = host.makeLoop(index: 9)
        var dice = Dice(seed: plan.seed, part: 4)
        for number in 0..<plan.clients {
            var habits = ClientHabits.drawn(&dice, weather: plan.weather)
            var restDice = Dice(seed: plan.seed, part: 1_000 + UInt64(number))
            if restDice.happens(0.2) { habits.restMillisecondsMax = restDice.skewed(1...50_000) }
            if plan.isScripted { habits = Scenario.habits(number) }
            if let topic = plan.topic { habits = topic.habits(&dice) }
            var own: [MailMessage] = []
            var count = plan.isScripted ? 2 : dice.number(1...plan.messagesMax)
            if let crowd = plan.crowd {
                habits = crowd.habits(number, &dice)
                count = crowd.messages(number, &dice)
            }
            for _ in 0..<count {
                messages.append(
                    MailMessage(
                        number: messages.count, dice: &dice,
                        textBytesMax: habits.stalls ? 600_000 : plan.textBytesMax,
                        oddities: plan.weather.clientOddities, groups: plan.groups,
                        isLarge: habits.stalls || plan.isLarge))
                own.append(messages[messages.count - 1])
            }
            let client = MailClient(
                simulation: self, host: host, habits: habits, messages: own,
                dice: Dice(seed: plan.seed, part: 100 + UInt64(number)),
                order: Dice(seed: plan.seed, part: 2_000 + UInt64(number)))
            client.start(after: plan.isScripted ? number * 5 : dice.skewed(1...20_000))
            clients.append(client)
        }
        ledger.messages = messages.map(\.facts)
        ledger.fairShare = plan.crowd?.terms
        ledger.expectsSuccess = plan.expectsSuccess
    }

    // MARK: For clients and API

    /// Notes whether the ledger's server is in order; at every event that could depend on it.
    private func noteStore() {
        guard store != nil, let status = relays.last?.homeStatus else { return }
        ledger.storeStates.append(
            StoreState(
                at: world.now, relay: relays.count, isGood: status.isReachable,
                troubles: status.troubles))
    }

    func newConnectionNumber() -> Int {
        noteStore()
        connectionNumber += 1
        return connectionNumber
    }

    func message(_ number: Int?) -> MailMessage? {
        guard let number, messages.indices.contains(number) else { return nil }
        return messages[number]
    }

    /// The relay has read the end of this connection, or has closed it.
    /// - Parameter bytesSent: of the relay on this connection.
    func relayClosed(connection: Int, bytesSent: Int) {
        world.trace.say(world, "relay: connection \(connection) has ended")
        noteStore()
        for index in ledger.attempts.indices where ledger.attempts[index].connection == connection {
            ledger.attempts[index].relayClosedAt = ledger.attempts[index].relayClosedAt ?? world.now
            // Before its reply, an end in order leaves open whether the client will read it.
            let isReplied = bytesSent > ledger.attempts[index].relayBytesAtDot ?? .max
            if ledger.attempts[index].endsInOrder, isReplied {
                ledger.attempts[index].maybeSeenAt = ledger.attempts[index].maybeSeenAt ?? world.now
            }
        }
    }

    func answerHeard(_ request: Int) {
        ledger.requests[request].answerHeardAt = world.now
        noteStore()
        world.trace.say(
            world, "relay: read the answer to message \(ledger.requests[request].message)")
    }

    func count(reply code: Int, _ text: String) {
        noteStore()
        counts.replies[code, default: 0] += 1
    }

    // MARK: The run

    /// Runs to the end and balances the books.
    func run() -> Result {
        var result = Result()
        let isDone = world.run(until: world.now.advanced(byMilliseconds: 4 * 3_600_000)) {
            self.clients.allSatisfy(\.isDone)
        }
        if !isDone { result.violations.append("the clients were not done after four hours") }
        // All waits have ended by then: answers (50 s), idle connections (30 s), lingering ones (2
        // s), sessions whose clients fell silent (60 s).
        _ = world.run(until: world.now.advanced(byMilliseconds: 200_000)) { false }
        // The connection to the ledger's server is never done: at this moment it may be between two
        // tries, or have a command on its way. What is left for good stays.
        _ = world.run(until: world.now.advanced(byMilliseconds: 60_000)) {
            self.relays.last?.leftovers().isEmpty ?? true
        }
        let balance = Balance(ledger)
        result.violations += balance.violations + home.complaints
        counts.repetitions = balance.repetitions
        result.violations += relays.last?.leftovers() ?? []
        result.violations += tearDown()
        counts.note(ledger, messages: messages.count)
        for relay in relays { counts.add(relay.counts) }
        counts.faults = world.faults
        result.traceHash = world.trace.hash
        result.operations = world.operations
        result.counts = counts
        return result
    }

    private func tearDown() -> [String] {
        var violations: [String] = []
        api?.close()
        store?.close()
        var isInOrder: Bool?
        relays.last?.drain { isInOrder = $0 }
        _ = world.run(until: world.now.advanced(byMilliseconds: 60_000)) { isInOrder != nil }
        if isInOrder != true { violations.append("the drain at the end was not in order") }
        for host in world.hosts { host.stop() }
        clients = []
        api = nil
        // Whatever is still on its way has no receiver.
        _ = world.run(until: world.now.advanced(byMilliseconds: 60_000)) { false }
        return violations + relays.flatMap { $0.survivors() }
    }
}
