// What a load run showed, as a table for people and as a JSON line for programs.

/// The result of one `LoadRun`.
struct LoadReport {
    private var rows: [(key: String, value: String, unit: String)] = []

    init(
        run: LoadRun, seconds: Double, before: ProcessReading, after: ProcessReading?,
        showsInstructions: Bool
    ) {
        let measured = max(1, run.acceptedMessages - run.plan.warmUpMessages)
        let megabytes = Double(measured) * Double(run.message.count) / 1_048_576
        add("messages", "\(run.acceptedMessages - run.plan.warmUpMessages)", "")
        add("seconds", rounded(seconds, 2), "s")
        add("rate", rounded(Double(measured) / max(seconds, 0.001), 1), "messages/s")
        add("throughput", rounded(megabytes / max(seconds, 0.001), 1), "MB/s")
        for (name, latencies) in [
            ("handshake", run.handshakes), ("login", run.logins), ("message", run.messageLatencies),
        ] where latencies.count > 0 {
            for percentile in [50.0, 99, 99.9] {
                add(
                    "\(name)_p\(rounded(percentile, percentile == 99.9 ? 1 : 0))",
                    "\(latencies.microseconds(atPercentile: percentile))", "us")
            }
        }
        if let after {
            addServer(
                before, after, measured: measured, megabytes: megabytes,
                showsInstructions: showsInstructions)
        }
        for (what, count) in run.failures.sorted(by: { $0.key < $1.key }) {
            add("failed: \(what)", "\(count)", "")
        }
    }

    private mutating func addServer(
        _ before: ProcessReading, _ after: ProcessReading, measured: Int, megabytes: Double,
        showsInstructions: Bool
    ) {
        if showsInstructions, let now = after.instructions, let then = before.instructions {
            let thousands = Double(now - then) / 1_000
            add("instructions_per_message", rounded(thousands / Double(measured), 1), "k")
            add("instructions_per_mb", rounded(thousands / megabytes / 1_000, 3), "M")
        } else if !showsInstructions {
            let user = Double(after.userTime - before.userTime)
            let system = Double(after.systemTime - before.systemTime)
            add("cpu_per_message", rounded((user + system) / Double(measured), 1), "us")
            add("cpu_per_mb", rounded((user + system) / megabytes / 1_000, 3), "ms")
            add("cpu_user_share", rounded(user / max(1, user + system), 2), "")
        }
        add("peak_resident", rounded(Double(after.peakResident) / 1_048_576, 1), "MB")
        let growth = Double(after.peakResident - before.peakResident)
        add("peak_growth", rounded(growth / 1_048_576, 1), "MB")
        add("descriptors", "\(after.descriptors)", "")
    }

    private mutating func add(_ key: String, _ value: String, _ unit: String) {
        rows.append((key, value, unit))
    }

    func table() -> String {
        rows.map { row in
            let key = row.key + String(repeating: " ", count: max(1, 28 - row.key.count))
            let value = String(repeating: " ", count: max(0, 12 - row.value.count)) + row.value
            return "\(key)\(value) \(row.unit)"
        }.joined(separator: "\n")
    }

    func json() -> String {
        let fields = rows.map { row in
            let name = row.unit.isEmpty ? row.key : "\(row.key)_\(row.unit)"
            return "\"\(name.replacing("\"", with: "'"))\":\(row.value)"
        }
        return "{" + fields.joined(separator: ",") + "}"
    }
}

/// `value` with `places` decimals, without Foundation.
private func rounded(_ value: Double, _ places: Int) -> String {
    var factor = 1
    for _ in 0..<places { factor *= 10 }
    let scaled = Int((value * Double(factor)).rounded())
    guard places > 0 else { return "\(scaled)" }
    let fraction = String(scaled.magnitude % UInt(factor))
    let padding = String(repeating: "0", count: places - fraction.count)
    return "\(scaled < 0 ? "-" : "")\(scaled.magnitude / UInt(factor)).\(padding)\(fraction)"
}
