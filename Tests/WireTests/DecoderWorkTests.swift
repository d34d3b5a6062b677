// Decoders take linear time, whatever a sender repeats: the shortest shifts, escapes, marks and
// beginnings of everything that they know.

import TestSupport
import Testing

@testable import Wire

/// What changes the state of some decoder, or is cut or broken in one.
private let units: [[UInt8]] = [
    "+-".bytes, "+".bytes, "+A".bytes, "+AGE-".bytes, "-".bytes, "~{".bytes, "~}".bytes, "~".bytes,
    "~{!!~}".bytes, [0x1B], [0x1B, 0x1B, 0x24], [0x1B, 0x24, 0x42], [0x1B, 0x28, 0x42],
    [0x1B, 0x24, 0x42, 0x21, 0x21, 0x1B, 0x28, 0x42], [0x1B, 0x28, 0x49, 0x21], [0x0E], [0x0F],
    [0x0E, 0x21, 0x0F], [0x1B, 0x4E, 0x21, 0x21], [0x61], [0x80], [0xE9], [0x61, 0xE9],
    [0xC3, 0xA9],
    [0xE2, 0x82], [0xF0, 0x9F], [0x81], [0x81, 0x30], [0x81, 0x30, 0x81, 0x30], [0x8E],
    [0x8F, 0xA1],
    [0xA2, 0xE8], [0xA1, 0xFE], [0x61, 0xA1, 0xFE], [0xA1, 0xA1, 0x61], [0x88, 0x62], [0xFF],
    [0xFF, 0xFE], [0xD8, 0x00], [0x00, 0xD8], [0x00], [0x0A], [0x0D], [0x20], [0xEF, 0xBB, 0xBF],
]

private let labels = [
    "utf-8", "us-ascii", "latin1", "koi8-r", "windows-1255", "viscii", "x-user-defined", "gb18030",
    "big5", "euc-jp", "euc-jisx0213", "shift_jis", "euc-kr", "johab", "euc-tw", "iso-2022-jp",
    "iso-2022-kr", "iso-2022-cn", "hz", "utf-16", "utf-16be", "utf-32", "utf-7", "unknown-8bit",
]

/// Each of them shifts somewhere, and is followed by what a fast search may look at again and again.
private let shifts: [[UInt8]] = [
    "+-".bytes, "~~".bytes, "a~".bytes, [0x61, 0x1B], [0x0E, 0x0F], [0x61, 0xE9],
    [0x61, 0xA1, 0xFE],
    [0x1B, 0x24, 0x42, 0x1B, 0x28, 0x42],
]

/// Whether a resumable transform takes linear time for `unit` again and again, in one piece.
/// - Parameter count: bytes of the smaller input. What costs least for each byte needs the most of
///   them to be seen.
private func isLinear(
    _ unit: [UInt8], after front: [UInt8] = [], from count: Int = 4_096, regionBytes: Int = 64,
    _ transform: (Bytes, UnsafeMutableBufferPointer<UInt8>) -> Void
) -> Bool {
    let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: regionBytes)
    defer { memory.deallocate() }
    return growsLinearly(
        from: count,
        make: { count in front + (0..<count / unit.count).flatMap { _ in unit } },
        work: { transform($0.span, memory) })
}

private func run(
    _ input: Bytes, _ memory: UnsafeMutableBufferPointer<UInt8>,
    feed: (Bytes, inout Region) -> Int, finish: (inout Region) -> Bool
) {
    var taken = 0
    while taken < input.count {
        var region = Region(memory)
        taken += feed(input.extracting(taken..<input.count), &region)
    }
    var isDone = false
    while !isDone {
        var region = Region(memory)
        isDone = finish(&region)
    }
}

@Suite("Work of decoders", .serialized)
struct DecoderWorkTests {
    @Test("Work that grows with the square of its input is seen")
    func square() {
        var sum = 0
        let isLinear = growsLinearly(from: 128, make: { Array(0..<$0) }) { numbers in
            for one in numbers { for other in numbers { sum &+= one ^ other } }
        }
        #expect(!isLinear, "\(sum)")
    }

    @Test("Charsets take linear time", arguments: labels)
    func charsets(label: String) {
        let cache = CharsetCache()
        let charset = Charset(label: label.bytes.span)
        func decode(_ input: Bytes, _ memory: UnsafeMutableBufferPointer<UInt8>) {
            var decoder = CharsetDecoder(charset, cache: cache)
            run(
                input, memory, feed: { decoder.feed($0, into: &$1) },
                finish: { decoder.finish(into: &$0) })
        }
        for unit in units { #expect(isLinear(unit, decode), "\(unit)") }
        for unit in shifts {
            #expect(isLinear(unit, from: 65_536, regionBytes: 8_192, decode), "\(unit)")
        }
    }

    @Test("The front of a text takes linear time")
    func fronts() {
        let cache = CharsetCache()
        let tags = ["<", "<!--", "<meta ", "<meta charset=", "'", "=", "charset", "<a b=c "]
        for unit in units + tags.map(\.bytes) {
            let isLinear = isLinear(unit) { input, memory in
                var decoder = CharsetDecoder(text: .undeclared, isHTML: true, cache: cache)
                run(
                    input, memory, feed: { decoder.feed($0, into: &$1) },
                    finish: { decoder.finish(into: &$0) })
            }
            #expect(isLinear, "\(unit)")
        }
    }

    @Test(
        "Transfer encodings take linear time",
        arguments: [TransferEncoding.base64, .quotedPrintable, .uuencode])
    func transferEncodings(encoding: TransferEncoding) {
        let units = [
            "=", "==", "A=", "YQ==", "YQ==\n", "\n", " ", "\r", "_", "\n__", "__\n", "YQ==\n__",
            "A",
            "=\r\n", "=4", "=41", "\t\n", " =", "é", "begin ", "begin 644 a\n", "#", "M", "end\n",
            "a b\n", "YWJj\n",
        ]
        func decode(_ input: Bytes, _ memory: UnsafeMutableBufferPointer<UInt8>) {
            var decoder = TransferDecoder(encoding)
            run(
                input, memory, feed: { decoder.feed($0, into: &$1) },
                finish: { decoder.finish(into: &$0) })
        }
        for front in ["", "YQ==\n", "begin 644 a\n"] {
            for unit in units {
                let isLinear = isLinear(unit.bytes, after: front.bytes, decode)
                #expect(isLinear, "\(front) \(unit)")
            }
        }
        // What a fast search passes at once is seen in long input only.
        let long = String(repeating: "YWJj", count: 19)
        for unit in ["A", "YWJj\n", "YWJj YWJj\n", long + "\r\n", long + " " + long + "\n"] {
            let isLinear = isLinear(unit.bytes, from: 262_144, regionBytes: 4_096, decode)
            #expect(isLinear, "long \(unit)")
        }
    }

    @Test("Base64 that passes, and JSON, take linear time")
    func filters() {
        let units = [
            "=", "YQ==", "YQ==\n", "\n", " ", "_", "\n__", "YQ==\n__", "A", "é", "\u{0}", "\"",
            "\\",
            "\r", "\u{1F600}", "a b\n", "YWJj\n\n", "\n\nab cd\n", "\n\n-", "\n \n", "YWJj\n\n_\n",
        ]
        for unit in units.map(\.bytes) + [[0x80], [0xE2, 0x82], [0xC3]] {
            let isFilterLinear = isLinear(unit) { input, memory in
                var filter = Base64Filter()
                run(
                    input, memory, feed: { filter.feed($0, into: &$1) },
                    finish: { filter.finish(into: &$0) })
            }
            let isEscaperLinear = isLinear(unit) { input, memory in
                var escaper = JSONEscaper(lineEnds: .lineFeed)
                run(
                    input, memory, feed: { escaper.feed($0, into: &$1) },
                    finish: { escaper.finish(into: &$0) })
            }
            #expect(isFilterLinear && isEscaperLinear, "\(unit)")
        }
    }

    @Test("Header blocks take linear time")
    func headerBlocks() {
        let units = [
            "\n", " \n", "x\n", "x y: z\n", "a=b\n", "A: b;\n", "A: b;\na=b\n", ";\n", "http://x\n",
            " \nA: b\n", "x\nA: b\n", "--\n", "é: b\n",
        ]
        for front in ["", "A: b\n", "A: b;\n", "A: b\n \n"] {
            for unit in units {
                expectLinear(unit, after: front) { block in
                    var collector = HeaderCollector()
                    var offset = 0
                    _ = collector.next(block.span, &offset, isLast: true, BoundaryStack())
                    var scanner = HeaderScanner()
                    while scanner.next(block.span) != nil {}
                }
            }
        }
    }

    @Test("Judging a content looks at each byte a few times")
    func judge() {
        var head = EntityHead()
        let cache = CharsetCache()
        var losses = DecodeLosses()
        for encoding in ["base64", "quoted-printable", "x-own"] {
            for type in ["text/plain", "message/rfc822"] {
                let fields = "Content-Type: \(type)\nContent-Transfer-Encoding: \(encoding)\n"
                head.read(
                    fields.bytes.span, isInDigest: false, charsets: cache, losses: &losses)
                let judged = head
                for unit in ["\n", "A\n", "A ", "A=\n", "=", "=3D", "--\n", "é", "_\n"] {
                    expectLinear(unit) {
                        _ = ContentJudge.isAsLabelled($0.span, judged, isWhole: false)
                    }
                }
            }
        }
    }
}
