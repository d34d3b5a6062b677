// End of data: only CRLF.CRLF, wherever a read cuts it; compared with a naive search over the
// whole.

import TestSupport
import Testing

@testable import Wire

/// What a reader found in some bytes.
private struct Reading: Equatable {
    var content: [UInt8] = []
    /// Offset after the end, in all the bytes; nil when there was no end.
    var end: Int?
}

private func read(_ bytes: [UInt8], _ plan: [Int]) -> Reading {
    var reader = DotReader()
    var reading = Reading()
    var before = 0
    for piece in bytes.pieces(plan) {
        var offset = 0
        while true {
            switch reader.next(piece.span, &offset) {
            case .content(let range):
                #expect(!range.isEmpty)
                reading.content += piece[range]
                continue
            case .literalCR:
                reading.content.append(13)
                continue
            case .end(let next):
                reading.end = before + next
                return reading
            case .needInput:
                #expect(offset == piece.count)
            }
            break
        }
        before += piece.count
    }
    return reading
}

/// The rule itself: cut at the first CRLF.CRLF, take the dot off after every CRLF.
private func naiveReading(_ bytes: [UInt8]) -> Reading {
    let whole = [13, 10] + bytes
    let mark: [UInt8] = [13, 10, 46, 13, 10]
    let found = whole.indices.first { whole[$0...].starts(with: mark) }
    var body = found.map { Array(whole[..<($0 + 2)]) } ?? whole
    if found == nil && whole.suffix(4) == mark.prefix(4) { body.removeLast() }
    var content: [UInt8] = []
    for i in 2..<max(2, body.count)
    where !(body[i] == 46 && body[i - 1] == 10 && body[i - 2] == 13) {
        content.append(body[i])
    }
    return Reading(content: content, end: found.map { $0 + 3 })
}

@Suite struct DotReaderTests {
    @Test(arguments: [
        "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r\r\n.\r\r\n", "\n\r.\r\n",
        "\r\n.\r\r\n", "\r\n\0.\r\n", "\r\n.\0\r\n", "\r\n.\r\0\n", "\r\0\n.\r\n", "\n.\r\n.\n",
        "\r\n..\r\n", "\r\n...\r\n", "\r\n. \r\n", "\r\n \r.\r\n", "\r\n.\n.\r\n ",
    ])
    func `only CRLF dot CRLF ends a message`(sequence: String) {
        for prefix in ["", "a", "a\r", "a\r\n", "."] where prefix + sequence != "a\r\n.\r\n" {
            let bytes = (prefix + sequence + "MAIL FROM:<evil@a>").bytes
            let expected = naiveReading(bytes)
            if prefix.isEmpty || prefix == "a" { #expect(expected.end == nil) }
            for plan in Splits.everyCut(of: bytes.count) + Splits.plans(for: bytes.count) {
                #expect(read(bytes, plan) == expected)
            }
        }
    }

    @Test(arguments: [
        (".\r\n", ""), ("\r\n.\r\n", "\r\n"), ("a\r\n.\r\n", "a\r\n"),
        ("..\r\n.\r\n", ".\r\n"), (".a\r\n.\r\n", "a\r\n"), ("...\r\n..\r\n.\r\n", "..\r\n.\r\n"),
        (".\ra\r\n.\r\n", "\ra\r\n"), (".\r.\r\n.\r\n", "\r.\r\n"), (".\n\r\n.\r\n", "\n\r\n"),
        ("a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n"), ("\r\r\n.\r\n", "\r\r\n"),
    ])
    func `dots come off and the end is found at every split`(raw: String, content: String) {
        let bytes = (raw + "QUIT\r\n").bytes
        let expected = Reading(content: content.bytes, end: raw.utf8.count)
        #expect(naiveReading(bytes) == expected)
        for plan in Splits.everyCut(of: bytes.count) + Splits.plans(for: bytes.count) {
            #expect(read(bytes, plan) == expected)
        }
    }

    @Test(arguments: 0..<400)
    func `random bytes read as the rule says, however they are cut`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let alphabet: [UInt8] = seed % 2 == 0 ? [13, 10, 46] : [13, 10, 46, 46, 65, 0]
        let fill = generator.bytes(seed % 5 * 60, from: [65, 66, 46, 10])
        let bytes = fill + generator.bytes(40, from: alphabet)
        let expected = naiveReading(bytes)
        for plan in Splits.plans(for: bytes.count, seed: UInt64(seed)) {
            #expect(read(bytes, plan) == expected)
        }
    }

    @Test(arguments: [
        (".\n", true), ("\n.\n", true), ("\n.\r\n", true), ("a\n.\n", true), ("a\r\n.\n", true),
        ("a\n.\r\n", true), ("a\r\nb\n.\r\n", true), ("a\r\n..\r\n\n.\n", true),
        ("", false), ("a", false), ("a\n", false), ("a\n.", false), ("a\r\n.", false),
        ("a\r\n.\r", false), ("a.\n", false), ("a\n..\n", false), ("a\r\n..\r\n", false),
        ("a\n.\nb", false), ("a\n.\r\nb", false), ("a\n.\n\n", false), ("a\r.\r\n", false),
    ])
    func `a dot that a client may take for the end is known at every split`(
        raw: String, isBare: Bool
    ) {
        let bytes = raw.bytes
        for plan in Splits.everyCut(of: bytes.count) + Splits.plans(for: bytes.count) {
            var reader = DotReader()
            for piece in bytes.pieces(plan) {
                var offset = 0
                while offset < piece.count { _ = reader.next(piece.span, &offset) }
            }
            #expect(reader.endsInBareDot == isBare)
        }
    }

    @Test func `a reader continues with the next message`() {
        var reader = DotReader()
        let bytes = "a\r\n.\r\n.\r\n".bytes
        var offset = 0
        #expect(reader.next(bytes.span, &offset) == .content(0..<3))
        #expect(reader.next(bytes.span, &offset) == .end(next: 6))
        #expect(reader.next(bytes.span, &offset) == .end(next: 9))
    }
}
