// A run about one thing, over HTTP/1.1 and over HTTP/2. Nothing else goes wrong: but for one topic each login and
// each message is accepted at its first try.

/// What such a run is about.
enum Topic {
    /// Clients stop within their content, for longer than the API's side hears nothing of an upload.
    case pauses
    /// The API restarts: it lets no connection in for some seconds, once, soon after its first request.
    /// The loop that has talked to the API before is served, and the one that has not.
    case absences
    /// Large messages with hidden recipients: several uploads begin at once, some on a connection that is new,
    /// and none can be sent again. Over HTTP/2 the API may take few streams, and says so with its first frame.
    case groups
    /// Clients that do not hear their replies, and come back with the same message at once, again and again. The
    /// relay may not know yet that they had left.
    case returns

    /// Nothing goes wrong that the relay may pass on.
    var expectsSuccess: Bool { self != .returns }

    /// As Varnish has it (`timeout_idle`).
    private static let silenceMilliseconds = 5_000
    private static let pauseMillisecondsMax = 20_000
    /// From a request until the API is away, and until it is back: within the ten seconds for which the
    /// relay waits, with a second for its next try.
    private static let leavesMilliseconds = 200...4_000
    private static let awayMilliseconds = 50...4_000
    /// Above all buffer thresholds.
    private static let uploadBytes = 300_000...400_000

    /// The plan of a seed.
    func plan(seed: UInt64, speaksHTTP2: Bool, isVerbose: Bool) -> Plan {
        var weather = Weather.calm
        weather.lookUpMicrosecondsMax = 10_000
        weather.apiSpeaksHTTP2 = speaksHTTP2
        weather.apiServiceMilliseconds = 20
        var plan = Plan(seed: seed, weather: weather)
        plan.topic = self
        plan.isVerbose = isVerbose
        switch self {
        case .pauses: drawPauses(&plan)
        case .absences: drawAbsence(&plan)
        case .groups: drawGroups(&plan)
        case .returns: drawReturns(&plan)
        }
        return plan
    }

    private func drawPauses(_ plan: inout Plan) {
        var dice = Dice(seed: plan.seed, part: 11)
        plan.weather.latencyMicrosecondsMax = dice.pick([200, 5_000, 100_000])
        plan.weather.pieceBytesChoices = dice.pick([[65_536], [1_460, 65_536]])
        plan.weather.apiSilenceMilliseconds = Self.silenceMilliseconds
        plan.clients = dice.number(1...4)
        plan.textBytesMax = dice.number(300_000...900_000)
    }

    private func drawAbsence(_ plan: inout Plan) {
        var dice = Dice(seed: plan.seed, part: 12)
        plan.weather.latencyMicrosecondsMax = dice.pick([200, 5_000, 40_000])
        plan.weather.apiAddresses = dice.number(1...2)
        plan.weather.apiAbsence = (
            dice.number(Self.leavesMilliseconds), dice.number(Self.awayMilliseconds)
        )
        plan.clients = dice.number(4...12)
        plan.textBytesMax = 20_000
    }

    private func drawGroups(_ plan: inout Plan) {
        var dice = Dice(seed: plan.seed, part: 13)
        // An upload through a window of 1,000 bytes must end in time.
        plan.weather.latencyMicrosecondsMax = dice.pick([200, 5_000, 20_000])
        plan.weather.apiStreamsMax = dice.pick([1, 2, 3])
        plan.clients = dice.number(2...4)
        plan.messagesMax = 2
        plan.textBytesMax = dice.number(Self.uploadBytes)
    }

    private func drawReturns(_ plan: inout Plan) {
        var dice = Dice(seed: plan.seed, part: 14)
        plan.weather.latencyMicrosecondsMax = dice.pick([200, 5_000, 50_000])
        plan.weather.receiveFails = 0.02
        plan.weather.sendFails = 0.05
        plan.weather.silent = dice.pick([0.3, 0.6])
        plan.weather.clientLeaves = 0.3
        plan.clients = dice.number(3...5)
        plan.textBytesMax = 5_000
    }

    /// The habits of one of its clients.
    func habits(_ dice: inout Dice) -> ClientHabits {
        var habits = ClientHabits()
        habits.isImplicitTLS = true
        habits.triesMax = 1
        switch self {
        case .pauses:
            habits.isPipelining = true
            habits.pauseMillisecondsMax = Self.pauseMillisecondsMax
        case .absences:
            habits.isPipelining = dice.happens(0.5)
            habits.account = dice.number(0...5)
        case .groups: habits.isPipelining = dice.happens(0.5)
        case .returns:
            habits.isPipelining = true
            habits.triesMax = 12
            habits.backoffMillisecondsMax = dice.pick([10, 100, 1_000])
            habits.patienceMilliseconds = dice.number(50...1_000)
            habits.repeats = 0.5
        }
        habits.drawChunks(&dice)
        return habits
    }
}
