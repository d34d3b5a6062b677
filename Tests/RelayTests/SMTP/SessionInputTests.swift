// Split invariance: however a session's bytes are cut, the machine finds the same pieces in them.
//
// A driver without a socket: it takes bytes as the real driver does, waits where the machine says
// so, and records every verdict.

import Reactor
import Testing
import Wire

@testable import Relay

/// Frames cut input and drives the machine with it; answers a pause one piece later.
private struct SocketlessSession {
    var machine: SessionMachine
    var input = SessionInput()
    var transcript: [String] = []
    var content: [UInt8] = []
    var commands: [String] = []
    var isWaiting = false
    let now = MonotonicTime(nanoseconds: 1_000_000_000)

    init() {
        machine = SessionMachine(options: .init(), isImplicitTLS: true, at: now)
        note(machine.opened(at: now))
    }

    mutating func receive(_ bytes: [UInt8]) {
        input.keep(bytes.span)
        pump()
        // The answer that was waited for comes before the next piece.
        while isWaiting {
            isWaiting = false
            answer()
            pump()
        }
    }

    private mutating func pump() {
        guard !input.isEmpty || machine.isChunkOver else { return }
        let kept = input.take()
        var offset = kept.start
        let span = kept.bytes.span
        while offset < span.count || machine.isChunkOver, machine.acceptsInput {
            let before = offset
            let piece = machine.next(span, &offset)
            use(piece, span)
            if case .needInput = piece { break }
            // A reader that takes nothing and finds something would continue for ever.
            #expect(offset > before || piece == .literalCR || piece == .endOfData)
        }
        input.restore(kept, usedTo: offset)
    }

    private mutating func use(_ piece: SessionPiece, _ span: Bytes) {
        switch piece {
        case .content(let range): content += span.extracting(range).copied()
        case .literalCR: content.append(0x0D)
        case .endOfData:
            transcript.append("content \(content.count)")
            note(machine.dataEnded(at: now))
        case .command(let range):
            let line = span.extracting(range)
            let command = Command.parse(line)
            commands.append(line.copiedText())
            note(machine.command(command, in: line, hasBytesAfter: false, at: now), line)
        case .response(let range):
            let line = span.extracting(range)
            note(machine.responseLine(line, at: now), line)
        case .tooLong: note(machine.lineTooLong(at: now))
        case .needInput: break
        }
    }

    private mutating func note(_ verdict: SessionVerdict, _ line: Bytes = Bytes()) {
        switch verdict {
        case .reply(let reply), .close(let reply): transcript.append("\(reply.code)")
        case .giveUp(let reply?): transcript.append("giveUp \(reply.code)")
        case .readResponse(let range, .plain):
            transcript.append("response " + line.extracting(range).copiedText())
            note(machine.response(.key(fingerprint: 1), at: now))
        case .addRecipient(let range):
            transcript.append("to " + line.extracting(range).copiedText())
            machine.recipientAdded(isNew: true)
        case .beginMail(let mail):
            transcript.append("from " + line.extracting(mail.path).copiedText())
        case .askRateLimit(sender: _): note(machine.rateLimitAnswered(nil), line)
        case .checkKey, .reserve, .finishMessage: isWaiting = true
        default: transcript.append("\(verdict)")
        }
    }

    private mutating func answer() {
        switch machine.phase {
        case .keyCheck: note(machine.keyChecked(.valid, at: now))
        case .budget: note(machine.budgetGranted(at: now))
        case .outcome: note(machine.outcome(.queued(as: []), isKeyRefused: false, at: now))
        default: break
        }
    }
}

@Suite("Session input")
struct SessionInputTests {
    private static let session = Array(
        ("EHLO client.example\r\nAUTH PLAIN\r\nresponse\r\nMAIL FROM:<a@b.example> SIZE=5\r\n"
            + "RCPT TO:<c@d.example>\nRCPT TO:<e@f.example>\r\nDATA\r\n"
            + "Subject: x\r\n\r\n..dotted\r\n.\n.\r\r\n\n.\r\nend\r\n.\r\n"
            + String(repeating: "X", count: 13_000) + "\r\nNOOP\r\n"
            + "MAIL FROM:<>\r\nRCPT TO:<g@h.example>\r\nDATA\r\n.\r\nXYZZY\r\n"
            // Chunks, what may come between them, a chunk too many, and one that is refused.
            + "MAIL FROM:<i@j.example> BODY=BINARYMIME\r\nRCPT TO:<k@l.example>\r\nBDAT 9\r\n\r\n.\r\nQUIT"
            + "BDAT 0\r\nNOOP\r\nBDAT 12\r\nRSET\r\n\0\n.\r\n\rRCPT TO:<m@n.example>\r\nDATA\r\nBDAT 0 LAST\r\n"
            + "BDAT 6 LAST\r\nQUIT\r\nMAIL FROM:<o@p.example>\r\nRCPT TO:<q@r.example>\r\n"
            + "BDAT 6\r\nQUIT\r\nRSET\r\nBDAT 1\r\nxBDAT 0 LAST\r\n"
            + "MAIL FROM:<>\r\nRCPT TO:<s@t.example>\r\nBDAT 1 LAST\r\n\nQUIT\r\n").utf8)

    private func run(_ pieces: [[UInt8]]) -> (transcript: [String], content: [UInt8]) {
        var session = SocketlessSession()
        for piece in pieces where !piece.isEmpty { session.receive(piece) }
        return (session.transcript, session.content)
    }

    @Test("The session means what it says")
    func whole() {
        let (transcript, content) = run([Self.session])
        #expect(
            transcript == [
                "greet", "hello(isExtended: true)", "334", "response response", "logIn",
                "from a@b.example", "to c@d.example", "to e@f.example", "beginData",
                "content 37", "250", "500", "250", "from ", "to g@h.example", "beginData",
                "content 37", "250", "500",
                // Nine bytes, none, and twelve are answered; DATA and RCPT between them are not taken.
                "from i@j.example", "to k@l.example", "beginChunks", "content 46", "250", "none",
                "content 46", "250", "250", "none", "content 58", "250", "503", "503", "none",
                "content 58", "250",
                // A chunk without a message, a message that RSET ends, and chunks after that.
                "none", "content 64", "503", "from o@p.example", "to q@r.example", "beginChunks",
                "content 70", "250", "reset", "none", "content 71", "503", "none",
                "content 71", "503", "from ", "to s@t.example", "beginChunks", "content 72", "250",
                "quit",
            ])
        #expect(
            String(decoding: content, as: UTF8.self)
                == "Subject: x\r\n\r\n.dotted\r\n\n.\r\r\n\n.\r\nend\r\n"
                + "\r\n.\r\nQUIT" + "RSET\r\n\0\n.\r\n\r" + "QUIT\r\n" + "QUIT\r\n" + "x" + "\n")
    }

    @Test("Byte by byte it is the same")
    func byteByByte() {
        let whole = run([Self.session])
        let cut = run(Self.session.map { [$0] })
        #expect(whole.transcript == cut.transcript)
        #expect(whole.content == cut.content)
    }

    @Test("At seeded random cuts it is the same", arguments: 1...20)
    func randomCuts(_ seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        var pieces: [[UInt8]] = []
        var at = 0
        while at < Self.session.count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let length = min(1 + Int(state >> 33) % 90, Self.session.count - at)
            pieces.append(Array(Self.session[at..<at + length]))
            at += length
        }
        let whole = run([Self.session])
        let cut = run(pieces)
        #expect(whole.transcript == cut.transcript)
        #expect(whole.content == cut.content)
    }

    /// What comes before BDAT.
    static let states = [
        "AUTH PLAIN\r\nresponse\r\n", "AUTH PLAIN\r\nresponse\r\nMAIL FROM:<a@b.example>\r\n",
        "AUTH PLAIN\r\nresponse\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n",
        "AUTH PLAIN\r\nresponse\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 1\r\nx",
        "",
    ]

    /// Payloads that are commands, or what a server may take for the end of data.
    private static let payloads = [
        "MAIL FROM:<smuggled@b.example>\r\n", "\r\n.\r\nsmuggled\r\n", "RSET\r\nNOOP smuggled\r\n",
        "BDAT 0 LAST\r\nNOOP smuggled\r\n", "DATA\r\nsmuggled\r\n.\r\n",
        "LAST\r\nNOOP smuggled\r\n",
        "\nNOOP smuggled\n", "BDAT x\r\nNOOP smuggled\r\n", "smuggled",
    ]

    /// Sizes for a payload of `count` bytes: right ones, and all kinds of wrong ones.
    private static func sizes(_ count: Int) -> [(text: String, isRight: Bool)] {
        let right = ["\(count)", "\(count) LAST", " \(count)\tlast "].map { ($0, true) }
        let wrong = [
            "0\(count)", "+\(count)", "-\(count)", "", "LAST", "\(count)LAST", "\(count) LAST LAST",
            "\(count).0", "0x\(count)", "9223372036854775807", "9999999999999999999",
            "99999999999999999999", "18446744073709551616", "\(count)\0", "\(count) LAST\u{1}",
            "\u{FF11}", "\(count);\(count)", String(repeating: "0", count: 3_000),
            "\(count) " + String(repeating: "x", count: 20_000),
        ].map { ($0, false) }
        return right + wrong
    }

    @Test("No payload is ever a command, whatever its size says", arguments: states)
    func payloads(_ state: String) {
        for payload in Self.payloads {
            for size in Self.sizes(payload.utf8.count) {
                let sent = Array(
                    (state + "BDAT \(size.text)\r\n" + payload + "NOOP after\r\nQUIT\r\n").utf8)
                for pieces in [[sent], sent.map { [$0] }] {
                    var session = SocketlessSession()
                    for piece in pieces { session.receive(piece) }
                    #expect(
                        !session.commands.contains { $0.contains("smuggled") },
                        "\(size.text.prefix(40)) \(payload)")
                    let isRead = size.isRight && !state.isEmpty
                    #expect(
                        session.commands.contains("NOOP after") == isRead,
                        "\(size.text.prefix(40)) \(payload)")
                    #expect(session.machine.isClosed, "\(size.text.prefix(40)) \(payload)")
                }
            }
        }
    }

    @Test("Used bytes are forgotten, others stay")
    func keeps() {
        var input = SessionInput()
        let bytes = Array("NOOP\r\nQU".utf8)
        input.keep(bytes.span)
        let kept = input.take()
        #expect(input.isEmpty)
        input.restore(kept, usedTo: 6)
        #expect(input.keptByteCount == 2)
        let rest = input.take()
        #expect(Array(rest.bytes[rest.start...]) == Array("QU".utf8))
        #expect(rest.bytes[..<rest.start].allSatisfy { $0 == 0 })
        input.restore(rest, usedTo: 8)
        #expect(input.isEmpty)
    }
}
