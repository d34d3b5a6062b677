// The clients of a sweep: few and fixed, but together they take every way through the relay.

/// The scripted scenario.
enum Scenario {
    static let clients = 3

    /// STARTTLS with PLAIN; implicit TLS with LOGIN and pipelining; content in pieces.
    static func habits(_ number: Int) -> ClientHabits {
        var habits = ClientHabits()
        habits.isImplicitTLS = number % 2 == 1
        habits.usesLogin = number % 2 == 1
        habits.isPipelining = number % 2 == 1
        habits.pauseMillisecondsMax = number == 2 ? 50 : 0
        habits.triesMax = 3
        habits.backoffMillisecondsMax = 2_000
        return habits
    }

    static func plan(
        seed: UInt64, speaksHTTP2: Bool, failing operation: Int, _ failure: Weather.Failure
    ) -> Plan {
        var weather = Weather.calm
        weather.apiSpeaksHTTP2 = speaksHTTP2
        weather.failingOperation = operation
        weather.failure = failure
        var plan = Plan(seed: seed, weather: weather)
        plan.clients = clients
        plan.textBytesMax = 200_000
        plan.isScripted = true
        return plan
    }
}
