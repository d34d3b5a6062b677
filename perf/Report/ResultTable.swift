// One result as a table for people.

extension LoadResult {
    /// Rows of name, value and unit.
    func table() -> String {
        var rows: [[String]] = [
            ["messages", "\(messages)", ""],
            ["time", decimal(seconds, 2), "s"],
            ["rate", decimal(messagesPerSecond, 1), "messages/s"],
            ["throughput", decimal(megabytes / max(seconds, 1e-6), 2), "MB/s"],
        ]
        for (name, summary) in [("handshake", handshake), ("login", login), ("message", message)] {
            guard let summary else { continue }
            for (label, percentile) in [
                ("p50", 50.0), ("p90", 90), ("p99", 99), ("p99.9", 99.9), ("max", 100),
            ] {
                rows.append(["\(name) \(label)", "\(summary.microseconds(percentile))", "us"])
            }
        }
        if let server { rows += costRows(server) }
        if plan.company.slow > 0 { rows.append(["slow messages", "\(slowMessages)", ""]) }
        if plan.company.vanishing > 0 {
            rows.append(["clients that vanished", "\(vanishedClients)", ""])
        }
        for (what, count) in failures.sorted(by: { $0.key < $1.key }) {
            rows.append(["failed: \(what)", "\(count)", ""])
        }
        return aligned(rows.map { [$0[0], $0[1]] }).split(separator: "\n").enumerated()
            .map { "\($1) \(rows[$0][2])" }.joined(separator: "\n")
    }

    private func costRows(_ server: ServerCost) -> [[String]] {
        var rows: [[String]] = []
        if let instructions = server.instructions {
            let thousands = Double(instructions) / 1_000
            rows.append(["instructions", decimal(thousands / Double(messages), 1), "k/message"])
            rows.append(["instructions", decimal(thousands / 1_000 / megabytes, 3), "M/MB"])
        }
        if let perMessage = cpuPerMessage, let perMegabyte = cpuPerMegabyte {
            let total = Double(max(1, server.userTime + server.systemTime))
            rows.append(["server CPU", decimal(perMessage, 1), "us/message"])
            rows.append(["server CPU", decimal(perMegabyte, 3), "ms/MB"])
            rows.append(["user part", decimal(Double(server.userTime) * 100 / total, 0), "%"])
        }
        let memory: [(String, Int?)] = [
            ("memory before", server.memoryBefore), ("memory peak", server.memoryPeak),
            ("memory growth", server.memoryGrowth), ("memory after", server.memoryAfter),
        ]
        for (name, bytes) in memory {
            guard let bytes else { continue }
            rows.append([name, decimal(Double(bytes) / 1_048_576, 1), "MB"])
        }
        if let each = server.memoryPerConnection {
            rows.append(["per idle connection", decimal(each / 1_000, 1), "kB"])
        }
        rows.append(["most descriptors", "\(server.descriptorsPeak)", ""])
        rows.append(["processes", "\(server.processes)", "(\(server.source))"])
        return rows
    }
}
