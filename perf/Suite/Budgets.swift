// What the relay may cost, and whether a comparison shows that it stays within that budget.

/// One line of the budget.
struct Budget: Sendable {
    enum Limit: Sendable {
        /// At most this many times another server's figure.
        case times(Double, of: String)
        /// At most this many times the relay's own figure in another workload.
        case timesOwn(Double, workload: String)
        case atMost(Double)
    }

    let workload: String
    let metric: Metric
    let limit: Limit

    static let all: [Budget] = [
        Budget(workload: "W1", metric: .cpuPerMessage, limit: .times(0.95, of: "haproxy")),
        Budget(workload: "W2", metric: .cpuPerMessage, limit: .times(0.75, of: "haproxy")),
        Budget(workload: "W2p", metric: .cpuPerMessage, limit: .times(0.55, of: "haproxy")),
        Budget(workload: "W3", metric: .cpuPerMegabyte, limit: .times(1, of: "haproxy-tls")),
        Budget(workload: "W4", metric: .cpuPerMegabyte, limit: .timesOwn(1.1, workload: "W3")),
        Budget(workload: "W5", metric: .memoryPerConnection, limit: .atMost(15.5)),
        Budget(workload: "W3", metric: .memoryGrowth, limit: .atMost(2)),
        Budget(workload: "W2", metric: .p99, limit: .times(1, of: "haproxy")),
    ]

    /// A row with workload, figure, limit, result and verdict; nil where figures are missing.
    func row(_ comparison: Comparison, ours: String) -> [String]? {
        let text: String
        let allowed: Double
        let found: Spread?
        switch limit {
        case .times(let factor, let peer):
            text = "\(brief(factor)) x \(peer)"
            allowed = factor
            // W2 with a pipelining client is compared with the peer's W2, because the peer has no
            // pipelining.
            let theirs = workload == "W2p" ? "W2" : workload
            found = comparison.ratio(metric, of: ours, workload, to: peer, theirs)
        case .timesOwn(let factor, let other):
            text = "\(brief(factor)) x our \(other)"
            allowed = factor
            found = comparison.ratio(metric, of: ours, workload, to: ours, other)
        case .atMost(let value):
            text = brief(value)
            allowed = value
            found = comparison.spread(ours, workload, metric)
        }
        guard let found else { return nil }
        return [
            workload, metric.title, text, found.text, found.median <= allowed ? "met" : "not met",
        ]
    }

    /// nil where no budget could be judged.
    static func table(_ comparison: Comparison, ours: String) -> String? {
        let rows = all.compactMap { $0.row(comparison, ours: ours) }
        guard !rows.isEmpty else { return nil }
        return aligned([["budget", "", "at most", "is", ""]] + rows)
    }
}
