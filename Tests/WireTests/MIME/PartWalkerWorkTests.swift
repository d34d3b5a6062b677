// Messages that are made to be expensive: time stays linear, memory constant.

import Testing

@testable import Wire

private func text(_ count: Int) -> String { String(repeating: "x", count: count) }

/// Header blocks of multiparts inside each other, up to that of the first part.
private func nested(_ depth: Int, boundary: (Int) -> String) -> String {
    (0..<depth).map {
        "Content-Type: multipart/mixed; boundary=\(boundary($0))\r\n\r\n--\(boundary($0))\r\n"
    }.joined()
}

/// Walks a message; returns only the number of events and the walker's memory.
private func walk(_ message: [UInt8], piece: Int) -> (events: Int, bytesHeldMax: Int) {
    var walker = PartWalker(charsets: CharsetCache())
    var events = 0
    var bytesHeldMax = 0
    var start = 0
    for length in evenPieces(of: message.count, min(piece, message.count)) {
        let input = message.span.extracting(start..<start + length)
        start += length
        var offset = 0
        feeding: while true {
            switch walker.next(input, &offset) {
            case .needInput: break feeding
            case .failed: return (events, bytesHeldMax)
            default: events += 1
            }
        }
        bytesHeldMax = max(bytesHeldMax, walker.heldByteCount)
    }
    while true {
        switch walker.finish() {
        case .end, .failed, .needInput: return (events, bytesHeldMax)
        default: events += 1
        }
    }
}

private let slowUnits = [
    "--b\n", "\n-", "--b--\n", "\r\n--bb", "A: b\n", "x\n--c\n", "\n", "\r", "\r\n\n\r",
    "--b\nContent-Type: multipart/mixed; boundary=b\n\n", "--b0\r\n\r\n", "=?utf-8?q?a?= ",
]

@Suite("The work of walking a message")
struct PartWalkerWorkTests {
    @Test("Bodies that are made to be slow take linear time", arguments: slowUnits)
    func bodies(unit: String) {
        for depth in [1, 100] {
            let start = nested(depth) { "b\($0)" }.bytes + "\r\n".bytes
            for piece in [Int.max, 1] {
                let isLinear = growsLinearly(
                    from: 8_192, make: { start + repeated(unit, $0) },
                    work: { _ = walk($0, piece: piece) })
                #expect(isLinear, "at depth \(depth), in pieces of \(piece)")
            }
        }
    }

    @Test(
        "Header blocks that are made to be slow take linear time",
        arguments: [
            "A: b\r\n", "x\r\n", "A: b\r\n c\r\n", " \r\n", ":\r\n", "A: " + text(250) + "\n",
        ])
    func headers(unit: String) {
        for piece in [Int.max, 100, 1] {
            let isLinear = growsLinearly(
                from: 1_500, make: { "A: b\r\n".bytes + repeated(unit, $0) },
                work: { _ = walk($0, piece: piece) })
            #expect(isLinear, "in pieces of \(piece)")
        }
    }

    @Test(
        "Uuencoded content that is made to be slow takes linear time",
        arguments: [
            "\n", "begin ", "begin 644 a\n", "begin 644 " + text(300) + "\n", "end\n", "b\n", "e\n",
            "x", "x\nbegin 644 a\n", " ", "\n-", "begin 644 a\n#0V%T\nend\n",
        ])
    func pieces(unit: String) {
        for type in ["text/plain", "application/zip"] {
            for front in ["", "x\n", "begin 644 a\n"] {
                let head = "Content-Type: \(type)\nContent-Transfer-Encoding: x-uuencode\n\n"
                for piece in [Int.max, 100, 1] {
                    let isLinear = growsLinearly(
                        from: 8_192, make: { (head + front).bytes + repeated(unit, $0) },
                        work: { _ = walk($0, piece: piece) })
                    #expect(isLinear, "\(type) \(front) in pieces of \(piece)")
                }
            }
        }
    }

    @Test("A field that never ends takes linear time, however it arrives")
    func unfinishedField() {
        for piece in [Int.max, 7, 1] {
            let isLinear = growsLinearly(
                from: 15_000, make: { ("A: " + text($0)).bytes },
                work: { _ = walk($0, piece: piece) })
            #expect(isLinear, "in pieces of \(piece)")
        }
    }

    @Test(
        "Parameters that are made to be slow take linear time",
        arguments: [" name*0=a;", " name*1*=a;", "(", "(a=;", "a=(;", "\\", "\"", " boundary=;"])
    func parameters(unit: String) {
        let isLinear = growsLinearly(
            from: 15_000,
            make: {
                "Content-Type: multipart/mixed;".bytes + repeated(unit, $0) + "\r\n\r\n".bytes
            },
            work: { _ = walk($0, piece: Int.max) })
        #expect(isLinear)
    }

    @Test("Many parts with many fields take linear time")
    func parts() {
        let part = "--b\r\n" + String(repeating: "X: y\r\n", count: 100) + "\r\nx\r\n"
        let start = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".bytes
        let isLinear = growsLinearly(
            from: 50 * part.utf8.count, make: { start + repeated(part, $0) },
            work: { _ = walk($0, piece: 4_096) })
        #expect(isLinear)
    }

    @Test("A walker holds a header block, or a preamble and a line, and never more")
    func memory() {
        let start = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        let all = bodies(of: 600_000) + bodies(of: 600_000, after: "--b\r\n\r\n")
        for body in all {
            for piece in [Int.max, 4_096] {
                let held = walk(start.bytes + body, piece: piece).bytesHeldMax
                #expect(held <= MIMEBounds.headerBlockBytesMax + MIMEBounds.preambleBytesMax)
            }
        }
        // A preamble without an end is handed out instead of held.
        let endless = walk((start + text(600_000)).bytes, piece: 1_000)
        #expect(endless.events > 500)
        #expect(endless.bytesHeldMax < 2 * MIMEBounds.preambleBytesMax)
        // The same for text after a delimiter, and for a line that long looks like one.
        for body in ["--b\r\n\r\n" + text(600_000), "--b\r\n\r\n--b" + text(600_000)] {
            let held = walk((start + body).bytes, piece: 1_000).bytesHeldMax
            #expect(held <= 1_000 + BoundaryScanner.heldBytesMax)
        }
    }

    private func bodies(of count: Int, after front: String = "") -> [[UInt8]] {
        slowUnits.map { front.bytes + repeated($0, count) }
    }
}
