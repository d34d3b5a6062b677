// The standard workloads: those that have budgets, and a mixed one.

/// A named plan without a server.
struct Workload: Sendable {
    let name: String
    let summary: String
    private let connections: Int
    private let messagesPerConnection: Int
    private let warmUpMessages: Int
    private let messages: Int
    private let mix: MessageMix
    private let isPipelining: Bool
    private let isChunked: Bool
    /// Connections whose memory is measured; 0 for workloads that send.
    private let idleConnections: Int
    /// Messages per second of an open loop; nil sends as fast as they are accepted.
    private let ratePerSecond: Double?
    private let durationSeconds: Double?
    /// Silent connections in addition to those that send.
    private let company: Int

    var isIdle: Bool { idleConnections > 0 }
    /// Large messages are judged per megabyte, small ones per message.
    let isJudgedByMegabyte: Bool

    init(
        _ name: String, _ summary: String, connections: Int = 0, messagesPerConnection: Int = 1,
        warmUpMessages: Int = 0, messages: Int = 0, mix: MessageMix = .fixed(bytes: 4_096),
        isPipelining: Bool = false, isChunked: Bool = false, idleConnections: Int = 0,
        isJudgedByMegabyte: Bool = false,
        ratePerSecond: Double? = nil, durationSeconds: Double? = nil, company: Int = 0
    ) {
        self.name = name
        self.summary = summary
        self.connections = connections
        self.messagesPerConnection = messagesPerConnection
        self.warmUpMessages = warmUpMessages
        self.messages = messages
        self.mix = mix
        self.isPipelining = isPipelining
        self.isChunked = isChunked
        self.idleConnections = idleConnections
        self.isJudgedByMegabyte = isJudgedByMegabyte
        self.ratePerSecond = ratePerSecond
        self.durationSeconds = durationSeconds
        self.company = company
    }

    static let all: [Workload] = [
        Workload(
            "W1", "4 KB, one message per connection, 50 at a time", connections: 50,
            warmUpMessages: 200, messages: 2_000),
        Workload(
            "W1r", "W1 in an open loop, 200 connections per second", connections: 50,
            warmUpMessages: 200, ratePerSecond: 200, durationSeconds: 10),
        Workload(
            "W2", "4 KB, 100 per connection, 50 at a time", connections: 50,
            messagesPerConnection: 100, warmUpMessages: 5_000, messages: 20_000),
        Workload(
            "W2p", "W2 with a pipelining client", connections: 50, messagesPerConnection: 100,
            warmUpMessages: 5_000, messages: 20_000, isPipelining: true),
        Workload(
            "W3", "50 MB, 4 at a time", connections: 4, messagesPerConnection: 4,
            warmUpMessages: 4, messages: 12, mix: .fixed(bytes: 50_000_000),
            isJudgedByMegabyte: true),
        Workload(
            "W3b", "W3 by BDAT", connections: 4, messagesPerConnection: 4, warmUpMessages: 4,
            messages: 12, mix: .fixed(bytes: 50_000_000), isChunked: true,
            isJudgedByMegabyte: true),
        Workload(
            "W4", "1 MB, 10 per connection, 10 at a time", connections: 10,
            messagesPerConnection: 10, warmUpMessages: 20, messages: 400,
            mix: .fixed(bytes: 1_048_576), isJudgedByMegabyte: true),
        Workload("W5", "idle logged-in TLS connections", idleConnections: 1_000),
        Workload(
            "mix", "90 % 4 KB, 9 % 60 KB, 1 % 5 MB, 100 per connection, 50 at a time",
            connections: 50, messagesPerConnection: 100, warmUpMessages: 500, messages: 4_000,
            mix: .transactional),
    ]

    /// - Parameter names: "W1,W3"; nil for all.
    /// - Throws: for a name that does not exist.
    static func named(_ names: String?) throws -> [Workload] {
        guard let names else { return all }
        return try names.split(separator: ",").map { name in
            guard let found = all.first(where: { $0.name.lowercased() == name.lowercased() }) else {
                let known = all.map(\.name).joined(separator: ", ")
                throw ServerError("no workload \(name); there are \(known)")
            }
            return found
        }
    }

    /// The plan against `server`, with `share` of the usual number of messages.
    func plan(against server: RunningServer, share: Double) -> LoadPlan {
        var plan = LoadPlan(server: server.address)
        plan.security = server.security
        plan.caFile = server.caFile
        plan.password = "ps_test_perf"
        plan.connections = connections
        plan.messagesPerConnection = messagesPerConnection
        plan.mix = mix
        plan.isPipelining = isPipelining
        plan.isChunked = isChunked
        plan.messages = scaled(messages, share, atLeast: connections)
        plan.warmUpMessages = scaled(
            warmUpMessages, share, atLeast: min(warmUpMessages, connections))
        if isIdle { plan.company.idle = scaled(idleConnections, share, atLeast: 50) }
        plan.ratePerSecond = ratePerSecond
        plan.durationMilliseconds = durationSeconds.map { Int($0 * share * 1_000) }
        if company > 0 { plan.company.idle = company }
        return plan
    }

    private func scaled(_ count: Int, _ share: Double, atLeast least: Int) -> Int {
        max(least, Int((Double(count) * share).rounded()))
    }
}
