// Results of several servers under the same load, compared round by round.
//
// Times on a shared machine change from minute to minute; the ratio of two runs that followed each
// other stays. So ratios are computed within a round and only then summed up.

/// A figure that results are compared by.
enum Metric: Sendable {
    case cpuPerMessage, cpuPerMegabyte, memoryPerConnection, memoryGrowth, p99, rate

    /// The figure that a workload is judged by.
    static func main(of workload: Workload) -> Metric {
        if workload.isIdle { return .memoryPerConnection }
        return workload.isJudgedByMegabyte ? .cpuPerMegabyte : .cpuPerMessage
    }

    var title: String {
        switch self {
        case .cpuPerMessage: "CPU, us per message"
        case .cpuPerMegabyte: "CPU, ms per MB"
        case .memoryPerConnection: "kB per connection"
        case .memoryGrowth: "memory growth, MB"
        case .p99: "p99, ms"
        case .rate: "messages/s"
        }
    }

    /// nil where a result does not have it.
    func value(_ result: LoadResult) -> Double? {
        switch self {
        case .cpuPerMessage: result.cpuPerMessage
        case .cpuPerMegabyte: result.cpuPerMegabyte
        case .memoryPerConnection: result.server?.memoryPerConnection.map { $0 / 1_000 }
        case .memoryGrowth: result.server?.memoryGrowth.map { Double($0) / 1_048_576 }
        case .p99: result.message.map { Double($0.microseconds(99)) / 1_000 }
        case .rate: result.messages > 0 ? result.messagesPerSecond : nil
        }
    }
}

/// The minimum, the median and the maximum of some figures.
struct Spread: Equatable {
    let least: Double
    let median: Double
    let greatest: Double

    /// nil for none.
    init?(_ values: [Double]) {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        least = sorted[0]
        greatest = sorted[sorted.count - 1]
        let middle = sorted.count / 2
        median =
            sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    var text: String { "\(brief(median)) (\(brief(least)) to \(brief(greatest)))" }
}

/// Results by server, workload and figure.
struct Comparison {
    let results: [LoadResult]

    /// In the order of their first appearance.
    var targets: [String] { firstOf(results.map(\.target)) }
    var workloads: [String] { firstOf(results.map(\.workload)) }

    /// One round of one command.
    struct Round: Hashable {
        var series: String
        var number: Int
    }

    /// A figure of each round.
    func values(_ target: String, _ workload: String, _ metric: Metric) -> [Round: Double] {
        var values: [Round: Double] = [:]
        for result in results where result.target == target && result.workload == workload {
            guard let value = metric.value(result) else { continue }
            values[Round(series: result.series, number: result.round)] = value
        }
        return values
    }

    func spread(_ target: String, _ workload: String, _ metric: Metric) -> Spread? {
        Spread(Array(values(target, workload, metric).values))
    }

    /// `ours` divided by `theirs`, round by round; each may have its own workload.
    func ratio(
        _ metric: Metric, of ours: String, _ workload: String, to theirs: String,
        _ theirWorkload: String? = nil
    ) -> Spread? {
        let mine = values(ours, workload, metric)
        let other = values(theirs, theirWorkload ?? workload, metric)
        return Spread(
            mine.compactMap { round, value in
                guard let divisor = other[round], divisor > 0 else { return nil }
                return value / divisor
            })
    }

    private func firstOf(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }
}
