// Each bound of a message's structure as a client sees it: 554 and the reason, and nothing left.
//
// Bounds that a small message can pass are golden pairs in Tests/Corpus/bounds.

import Foundation
import TestSupport
import Testing

@testable import Relay

@Suite("Messages past a bound are refused with the reason")
struct MapperBoundsTests {
    let bench = MapperBench()

    private func refusal(_ message: String) -> String? {
        var message = MappedMessage(message)
        message.options.attachmentsMax = 2_000
        let whole = bench.map(message)
        let count = message.content.count
        let pieces = [Int](repeating: 4_096, count: count / 4_096) + [count % 4_096]
        let cut = bench.map(message, cut: pieces)
        #expect(cut.failure == whole.failure)
        #expect(bench.slabs.outstanding == 0)
        return whole.failure?.reply(isVerbose: false).line
    }

    private func text(_ count: Int) -> String { String(repeating: "x", count: count) }

    @Test("a header block of 256 KiB, of the message or of a part")
    func headerBlock() {
        let fields = String(repeating: "X: \(text(995))\r\n", count: 262)
        let most = fields + "Y: " + text(262_144 - fields.utf8.count - 7) + "\r\n\r\n"
        let more = "Z" + most
        let start = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        #expect(most.utf8.count == 262_144)
        #expect(refusal(most + "body") == nil)
        #expect(refusal(start + most + "body") == nil)
        #expect(
            refusal(more + "body")
                == "554 Failed to parse message: header block over 262144 bytes at byte 262144")
        #expect(
            refusal(start + more + "body")
                == "554 Failed to parse message: header block over 262144 bytes at byte "
                + "\(start.utf8.count + 262_144)")
    }

    @Test("one header of 64 KiB, folded or not")
    func header() {
        let reply = "554 Failed to parse message: header over 65536 bytes at byte 65536"
        #expect(refusal("X: " + text(65_531) + "\r\n\r\nbody") == nil)
        #expect(refusal("X: " + text(65_532) + "\r\n\r\nbody") == reply)
        #expect(refusal("X: a" + String(repeating: "\r\n b", count: 20_000) + "\r\n\r\n") == reply)
        #expect(refusal("X: " + text(300_000)) == reply)
    }

    @Test("a thousand parts, whatever they hold")
    func parts() {
        let start = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        let most = start + String(repeating: "--b\r\n\r\nx\r\n", count: 1_000)
        #expect(refusal(most + "--b--\r\n") == nil)
        #expect(
            refusal(most + "--b\r\n\r\nx\r\n--b--\r\n")
                == "554 Failed to parse message: more than 1000 parts at byte "
                + "\(most.utf8.count + 5)")
    }

    @Test("ten thousand words of addresses in a header")
    func addresses() {
        let list = String(repeating: "a@b,", count: 10_100)
        #expect(
            refusal("To: \(list)\r\n\r\nbody")
                == "554 Failed to parse message: too many addresses in a header")
    }

    @Test("what comes after the bound is not looked at any more")
    func afterTheBound() {
        let field = "X: y\r\n"
        let message = String(repeating: field, count: 1_001)
        let reply = refusal(message)
        #expect(reply == "554 Failed to parse message: more than 1000 headers at byte 6000")
        #expect(refusal(message + text(2_000_000)) == reply)
    }
}
