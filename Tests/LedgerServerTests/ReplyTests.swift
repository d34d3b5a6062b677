// Replies of a server: whatever way they are cut, and what is no reply.

import TestSupport
import Testing

@testable import LedgerServer

/// What a reader makes of bytes that arrive in these pieces; nil when it breaks off.
private func read(_ text: String, _ plan: [Int]) -> [ServerReply]? {
    let bytes = Array(text.utf8)
    let reader = ReplyReader()
    var replies: [ServerReply] = []
    var offset = 0
    do {
        for piece in plan {
            try reader.feed(bytes[offset..<offset + piece].span)
            offset += piece
            while let reply = try reader.next() { replies.append(reply) }
        }
    } catch { return nil }
    return replies
}

@Suite("Replies of a server")
struct ReplyTests {
    private static let text =
        "+OK\r\n-OOM command not allowed\r\n:42\r\n$-1\r\n$5\r\na\r\nb!\r\n*-1\r\n*0\r\n"
        + "*3\r\n$3\r\nabc\r\n*2\r\n:1\r\n*1\r\n$0\r\n\r\n$-1\r\n:-7\r\n"
    private static let replies: [ServerReply] = [
        .status, .error("OOM command not allowed"), .integer(42), .nothing,
        .bytes(Array("a\r\nb!".utf8)), .nothing, .list([]),
        .list([
            .bytes(Array("abc".utf8)), .list([.integer(1), .list([.bytes([])])]), .nothing,
        ]),
        .integer(-7),
    ]

    @Test("Every cut gives the same replies")
    func cuts() {
        let count = Self.text.utf8.count
        for plan in Splits.everyCut(of: count) + Splits.plans(for: count, random: 40) {
            #expect(read(Self.text, plan) == Self.replies)
        }
    }

    @Test(
        "What is no reply ends the connection",
        arguments: [
            "HTTP/1.1 400 Bad Request\r\n", "$a\r\n", ":1a\r\n", "*99999999\r\n", "*2000\r\n",
            "$-2\r\n", "*-5\r\n", ",1.5\r\n", "#t\r\n", "%1\r\n:1\r\n:2\r\n", ">1\r\n:1\r\n",
            "\u{16}\u{3}\u{1}", String(repeating: "*1\r\n", count: 40) + ":1\r\n",
        ])
    func nonsense(_ text: String) {
        for plan in Splits.everyCut(of: text.utf8.count) { #expect(read(text, plan) == nil) }
    }

    @Test("A reply that would be too large ends the connection before it is kept")
    func tooLarge() throws {
        let reader = ReplyReader()
        try reader.feed(Array("$1000000000\r\n".utf8).span)
        #expect(try reader.next() == nil)
        let piece = [UInt8](repeating: 0x41, count: 60_000)
        var taken = 0
        #expect(throws: ReplyFault.self) {
            while taken < 100 {
                try reader.feed(piece.span)
                taken += 1
                _ = try reader.next()
            }
        }
        #expect(taken < 3)
        #expect(
            read("$70000\r\n" + String(repeating: "x", count: 70_000) + "\r\n", [70_010]) == nil)
    }

    @Test("Replies do not mix between readers, and a broken reader stays broken")
    func broken() throws {
        let reader = ReplyReader()
        try reader.feed(Array("?\r\n".utf8).span)
        #expect(throws: ReplyFault.self) { try reader.next() }
        #expect(throws: ReplyFault.self) { try reader.feed(Array("+OK\r\n".utf8).span) }
    }
}
