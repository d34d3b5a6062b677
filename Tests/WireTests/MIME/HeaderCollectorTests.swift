// Header blocks: found in place or gathered, the same however the input is cut.

import TestSupport
import Testing

@testable import Wire

/// What a collector found.
private struct Block: Equatable {
    var header: [UInt8] = []
    /// Everything after the header block.
    var body: [UInt8] = []
    /// The part is missing: a delimiter is in its place.
    var isAbsent = false
    var fault: MIMEFault?
}

/// Where the part begins in its message.
private let partStart = 7

private func collect(_ input: [UInt8], plan: [Int], isMessage: Bool) -> Block {
    var boundaries = BoundaryStack()
    boundaries.push("b".bytes.span)
    var collector = HeaderCollector()
    if !isMessage { collector.beginPart(at: partStart) }
    var block = Block()
    var isFound = false
    let pieces = input.pieces(plan)
    for (index, piece) in (pieces + [[]]).enumerated() {
        var offset = 0
        if !isFound {
            let isLast = index == pieces.count
            switch collector.next(piece.span, &offset, isLast: isLast, boundaries) {
            case .needInput: #expect(offset == piece.count && !isLast)
            case .failed(let fault): return Block(fault: fault)
            case .found(let found, let isHeld):
                isFound = true
                block.isAbsent = found.isAbsent
                block.header =
                    isHeld
                    ? collector.gathered.extracting(found.header).copied()
                    : Array(piece[found.header])
                block.body = rest(of: &collector)
            }
        }
        if isFound { block.body += piece[offset...] }
    }
    #expect(isFound)
    return block
}

/// The gathered bytes after the header block, as a scanner without boundaries reads them.
private func rest(of collector: inout HeaderCollector) -> [UInt8] {
    var scanner = BoundaryScanner()
    var rest: [UInt8] = []
    while case .content(let place)? = collector.scanRest(&scanner) {
        rest += collector.gathered.extracting(place.range).copied()
    }
    return rest
}

@Suite struct HeaderCollectorTests {
    @Test(arguments: 0..<150)
    func `random blocks are found the same however they are cut`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let tokens = [
            "\r\n", "\n", "\r", "\r\n\r\n", "A: b\r\n", "C: d\n", " folded\r\n", "\t", "x", ":",
            "--b\r\n", "--b--\n", "--\n", "no field\r\n", "From me@x Mon\n", "\u{FEFF}", "é",
            "  \r\n", ";\r\n", "X b: c\r\n", "d=e\r\n", "To: f;\r\n", "http://g\r\n", "--h: i\r\n",
            "Content-Type: j\n", " To: k\n",
        ]
        var text = ""
        for _ in 0..<Int(generator.next() % 16) { text += tokens.randomElement(using: &generator)! }
        let input = text.bytes
        for isMessage in [true, false] {
            let whole = collect(input, plan: [input.count], isMessage: isMessage)
            #expect(
                input.suffix(whole.header.count + whole.body.count) == whole.header + whole.body)
            let plans =
                Splits.plans(for: input.count, seed: UInt64(seed))
                + Splits.everyCut(of: input.count)
            for plan in plans {
                let cut = collect(input, plan: plan, isMessage: isMessage)
                guard cut != whole else { continue }
                Issue.record("\(text.debugDescription) cut as \(plan): \(cut), not \(whole)")
                return
            }
        }
    }

    /// The header block and the body of messages and parts whose headers are broken.
    @Test(arguments: [
        // A line of blanks.
        (true, "To: a\n \nhello\nNote: b\n\nc", "To: a\n \n", "hello\nNote: b\n\nc"),
        (true, "To: a\n \nNote: b\nhello\n\nc", "To: a\n \n", "Note: b\nhello\n\nc"),
        (true, "To: a\n \nCc: b\n\nc", "To: a\n \nCc: b\n\n", "c"),
        (true, "To: a\n \nA: b\nC: d\n\nc", "To: a\n \nA: b\nC: d\n\n", "c"),
        (true, "To: a\n \n\nc", "To: a\n \n\n", "c"),
        (true, "To: a\n \n--b: c\n", "To: a\n \n", "--b: c\n"),
        (false, "A: b\n\t\nhello\n", "A: b\n\t\n", "hello\n"),
        (false, "A: b\n \nNote: c\n\nd", "A: b\n \n", "Note: c\n\nd"),
        (false, "A: b\n \nContent-ID: c\n\nd", "A: b\n \nContent-ID: c\n\n", "d"),
        // Text in the header.
        (true, "To: a\nhello\nmore\n\nc", "To: a\n", "hello\nmore\n\nc"),
        (true, "To: a\nhello\nA: b\nmore\n\nc", "To: a\n", "hello\nA: b\nmore\n\nc"),
        (true, "To: a\nhello\nA: b\nC: d\n\nc", "To: a\nhello\nA: b\nC: d\n\n", "c"),
        (true, "To: a\nhello\n\nc", "To: a\n", "hello\n\nc"),
        (true, "To: a\nhttp://b\nmore\n", "To: a\n", "http://b\nmore\n"),
        (false, "A: b\nhello\nContent-ID: c\n\nd", "A: b\nhello\nContent-ID: c\n\n", "d"),
        (false, "A: b\nhello\nC: d\n\ne", "A: b\n", "hello\nC: d\n\ne"),
        // Bad names.
        (true, "To: a\nX b: c\n\nd", "To: a\nX b: c\n\n", "d"),
        (true, "To: a\nX-ö: c\n folded\n\nd", "To: a\nX-ö: c\n folded\n\n", "d"),
        (true, "To: a\nX b: c\nhello\n\nd", "To: a\n", "X b: c\nhello\n\nd"),
        (true, "To: a\nDear all:\n\nd", "To: a\n", "Dear all:\n\nd"),
        (false, "A: b\nX b: c\nD: e\n\nf", "A: b\nX b: c\nD: e\n\n", "f"),
        // Parameters and semicolons.
        (true, "A: b;\nc=\"d:e\";\nf=g\n\nh", "A: b;\nc=\"d:e\";\nf=g\n\n", "h"),
        (true, "A: b\nc=d\nhello\n", "A: b\n", "c=d\nhello\n"),
        (false, "A: b\n;\n\nc", "A: b\n;\n\n", "c"),
        (false, "A: b;\n ;\n;\n\nc", "A: b;\n ;\n;\n\n", "c"),
        // The front.
        (true, "\n\n \nTo: a\n\nb", "To: a\n\n", "b"),
        (true, "\nNote: a\n\nb", "\n", "Note: a\n\nb"),
        (true, "\nA: a\nB: b\n\nc", "A: a\nB: b\n\n", "c"),
        (true, "\nhello\n\nb", "\n", "hello\n\nb"),
        (true, "\n\nhello\n", "\n", "\nhello\n"),
        (true, " \nhello\n", "", " \nhello\n"),
        (true, "  To: a\nCc: b\n\nc", "To: a\nCc: b\n\n", "c"),
        (true, "hello\nTo: a\n\nb", "hello\nTo: a\n\n", "b"),
        (true, "hello\nNote: a\nmore\n", "", "hello\nNote: a\nmore\n"),
        (true, "hello\nyou\nTo: a\n\nb", "", "hello\nyou\nTo: a\n\nb"),
        (true, "From me@x Mon\nhello\nTo: a\n\nb", "hello\nTo: a\n\n", "b"),
        (false, " Content-ID: a\n\nb", "Content-ID: a\n\n", "b"),
        (false, " Note: a\n\nb", "", " Note: a\n\nb"),
        (false, "hello\nContent-ID: a\n\nb", "hello\nContent-ID: a\n\n", "b"),
        (false, "hello\nNote: a\n\nb", "", "hello\nNote: a\n\nb"),
        (false, "\nContent-ID: a\n", "\n", "Content-ID: a\n"),
    ])
    func `broken headers end where their text begins`(
        isMessage: Bool, input: String, header: String, body: String
    ) {
        for plan in Splits.everyCut(of: input.utf8.count) + [[input.utf8.count]] {
            let block = collect(input.bytes, plan: plan, isMessage: isMessage)
            #expect(block.header.text == header && block.body.text == body, "\(plan)")
        }
    }

    @Test func `lines before the first field are left out only so far`() {
        let blanks = String(repeating: "\n", count: 5_000)
        let block = collect((blanks + "To: a\n\nb").bytes, plan: [5_008], isMessage: true)
        #expect(block.header.text == "\n" && block.body.count == 5_007)
    }

    @Test func `a fault counts from the start of the message`() {
        let line = "A: " + String(repeating: "x", count: MIMEBounds.headerBytesMax)
        let expected = MIMEFault(
            kind: .headerTooLarge, at: partStart + MIMEBounds.headerBytesMax)
        let count = line.utf8.count
        for plan in [[count], [1, count - 1], [count - 1, 1]] {
            #expect(collect(line.bytes, plan: plan, isMessage: false).fault == expected)
        }
    }

    @Test func `text that was scanned can be taken back`() {
        var collector = HeaderCollector()
        var offset = 0
        _ = collector.next("A: b".bytes.span, &offset, isLast: false, BoundaryStack())
        offset = 0
        _ = collector.next("\nno field\n\n".bytes.span, &offset, isLast: false, BoundaryStack())
        #expect(rest(of: &collector).text == "no field\n\n")
        collector.unread(from: 8)
        #expect(rest(of: &collector).text == "field\n\n")
        collector.reset()
        #expect(rest(of: &collector).isEmpty && collector.start == 0)
    }
}
