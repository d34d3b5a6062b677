// Delimiter lines, compared with a naive reading of whole lines and cut at every place; bounds and
// work.

import TestSupport
import Testing

@testable import Wire

/// What a scanner finds in a content: pieces of content, and delimiters.
private enum Piece: Equatable {
    case content([UInt8])
    case delimiter(BoundaryStack.Delimiter)
}

private func scan(_ input: [UInt8], _ boundaries: [String], plan: [Int]) -> [Piece] {
    var scanner = BoundaryScanner()
    for boundary in boundaries { scanner.open(boundary.bytes.span) }
    var pieces: [Piece] = []
    func add(_ bytes: [UInt8]) {
        if case .content(let before)? = pieces.last {
            pieces[pieces.count - 1] = .content(before + bytes)
        } else {
            pieces.append(.content(bytes))
        }
    }
    func take(_ verdict: BoundaryScanner.Verdict, _ input: [UInt8]) -> Bool {
        switch verdict {
        case .needInput: return false
        case .delimiter(let found): pieces.append(.delimiter(found))
        case .content(let place):
            add(
                place.source == .input
                    ? Array(input[place.range])
                    : scanner.heldBytes.extracting(place.range).copied())
        }
        return true
    }
    for piece in input.pieces(plan) {
        var offset = 0
        while take(scanner.next(piece.span, &offset), piece) {}
        #expect(offset == piece.count)
    }
    while take(scanner.finish(), []) {}
    return pieces
}

/// The same, line by line; the content's last line end goes with the delimiter after it.
private func naive(_ input: [UInt8], _ boundaries: [String]) -> [Piece] {
    var pieces: [Piece] = []
    var content: [UInt8] = []
    var isAfterContent = false
    var start = 0
    while start < input.count {
        let lineFeed = input[start...].firstIndex(of: 10)
        let line = Array(input[start..<(lineFeed ?? input.count)])
        let next = lineFeed.map { $0 + 1 } ?? input.count
        if let found = naiveDelimiter(line, boundaries) {
            if isAfterContent, content.last == 10 {
                content.removeLast()
                if content.last == 13 { content.removeLast() }
            }
            if !content.isEmpty { pieces.append(.content(content)) }
            content = []
            isAfterContent = false
            pieces.append(.delimiter(found))
        } else {
            content += input[start..<next]
            isAfterContent = true
        }
        start = next
    }
    if !content.isEmpty { pieces.append(.content(content)) }
    return pieces
}

private func naiveDelimiter(_ line: [UInt8], _ boundaries: [String]) -> BoundaryStack.Delimiter? {
    guard line.count <= BoundaryScanner.lineBytesMax else { return nil }
    var text = line
    while let last = text.last, last == 32 || last == 9 || last == 13 { text.removeLast() }
    for (level, boundary) in boundaries.enumerated().reversed() {
        if text == "--\(boundary)".bytes {
            return BoundaryStack.Delimiter(level: level, isClose: false)
        }
        if text == "--\(boundary)--".bytes {
            return BoundaryStack.Delimiter(level: level, isClose: true)
        }
    }
    return nil
}

@Suite struct BoundaryScannerTests {
    @Test(
        "Random lines are taken apart as a naive reading says, however they are cut",
        arguments: 0..<150)
    func random(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let tokens = [
            "\r\n", "\n", "\r", "-", "--", "--b", "--bb", "--bb--", "b", "--", " ", "\t", "x",
            "\r\n--b\r\n", "\n--bb\n", "\r\n--bb--\r\n", "----", "\r\r\n", "\n\n",
            String(repeating: "-", count: 520), String(repeating: " ", count: 508),
        ]
        let boundaries = [["b"], ["b", "bb"], ["bb", "b"], ["b", "b--"], ["--", "b"]][seed % 5]
        var text = ""
        for _ in 0..<Int(generator.next() % 24) { text += tokens.randomElement(using: &generator)! }
        let input = text.bytes
        let expected = naive(input, boundaries)
        let plans =
            Splits.plans(for: input.count, seed: UInt64(seed))
            + (input.count < 120 ? Splits.everyCut(of: input.count) : [])
        for plan in plans {
            let found = scan(input, boundaries, plan: plan)
            guard found != expected else { continue }
            Issue.record("\(text.debugDescription) cut as \(plan): \(found), not \(expected)")
            return
        }
    }

    @Test("Without boundaries everything is content")
    func none() {
        let input = "a\r\n--b\r\n".bytes
        #expect(scan(input, [], plan: [3, 5]) == [.content(input)])
    }

    @Test("A multipart that was left has no boundary, a closed one has if no other matches")
    func stack() {
        var stack = BoundaryStack()
        for boundary in ["a", "b", "a"] { stack.push(boundary.bytes.span) }
        func level(_ line: String) -> Int? { stack.delimiter(line.bytes.span)?.level }
        #expect(level("--a") == 2)
        stack.popInside(2, isClosed: true)
        #expect(level("--a") == 0)
        #expect(level("--b") == 1)
        stack.popInside(1, isClosed: true)
        #expect(level("--b") == 1)
        stack.popInside(0, isClosed: false)
        #expect(level("--b") == nil)
        #expect(level("--a--") == 0)
    }

    @Test(
        "Input that is made to be slow takes linear time, in pieces of any size",
        arguments: [
            "\n-", "\r\n--", "\n--b", "-", "\n--" + String(repeating: "b", count: 199) + "\u{1}",
            "\r\n\r", "\n--b ", "--b--\n", "\r\n--" + String(repeating: "b", count: 512),
        ])
    func work(unit: String) {
        for piece in [Int.max, 4_096, 1] {
            let isLinear = growsLinearly(from: 8_192, make: { repeated(unit, $0) }) {
                #expect(contentBytes($0, piece: min(piece, $0.count)) == $0.count)
            }
            #expect(isLinear, "in pieces of \(piece)")
        }
    }

    /// How many bytes of content a scanner with a hundred boundaries finds, which differ only in
    /// their last byte.
    private func contentBytes(_ input: [UInt8], piece: Int) -> Int {
        var scanner = BoundaryScanner()
        for level in 0..<100 {
            let boundary = [UInt8](repeating: UInt8(ascii: "b"), count: 199) + [UInt8(level + 33)]
            scanner.open(boundary.span)
        }
        var bytes = 0
        var start = 0
        for length in evenPieces(of: input.count, piece) {
            let input = input.span.extracting(start..<start + length)
            start += length
            var offset = 0
            while case .content(let place) = scanner.next(input, &offset) {
                bytes += place.range.count
            }
            #expect(scanner.heldBytes.count <= BoundaryScanner.heldBytesMax)
        }
        while case .content(let place) = scanner.finish() { bytes += place.range.count }
        return bytes
    }
}
