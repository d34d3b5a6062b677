// Chunks of BDAT are counted, wherever a read cuts them, and nothing in them matters.

import TestSupport
import Testing
import Wire

@Suite struct ChunkReaderTests {
    /// Reads a message of chunks of these sizes out of pieces of input.
    private func read(_ sizes: [Int], _ pieces: [[UInt8]]) -> (chunks: [[UInt8]], endsLine: Bool) {
        var reader = ChunkReader()
        var chunks: [[UInt8]] = []
        var content: [UInt8] = []
        var left = sizes
        func begin(_ reader: inout ChunkReader) {
            guard let size = left.first else { return }
            left.removeFirst()
            reader.begin(size: size)
        }
        begin(&reader)
        for piece in pieces + [[]] {
            var offset = 0
            reading: while chunks.count < sizes.count {
                switch reader.next(piece.span, &offset) {
                case .content(let range): content += piece[range]
                case .needInput:
                    #expect(offset == piece.count)
                    break reading
                case .end:
                    #expect(reader.isOver)
                    chunks.append(content)
                    content = []
                    begin(&reader)
                }
            }
        }
        return (chunks, reader.endsLine)
    }

    @Test("Nothing but its size ends a chunk")
    func content() {
        let text = Array("\r\n.\r\nQUIT\r\n\0\n.\nBDAT 0 LAST\r\n".utf8)
        let (chunks, endsLine) = read([5, 0, 1, text.count - 6], [text])
        #expect(chunks == [Array(text[..<5]), [], [text[5]], Array(text[6...])])
        #expect(endsLine)
    }

    @Test("However it is cut, it is the same", arguments: 1...20)
    func cuts(_ seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        func random(_ most: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % (most + 1)
        }
        let text = (0..<400).map { _ in UInt8([0x0D, 0x0A, 0x2E, 0x00, 0x41][random(4)]) }
        var sizes: [Int] = []
        while sizes.reduce(0, +) < text.count {
            sizes.append(min(random(60), text.count - sizes.reduce(0, +)))
        }
        var pieces: [[UInt8]] = []
        var at = 0
        while at < text.count {
            let end = min(text.count, at + random(30))
            pieces.append(Array(text[at..<end]))
            at = end
        }
        let whole = read(sizes, [text])
        for cut in [pieces, text.map { [$0] }] {
            let other = read(sizes, cut)
            #expect(other.chunks == whole.chunks && other.endsLine == whole.endsLine)
        }
        #expect(whole.chunks.flatMap { $0 } == text)
        #expect(whole.endsLine == text.suffix(2).elementsEqual([0x0D, 0x0A]))
    }

    @Test(
        "Whether the content ends with CRLF is known, across chunks and pieces",
        arguments: [
            ("", true), ("\r\n", true), ("a", false), ("\n", false), ("\r", false),
            ("a\r\n", true), ("a\n", false), ("\r\na", false), ("a\r", false),
        ])
    func lineEnds(_ text: String, _ endsLine: Bool) {
        let bytes = Array(text.utf8)
        #expect(read([bytes.count], [bytes]).endsLine == endsLine)
        #expect(read(bytes.map { _ in 1 } + [0], bytes.map { [$0] }).endsLine == endsLine)
    }
}
