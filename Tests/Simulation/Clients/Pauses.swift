// A run about pauses: clients stop within their content, for longer than the API's side hears nothing
// of an upload. Nothing else goes wrong, so each message is accepted at its first try.

/// The plan of such a run, and the habits of its clients.
enum Pauses {
    /// As Varnish has it (`timeout_idle`).
    private static let silenceMilliseconds = 5_000
    private static let pauseMillisecondsMax = 20_000

    static func plan(seed: UInt64, speaksHTTP2: Bool, isVerbose: Bool) -> Plan {
        var dice = Dice(seed: seed, part: 11)
        var weather = Weather.calm
        weather.latencyMicrosecondsMax = dice.pick([200, 5_000, 100_000])
        weather.pieceBytesChoices = dice.pick([[65_536], [1_460, 65_536]])
        weather.lookUpMicrosecondsMax = 10_000
        weather.apiSpeaksHTTP2 = speaksHTTP2
        weather.apiServiceMilliseconds = 20
        weather.apiSilenceMilliseconds = silenceMilliseconds
        var plan = Plan(seed: seed, weather: weather)
        plan.clients = dice.number(1...4)
        plan.textBytesMax = dice.number(300_000...900_000)
        plan.isAboutPauses = true
        plan.isVerbose = isVerbose
        return plan
    }

    static func habits(_ dice: inout Dice) -> ClientHabits {
        var habits = ClientHabits()
        habits.isImplicitTLS = true
        habits.isPipelining = true
        habits.pauseMillisecondsMax = pauseMillisecondsMax
        habits.triesMax = 1
        habits.drawChunks(&dice)
        return habits
    }
}
