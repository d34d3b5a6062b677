// Formats numbers for tables.

/// `value` with `places` decimals.
func decimal(_ value: Double, _ places: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "-" }
    var factor = 1
    for _ in 0..<places { factor *= 10 }
    let scaled = Int((value * Double(factor)).rounded())
    guard places > 0 else { return "\(scaled)" }
    let fraction = String(scaled.magnitude % UInt(factor))
    let padding = String(repeating: "0", count: places - fraction.count)
    return "\(scaled < 0 ? "-" : "")\(scaled.magnitude / UInt(factor)).\(padding)\(fraction)"
}

/// Three significant digits, because figures are too noisy for more: 1234, 56.7, 1.23.
func brief(_ value: Double) -> String {
    switch abs(value) {
    case 100...: decimal(value, 0)
    case 10..<100: decimal(value, 1)
    default: decimal(value, 2)
    }
}

/// Aligned columns: the first to the left, the others to the right.
func aligned(_ rows: [[String]]) -> String {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
        rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
        row.enumerated().map { column, cell in
            let padding = String(repeating: " ", count: widths[column] - cell.count)
            return column == 0 ? cell + padding : padding + cell
        }.joined(separator: "  ").trimmedEnd
    }.joined(separator: "\n")
}

extension String {
    fileprivate var trimmedEnd: String {
        String(reversed().drop { $0 == " " }.reversed())
    }
}
