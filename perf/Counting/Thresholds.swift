// The limits for the counts: a committed file with one line per count, and the tolerance that was
// measured.

/// The lines of a thresholds file.
struct Thresholds: Equatable {
    struct Line: Equatable {
        /// The count may exceed this by the tolerance.
        var count: Double
        /// Percent by which counts of the same program differ, at least 0.
        var tolerancePercent: Double

        var atMost: Double { count * (1 + tolerancePercent / 100) }
    }

    enum Verdict: String { case met, exceeded, unknown = "no threshold" }

    private(set) var lines: [String: Line] = [:]

    /// - Parameter text: `name count tolerance%`, one per line; `#` begins a comment.
    /// - Throws: for a line that is neither.
    init(_ text: String) throws {
        for line in text.split(separator: "\n") where !line.trimmed.hasPrefix("#") {
            let fields = line.split(separator: " ")
            if fields.isEmpty { continue }
            guard fields.count == 3, let count = Double(fields[1]), fields[2].hasSuffix("%"),
                let tolerance = Double(fields[2].dropLast()), count >= 0, tolerance >= 0
            else { throw ServerError("no threshold: \"\(line)\"") }
            lines[String(fields[0])] = Line(count: count, tolerancePercent: tolerance)
        }
    }

    func verdict(_ name: String, _ count: Double) -> Verdict {
        guard let line = lines[name] else { return .unknown }
        return count <= line.atMost ? .met : .exceeded
    }
}
