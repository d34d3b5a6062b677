// SMTP smuggling through whole sessions. A sequence that another server takes as the end of data is
// content for the relay, wherever a read cuts it, and what follows it is never a command.
//
// Each sequence is one session with one message for every place where its content can be cut.

import Foundation
import Testing

@testable import Relay

@Suite("Smuggling", .serialized)
struct SmugglingTests {
    /// Sequences that other servers have taken as the end of data (RFC 5321 4.1.1.4 has only one).
    static let sequences = [
        "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r.\n", "\n.\r", "\r\n.\r",
        "\r\r\n.\r\r\n", "\r\n.\r\r\n", "\r\n\0.\r\n", "\r\n.\0\r\n", "\r\n.\r\0\n", "\r\0\n.\r\n",
        "\n\r.\r\n", "\r\n. \r\n", "\u{85}.\u{85}", "\u{2028}.\u{2028}",
    ]

    private static let smuggled =
        "MAIL FROM:<smuggled@example.org>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\n"
        + "Subject: smuggled\r\n\r\nsmuggled\r\n"

    @Test("It is content, cut at every byte", arguments: sequences)
    func inTheMiddle(_ sequence: String) throws {
        try check("From: a@example.org\r\nTo: b@example.com\r\n\r\ntext", sequence)
    }

    @Test("It is content at the very start of the data, too", arguments: sequences)
    func atTheStart(_ sequence: String) throws { try check("", sequence) }

    @Test(
        "By BDAT it is content, too, and no dot is taken off", arguments: sequences + ["\r\n.\r\n"])
    func inChunks(_ sequence: String) throws {
        try check("From: a@example.org\r\nTo: b@example.com\r\n\r\ntext", sequence, byBDAT: true)
    }

    /// One session: a whole message, and one message for each cut around the sequence.
    private func check(_ before: String, _ sequence: String, byBDAT: Bool = false) throws {
        let content = Array((before + sequence + Self.smuggled + ".\r\n").utf8)
        let first = max(before.utf8.count - 1, 0)
        let last = before.utf8.count + sequence.utf8.count + 2
        let cuts = [content.count] + Array(first...last)
        var dialog = Dialog(
            name: "smuggling",
            text: "# tls\nS: ~220 *\nC: AUTH PLAIN {plain:postscale:ok}\nS: ~235 *")
        for cut in cuts {
            dialog.addMessage([Array(content[..<cut]), Array(content[cut...])], byBDAT: byBDAT)
        }
        // At last every byte alone.
        dialog.addMessage(content.map { [$0] }, byBDAT: byBDAT)
        dialog.steps += Dialog(name: "", text: "C: QUIT\nS: 221 Bye\n# closed").steps
        let runner = try DialogRunner(dialog, .whole)
        runner.play()
        let bodies = runner.acceptedBodies
        #expect(bodies.count == cuts.count + 1)
        #expect(Set(bodies).count == 1, "a cut changes what is sent")
        for body in Set(bodies) {
            let request = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
            #expect(request?["to"] as? [String] == ["b@example.com"])
            #expect(request?["from"] as? String != "smuggled@example.org")
            #expect(body.contains("RCPT TO:<victim@example.com>"))
            guard byBDAT, let text = request?["text_body"] as? String else { continue }
            #expect(text.hasSuffix(".\r\n") || text.hasSuffix(".\n"))
        }
    }
}

extension Dialog {
    /// A transaction with its content in these pieces, and its replies.
    fileprivate mutating func addMessage(_ pieces: [[UInt8]], byBDAT: Bool) {
        let size = pieces.reduce(0) { $0 + $1.count }
        let envelope =
            "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.com>\r\n"
            + (byBDAT ? "BDAT \(size) LAST\r\n" : "DATA\r\n")
        let steps: [Step] =
            [.send(Array(envelope.utf8)), .expect("250 Ok"), .expect("250 Ok")]
            + (byBDAT ? [] : [.expect("~354 *")]) + pieces.filter { !$0.isEmpty }.map { .send($0) }
            + [.expect("250 Ok: queued as test-id@fake")]
        self.steps += steps.map { Line(number: 0, step: $0) }
    }
}
