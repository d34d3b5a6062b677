import Testing

@testable import Perf
@testable import Reactor

@Suite struct ScaleSeriesTests {
    @Test(arguments: ScaleSeries.allCases)
    func `A workload's name gives its series and its place`(series: ScaleSeries) {
        let steps = series.steps(holdConnections: 500, holdMinutes: 1)
        #expect(!steps.isEmpty)
        for step in steps {
            #expect(ScaleSeries.of(step.workload.name) == series)
            #expect(ScaleSeries.place(step.workload.name) == step.place)
        }
        #expect(steps.map(\.place) == steps.map(\.place).sorted())
    }

    @Test func `Standard workloads belong to no series`() {
        #expect(Workload.all.allSatisfy { ScaleSeries.of($0.name) == nil })
    }

    @Test func `The cost of a step is relative to the first`() throws {
        let comparison = Comparison(results: [
            result("relay", "connections 1000", cpu: 110),
            result("relay", "connections 100", cpu: 100), result("relay", cpu: 50),
        ])
        let table = try #require(comparison.table(of: .connections, target: "relay"))
        let rows = table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(rows.count == 3)
        #expect(rows[1].prefix(4) == ["100", "100", "25.6", "1.000"])
        #expect(rows[2].prefix(4) == ["1000", "110", "28.2", "1.100"])
        #expect(comparison.table(of: .sizes, target: "relay") == nil)
    }

    @Test func `The page draws each series that was run, once`() {
        let page = ReportPage([
            result("relay", "sizes 1024", cpu: 100), result("relay", "sizes 50000000", cpu: 9_000),
        ]).html()
        #expect(page.contains(ScaleSeries.sizes.title))
        #expect(!page.contains(ScaleSeries.loops.title))
        #expect(!page.contains("<h2>sizes"))
    }
}
