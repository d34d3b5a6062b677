// The page that an operator opens: `/status`. One answer without anything from elsewhere, put
// together from the files of `Page/`. Its script asks `/status.json` every two seconds, works the
// rates out, and writes text only as text (`textContent`), so that nothing that a client or the API
// sent can become markup.

/// The page, made once.
enum StatusPage {
    static let bytes = page(
        html: PackageResources.status_html, css: PackageResources.status_css,
        script: PackageResources.status_js)

    /// Puts style and script into their elements, which are empty in `html`.
    private static func page(html: [UInt8], css: [UInt8], script: [UInt8]) -> [UInt8] {
        var page = html
        for (text, end) in [(css, "</style>"), (script, "</script>")] {
            guard let place = page.firstRange(of: Array(end.utf8)) else {
                preconditionFailure("status.html has no \(end)")
            }
            page.insert(contentsOf: text, at: place.lowerBound)
        }
        return page
    }
}
