// The result of one run: a line of JSON in a results file, and the source of tables and pages.

import Foundation

/// One run of one workload against one server.
struct LoadResult: Codable {
    /// When it ended, ISO 8601.
    var date: String
    var machine: Machine
    /// "relay", "haproxy"…, or the server's address.
    var target: String
    /// "W1"…, or "load".
    var workload: String
    /// The command that the result belongs to: the time at which that command began.
    var series: String
    /// The round, from 1 within its series; 0 where there are no rounds.
    var round: Int
    var plan: PlanSummary

    var seconds: Double
    var messages: Int
    /// Bytes of the measured messages, as sent.
    var bytes: Int
    var handshake: LatencySummary?
    var login: LatencySummary?
    var message: LatencySummary?
    var failures: [String: Int]
    var slowMessages: Int
    var vanishedClients: Int
    var server: ServerCost?
    /// One sample per second.
    var samples: [Sample]

    var messagesPerSecond: Double { Double(messages) / max(seconds, 1e-6) }
    var megabytes: Double { Double(bytes) / 1_048_576 }
    /// Microseconds of the server's CPU; nil where it was not measured.
    var cpuPerMessage: Double? {
        guard let server, messages > 0, server.instructions == nil else { return nil }
        return Double(server.userTime + server.systemTime) / Double(messages)
    }
    /// Milliseconds of the server's CPU.
    var cpuPerMegabyte: Double? {
        guard let perMessage = cpuPerMessage, megabytes > 0 else { return nil }
        return perMessage * Double(messages) / megabytes / 1_000
    }
}

/// The parts of the plan that a reader needs.
struct PlanSummary: Codable, Equatable {
    var security: Security
    var connections: Int
    var messagesPerConnection: Int
    var recipients: Int
    var mix: String
    var isPipelining: Bool
    var isResuming: Bool
    var warmUpMessages: Int
    var ratePerSecond: Double?
    var company: Company

    init(_ plan: LoadPlan) {
        security = plan.security
        connections = plan.connections
        messagesPerConnection = plan.messagesPerConnection
        recipients = plan.recipients
        mix = plan.mix.name
        isPipelining = plan.isPipelining
        isResuming = plan.isResuming
        warmUpMessages = plan.warmUpMessages
        ratePerSecond = plan.ratePerSecond
        company = plan.company
    }
}

/// What the measured part of a run cost the server.
struct ServerCost: Codable, Equatable {
    /// "cgroup" or "process tree".
    var source: String
    /// Microseconds.
    var userTime: Int
    var systemTime: Int
    /// nil where they were not counted.
    var instructions: UInt64?
    /// Bytes, proportional set size: when measuring began, the maximum, and at the end.
    var memoryBefore: Int?
    var memoryPeak: Int?
    var memoryAfter: Int?
    /// Bytes that one idle logged-in connection takes (idle runs).
    var memoryPerConnection: Double?
    var descriptorsPeak: Int
    var processes: Int

    /// Bytes; nil where memory could not be read.
    var memoryGrowth: Int? {
        guard let memoryPeak, let memoryBefore else { return nil }
        return memoryPeak - memoryBefore
    }
}

/// One second of a run.
struct Sample: Codable, Equatable {
    /// Seconds since measuring began.
    var seconds: Double
    /// Messages accepted in this second, approximately.
    var messagesPerSecond: Double
    /// Microseconds, of the messages accepted in it; 0 where there were none.
    var p50: Int
    var p99: Int
    /// Bytes of the server's proportional set size.
    var memory: Int?
    /// Cores that the server kept busy.
    var cores: Double?
}

/// Results as JSON lines.
enum ResultFile {
    static func append(_ result: LoadResult, to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let line = try encoder.encode(result) + Data([10])
        if !FileManager.default.fileExists(atPath: path) {
            try line.write(to: URL(fileURLWithPath: path))
            return
        }
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        defer { try? handle.close() }
        try handle.seekToEnd()
        try handle.write(contentsOf: line)
    }

    /// - Throws: when a file cannot be read or a line is not a result.
    static func read(_ path: String) throws -> [LoadResult] {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        return try data.split(separator: 10).map {
            try JSONDecoder().decode(LoadResult.self, from: Data($0))
        }
    }
}
