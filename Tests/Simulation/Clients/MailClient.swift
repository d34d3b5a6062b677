// A mail client of the simulation: hands in its messages one after the other, and comes back with
// those whose fate it does not know, as real clients do.
//
// It records in the ledger what it did and what it saw. `MailConnection` handles one connection;
// this class decides what to try on it and when to come again.

import Reactor

/// The habits of one client.
struct ClientHabits {
    var isImplicitTLS = false
    var usesLogin = false
    var isPipelining = false
    /// Sends content by BDAT (RFC 3030), in chunks of at most this many bytes; 0: by DATA.
    var chunkBytesMax = 0
    /// Sends content in pieces with pauses of up to this many milliseconds.
    var pauseMillisecondsMax = 0
    /// Ends its own side after the dot and still waits for the reply, as scripts do.
    var halfCloses = false
    /// Stays connected and silent after a reply, for up to this many milliseconds.
    var restMillisecondsMax = 0
    /// Leaves without QUIT.
    var isRude = false
    var triesMax = 4
    var backoffMillisecondsMax = 60_000
    /// The number of its key; others of its customer have the same.
    var account = 0
    var hasWrongKey = false
    /// Stops in the middle of its content, and stays.
    var stalls = false
    /// How long it waits for a reply to the dot before it leaves.
    var patienceMilliseconds = 300_000
    /// Sometimes sends an accepted message once more, on purpose.
    var repeats = 0.0

    var key: String { hasWrongKey ? "ps_live_wrong" : "ps_live_good\(account)" }

    static func drawn(_ dice: inout Dice, weather: Weather) -> ClientHabits {
        var habits = ClientHabits()
        habits.isImplicitTLS = dice.happens(0.4)
        habits.usesLogin = dice.happens(0.3)
        habits.isPipelining = dice.happens(0.5)
        habits.drawChunks(&dice)
        if dice.happens(0.2) { habits.pauseMillisecondsMax = dice.skewed(1...5_000) }
        habits.isRude = dice.happens(0.2)
        habits.halfCloses = dice.happens(weather.clientOddities * 0.3)
        habits.triesMax = dice.number(1...5)
        habits.backoffMillisecondsMax = dice.pick([10, 2_000, 60_000, 400_000])
        if dice.happens(weather.clientOddities * 0.3) { habits.hasWrongKey = true }
        if dice.happens(weather.clientOddities * 0.5) {
            habits.patienceMilliseconds = dice.skewed(10...60_000)
        }
        habits.repeats = dice.happens(0.2) ? 0.5 : 0
        return habits
    }

    /// A third of the clients use BDAT: for a message in one chunk, or in several.
    mutating func drawChunks(_ dice: inout Dice) {
        guard dice.happens(1.0 / 3) else { return }
        chunkBytesMax = dice.happens(0.5) ? Int.max : dice.skewed(100...100_000)
    }
}

/// One client and its messages.
final class MailClient: TimerHandler {
    let simulation: Simulation
    let habits: ClientHabits
    let host: SimulatedHost
    var dice: Dice
    private var messages: [MailMessage]
    private var tries = 0
    private var copy = 1
    /// A reply for the moment has come, so that the next try is made as a mail server makes it.
    private var hasRegrouped = false
    /// Orders recipients.
    private var order: Dice
    private var connection: MailConnection?
    private var timer: LoopTimer?
    private(set) var isDone = false
    /// The last result of `tried`: whether there is something to send on the same connection.
    var goesOn = true

    init(
        simulation: Simulation, host: SimulatedHost, habits: ClientHabits,
        messages: [MailMessage], dice: Dice, order: Dice
    ) {
        self.simulation = simulation
        self.order = order
        self.host = host
        self.habits = habits
        self.messages = messages
        self.dice = dice
        super.init()
        guard let loop = host.loop else { return }
        timer = LoopTimer(loop: loop, handler: self)
    }

    var loop: Loop {
        guard let loop = host.loop else { preconditionFailure("a client without a loop") }
        return loop
    }

    /// Begins after this many milliseconds.
    func start(after milliseconds: Int) {
        timer?.arm(at: loop.now.advanced(byMilliseconds: milliseconds))
    }

    override func timerFired(_ timer: LoopTimer) {
        guard connection == nil, !messages.isEmpty else { return endIfDone() }
        connection = MailConnection(client: self)
        connection?.open()
    }

    /// The relay has been told to end.
    func relayDrains() { connection?.relayDrains() }

    // MARK: What the connection asks for

    /// The message to try now; nil: all are done.
    var current: MailMessage? { messages.first }
    var currentCopy: Int { copy }

    /// The envelope of a try, as indices of the message's recipients: in another order each time, and
    /// with one recipient more when the message is mixed and was refused for the moment.
    func envelope(of message: MailMessage) -> [Int] {
        let start = message.isMixed && !hasRegrouped ? 1 : 0
        var recipients = Array(start..<message.recipients.count)
        for index in recipients.indices.dropLast() {
            recipients.swapAt(index, order.number(index...recipients.count - 1))
        }
        return recipients
    }

    /// A try has ended; returns whether to continue with `current` on the same connection.
    /// - Parameter code: the reply that decided it; nil when the connection broke.
    func tried(code: Int?) -> Bool {
        tries += 1
        if let code, (400...499).contains(code) { hasRegrouped = true }
        switch code {
        case 250?:
            if copy == 1, dice.happens(habits.repeats) {
                copy = 2
                tries = 0
                return true
            }
            next()
            return !messages.isEmpty
        case let code? where code >= 500 && code != 535:
            next()
            return !messages.isEmpty
        default:
            if tries >= habits.triesMax { next() }
            return false
        }
    }

    private func next() {
        messages.removeFirst()
        tries = 0
        copy = 1
        hasRegrouped = false
    }

    /// The connection is gone.
    func ended(hadProgress: Bool) {
        connection = nil
        if !hadProgress { tries += 1 }
        if tries >= habits.triesMax, !messages.isEmpty { next() }
        guard !messages.isEmpty else { return endIfDone() }
        timer?.arm(
            at: loop.now.advanced(
                byMilliseconds: dice.skewed(1...max(2, habits.backoffMillisecondsMax))))
    }

    private func endIfDone() {
        guard messages.isEmpty, connection == nil else { return }
        isDone = true
        timer?.cancel()
        timer = nil
    }
}
