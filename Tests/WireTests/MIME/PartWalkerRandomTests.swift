// Generated messages: no byte of a leaf is lost, added or changed. And messages of random pieces:
// for any of them the walk ends and does not depend on the cuts.

import TestSupport
import Testing

@testable import Wire

/// A message of known leaves, with any line ends, texts and nesting.
private struct Composer {
    var generator: SeededGenerator
    var message: [UInt8] = []
    var leaves: [[UInt8]] = []
    /// Bytes that are neither header nor content: delimiters, preambles, epilogues.
    var otherBytes = 0
    private var boundaryCount = 0

    init(seed: Int) { generator = SeededGenerator(seed: UInt64(seed)) }

    private mutating func lineEnd() -> [UInt8] { generator.next() % 3 == 0 ? [10] : [13, 10] }

    /// Any text without `=`, which is in all boundaries.
    private mutating func text() -> [UInt8] {
        let count = Int(generator.next() % 60)
        if generator.next() % 4 == 0 {
            return generator.bytes(count).filter { $0 != UInt8(ascii: "=") }
        }
        return generator.bytes(count, from: Array("-\r\n-b \r\n".utf8))
    }

    mutating func addEntity(depth: Int) {
        if depth < 5, generator.next() % 3 < (depth == 0 ? 3 : 1) {
            addMultipart(depth: depth)
        } else {
            message += "Content-Type: image/png".bytes + lineEnd() + lineEnd()
            let content = text()
            message += content
            leaves.append(content)
        }
    }

    private mutating func addMultipart(depth: Int) {
        boundaryCount += 1
        // Some inner boundaries begin with the outer one, and the other way round.
        let boundary =
            "=" + String(repeating: "=_", count: boundaryCount * 7 % 12) + "\(boundaryCount)"
        message += "Content-Type: multipart/mixed; boundary=\"\(boundary)\"".bytes
        message += lineEnd() + lineEnd()
        var start = message.count
        if generator.next() % 4 == 0 { message += text() }
        let partCount = Int(generator.next() % 4) + 1
        for _ in 0..<partCount {
            message += lineEnd() + "--\(boundary)".bytes
            if generator.next() % 4 == 0 { message += " \t".bytes }
            message += lineEnd()
            otherBytes += message.count - start
            addEntity(depth: depth + 1)
            start = message.count
        }
        message += lineEnd() + "--\(boundary)--".bytes + lineEnd()
        if generator.next() % 4 == 0 { message += text() }
        otherBytes += message.count - start
    }
}

@Suite struct PartWalkerRandomTests {
    @Test("Contents come out byte for byte", arguments: 0..<150)
    func balance(seed: Int) {
        var composer = Composer(seed: seed)
        composer.addEntity(depth: 0)
        let walk = Walk(composer.message)
        #expect(walk.mistakes == [])
        // A line feed after a content's last CR makes both the delimiter's line end.
        let expected = composer.leaves
        let contents = walk.leaves.map(\.content)
        #expect(contents.count == expected.count)
        for (content, leaf) in zip(contents, expected) {
            #expect(content == leaf || content + [13] == leaf)
        }
        for plan in Splits.plans(for: composer.message.count, seed: UInt64(seed), random: 6) {
            #expect(Walk(composer.message, plan: plan) == walk)
        }
    }

    @Test("For any input the walk ends and does not depend on the cuts", arguments: 0..<400)
    func garbage(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed) &* 77)
        let tokens = [
            "\r\n", "\n", "\r", "\r\n\r\n", "--a", "--a--", "--ab\r\n", "--a\r\n", "\n--a--\n",
            "Content-Type: multipart/mixed; boundary=a\r\n", " ", "\t", "x", "A: b\r\n",
            "Content-Type: multipart/digest; boundary=\"ab\"\r\n\r\n", "From ", "--", "-", ":",
            "Content-Type: message/rfc822\r\n\r\n", "hello you\r\n", "\0", "\u{FEFF}", "é",
            "Content-Transfer-Encoding: x-uuencode\r\n", "begin 644 a.zip\n", "begin 60", "end\r\n",
            "Subject: y\n", "From: z\n",
        ]
        var text = seed % 3 == 0 ? "Content-Type: multipart/mixed; boundary=a\r\n\r\n" : ""
        for _ in 0..<Int(generator.next() % 30) { text += tokens.randomElement(using: &generator)! }
        let message = text.bytes
        let whole = Walk(message)
        #expect(whole.mistakes == [])
        #expect(whole.fault == nil)
        let plans =
            Splits.plans(for: message.count, seed: UInt64(seed))
            + (message.count < 150 ? Splits.everyCut(of: message.count) : [])
        for plan in plans {
            let walk = Walk(message, plan: plan)
            guard walk != whole else { continue }
            Issue.record("\(text.debugDescription) cut as \(plan): \(walk), not \(whole)")
            return
        }
    }
}
