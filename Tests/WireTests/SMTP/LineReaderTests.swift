// Command lines: whole, cut, bare, too long.

import TestSupport
import Testing

@testable import Wire

private enum Found: Equatable {
    case line(String)
    case tooLong
}

/// Feeds pieces as a connection does: the kept bytes come first in the next input.
private func read(
    _ bytes: [UInt8], _ plan: [Int], lineBytesMax: Int
) -> (found: [Found], bare: Int, keptMax: Int) {
    var reader = LineReader()
    var found: [Found] = []
    var kept: [UInt8] = []
    var keptMax = 0
    for piece in bytes.pieces(plan) {
        let input = kept + piece
        var offset = 0
        reading: while true {
            switch reader.next(input.span, from: offset, lineBytesMax: lineBytesMax) {
            case .line(let range, let next):
                found.append(.line(Array(input[range]).text))
                offset = next
            case .tooLong(let next):
                found.append(.tooLong)
                offset = next
            case .needInput(let keepFrom):
                kept = Array(input[keepFrom...])
                keptMax = max(keptMax, kept.count)
                break reading
            }
        }
    }
    return (found, reader.bareLineFeeds, keptMax)
}

@Suite struct LineReaderTests {
    @Test func `lines end with CRLF or a bare LF, which is counted`() {
        let bytes = "EHLO a\r\nNOOP\n\r\n\nQUIT\r\r\nleft".bytes
        let lines = ["EHLO a", "NOOP", "", "", "QUIT\r"].map(Found.line)
        for plan in Splits.everyCut(of: bytes.count) + Splits.plans(for: bytes.count) {
            let result = read(bytes, plan, lineBytesMax: 2_048)
            #expect(result.found == lines)
            #expect(result.bare == 2)
        }
    }

    @Test(arguments: [8, 9, 10, 11, 30])
    func `the limit counts the line end, and a longer line is skipped`(lineBytesMax: Int) {
        let bytes = "12345678\r\nab\n1234567890123456789012345678901234567890\r\nNOOP\r\n".bytes
        let expected: [Found] = [
            lineBytesMax >= 10 ? .line("12345678") : .tooLong, .line("ab"), .tooLong,
            .line("NOOP"),
        ]
        for plan in Splits.plans(for: bytes.count, random: 60) {
            let result = read(bytes, plan, lineBytesMax: lineBytesMax)
            #expect(result.found == expected)
            #expect(result.keptMax < lineBytesMax)
        }
    }
}
