// Comparisons as tables for a terminal: one table per workload, one row per server.

extension Comparison {
    /// One row per workload, for one server.
    func suiteTable(_ target: String) -> String {
        var rows = [["", "CPU us/msg", "CPU ms/MB", "msg/s", "p50 ms", "p99 ms", "growth MB"]]
        for workload in workloads {
            let known = Workload.all.first { $0.name == workload }
            guard known?.isIdle != true else { continue }
            let p50 = results.first { $0.workload == workload && $0.target == target }?.message
            rows.append(
                [workload]
                    + [Metric.cpuPerMessage, .cpuPerMegabyte, .rate].map {
                        cell(target, workload, $0)
                    }
                    + [p50.map { brief(Double($0.microseconds(50)) / 1_000) } ?? "-"]
                    + [Metric.p99, .memoryGrowth].map { cell(target, workload, $0) })
        }
        var text = aligned(rows)
        for workload in workloads {
            guard let weight = spread(target, workload, .memoryPerConnection) else { continue }
            text += "\n\(workload): \(brief(weight.median)) kB per idle connection"
        }
        return text
    }

    /// `ours` compared with every other server, workload by workload.
    func tables(ours: String) -> String {
        workloads.map { workload in
            guard let known = Workload.all.first(where: { $0.name == workload }) else { return "" }
            let metric = Metric.main(of: known)
            var rows = [
                [metric.title, "median", "min", "max", "ours/theirs", "min", "max"]
                    + (known.isIdle ? [] : ["msg/s", "p99 ms", "growth MB"])
            ]
            for target in targets {
                guard let own = spread(target, workload, metric) else { continue }
                var row = [target, brief(own.median), brief(own.least), brief(own.greatest)]
                if target == ours {
                    row += ["", "", ""]
                } else {
                    let ratio = self.ratio(metric, of: ours, workload, to: target)
                    row += [ratio?.median, ratio?.least, ratio?.greatest].map {
                        $0.map { decimal($0, 3) } ?? "-"
                    }
                }
                if !known.isIdle {
                    row += [Metric.rate, .p99, .memoryGrowth].map { cell(target, workload, $0) }
                }
                rows.append(row)
            }
            return "\(workload): \(known.summary)\n\(aligned(rows))\n"
        }.joined(separator: "\n")
    }

    /// A median, or a dash where there is none.
    func cell(_ target: String, _ workload: String, _ metric: Metric) -> String {
        spread(target, workload, metric).map { brief($0.median) } ?? "-"
    }
}
