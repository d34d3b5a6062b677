// What counts as something to see, in plain text and in HTML, however it is cut.

import TestSupport
import Testing
import Wire

@testable import Mapping

@Suite("Whether a text has anything to see")
struct VisibleTextTests {
    static let blankHTML = [
        "", " \r\n\t", "<html></html>", "<HTML><HEAD></HEAD><BODY></BODY></HTML>",
        "<html><head><title>Letter</title></head><body><br></body></html>",
        "<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">"
            + "</head><body style='word-wrap: break-word'><br class=\"x\"></body></html>",
        "<style>p > b { color: red }</style >", "<STYLE TYPE='text/css'><!-- a --></STYLE>",
        "<script>if (a < b) { c('</p>') }</script>", "<!DOCTYPE html><?xml version='1.0'?>",
        "<!-- words -->", "<!---->", "<!-->", "<!--[if mso]> <p>x</p> <![endif]-->",
        "<div>&nbsp;</div><p>&#160;&#xA0;&NBSP;&zwnj;</p>", "<p>\u{A0}\u{200B}\u{FEFF}\u{3000}",
        "<p title=\"a > b\">", "<p title='\"' lang=x>", "<p a=b\"c>", "<o:p></o:p>", "<hr>",
        "<table><tr><td align=center>&nbsp</td></tr></table>", "<style></styles></style>",
    ]

    static let seenHTML = [
        "a", "<p>a", "<body><br>.</body>", "<img src=x>", "<IMG>", "<p><Video>", "<svg/>",
        "<object data=x>", "<v:shape>", "<td background=\"a.png\">",
        "<div style=\"background: url(a.png)\">", "&amp;", "&lt;", "& b", "&#65;",
        "&nonsenseofgreatlength", "<", "< p>", "1 < 2", "<!-- open", "<style> p { }", "<p",
        "<title>a", "<p title=\"a", "é", "\u{2014}", "\u{1F600}", "<style></style>a",
        "<!---->a", "<p title='\"'>a", "<p a=\"b\" \"c>d", "</style>a",
    ]

    @Test("HTML without anything to see", arguments: blankHTML)
    func blank(html: String) { check(html, isHTML: true, isBlank: true) }

    @Test("HTML with something to see", arguments: seenHTML)
    func seen(html: String) { check(html, isHTML: true, isBlank: false) }

    @Test("plain text: white space of Unicode is nothing, any other character is something")
    func plain() {
        for text in ["", "\r\n", " \t\u{0C}", "\u{A0}\u{85}\u{3000}", "\u{FEFF}\n", "\u{2028}"] {
            check(text, isHTML: false, isBlank: true)
        }
        for text in [".", "<br>", "&nbsp;", " \u{E9}", "\u{2013}", "\u{10FFFF}"] {
            check(text, isHTML: false, isBlank: false)
        }
    }

    private func check(_ text: String, isHTML: Bool, isBlank: Bool) {
        let bytes = Array(text.utf8)
        for plan in Splits.plans(for: bytes.count, random: 4) {
            var machine = VisibleText(isHTML: isHTML)
            var at = 0
            for length in plan {
                machine.feed(bytes.span.extracting(at..<at + length))
                at += length
            }
            #expect(machine.isBlank == isBlank, "\(text)")
        }
    }
}

@Suite("Plain text as HTML")
struct HTMLEscaperTests {
    @Test("signs of HTML and line ends, in any cut and any room")
    func escapes() {
        let text = Array("a <b> & \"c\"\r\nd\re\n\r\n\r\r\n  f\t".utf8)
        let expected = "a &lt;b&gt; &amp; \"c\"<br>d<br>e<br><br><br><br>  f\t"
        for plan in Splits.plans(for: text.count, random: 4) {
            for capacity in [5, 6, 7, 64] {
                var escaper = HTMLEscaper()
                var output: [UInt8] = []
                var at = 0
                for length in plan {
                    let piece = text.span.extracting(at..<at + length)
                    at += length
                    var taken = 0
                    while taken < piece.count {
                        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: capacity) {
                            var region = Region($0)
                            taken += escaper.feed(piece.extracting(taken...), into: &region)
                            output += region.bytes.copied()
                        }
                    }
                }
                #expect(String(decoding: output, as: UTF8.self) == expected)
            }
        }
    }
}
