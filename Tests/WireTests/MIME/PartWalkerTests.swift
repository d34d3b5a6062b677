// Small messages, well-formed and hostile, with the header and the leaves that must come out.

import TestSupport
import Testing

@testable import Wire

/// Written with line feeds; also run with CRLF.
struct GoldenMessage: CustomTestStringConvertible, Sendable {
    var name: String
    var message: String
    var header: String
    /// As `WalkedLeaf.description` has them.
    var leaves: [String]
    var testDescription: String { name }

    init(_ name: String, _ message: String, header: String? = nil, _ leaves: [String]) {
        self.name = name
        self.message = message
        self.leaves = leaves
        let blank = message.range(of: "\n\n")
        self.header = header ?? String(message[..<(blank?.upperBound ?? message.endIndex)])
    }
}

extension String {
    /// Where `text` is, without Foundation.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) {
                return start..<index(start, offsetBy: text.count)
            }
            start = index(after: start)
        }
        return nil
    }
}

@Suite struct PartWalkerTests {
    @Test("A message is taken apart as expected, with CRLF and with LF", arguments: goldenMessages)
    func golden(_ golden: GoldenMessage) {
        for message in [golden.message.mail, golden.message.bytes] {
            let walk = Walk(message)
            let isCRLF = message.count != golden.message.utf8.count
            #expect(walk.mistakes == [])
            #expect(walk.fault == nil)
            #expect(walk.header == (isCRLF ? golden.header.mail : golden.header.bytes))
            #expect(
                walk.leaves.map { $0.description.bytes.text }
                    == golden.leaves.map { isCRLF ? $0.mail.text : $0 })
        }
    }

    @Test("A message is taken apart the same however it is cut", arguments: goldenMessages)
    func cuts(_ golden: GoldenMessage) {
        for message in [golden.message.mail, golden.message.bytes] {
            let whole = Walk(message)
            let plans =
                Splits.everyCut(of: message.count) + Splits.plans(for: message.count, random: 30)
            for plan in plans {
                let walk = Walk(message, plan: plan)
                guard walk != whole else { continue }
                Issue.record("cut as \(plan): \(walk) instead of \(whole)")
                return
            }
        }
    }

    @Test("A walker that was reset walks the next message like a new one")
    func reset() {
        var walker = PartWalker(charsets: CharsetCache())
        for golden in goldenMessages + goldenMessages.reversed() {
            let message = golden.message.mail
            let plan = [message.count / 2, message.count - message.count / 2]
            walker.reset()
            #expect(Walk(message, plan: plan, with: &walker) == Walk(message))
        }
    }

    @Test("A header block that lies in one input is handed out in place, else held")
    func places() {
        let message = "Subject: a\n\nbody".mail
        var walker = PartWalker(charsets: CharsetCache())
        var offset = 0
        let header = Place(source: .input, range: 0..<14)
        #expect(walker.next(message.span, &offset) == .messageHeader(header))
        #expect(walker.next(message.span, &offset) == .leafStart)
        #expect(
            walker.next(message.span, &offset)
                == .content(Place(source: .input, range: 14..<18)))
        walker.reset()
        offset = 0
        #expect(walker.next(message.span.extracting(0..<5), &offset) == .needInput)
        offset = 0
        #expect(
            walker.next(message.span.extracting(5..<18), &offset)
                == .messageHeader(Place(source: .held, range: 0..<14)))
    }

    @Test("The text of a part that lost its delimiter to the multipart's header is a leaf")
    func mergedHead() {
        let message = """
            Content-Type: multipart/alternative; boundary=b
            Content-Type: text/plain; charset=koi8-r
            Content-Transfer-Encoding: quoted-printable

            text

            --b
            Content-Type: text/html

            html
            --b--
            """
        let walk = Walk(message.mail)
        #expect(
            walk.leaves.map(\.description)
                == [
                    "1 text/plain alternative quotedPrintable: text\r\n",
                    "1 text/html alternative: html",
                ])
        #expect(walk.oddities == StructureOddities())
        for plan in Splits.everyCut(of: message.mail.count) {
            #expect(Walk(message.mail, plan: plan) == walk)
        }
        let customary = message.replacing("text\n", with: "This is a multi-part message.\n")
        #expect(Walk(customary.mail).leaves.map(\.type) == ["text/html"])
        #expect(Walk(customary.mail).oddities.preambles == 1)
    }

    @Test("A preamble that says more than that this is MIME can be taken once")
    func keptPreamble() {
        let rest = "--b\nContent-Type: image/png\n\nx\n--b--\n"
        let start = "Content-Type: multipart/mixed; boundary=b\n\n"
        func kept(_ preamble: String) -> String {
            var walker = PartWalker(charsets: CharsetCache())
            _ = Walk((start + preamble + rest).mail, plan: nil, with: &walker)
            let text = walker.takePreamble().text
            #expect(walker.oddities.preambles == (text.isEmpty && !preamble.isEmpty ? 1 : 0))
            #expect(walker.takePreamble().isEmpty)
            return text
        }
        #expect(kept("see the picture\n") == "see the picture")
        #expect(kept("This is a multi-part message in MIME format.\n") == "")
        #expect(kept("this message is MULTIPART\n") == "")
        #expect(kept("") == "")
    }

    @Test("Oddities of the structure are counted")
    func oddities() {
        let start = "Content-Type: multipart/mixed; boundary=b\n\n"
        func count(_ body: String) -> StructureOddities { Walk((start + body).mail).oddities }
        #expect(count("--b\n\nx\n--b--\n") == StructureOddities())
        #expect(count("hi\n--b\n\nx\n--b--\n").preambles == 1)
        #expect(count("\n \n--b\n\nx\n--b--\n\n\t\n").preambles == 0)
        #expect(count("--b\n\nx\n--b--\nbye\n").epilogues == 1)
        #expect(count("--b\n\nx\n--b--\n\n\t\n").epilogues == 0)
    }

    @Test("A long text before the first delimiter is a part, not a preamble")
    func longPreamble() {
        let text = String(repeating: "0123456789abcdef\n", count: 2_000)
        let message =
            ("Content-Type: multipart/mixed; boundary=b\n\n" + text + "\n--b\n\nx\n--b--\n").mail
        for plan in [[message.count]] + Splits.plans(for: message.count, random: 6) {
            let walk = Walk(message, plan: plan)
            #expect(walk.leaves.map(\.content) == [text.mail, "x".bytes])
        }
    }

    @Test("A byte order mark and an mbox line before the header are not part of it")
    func noise() {
        #expect(Walk("\u{FEFF}A: b\n\nc".mail).header == "A: b\n\n".mail)
        #expect(Walk("From me@x Thu Jan  1\nA: b\n\nc".mail).header == "A: b\n\n".mail)
        #expect(Walk("From: me@x\n\nc".mail).header == "From: me@x\n\n".mail)
    }
}
