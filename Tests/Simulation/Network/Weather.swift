// What can go wrong in a run, and how often. The seed decides, so that some runs are calm, some
// have one thing go wrong often, and some have everything go wrong.

/// The chances of one run.
struct Weather {
    // How the network is made.
    var latencyMicrosecondsMax = 20_000
    var pieceBytesChoices = [65_536]
    var windowBytesChoices = [262_144]

    // Chances for each operation.
    var acceptFails = 0.0
    var adoptFails = 0.0
    var connectFails = 0.0
    var receiveFails = 0.0
    var sendFails = 0.0
    var lookUpFails = 0.0
    var lookUpMicrosecondsMax = 3_000_000
    /// Of the operations that fail on a link: the chance that it falls silent instead of breaking.
    var silent = 0.3
    /// The chances that a connection attempt is refused, or never answered.
    var refused = 0.0
    var unanswered = 0.0
    /// The chance that a send completes later, as in a completion queue.
    var laterSends = 0.0
    /// Descriptors that a host may have open.
    var descriptorsMax = Int.max
    /// Most completions that are handed over in one turn.
    var completionsMax = 64

    // The API.
    var apiFaults = 0.0
    var apiRefusals = 0.0
    var apiSlow = 0.0
    var apiAddresses = 1
    var apiDeadAddresses = 0
    /// It speaks HTTP/2 with those that offer it.
    var apiSpeaksHTTP2 = false
    /// Streams that it takes on a connection; nil leaves it to the dice.
    var apiStreamsMax: Int?
    /// Every answer takes as long, in milliseconds; nil leaves it to the dice.
    var apiServiceMilliseconds: Int?
    /// Connections that the API lets in; it closes more at once.
    var apiConnectionsMax = Int.max
    /// What the API says with `Keep-Alive: timeout=`, and keeps to; nil: it says nothing.
    var apiKeepAliveSeconds: Int?
    /// It lets no connection in, once: so long after its first request, and for so long, in
    /// milliseconds; nil: never.
    var apiAbsence: (after: Int, length: Int)?
    /// It ends an upload of which nothing came for so long, as proxies do; nil: it never does.
    var apiSilenceMilliseconds: Int?

    // The clients.
    var clientLeaves = 0.0
    var clientOddities = 0.0

    /// When the relay is ended, in milliseconds; nil: when everything is over.
    var ending: (milliseconds: Int, isKill: Bool)?

    /// Only this operation fails; nil leaves it to the dice.
    var failingOperation: Int?
    /// How a failing operation of a sweep fails.
    var failure = Failure.breaks

    /// What a failing operation on a link does.
    enum Failure: Int, CaseIterable { case breaks, falls, ends }

    /// Whether every connection is accepted when it comes, because no listener ever rests.
    var acceptsAtOnce: Bool { acceptFails == 0 && descriptorsMax == .max }

    /// Nothing goes wrong.
    static let calm = Weather()

    /// The weather of a seed.
    static func drawn(_ dice: inout Dice) -> Weather {
        var weather = Weather()
        weather.latencyMicrosecondsMax = dice.pick([200, 5_000, 50_000, 400_000])
        weather.pieceBytesChoices = dice.pick([
            [65_536], [1_460, 65_536], [1_460], [200, 1_460], [7, 1_460, 65_536],
        ])
        weather.windowBytesChoices = dice.pick([[262_144], [65_536], [4_096, 65_536], [2_000]])
        weather.completionsMax = dice.pick([1, 4, 64])
        weather.laterSends = dice.pick([0, 0, 0.3, 1])
        weather.apiAddresses = dice.number(1...3)
        weather.apiSlow = dice.pick([0, 0.05, 0.3])
        weather.clientOddities = dice.pick([0, 0.1, 0.3])
        weather.apiRefusals = dice.pick([0, 0.05, 0.3])
        if dice.happens(0.2) {
            weather.ending = (dice.skewed(1...40_000), dice.happens(0.4))
        }
        if dice.happens(0.1) { return weather }
        let storm = dice.pick([0.2, 1, 1, 3])
        func some(_ chance: Double, _ dice: inout Dice) -> Double {
            dice.happens(0.4) ? chance * storm : 0
        }
        weather.acceptFails = some(0.05, &dice)
        weather.adoptFails = some(0.02, &dice)
        weather.connectFails = some(0.05, &dice)
        weather.receiveFails = some(0.004, &dice)
        weather.sendFails = some(0.006, &dice)
        weather.lookUpFails = some(0.3, &dice)
        weather.refused = some(0.1, &dice)
        weather.unanswered = some(0.05, &dice)
        weather.apiFaults = some(0.15, &dice)
        weather.clientLeaves = some(0.1, &dice)
        weather.silent = dice.pick([0, 0.3, 0.8])
        if dice.happens(0.1) { weather.descriptorsMax = dice.number(4...14) }
        if dice.happens(0.3) {
            weather.apiDeadAddresses = dice.number(0...weather.apiAddresses)
        }
        return weather
    }
}
