// A run about an API that restarts: it lets no connection in for some seconds, once, soon after its first
// request. Nothing else goes wrong, so each login and each message is accepted at its first try, on the
// loop that has talked to the API before and on the one that has not.

/// The plan of such a run, and the habits of its clients.
enum Absence {
    /// From a request until the API is away, and until it is back: within the ten seconds for which the
    /// relay waits, with a second for its next try.
    private static let leavesMilliseconds = 200...4_000
    private static let awayMilliseconds = 50...4_000

    static func plan(seed: UInt64, speaksHTTP2: Bool, isVerbose: Bool) -> Plan {
        var dice = Dice(seed: seed, part: 12)
        var weather = Weather.calm
        weather.latencyMicrosecondsMax = dice.pick([200, 5_000, 40_000])
        weather.lookUpMicrosecondsMax = 10_000
        weather.apiSpeaksHTTP2 = speaksHTTP2
        weather.apiServiceMilliseconds = 20
        weather.apiAddresses = dice.number(1...2)
        weather.apiAbsence = (dice.number(leavesMilliseconds), dice.number(awayMilliseconds))
        var plan = Plan(seed: seed, weather: weather)
        plan.clients = dice.number(4...12)
        plan.textBytesMax = 20_000
        plan.isAboutAbsence = true
        plan.isVerbose = isVerbose
        return plan
    }

    static func habits(_ dice: inout Dice) -> ClientHabits {
        var habits = ClientHabits()
        habits.isImplicitTLS = true
        habits.isPipelining = dice.happens(0.5)
        habits.account = dice.number(0...5)
        habits.triesMax = 1
        habits.drawChunks(&dice)
        return habits
    }
}
