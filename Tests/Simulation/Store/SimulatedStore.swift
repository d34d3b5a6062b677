// A Valkey server on the simulated network, as the ledger's home: it outlives the relays, and it is slow,
// silent, full, a replica, loading, gone, or without its data when the dice say so.

import LedgerServer
import Log
import Reactor
import Relay
import ValkeyModel

/// The server and its faults.
final class SimulatedStore: ListenerHandler {
    enum Fault: CaseIterable { case gone, forgetful, full, replica, loading, slow, silent }

    static let address = SocketAddress(ipv4: 0x0A00_0300, port: 6_379)

    private let world: World
    private let host: SimulatedHost
    private let model = ValkeyModel()
    private var listener: Listener?
    /// The oldest first.
    private var connections: [StoreConnection] = []
    private var dice: Dice
    /// How long each answer takes, in milliseconds.
    private(set) var delayMilliseconds = 0
    private(set) var isSilent = false
    private var isEnding = false

    /// Whether the runs of a seed have one.
    static func isDrawn(_ plan: Plan) -> Bool {
        var dice = Dice(seed: plan.seed, part: 8)
        return !plan.isScripted && plan.crowd == nil && plan.weather.failingOperation == nil
            && dice.happens(0.3)
    }

    init(world: World, seed: UInt64) throws {
        self.world = world
        dice = Dice(seed: seed, part: 9)
        host = SimulatedHost(
            world: world, name: "store", address: 0x0A00_0300, isExposed: false)
        _ = host.makeLoop(index: 7)
        model.keepsCommands = false
        super.init()
        open()
        for _ in 0..<(dice.happens(0.5) ? 0 : dice.number(1...3)) {
            let fault = dice.pick(Fault.allCases)
            let start = dice.skewed(1...60_000)
            let length = dice.skewed(10...20_000)
            let milliseconds = dice.skewed(20...2_000)
            world.after(microseconds: start * 1_000) { [weak self] in
                self?.begin(fault, milliseconds)
            }
            world.after(microseconds: (start + length) * 1_000) { [weak self] in
                self?.end(fault)
            }
        }
    }

    /// A home of a new relay.
    func home(_ log: EventLog, messages: MessageOptions, apiTimeout: Int) throws -> ServerLedger {
        var options = ServerLedgerOptions(address: LedgerServerAddress(host: "10.0.3.0"))
        options.duplicateMilliseconds = messages.duplicateWindowMilliseconds
        options.groupMilliseconds = messages.groupWindowMilliseconds
        options.apiTimeoutMilliseconds = apiTimeout
        return try ServerLedger(options: options, log: log)
    }

    private func open() {
        guard listener == nil, let loop = host.loop else { return }
        listener = try? Listener(loop: loop, address: Self.address, tls: nil, handler: self)
    }

    private func begin(_ fault: Fault, _ milliseconds: Int) {
        guard !isEnding else { return }
        world.trace.note(world, "the store fails", Fault.allCases.firstIndex(of: fault) ?? 0)
        switch fault {
        case .gone: leave()
        case .forgetful:
            leave()
            model.lose()
        case .full: model.condition = .full
        case .replica: model.condition = .replica
        case .loading: model.condition = .loading
        case .slow: delayMilliseconds = milliseconds
        case .silent: isSilent = true
        }
    }

    private func end(_ fault: Fault) {
        guard !isEnding else { return }
        switch fault {
        case .gone, .forgetful: open()
        case .full, .replica, .loading: model.condition = .good
        case .slow: delayMilliseconds = 0
        case .silent:
            isSilent = false
            for connection in connections { connection.speak() }
        }
    }

    private func leave() {
        listener?.close()
        listener = nil
        for connection in connections { connection.leave() }
    }

    /// The end of the run.
    func close() {
        isEnding = true
        leave()
    }

    override func accepted(_ address: SocketAddress, on listener: Listener) -> StreamHandler? {
        let connection = StoreConnection(self)
        connections.append(connection)
        return connection
    }

    func ended(_ connection: StoreConnection) {
        connections.removeAll { $0 === connection }
    }

    func answer(_ bytes: [UInt8], _ part: ValkeyModel.Connection) -> [UInt8] {
        model.receive(bytes, from: part, at: world.now.nanoseconds / 1_000_000)
    }

    func later(_ milliseconds: Int, _ work: @escaping () -> Void) {
        guard let mailbox = host.loop?.mailbox else { return }
        nonisolated(unsafe) let carried = work
        world.after(microseconds: milliseconds * 1_000) { mailbox.post { carried() } }
    }
}

/// One relay's connection.
final class StoreConnection: StreamHandler {
    private let store: SimulatedStore
    private let part = ValkeyModel.Connection()
    private var stream: Stream?
    private var unread: [UInt8] = []

    init(_ store: SimulatedStore) {
        self.store = store
        super.init()
    }

    override func streamOpened(_ stream: Stream) { self.stream = stream }

    override func streamReceived(_ stream: Stream, _ bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { unread += $0 }
        if !store.isSilent { speak() }
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        self.stream = nil
        store.ended(self)
    }

    /// Does what it was asked, and answers at once or later.
    func speak() {
        guard stream != nil else { return }
        let answer = store.answer(unread, part)
        unread = []
        guard store.delayMilliseconds > 0 else { return send(answer) }
        store.later(store.delayMilliseconds) { [weak self] in self?.send(answer) }
    }

    private func send(_ answer: [UInt8]) {
        guard !answer.isEmpty else { return }
        stream?.write(answer.span)
    }

    func leave() { stream?.abort() }
}
