// Chunked framing, read strictly and written in place.

import TestSupport
import Testing

@testable import Wire

private func decoded(_ bytes: [UInt8], _ plan: [Int]) -> String {
    var decoder = ChunkedDecoder()
    var content: [UInt8] = []
    var before = 0
    for piece in bytes.pieces(plan) {
        var offset = 0
        reading: while true {
            switch decoder.next(piece.span, &offset) {
            case .content(let range):
                #expect(!range.isEmpty)
                content += piece[range]
            case .needInput: break reading
            case .end(let next): return content.text + " end \(before + next)"
            case .invalid: return "invalid"
            }
        }
        before += piece.count
    }
    return content.text + " more"
}

@Suite struct ChunkedCodecTests {
    @Test(arguments: [
        ("0\r\n\r\n", " end 5"), ("5\r\nhello\r\n0\r\n\r\nHTTP", "hello end 15"),
        ("1\r\na\r\n00A\r\n0123456789\r\n0\r\n\r\n", "a0123456789 end 28"),
        ("2 ;a=\"b\"\r\nhi\r\n0;x\r\nA: b\r\nC: d\r\n\r\n", "hi end 33"),
        ("2\t\r\nhi\r\n0\r\n\r\n", "hi end 13"), ("5\r\nhel", "hel more"), ("", " more"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n end 12"),
    ])
    func `content and end are found at every split`(text: String, expected: String) {
        let bytes = text.bytes
        for plan in Splits.everyCut(of: bytes.count) + Splits.plans(for: bytes.count) {
            #expect(decoded(bytes, plan) == expected)
        }
    }

    @Test(arguments: [
        "\r\n", ";\r\n", "g\r\n", "-1\r\n", "+1\r\n", "0x5\r\n", " 5\r\n", "5\nhello", "5\r5",
        "5\r\nhelloX", "5\r\nhello\rX", "5\r\nhello\n0", "2\r\nhi0\r\n\r\n", "1000000000000000\r\n",
        "0000000000000000\r\n", "5;\u{0}\r\n", "5;a\n", "0\r\n\rX", "0\r\nA: b\n\r\n", "0\r\n\n",
        "5 5\r\rn", "0\r\nA\u{1}: b\r\n",
    ])
    func `bad framing is invalid and stays so`(text: String) {
        for plan in Splits.everyCut(of: text.utf8.count) {
            #expect(decoded((text + "0\r\n\r\n").bytes, plan + [5]) == "invalid")
        }
    }

    @Test(arguments: ["1;", "0\r\n"])
    func `extensions and trailers are bounded`(start: String) {
        let extra = [UInt8](repeating: 65, count: ChunkedDecoder.extrasBytesMax + 2)
        #expect(decoded(start.bytes + extra, [start.utf8.count + extra.count]) == "invalid")
        let lines = String(repeating: "A:\r\n", count: 3_000)
        #expect(decoded("0\r\n\(lines)".bytes, [3 + lines.utf8.count]) == "invalid")
    }

    @Test(arguments: [1, 15, 16, 4_095, 4_096, 16_376, 65_535])
    func `what the encoder frames the decoder reads`(size: Int) {
        let head = written(capacity: ChunkedEncoder.headBytes) { output in
            output.withRoom { memory, _ in
                ChunkedEncoder.writeHead(size: size, to: memory)
                return ChunkedEncoder.headBytes
            }
        }
        let content = String(repeating: "x", count: size)
        let text =
            head.text + content + ChunkedEncoder.tail.description + ChunkedEncoder.end.description
        #expect(decoded(text.bytes, [text.utf8.count]) == content + " end \(size + 13)")
    }
}
