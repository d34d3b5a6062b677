// The sections of the page that show how costs grow, with one chart per series.

extension ReportPage {
    /// Empty where nothing of the series was run.
    func section(of series: ScaleSeries) -> String {
        let steps = comparison.workloads(of: series)
        guard !steps.isEmpty else { return "" }
        var html = "<section><h2>\(escaped(series.title))</h2>\n<div class=\"charts\">\n"
        if series == .hold {
            for step in steps {
                html += overTime(step.name, "Memory of \(decimal(step.place, 0)) (PSS)", "MB") {
                    $0.memory.map { Double($0) / 1_048_576 }
                }
            }
        } else {
            html += growth(series, series.metric, steps)
            if series == .sizes { html += growth(series, .cpuPerMessage, steps) }
        }
        html += "</div>\n"
        for target in comparison.targets {
            guard let table = comparison.table(of: series, target: target) else { continue }
            html += "<p>\(escaped(target))</p><pre>\(escaped(table))</pre>\n"
        }
        return html + "</section>\n"
    }

    private func growth(
        _ series: ScaleSeries, _ metric: Metric, _ steps: [(name: String, place: Double)]
    ) -> String {
        let lines = comparison.targets.compactMap { target -> Series? in
            let points = steps.compactMap { step in
                comparison.spread(target, step.name, metric).map { (x: step.place, y: $0.median) }
            }
            return points.isEmpty
                ? nil : Series(name: target, color: color(target), points: points)
        }
        let points = lines.flatMap(\.points)
        guard let least = points.map(\.x).min(), let most = points.map(\.x).max(),
            let dearest = points.map(\.y).max(), let cheapest = points.map(\.y).min()
        else { return "" }
        let isSteep = cheapest > 0 && dearest / cheapest > 20
        return LineChart(
            title: metric.title, xTitle: series.axis, yTitle: metric.title,
            xScale: series == .loops
                ? .linear(to: most) : .logarithmic(from: least, to: most),
            yScale: isSteep
                ? .logarithmic(from: cheapest, to: dearest) : .linear(to: max(dearest, 1e-6)),
            series: lines
        ).html()
    }
}
