import Foundation
import Testing

@testable import Perf

@Suite struct ReportTests {
    @Test func `The page shows every server, needs no network, and closes every element`() {
        let page = ReportPage([
            result("relay", cpu: 100), result("haproxy", cpu: 200),
            result("relay", "W5", cpu: 1, idleBytes: 15_000),
            result("<b>&", "load", cpu: 300),
        ]).html()
        #expect(page.contains("haproxy"))
        #expect(page.contains("&lt;b&gt;&amp;"))
        #expect(!page.contains("<b>"))
        for outside in ["http://", "https://", "src=", "<script", "@import", "url("] {
            #expect(!page.contains(outside), "\(outside)")
        }
        for element in ["section", "figure", "svg", "table", "div", "text", "tr"] {
            let opened = page.matches(of: try! Regex("<\(element)[ >]")).count
            #expect(opened == page.matches(of: try! Regex("</\(element)>")).count, "\(element)")
        }
    }

    @Test func `A page without results is still a page`() {
        #expect(ReportPage([]).html().hasSuffix("</body></html>\n"))
    }

    @Test(arguments: [
        (0.3, 0.5), (1.0, 1.0), (1.1, 2.0), (4.9, 5.0), (7.0, 10.0), (300.0, 500.0),
    ])
    func `Steps of an axis are round`(rough: Double, step: Double) {
        #expect(abs(Scale.roundStep(rough) - step) < 1e-9)
    }

    @Test func `A linear axis begins at 0 and ends above its greatest value`() {
        let scale = Scale.linear(to: 930)
        #expect(scale.ticks.map(\.label) == ["0", "200", "400", "600", "800", "1k"])
        #expect(scale.place(0) == 0)
        #expect(scale.place(1_000) == 1)
        #expect(scale.place(5_000) == 1)
        #expect(Scale.linear(to: 0).ticks.count == 6)
    }

    @Test func `A logarithmic axis spans powers of ten`() {
        let scale = Scale.logarithmic(from: 0.3, to: 40)
        #expect(scale.ticks.map(\.label) == ["0.1", "1", "10", "100"])
        #expect(abs(scale.place(1) - 1.0 / 3) < 1e-9)
    }

    @Test func `Each nine of a percentile takes as much room`() {
        let scale = Scale.percentiles
        let places = [90, 99, 99.9].map { scale.place($0) }
        #expect(abs((places[2] - places[1]) - (places[1] - places[0])) < 1e-6)
        #expect(scale.place(100) == 1)
    }

    @Test func `Results are the same after writing and reading`() throws {
        let path = NSTemporaryDirectory() + "perf-tests.\(UInt64.random(in: 0...(.max))).jsonl"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let first = result("relay", cpu: 100)
        try ResultFile.append(first, to: path)
        try ResultFile.append(result("nginx", round: 2, cpu: 300), to: path)
        let read = try ResultFile.read(path)
        #expect(read.map(\.target) == ["relay", "nginx"])
        #expect(read[0].server == first.server)
        #expect(read[0].samples == first.samples)
        #expect(read[1].message == first.message)
    }
}
