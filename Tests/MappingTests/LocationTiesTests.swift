// Pictures that HTML names by their place: which reference becomes which Content-ID.

import TestSupport
import Testing

@testable import Mapping
@testable import Wire

@Suite("Pictures named by their place")
struct LocationTiesTests {
    private func head(_ fields: String) -> EntityHead {
        var head = EntityHead()
        var losses = DecodeLosses()
        let block = Array(crlf(fields + "\n\n").utf8)
        head.read(block.span, isInDigest: false, charsets: CharsetCache(), losses: &losses)
        return head
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private func tied(
        _ html: String, in scope: LocationTies.Scope, _ ties: LocationTies
    ) -> String {
        let bytes = Array(html.utf8)
        return text(ties.tied(bytes.span, in: scope))
    }

    private func picture(_ fields: String) -> EntityHead {
        head("Content-Type: image/png\n" + fields)
    }

    @Test("A part without an id gets one, and its own id counts")
    func ids() {
        var ties = LocationTies()
        ties.begin()
        ties.multipartStart(head("Content-Type: multipart/related; boundary=b"), depth: 1)
        let page = ties.scope(ofText: head("Content-Type: text/html"), depth: 1)
        #expect(
            text(ties.tie(picture("Content-Location: a.png"), depth: 1)) == "part1@content-location"
        )
        let own = picture("Content-Location: b.png\nContent-ID: <b c&d@x>")
        #expect(text(ties.tie(own, depth: 1)) == "bc&d@x")
        #expect(ties.tie(picture("Content-ID: <c@x>"), depth: 1).isEmpty)
        let html = "<img src=a.png><img src=\"b.png\"><img src='c.png'><img src=cid:a.png>"
        let tied =
            "<img src=cid:part1@content-location><img src=\"cid:bc%26d@x\">"
            + "<img src='c.png'><img src=cid:a.png>"
        #expect(self.tied(html, in: page, ties) == tied)
        #expect(ties.untiedCount(in: page) == 1)
    }

    @Test("Bases: of the multipart, of the part, of the page")
    func bases() {
        var ties = LocationTies()
        ties.multipartStart(
            head(
                "Content-Type: multipart/related; boundary=b\nContent-Base: http://x.example/m/"),
            depth: 1)
        let page = ties.scope(
            ofText: head("Content-Type: text/html\nContent-Location: page/index.html"), depth: 1)
        _ = ties.tie(picture("Content-Location: http://x.example/m/page/a.png"), depth: 1)
        _ = ties.tie(picture("Content-Location: b.png"), depth: 1)
        _ = ties.tie(picture("Content-Location: c.png\nContent-Base: http://y.example/"), depth: 1)
        func tied(_ reference: String) -> String {
            let html = "<img src=\"\(reference)\">"
            let whole = self.tied(html, in: page, ties)
            return String(whole.dropFirst(10).dropLast(2))
        }
        #expect(tied("a.png") == "cid:part1@content-location")
        #expect(tied("../b.png") == "cid:part2@content-location")
        #expect(tied("http://y.example/c.png") == "cid:part3@content-location")
        #expect(tied("c.png") == "c.png")
    }

    @Test("The parts beside a text count first, then those of other multiparts")
    func scopes() {
        var ties = LocationTies()
        let related = head("Content-Type: multipart/related; boundary=b")
        ties.multipartStart(head("Content-Type: multipart/mixed; boundary=b"), depth: 1)
        ties.multipartStart(related, depth: 2)
        let first = ties.scope(ofText: head("Content-Type: text/html"), depth: 2)
        _ = ties.tie(picture("Content-Location: a.png"), depth: 2)
        ties.multipartStart(related, depth: 2)
        let second = ties.scope(ofText: head("Content-Type: text/html"), depth: 2)
        _ = ties.tie(picture("Content-Location: a.png"), depth: 2)
        _ = ties.tie(picture("Content-Location: b.png"), depth: 2)
        let file = picture("Content-Location: c.png\nContent-Disposition: attachment")
        #expect(ties.tie(file, depth: 1).isEmpty)
        let html = "<img src=a.png><img src=b.png>"
        #expect(
            tied(html, in: first, ties)
                == "<img src=cid:part1@content-location><img src=cid:part3@content-location>")
        #expect(
            tied(html, in: second, ties)
                == "<img src=cid:part2@content-location><img src=cid:part3@content-location>")
        #expect(ties.scope(atDepth: 1) == .none)
    }

    @Test("Many long places do not take more than their memory, and none of them is forgotten")
    func bounded() {
        var ties = LocationTies()
        ties.multipartStart(head("Content-Type: multipart/related; boundary=b"), depth: 1)
        for number in 0..<1_000 {
            let long = String(repeating: "x", count: 1_500)
            #expect(
                !ties.tie(picture("Content-Location: \(number)\(long)"), depth: 1).isEmpty)
        }
        #expect(!ties.isEmpty && ties.forgottenCount > 800)
    }

    @Test("Outside of a multipart/related inline pictures are tied, and files are not")
    func mixed() {
        var ties = LocationTies()
        ties.multipartStart(head("Content-Type: multipart/mixed; boundary=b"), depth: 1)
        #expect(!ties.tie(picture("Content-Location: a.png"), depth: 1).isEmpty)
        let pdf = head("Content-Type: application/pdf\nContent-Location: a.pdf")
        #expect(ties.tie(pdf, depth: 1).isEmpty)
        #expect(
            tied("<img src=a.png><img src=a.pdf>", in: .none, ties)
                == "<img src=cid:part1@content-location><img src=a.pdf>")
    }
}
