// References in HTML: where a text names other files, and that hostile text costs no more.

import Testing

@testable import Wire

/// HTML, and the references in it in their order.
struct ReferenceCase: CustomStringConvertible, Sendable {
    var html: String
    var found: [String]
    var description: String { html }

    init(_ html: String, _ found: String...) {
        self.html = html
        self.found = found
    }
}

@Suite("References in HTML")
struct HTMLReferencesTests {
    static let cases: [ReferenceCase] = [
        ReferenceCase(""),
        ReferenceCase("no markup, src=\"a.png\""),
        ReferenceCase("<img src=\"a.png\">", "a.png"),
        ReferenceCase("<IMG ALT=x SRC='a b.png' >", "a b.png"),
        ReferenceCase("<img src=a.png>", "a.png"),
        ReferenceCase("<img src=a.png/>", "a.png/"),
        ReferenceCase("<img src = \" a.png \n\" />", "a.png"),
        ReferenceCase("<img src>"),
        ReferenceCase("<img src=\"\">"),
        ReferenceCase("<img\nsrc=\"a\"\nalt=\"src='b'\">", "a"),
        ReferenceCase("<img alt='>' src=a>", "a"),
        ReferenceCase("<body background=\"bg.gif\"><p><img src=\"cid:x\">", "bg.gif", "cid:x"),
        ReferenceCase("<td background=bg.gif>", "bg.gif"),
        ReferenceCase("<a href=\"page.html\"><img src=a></a>", "a"),
        ReferenceCase("<link rel=stylesheet href=\"style.css\">", "style.css"),
        ReferenceCase("<object data=\"x.svg\"></object><p data=no>", "x.svg"),
        ReferenceCase(
            "<svg><image xlink:href='a.png'/><use href=\"b.svg\"/></svg>", "a.png", "b.svg"),
        ReferenceCase("<video poster=p.jpg src=v.mp4>", "p.jpg", "v.mp4"),
        ReferenceCase("<p style=\"background:url(a.png)\">", "a.png"),
        ReferenceCase("<p style='background: URL( \"a.png\" )' id=src>", "a.png"),
        ReferenceCase(
            "<p style=\"background:url(&quot;a.png&quot;);x:url('b')\"><img src=c>",
            "a.png", "b", "c"),
        ReferenceCase("<p style=background:url(a.png)><img src=b>", "a.png", "b"),
        ReferenceCase("<p style=\"color:red\" background=b>", "b"),
        ReferenceCase("<p style=\"\" background=b>", "b"),
        ReferenceCase(
            "<style>p { background: url(a.png) } q{x:url(\"b.png\")}</style><img src=c>",
            "a.png", "b.png", "c"),
        ReferenceCase("<style>p{}</STYLE >url(no)<img src=c>", "c"),
        ReferenceCase("<script>x = '<img src=no>'</script><img src=a>", "a"),
        ReferenceCase("<!-- <img src=a> --><img src=b>", "a", "b"),
        ReferenceCase(
            "<!--[if gte vml 1]><v:imagedata src=\"a.png\"/><![endif]--><img src=b>",
            "a.png", "b"),
        ReferenceCase("<img src=\"a.png", ""),
        ReferenceCase("<img <img src=a>", "a"),
        ReferenceCase("a < b <img src=c>", "c"),
        ReferenceCase("<p =src=a src=b>", "a", "b"),
        ReferenceCase("</img src=a><img src=b>", "b"),
    ]

    @Test("Each reference is found, without quotes and blanks", arguments: cases)
    func find(example: ReferenceCase) {
        #expect(references(example.html) == example.found.filter { !$0.isEmpty })
    }

    @Test("Any cut of the text is tolerated")
    func cuts() {
        for example in Self.cases {
            let bytes = example.html.bytes
            for end in 0...bytes.count {
                let part = Array(bytes[..<end]).text
                for found in references(part) { #expect(example.html.contains(found)) }
            }
        }
    }

    @Test(
        "Time is linear",
        arguments: [
            "<", "<img ", "<img src=", "<img src='", "<img src=\"a\">", "<style>", "<style>url(",
            "<p style=\"url(", "<p style='url(\"a\")'>", "<script><", "<!--", "&quot;", "(", "<a =",
            "<p style=\"url(&quot;",
        ])
    func linear(part: String) {
        expectLinear(part) { html in
            var references = HTMLReferences()
            while references.next(html.span) != nil {}
        }
    }

    private func references(_ html: String) -> [String] {
        let bytes = html.bytes
        var references = HTMLReferences()
        var found: [String] = []
        while let place = references.next(bytes.span) { found.append(Array(bytes[place]).text) }
        return found
    }
}
