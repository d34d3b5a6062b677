import Testing

@testable import Perf
@testable import Reactor

/// A result with the given CPU time per message.
func result(
    _ target: String, _ workload: String = "W2", series: String = "a", round: Int = 1, cpu: Int,
    idleBytes: Double? = nil
) -> LoadResult {
    let machine = Machine(
        processor: "P", cores: 2, memory: 1 << 30, system: "S", kernel: "K", openSSL: "O")
    let server = ServerCost(
        source: "cgroup", userTime: cpu * 60, systemTime: cpu * 40, instructions: nil,
        memoryBefore: 10 << 20, memoryPeak: 12 << 20, memoryAfter: 11 << 20,
        memoryPerConnection: idleBytes, descriptorsPeak: 60, processes: 1)
    let points = [50.0, 99, 100].map {
        LatencyPoint(percentile: $0, microseconds: Int($0) * 100)
    }
    return LoadResult(
        date: "2026-11-22T12:00:00Z", machine: machine, target: target, workload: workload,
        series: series, round: round,
        plan: PlanSummary(LoadPlan(server: SocketAddress("127.0.0.1:25")!)),
        seconds: 2, messages: 100, bytes: 100 * 4_096, handshake: nil, login: nil,
        message: LatencySummary(count: 100, curve: points), failures: [:], slowMessages: 0,
        vanishedClients: 0, server: server,
        samples: [
            Sample(
                seconds: 1, messagesPerSecond: 50, p50: 100, p99: 200, memory: 11 << 20,
                cores: 0.5)
        ])
}

@Suite struct ComparisonTests {
    @Test func `A spread has the middle of its values`() throws {
        #expect(Spread([]) == nil)
        let odd = try #require(Spread([3, 1, 2]))
        #expect((odd.least, odd.median, odd.greatest) == (1, 2, 3))
        let even = try #require(Spread([4, 1, 2, 3]))
        #expect(even.median == 2.5)
    }

    @Test func `Figures are per message and per megabyte`() {
        let result = result("relay", cpu: 200)
        #expect(result.cpuPerMessage == 200)
        #expect(result.cpuPerMegabyte == 51.2)
        #expect(result.messagesPerSecond == 50)
        #expect(Metric.memoryGrowth.value(result) == 2)
        #expect(Metric.p99.value(result) == 9.9)
    }

    @Test func `Ratios are taken within a round`() throws {
        // The machine was twice as slow in round 2; the ratio does not change.
        let comparison = Comparison(results: [
            result("relay", round: 1, cpu: 100), result("haproxy", round: 1, cpu: 200),
            result("relay", round: 2, cpu: 200), result("haproxy", round: 2, cpu: 400),
            result("relay", round: 3, cpu: 150),
        ])
        let ratio = comparison.ratio(.cpuPerMessage, of: "relay", "W2", to: "haproxy")
        #expect(ratio == Spread([0.5, 0.5]))
        #expect(comparison.ratio(.cpuPerMessage, of: "relay", "W1", to: "haproxy") == nil)
        #expect(comparison.targets == ["relay", "haproxy"])
    }

    @Test func `Rounds of different commands are different rounds`() {
        let comparison = Comparison(results: [
            result("relay", series: "a", cpu: 100), result("haproxy", series: "a", cpu: 200),
            result("relay", series: "b", cpu: 300), result("haproxy", series: "b", cpu: 300),
        ])
        let ratio = comparison.ratio(.cpuPerMessage, of: "relay", "W2", to: "haproxy")
        #expect(ratio == Spread([0.5, 1]))
    }

    @Test func `Budgets are judged by the median`() throws {
        let comparison = Comparison(results: [
            result("relay", cpu: 100), result("haproxy", cpu: 100),
            result("relay", "W5", cpu: 1, idleBytes: 15_000),
        ])
        let rows = Budget.all.compactMap { $0.row(comparison, ours: "relay") }
        #expect(rows.first { $0[0] == "W2" }?.last == "not met")
        #expect(rows.first { $0[0] == "W5" }?.last == "met")
        #expect(Budget.table(Comparison(results: []), ours: "relay") == nil)
    }

    @Test func `Tables name every server and workload`() {
        let comparison = Comparison(results: [
            result("relay", cpu: 100), result("haproxy", cpu: 200),
        ])
        let text = comparison.tables(ours: "relay")
        #expect(text.contains("0.500"))
        #expect(text.contains("haproxy"))
        #expect(comparison.suiteTable("relay").contains("W2"))
        #expect(result("relay", cpu: 100).table().contains("us/message"))
    }

    @Test func `Numbers are rounded, not cut`() {
        #expect(decimal(1.996, 2) == "2.00")
        #expect(decimal(-0.5, 1) == "-0.5")
        #expect(decimal(.infinity, 1) == "-")
        #expect(brief(1234.4) == "1234")
        #expect(brief(12.34) == "12.3")
        #expect(aligned([["a", "b"], ["aa", "bbb"]]) == "a     b\naa  bbb")
    }
}
