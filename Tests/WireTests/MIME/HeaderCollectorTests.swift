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
