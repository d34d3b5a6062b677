// One self-contained HTML page of results: tables, charts, and the machine they were measured on.

/// The page, with one section per workload.
struct ReportPage {
    let comparison: Comparison
    /// The server whose results are compared with the others'.
    let ours: String

    init(_ results: [LoadResult]) {
        comparison = Comparison(results: results)
        let targets = comparison.targets
        ours = targets.contains("relay") ? "relay" : targets.first ?? ""
    }

    func html() -> String {
        let machines = Set(comparison.results.map(\.machine.text)).sorted()
        let dates = comparison.results.map(\.date).sorted()
        var body = "<h1>relay-perf</h1>\n<p>\(escaped(dates.first ?? ""))"
        if let last = dates.last, last != dates.first { body += " to \(escaped(last))" }
        body += "<br>\(machines.map(escaped).joined(separator: "<br>"))</p>\n"
        body += "<p>CPU and memory are the server's own, of all its processes; the client and "
        body += "the servers behind it run on the same machine and do not count. "
        body += "Ratios are taken within a round and then summed up.</p>\n"
        for workload in comparison.workloads where ScaleSeries.of(workload) == nil {
            body += section(workload)
        }
        for series in ScaleSeries.allCases { body += section(of: series) }
        return """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>relay-perf</title>
            <style>\(ReportPage.style)</style></head>
            <body>
            \(body)</body></html>

            """
    }

    private func section(_ workload: String) -> String {
        let known = Workload.all.first { $0.name == workload }
        let summary = known?.summary ?? planText(workload)
        var html = "<section><h2>\(escaped(workload)) <small>\(escaped(summary))</small></h2>\n"
        html += table(workload)
        html += "<div class=\"charts\">\n"
        let metrics: [Metric] = [.cpuPerMessage, .cpuPerMegabyte, .memoryPerConnection]
        let metric = known.map { Metric.main(of: $0) }
        for shown in metrics where metric == nil || shown == metric {
            html += bars(workload, shown)
        }
        html += latencyCurves(workload)
        html += overTime(workload, "Throughput over time", "messages/s") {
            $0.messagesPerSecond
        }
        html += overTime(workload, "Memory over time (PSS)", "MB") {
            $0.memory.map { Double($0) / 1_048_576 }
        }
        return html + "</div></section>\n"
    }

    private func planText(_ workload: String) -> String {
        guard let plan = comparison.results.first(where: { $0.workload == workload })?.plan else {
            return ""
        }
        var text = "\(plan.mix) bytes, \(plan.messagesPerConnection) per connection, "
        text += "\(plan.connections) at a time, \(plan.security.rawValue)"
        if plan.isPipelining { text += ", pipelining" }
        if let rate = plan.ratePerSecond { text += ", \(brief(rate)) per second" }
        return text
    }

    private func table(_ workload: String) -> String {
        let isIdle = comparison.targets.contains {
            comparison.spread($0, workload, .memoryPerConnection) != nil
        }
        let shown: [Metric] =
            isIdle
            ? [.memoryPerConnection]
            : [.cpuPerMessage, .cpuPerMegabyte, .rate, .p99, .memoryGrowth]
        let columns = shown.filter { metric in
            comparison.targets.contains { comparison.spread($0, workload, metric) != nil }
        }
        let ratioMetric =
            Workload.all.first { $0.name == workload }.map { Metric.main(of: $0) } ?? .cpuPerMessage
        var html = "<table><tr><th></th>"
        html += columns.map { "<th>\(escaped($0.title))</th>" }.joined()
        html += "<th>\(escaped(ours)) / this</th></tr>\n"
        for target in comparison.targets {
            let cells = columns.map { comparison.spread(target, workload, $0)?.text ?? "" }
            guard cells.contains(where: { !$0.isEmpty }) else { continue }
            let ratio =
                target == ours
                ? nil : comparison.ratio(ratioMetric, of: ours, workload, to: target)
            html += "<tr><th><i class=\"b\(color(target))\"></i>\(escaped(target))</th>"
            html += cells.map { "<td>\($0)</td>" }.joined()
            html += "<td>\(ratio?.text ?? "")</td></tr>\n"
        }
        return html + "</table>\n"
    }

    /// Servers keep their colours on the whole page.
    func color(_ target: String) -> Int {
        (comparison.targets.firstIndex(of: target) ?? 0) % 8
    }

    private func bars(_ workload: String, _ metric: Metric) -> String {
        let bars = comparison.targets.compactMap { target in
            comparison.spread(target, workload, metric).map {
                (name: target, color: color(target), value: $0.median, text: $0.text)
            }
        }
        return bars.isEmpty ? "" : BarChart(title: metric.title, bars: bars).html()
    }

    /// The last run of each server, which the charts show as lines.
    private func lastRuns(_ workload: String) -> [(target: String, result: LoadResult)] {
        comparison.targets.compactMap { target in
            comparison.results.last { $0.target == target && $0.workload == workload }
                .map { (target, $0) }
        }
    }

    private func latencyCurves(_ workload: String) -> String {
        let series = lastRuns(workload).compactMap { target, result -> Series? in
            guard let curve = result.message?.curve else { return nil }
            return Series(
                name: target, color: color(target),
                points: curve.map { ($0.percentile, Double($0.microseconds) / 1_000) })
        }
        let values = series.flatMap { $0.points.map(\.y) }.filter { $0 > 0 }
        guard let least = values.min(), let greatest = values.max() else { return "" }
        return LineChart(
            title: "Latency per message", xTitle: "percentile", yTitle: "ms",
            xScale: .percentiles, yScale: .logarithmic(from: least, to: greatest), series: series
        ).html()
    }

    func overTime(
        _ workload: String, _ title: String, _ unit: String, _ value: (Sample) -> Double?
    ) -> String {
        let series = lastRuns(workload).compactMap { target, result -> Series? in
            let points = result.samples.compactMap { sample in
                value(sample).map { (x: sample.seconds, y: $0) }
            }
            return points.isEmpty
                ? nil : Series(name: target, color: color(target), points: points)
        }
        guard !series.isEmpty else { return "" }
        let points = series.flatMap(\.points)
        return LineChart(
            title: title, xTitle: "seconds", yTitle: unit,
            xScale: .linear(to: points.map(\.x).max() ?? 1),
            yScale: .linear(to: max(points.map(\.y).max() ?? 1, 1)), series: series
        ).html()
    }
}
