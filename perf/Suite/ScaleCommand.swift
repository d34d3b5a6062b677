// `relay-perf scale`: runs the series of `ScaleSeries` against the relay only.

import ArgumentParser

struct ScaleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale",
        abstract: "Measure how the relay's costs grow with size, connections, loops and time.",
        discussion: "Series: \(ScaleSeries.allCases.map(\.rawValue).joined(separator: ", ")).")

    @OptionGroup var flags: SuiteFlags

    @Option(help: "Rounds; the table shows medians.")
    var rounds = 1

    @Option(help: "Connections to hold.")
    var holdConnections = 10_000

    @Option(help: "Minutes to hold them.")
    var holdMinutes = 10.0

    func validate() throws {
        guard rounds > 0, holdConnections > 0, holdMinutes > 0 else {
            throw ValidationError("Numbers must be above 0.")
        }
    }

    func run() throws {
        let target = flags.target()
        if let obstacle = target.obstacle { throw ServerError(obstacle) }
        let runner = try flags.runner()
        print(Machine.describe().text)
        var results: [LoadResult] = []
        for round in 1...rounds {
            for step in try chosenSeries().flatMap({
                $0.steps(holdConnections: holdConnections, holdMinutes: holdMinutes)
            }) {
                var target = target
                target.arguments = step.arguments + target.arguments
                results.append(try runner.run(step.workload, target, round: round))
            }
        }
        let comparison = Comparison(results: results)
        for series in ScaleSeries.allCases {
            guard let table = comparison.table(of: series, target: target.name) else { continue }
            print("\n\(series.title)\n\(table)")
        }
        try failOnFailures(results)
    }

    private func chosenSeries() throws -> [ScaleSeries] {
        guard let only = flags.only else { return ScaleSeries.allCases }
        return try only.split(separator: ",").map { name in
            guard let series = ScaleSeries(rawValue: String(name)) else {
                throw ValidationError("--only: there is no series \(name).")
            }
            return series
        }
    }
}

extension Comparison {
    /// The workloads of a series, from the smallest to the largest.
    func workloads(of series: ScaleSeries) -> [(name: String, place: Double)] {
        workloads.filter { ScaleSeries.of($0) == series }
            .compactMap { name in ScaleSeries.place(name).map { (name, $0) } }
            .sorted { $0.1 < $1.1 }
    }

    /// A row for each step, with its cost in relation to the first step; nil where no step was run.
    func table(of series: ScaleSeries, target: String) -> String? {
        let steps = workloads(of: series)
        guard let first = steps.first else { return nil }
        var rows = [
            [
                series.axis, "CPU us/msg", "CPU ms/MB", "to the first", "msg/s", "p99 ms",
                "growth MB",
            ]
        ]
        for step in steps {
            let shown: [Metric] = [.cpuPerMessage, .cpuPerMegabyte]
            let ratio = ratio(
                series.metric, of: target, step.name, to: target, first.name)
            rows.append(
                [decimal(step.place, 0)] + shown.map { cell(target, step.name, $0) }
                    + [ratio.map { decimal($0.median, 3) } ?? "-"]
                    + [.rate, .p99, .memoryGrowth].map { cell(target, step.name, $0) })
        }
        return aligned(rows)
    }
}
