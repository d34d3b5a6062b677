import Testing

@testable import Perf

@Suite struct MessageMixTests {
    @Test(arguments: [
        ("4096", 4_096), ("4k", 4_096), ("60K", 61_440), ("5m", 5_242_880), ("512", 512),
        ("200m", 209_715_200),
    ])
    func `Sizes have units`(text: String, bytes: Int) {
        #expect(MessageMix.bytes(text) == bytes)
        #expect(MessageMix(text)?.kinds.map(\.bytes) == [bytes])
    }

    @Test(arguments: [
        "", "0", "-4k", "511", "4kb", "201m", "k", "4k:", "4k:0", "4k:-1", "4k,", "4k:1:1",
        "99999999999999999999", "4k:99999999",
    ])
    func `An invalid mix is refused`(text: String) {
        #expect(MessageMix(text) == nil)
    }

    @Test func `Kinds come as often as their weights demand, and the same each time`() throws {
        let mix = try #require(MessageMix("transactional"))
        var counts = [0, 0, 0]
        for number in 0..<100_000 { counts[mix.kind(ofMessage: number)] += 1 }
        #expect((89_000...91_000).contains(counts[0]))
        #expect((8_500...9_500).contains(counts[1]))
        #expect((850...1_150).contains(counts[2]))
        #expect(
            (0..<50).map { mix.kind(ofMessage: $0) } == (0..<50).map { mix.kind(ofMessage: $0) })
    }

    @Test func `One size is one kind`() {
        let mix = MessageMix.fixed(bytes: 100_000)
        #expect(mix.kind(ofMessage: 12_345) == 0)
        #expect(mix.kinds[0].shape == .attachments)
    }
}

@Suite struct TestMessageTests {
    @Test(arguments: [
        (TestMessage.Shape.text, 4_096), (.text, 512), (.illustrated, 61_440),
        (.attachments, 1_048_576), (.attachments, 65_536),
    ])
    func `Messages have about their size, end with a dot, and need no stuffing`(
        shape: TestMessage.Shape, bytes: Int
    ) {
        let message = TestMessage.make(shape, bytes: bytes)
        #expect(abs(message.count - bytes) < 400)
        let text = String(decoding: message, as: UTF8.self)
        #expect(text.hasSuffix("\r\n.\r\n"))
        #expect(!text.dropLast(3).contains("\r\n."))
        #expect(!text.replacing("\r\n", with: "").contains { $0 == "\r" || $0 == "\n" })
    }
}
