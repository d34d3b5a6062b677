// Charts as inline SVG: lines over a scale, and bars next to each other. No script, no font, no
// network.

/// A line of a chart.
struct Series {
    var name: String
    /// Index of the colour; a server keeps its colour in all charts.
    var color: Int
    var points: [(x: Double, y: Double)]
}

/// A chart of lines.
struct LineChart {
    var title: String
    var xTitle: String
    var yTitle: String
    var xScale: Scale
    var yScale: Scale
    var series: [Series]

    private static let width = 560.0
    private static let height = 300.0
    private static let left = 64.0
    private static let right = 16.0
    private static let top = 16.0
    private static let bottom = 44.0

    /// A `figure` with its legend.
    func html() -> String {
        var svg =
            "<svg viewBox=\"0 0 560 300\" role=\"img\" aria-label=\"\(escaped(title))\">"
        svg += axes()
        for line in series where !line.points.isEmpty { svg += path(line) }
        svg += "</svg>"
        let legend = series.map {
            "<span class=\"key\"><i class=\"b\($0.color)\"></i>\(escaped($0.name))</span>"
        }.joined()
        return "<figure><figcaption>\(escaped(title))</figcaption>\(svg)"
            + "<div class=\"legend\">\(legend)</div></figure>\n"
    }

    private func x(_ value: Double) -> Double {
        LineChart.left
            + xScale.place(value) * (LineChart.width - LineChart.left - LineChart.right)
    }

    private func y(_ value: Double) -> Double {
        LineChart.height - LineChart.bottom
            - yScale.place(value) * (LineChart.height - LineChart.top - LineChart.bottom)
    }

    private func path(_ line: Series) -> String {
        if line.points.count == 1 {
            let point = line.points[0]
            return "<circle class=\"b\(line.color)\" cx=\"\(decimal(x(point.x), 1))\" "
                + "cy=\"\(decimal(y(point.y), 1))\" r=\"3\"/>"
        }
        let points = line.points.map { "\(decimal(x($0.x), 1)),\(decimal(y($0.y), 1))" }
        return "<polyline class=\"l\(line.color)\" points=\"\(points.joined(separator: " "))\"/>"
    }

    private func axes() -> String {
        let end = LineChart.width - LineChart.right
        let ground = LineChart.height - LineChart.bottom
        var svg = ""
        for tick in yScale.ticks {
            let place = decimal(y(tick.value), 1)
            svg += "<line class=\"grid\" x1=\"\(LineChart.left)\" x2=\"\(end)\" y1=\"\(place)\" "
            svg += "y2=\"\(place)\"/><text class=\"end\" x=\"\(LineChart.left - 6)\" "
            svg += "y=\"\(decimal(y(tick.value) + 4, 1))\">\(tick.label)</text>"
        }
        for tick in xScale.ticks {
            let place = decimal(x(tick.value), 1)
            svg += "<line class=\"grid\" x1=\"\(place)\" x2=\"\(place)\" y1=\"\(LineChart.top)\" "
            svg += "y2=\"\(ground)\"/><text class=\"mid\" x=\"\(place)\" y=\"\(ground + 16)\">"
            svg += "\(tick.label)</text>"
        }
        svg += "<text class=\"mid\" x=\"\((LineChart.left + end) / 2)\" "
        svg += "y=\"\(LineChart.height - 8)\">\(escaped(xTitle))</text>"
        svg += "<text class=\"mid\" transform=\"translate(14 \(ground / 2)) rotate(-90)\">"
        svg += "\(escaped(yTitle))</text>"
        return svg
    }
}

/// Bars next to each other with their figures: each row has a name, a value, and a text after the
/// bar.
struct BarChart {
    var title: String
    var bars: [(name: String, color: Int, value: Double, text: String)]

    func html() -> String {
        let rowHeight = 30.0
        let height = Double(bars.count) * rowHeight + 8
        let most = max(bars.map(\.value).max() ?? 1, 1e-9)
        var svg = "<svg viewBox=\"0 0 560 \(decimal(height, 0))\" role=\"img\" "
        svg += "aria-label=\"\(escaped(title))\">"
        for (index, bar) in bars.enumerated() {
            let top = Double(index) * rowHeight + 6
            let width = max(1, bar.value / most * 260)
            svg += "<text class=\"end\" x=\"104\" y=\"\(top + 15)\">\(escaped(bar.name))</text>"
            svg += "<rect class=\"b\(bar.color)\" x=\"112\" y=\"\(top)\" height=\"20\" rx=\"2\" "
            svg += "width=\"\(decimal(width, 1))\"/>"
            svg += "<text x=\"\(decimal(118 + width, 1))\" y=\"\(top + 15)\">"
            svg += "\(escaped(bar.text))</text>"
        }
        return "<figure><figcaption>\(escaped(title))</figcaption>\(svg)</svg></figure>\n"
    }
}

/// For text in HTML and SVG.
func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
        .replacing("\"", with: "&quot;")
}
