// The API of the simulation: reads requests strictly, records what it accepted, and answers as the
// dice decide, in every way in which an API or a proxy in front of it can answer or fail.

import Reactor

/// What the API does with one request.
enum Conduct {
    /// Accept and answer.
    case accept
    /// Refuse with this status.
    case refuse(Int)
    /// Accept, and then fail to answer.
    case mumble(Mumble)
    /// Fail without acting.
    case fail(Mumble)
    /// Answer this after the head, and close.
    case early(Int)
    /// Reset after this many bytes of the body.
    case cutOff(Int)
    /// Read no further from this point.
    case stall

    enum Mumble { case reset, close, hang, garbage, truncated, serverError, silence }
}

/// Listens on the API's addresses; the connections write into its ledger.
final class SimulatedAPI: ListenerHandler {
    let world: World
    let host: SimulatedHost
    let simulation: Simulation
    var dice: Dice
    private let addresses: [SocketAddress]
    private let tls: TLSContext
    private var listeners: [Listener] = []
    private var hasBeenAway = false
    private var accepted = 0
    private(set) var openConnections = 0
    /// Answers over HTTP/2, and where they left.
    private var onStreams: [(entry: Int, stream: Int32, connection: Int)] = []

    init(
        simulation: Simulation, host: SimulatedHost, seed: UInt64, addresses: [SocketAddress],
        tls: TLSContext
    ) throws {
        self.simulation = simulation
        self.host = host
        self.addresses = addresses
        self.tls = tls
        world = simulation.world
        dice = Dice(seed: seed, part: 2)
        super.init()
        try listen()
    }

    private func listen() throws {
        guard let loop = host.loop else { return }
        for address in addresses {
            listeners.append(
                try Listener(loop: loop, address: address, tls: tls, handler: self))
        }
    }

    /// Lets no connection in for a while, after the first request. Those that there are go on.
    private func goAway(_ absence: (after: Int, length: Int)) {
        hasBeenAway = true
        world.after(microseconds: absence.after * 1_000) { [weak self] in self?.close() }
        world.after(microseconds: (absence.after + absence.length) * 1_000) { [weak self] in
            do { try self?.listen() } catch {
                self?.complain("the API did not come back: \(error)")
            }
        }
    }

    override func accepted(_ address: SocketAddress, on listener: Listener) -> StreamHandler? {
        guard openConnections < world.weather.apiConnectionsMax else { return nil }
        accepted += 1
        openConnections += 1
        return SimulatedAPIConnection(api: self, number: accepted)
    }

    func ended() { openConnections -= 1 }

    func close() {
        for listener in listeners { listener.close() }
        listeners = []
    }

    /// How long a connection may be idle, in milliseconds.
    func idleMilliseconds() -> Int {
        if let seconds = world.weather.apiKeepAliveSeconds { return seconds * 1_000 }
        return dice.happens(isOrderly ? 0 : 0.1) ? dice.skewed(1...30_000) : 65_000
    }

    /// It does nothing but what it has to: the run is about shares.
    var isOrderly: Bool { world.weather.apiServiceMilliseconds != nil }

    /// What happens to the next request.
    func conduct() -> Conduct {
        let weather = world.weather
        if let absence = weather.apiAbsence, !hasBeenAway { goAway(absence) }
        if dice.happens(weather.apiFaults) { return fault() }
        if dice.happens(weather.apiRefusals) {
            return .refuse(dice.pick([400, 401, 403, 413, 422, 429, 429, 404, 503]))
        }
        return .accept
    }

    private func fault() -> Conduct {
        let mumbles: [Conduct.Mumble] = [
            .reset, .close, .hang, .garbage, .truncated, .serverError, .silence,
        ]
        switch dice.number(0...9) {
        case 0...4: return .mumble(dice.pick(mumbles))
        case 5, 6: return .fail(dice.pick(mumbles))
        case 7: return .early(dice.pick([401, 413, 429, 503]))
        case 8: return .cutOff(dice.skewed(0...100_000))
        default: return .stall
        }
    }

    /// The chance that something happens to an HTTP/2 connection as a request begins.
    var disturbances: Double { world.weather.apiFaults / 2 }

    /// How long an answer takes, in milliseconds.
    func answerDelay() -> Int {
        if let milliseconds = world.weather.apiServiceMilliseconds { return milliseconds }
        return dice.happens(world.weather.apiSlow) ? dice.skewed(100...70_000) : dice.number(0...40)
    }

    /// "k00000001@simulation.example"
    func newMessageID() -> String {
        "k\(String(dice.next(), radix: 36))@simulation.example"
    }

    /// The body of an answer.
    static func json(_ status: Int, messageID: String) -> String {
        (200...299).contains(status)
            ? "{\"message_id\":\"\(messageID)\",\"status\":\"queued\"}"
            : "{\"error\":\"refused\",\"message\":\"the API says \(status)\"}"
    }

    // MARK: The ledger

    func complain(_ text: String) { simulation.ledger.complaints.append(text) }

    /// Records an answer to a request that is not complete.
    func noteEarly(_ status: Int) {
        simulation.ledger.earlyAnswers.append((world.now, status))
    }

    /// Records a complete request.
    /// - Returns: its index.
    func note(_ body: [UInt8], connection: Int, _ conduct: Conduct) -> Int {
        var noted = APIRequest(message: -1, recipients: [], connection: connection)
        noted.completedAt = world.now
        if let received = ReceivedRequest(body), let message = simulation.message(received.number) {
            noted.message = message.number
            noted.isFaithful = received.says(message)
            noted.recipients = received.recipients.compactMap {
                message.recipients.firstIndex(of: $0)
            }
        } else {
            complain("a complete request that is no message of ours")
        }
        simulation.ledger.requests.append(noted)
        world.trace.say(
            world, "api: request for message \(noted.message) complete, \(conduct)")
        return simulation.ledger.requests.count - 1
    }

    func act(_ entry: Int) {
        simulation.ledger.requests[entry].hasActed = true
        simulation.ledger.requests[entry].messageID = newMessageID()
    }

    /// The answer to a request leaves on this stream.
    func expectReset(of entry: Int, _ stream: Int32, on connection: Int) {
        onStreams.append((entry, stream, connection))
    }

    /// The relay has reset a stream. If an answer was on its way, the relay had given it up.
    func wasReset(_ stream: Int32, on connection: Int) {
        for sent in onStreams where sent.stream == stream && sent.connection == connection {
            simulation.ledger.requests[sent.entry].hasCrossed = true
        }
    }
}
