// How the page looks, in light and in dark.

extension ReportPage {
    /// Eight colours that are easy to tell apart on both backgrounds, also for most people with
    /// colour vision deficiency (after Okabe and Ito).
    private static let colors = [
        "#0072b2", "#e69f00", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#b8a800", "#808080",
    ]

    static var style: String {
        let series = colors.enumerated().map { index, color in
            ".b\(index){fill:\(color);background:\(color)}"
                + ".l\(index){stroke:\(color);fill:none;stroke-width:2;stroke-linejoin:round}"
        }.joined(separator: "\n")
        return """

            :root{color-scheme:light dark;--line:#8884}
            body{font:15px/1.5 system-ui,sans-serif;max-width:1320px;margin:2rem auto;padding:0 1rem}
            h1{font-size:1.6rem}
            h2{font-size:1.25rem;margin-top:2.5rem;border-bottom:1px solid var(--line)}
            h2 small{font-weight:normal;opacity:.75;font-size:1rem}
            table{border-collapse:collapse;font-variant-numeric:tabular-nums;display:block;
              overflow-x:auto}
            th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid var(--line);
              white-space:nowrap}
            th:first-child{text-align:left}
            i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.4em}
            .charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr));
              gap:1rem;margin-top:1rem}
            figure{margin:0}
            figcaption{font-weight:600}
            svg{width:100%;height:auto}
            svg text{font:12px system-ui,sans-serif;fill:currentColor}
            svg .end{text-anchor:end}
            svg .mid{text-anchor:middle}
            svg .grid{stroke:var(--line)}
            .key{margin-right:1rem;white-space:nowrap}
            \(series)

            """
    }
}
