// What a message costs when something else grows: its size, the open connections, the loops, the
// hours. Each series consists of a few workloads that differ in one thing.

/// A series of workloads; the others are compared with the first.
enum ScaleSeries: String, CaseIterable, Sendable {
    case sizes, rates, connections, loops, hold

    struct Step: Sendable {
        let workload: Workload
        /// Its place on the axis of what grows.
        let place: Double
        /// More arguments for the relay.
        var arguments: [String] = []
    }

    var title: String {
        switch self {
        case .sizes: "Cost against size"
        case .rates: "Cost against load, in an open loop"
        case .connections: "Cost against open connections, at the same rate"
        case .loops: "Cost against loops"
        case .hold: "Idle connections, held"
        }
    }

    var axis: String {
        switch self {
        case .sizes: "bytes per message"
        case .rates: "messages per s"
        case .connections: "connections"
        case .loops: "loops"
        case .hold: "connections"
        }
    }

    /// What the series is about.
    var metric: Metric {
        switch self {
        case .sizes: .cpuPerMegabyte
        case .rates, .connections, .loops: .cpuPerMessage
        case .hold: .memoryGrowth
        }
    }

    /// - Parameters:
    ///   - holdConnections, holdMinutes: of the series `hold` only.
    func steps(holdConnections: Int, holdMinutes: Double) -> [Step] {
        switch self {
        case .sizes: Self.messageSizes.map(Self.size)
        case .rates: [100, 1_000, 5_000].map(Self.rate)
        case .connections: [100, 1_000, 10_000].map(Self.connections)
        case .loops: [1, 2].map(Self.loops)
        case .hold: [Self.hold(holdConnections, minutes: holdMinutes)]
        }
    }

    /// The series that a workload belongs to, by its name; nil for the standard workloads.
    static func of(_ workload: String) -> ScaleSeries? {
        workload.split(separator: " ").first.flatMap { ScaleSeries(rawValue: String($0)) }
    }

    /// The place of a workload of `series` on its axis.
    static func place(_ workload: String) -> Double? {
        workload.split(separator: " ").last.flatMap { Double(String($0)) }
    }

    private static let messageSizes = [
        1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 5_242_880, 20_971_520, 50_000_000,
    ]

    /// As many messages as make about 300 MB, a few thousand at most; ten connections.
    private static func size(_ bytes: Int) -> Step {
        let messages = min(4_000, max(12, 300_000_000 / bytes))
        return Step(
            workload: Workload(
                "sizes \(bytes)", "ten connections, as fast as accepted", connections: 10,
                messagesPerConnection: max(2, min(100, messages / 10)),
                warmUpMessages: min(500, max(10, messages / 8)), messages: messages,
                mix: .fixed(bytes: bytes)),
            place: Double(bytes))
    }

    /// More and more messages per second over the same connections. A message counts from when it is
    /// due, so its latency shows what waits when the relay, the client or the API cannot keep up.
    private static func rate(_ perSecond: Int) -> Step {
        Step(
            workload: Workload(
                "rates \(perSecond)", "4 KB over 100 connections, handshakes not counted",
                connections: 100, messagesPerConnection: 1_000_000, warmUpMessages: 1_000,
                ratePerSecond: Double(perSecond), durationSeconds: 10),
            place: Double(perSecond))
    }

    /// The same number of messages per second over more and more connections, which send in turns.
    /// In the warm-up every connection makes its handshake and sends a message.
    private static func connections(_ count: Int) -> Step {
        Step(
            workload: Workload(
                "connections \(count)", "4 KB, 400 per second in all, handshakes not counted",
                connections: count, messagesPerConnection: 1_000_000,
                warmUpMessages: count + count / 2, ratePerSecond: 400, durationSeconds: 30),
            place: Double(count))
    }

    private static func loops(_ count: Int) -> Step {
        Step(
            workload: Workload(
                "loops \(count)", "4 KB, 100 per connection, 50 at a time", connections: 50,
                messagesPerConnection: 100, warmUpMessages: 5_000, messages: 20_000),
            place: Double(count), arguments: ["--loops", "\(count)"])
    }

    private static func hold(_ count: Int, minutes: Double) -> Step {
        Step(
            workload: Workload(
                "hold \(count)", "logged in, a NOOP every 30 s, and ten messages per second",
                connections: 5, messagesPerConnection: 1_000_000, warmUpMessages: 50,
                ratePerSecond: 10, durationSeconds: minutes * 60, company: count),
            place: Double(count))
    }
}
