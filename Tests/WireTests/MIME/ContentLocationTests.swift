// URLs that name parts: which are equal, and which are no such names.

import Testing

@testable import Wire

@Suite("Content-Location")
struct ContentLocationTests {
    private func comparable(_ url: String, _ base: String, isMarkup: Bool = false) -> String {
        let bytes = url.bytes
        return ContentLocation.comparable(bytes.span, base: base.bytes, isMarkup: isMarkup).text
    }

    private func mayName(_ reference: String) -> Bool {
        let bytes = reference.bytes
        return ContentLocation.mayName(bytes.span)
    }

    @Test(
        "A reference names the part with an equal URL",
        arguments: [
            ("a.png", "a.png", ""), ("./a.png", "a.png", ""), ("b/../a.png", "a.png", ""),
            ("a%20b.png", "a b.png", ""), ("A%2Epng", "A.png", ""), ("/a.png", "a.png", ""),
            ("a.png", "http://x.example/d/a.png", "http://x.example/d/index.html"),
            ("/a.png", "http://x.example/a.png", "http://x.example/d/index.html"),
            ("../a.png", "http://x.example/a.png", "http://x.example/d/index.html?q=/s/"),
            ("//y.example/a.png", "https://y.example/a.png", "https://x.example/"),
            ("a.png", "http://x.example/a.png", "http://x.example"),
            ("HTTP://X.example/a.png", "http://x.example/a.png", ""),
            ("a.php?x=1&amp;y=2", "a.php?x=1&y=2", ""),
            ("file:///C:/t/a.png", "file:///C:/t/a.png", ""),
            ("a.png", "file:///C:/t/a.png", "file:///C:/t/letter.htm"),
            ("?q", "http://x.example/d/?q", "http://x.example/d/"),
            ("C:\\t\\a.png", "C:\\t\\a.png", ""),
        ])
    func equal(reference: String, location: String, base: String) {
        #expect(comparable(reference, base, isMarkup: true) == comparable(location, base))
    }

    @Test(
        "Others are different",
        arguments: [
            ("a.png", "b.png", ""), ("A.png", "a.png", ""), ("d/a.png", "a.png", ""),
            ("a.png", "http://x.example/a.png", "http://x.example/d/index.html"),
            ("http://x.example/a.png", "http://y.example/a.png", ""),
            ("a.png", "http://x.example/a.png", ""),
        ])
    func different(reference: String, location: String, base: String) {
        #expect(comparable(reference, base, isMarkup: true) != comparable(location, base))
    }

    @Test("What never is the place of a part is not compared")
    func never() {
        let never = [
            "", "#top", "cid:a@b", "CID:a@b", "data:image/png;base64,aaaa", "mailto:a@b.example",
            "javascript:x()", "about:blank", String(repeating: "a", count: 2_049),
        ]
        for reference in never { #expect(!mayName(reference), "\(reference)") }
        for reference in ["a", "a.png", "http://x.example/a", "cid.png", "?a", "//a/b"] {
            #expect(mayName(reference), "\(reference)")
        }
    }

    @Test("Time is linear", arguments: ["../", "./", "/", "a/", "%41", "&amp;", ":", "a:", "?/"])
    func linear(part: String) {
        expectLinear(part) {
            _ = ContentLocation.comparable($0.span, base: "http://x/y/z".bytes, isMarkup: true)
        }
    }
}
