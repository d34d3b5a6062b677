// Latencies of one kind in an HDR histogram: bounded memory, three significant digits, any
// percentile later.

import Histogram
import Reactor

/// Latencies in microseconds.
struct Latencies {
    /// The percentiles that results keep: enough to draw the curve.
    static let percentiles: [Double] = [
        0, 10, 25, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97, 98, 99, 99.5, 99.9, 99.95, 99.99, 100,
    ]

    private var histogram = Histogram<UInt32>(numberOfSignificantValueDigits: .three)

    /// Recorded so far.
    var count: Int { Int(histogram.totalCount) }

    mutating func record(_ now: MonotonicTime, since start: MonotonicTime) {
        guard now > start else { return }
        _ = histogram.record((now.nanoseconds - start.nanoseconds) / 1_000)
    }

    func microseconds(atPercentile percentile: Double) -> Int {
        count == 0 ? 0 : Int(histogram.valueAtPercentile(percentile))
    }

    /// nil where nothing was recorded.
    var summary: LatencySummary? {
        guard count > 0 else { return nil }
        return LatencySummary(
            count: count,
            curve: Latencies.percentiles.map {
                LatencyPoint(percentile: $0, microseconds: microseconds(atPercentile: $0))
            })
    }
}

/// What a result keeps of a histogram.
struct LatencySummary: Codable, Equatable {
    var count: Int
    var curve: [LatencyPoint]

    /// 0 for a percentile that is not kept.
    func microseconds(_ percentile: Double) -> Int {
        curve.first { $0.percentile == percentile }?.microseconds ?? 0
    }
}

struct LatencyPoint: Codable, Equatable {
    var percentile: Double
    var microseconds: Int
}
