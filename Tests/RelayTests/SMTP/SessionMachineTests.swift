// Every row of the reply table that the session itself decides, without a socket.

import Reactor
import Testing
import Wire

@testable import Relay

@Suite("Session machine: commands")
struct SessionMachineTests {
    private typealias Start = SessionMachineBench.Start

    struct Row: Sendable, CustomTestStringConvertible {
        var start: SessionMachineBench.Start
        var line: String
        var reply: Reply
        var testDescription: String { "\(start): \(line.prefix(40)) → \(reply.code)" }

        init(_ start: SessionMachineBench.Start, _ line: String, _ reply: Reply) {
            self.start = start
            self.line = line
            self.reply = reply
        }
    }

    static let answered: [Row] = [
        Row(.plaintext, "AUTH PLAIN AHBvc3RzY2FsZQBr", .tlsRequired),
        Row(.plaintext, "AUTH CRAM-MD5", .tlsRequired),
        Row(.plaintext, "MAIL FROM:<a@b>", .authRequired),
        Row(.plaintext, "RCPT TO:<a@b>", .badSequence),
        Row(.plaintext, "DATA", .badSequence),
        Row(.plaintext, "NOOP", .ok),
        Row(.plaintext, "RSET", .ok),
        Row(.plaintext, "VRFY someone", .cannotVerify),
        Row(.plaintext, "EXPN list", .notImplemented),
        Row(.plaintext, "HELP", .help),
        Row(.plaintext, "XYZZY", .unrecognized),
        Row(.plaintext, "EHLO", .badSyntax),
        Row(.plaintext, "STARTTLS now", .argumentsNotAllowed),
        Row(.tls, "STARTTLS", .tlsAlreadyActive),
        Row(.tls, "MAIL FROM:<a@b>", .authRequired),
        Row(.tls, "AUTH CRAM-MD5", .unknownMechanism),
        Row(.tls, "AUTH XOAUTH2 abcd", .unknownMechanism),
        Row(.tls, "AUTH PLAIN", .emptyChallenge),
        Row(.tls, "auth login", .usernamePrompt),
        Row(.loggedIn, "AUTH PLAIN", .alreadyAuthenticated),
        Row(.loggedIn, "AUTH LOGIN", .alreadyAuthenticated),
        Row(.loggedIn, "RCPT TO:<a@b>", .badSequence),
        Row(.loggedIn, "DATA", .badSequence),
        Row(.loggedIn, "MAIL FROM:<a@b> SIZE=52428801", .messageTooLarge(bytesMax: 52_428_800)),
        Row(.loggedIn, "MAIL FROM:<a@b> FOO=1", .unknownParameter),
        Row(.loggedIn, "MAIL FROM:<ü@b>", .utf8Required),
        Row(.loggedIn, "MAIL FROM:a b", .badAddress),
        Row(.mail, "MAIL FROM:<a@b>", .badSequence),
        Row(.mail, "AUTH PLAIN", .badSequence),
        Row(.mail, "DATA", .badSequence),
        Row(.mail, "RCPT TO:<ü@b>", .utf8Required),
        Row(.mail, "RCPT TO:<a@b> NOTIFY=NEVER", .unknownParameter),
        Row(.mail, "RCPT TO:<>", .badAddress),
    ]

    @Test("A command is answered as the table says", arguments: answered)
    func answers(_ row: Row) {
        var bench = SessionMachineBench(row.start)
        #expect(bench.line(row.line) == .reply(row.reply))
        #expect(!bench.machine.isClosed)
    }

    static let doingNothing: [Row] = [
        Row(.plaintext, "NOOP", .ok), Row(.plaintext, "RSET", .ok),
        Row(.plaintext, "HELP", .help), Row(.plaintext, "VRFY a", .cannotVerify),
        Row(.tls, "NOOP", .ok), Row(.loggedIn, "NOOP", .ok), Row(.loggedIn, "RSET", .ok),
        Row(.mail, "NOOP", .ok), Row(.rcpt, "VRFY a", .cannotVerify),
    ]

    @Test(
        "A hundred commands that do nothing are answered before the login, a thousand after it",
        arguments: doingNothing)
    func idleCommands(_ row: Row) {
        var bench = SessionMachineBench(row.start)
        let most = [.plaintext, .tls].contains(row.start) ? 100 : 1_000
        for _ in 0..<most { #expect(bench.line(row.line) == .reply(row.reply)) }
        #expect(bench.line(row.line) == .close(.tooManyCommands))
    }

    @Test(
        "EHLO and refused MAIL count as commands that do nothing; the login and a message begin anew"
    )
    func idleCommandsBeginAnew() {
        var bench = SessionMachineBench(.tls)
        for _ in 0..<100 { #expect(bench.line("EHLO a.example") == .hello(isExtended: true)) }
        #expect(bench.logIn(.valid) == .logIn)
        bench.rateLimit = .rateLimited
        for _ in 0..<1_000 {
            #expect(bench.line("MAIL FROM:<a@b>") == .reply(.rateLimited))
        }
        bench.rateLimit = nil
        _ = bench.line("MAIL FROM:<a@b>")
        _ = bench.line("RCPT TO:<c@d>")
        _ = bench.line("DATA")
        _ = bench.machine.budgetGranted(at: bench.now)
        _ = bench.machine.dataEnded(at: bench.now)
        _ = bench.machine.outcome(.queued(as: []), isKeyRefused: false, at: bench.now)
        for _ in 0..<1_000 { #expect(bench.line("NOOP") == .reply(.ok)) }
        #expect(bench.line("HELO a") == .close(.tooManyCommands))
    }

    @Test("A login beyond the share of its key ends the session")
    func loginWithoutRoom() {
        var bench = SessionMachineBench(.tls)
        #expect(bench.logIn(.valid) == .logIn)
        #expect(bench.machine.loginHasNoRoom() == .close(.tooManyConnections))
        #expect(!bench.machine.login.isAuthenticated && bench.machine.isClosed)
    }

    static let closing: [Row] = [
        Row(.plaintext, "GET / HTTP/1.1", .notHTTP),
        Row(.tls, "POST /v1/send HTTP/1.1", .notHTTP),
        Row(.plaintext, "BDAT 5 LAST", .badSequence),
        Row(.tls, "BDAT 0", .badSequence),
        Row(.loggedIn, "BDAT 65537 LAST", .badSequence),
        Row(.mail, "BDAT 9223372036854775806", .badSequence),
        Row(.plaintext, "BDAT", .badChunk),
        Row(.rcpt, "BDAT 05 LAST", .badChunk),
        Row(.rcpt, "BDAT -1", .badChunk),
        Row(.rcpt, "BDAT 5 " + String(repeating: "x", count: 4_000), .badChunk),
        Row(.plaintext, "Host: relay.example", .notHTTP),
        Row(.tls, "Content-Type: text/plain", .notHTTP),
        Row(.tls, "GET /" + String(repeating: "x", count: 4_000) + " HTTP/1.1", .notHTTP),
    ]

    @Test("What may hide commands closes the session", arguments: closing)
    func closes(_ row: Row) {
        var bench = SessionMachineBench(row.start)
        #expect(bench.line(row.line) == .close(row.reply))
        #expect(bench.machine.isClosed)
        #expect(!bench.machine.acceptsInput)
    }

    @Test("EHLO, HELO, MAIL, RCPT and QUIT are left to the driver")
    func drives() {
        var bench = SessionMachineBench(.loggedIn)
        #expect(bench.line("EHLO me") == .hello(isExtended: true))
        #expect(bench.line("HELO me") == .hello(isExtended: false))
        guard case .beginMail(let mail) = bench.line("MAIL FROM:<a@b> SIZE=77") else {
            Issue.record("no transaction")
            return
        }
        #expect(mail.size == 77)
        #expect(bench.line("RCPT TO:<c@d>") == .addRecipient(9..<12))
        #expect(bench.line("QUIT") == .quit)
        #expect(bench.machine.isClosed)
    }

    @Test("RSET and EHLO end the transaction and keep the login", arguments: ["RSET", "EHLO x"])
    func resets(_ command: String) {
        var bench = SessionMachineBench(.rcpt)
        _ = bench.line(command)
        #expect(bench.line("DATA") == .reply(.badSequence))
        guard case .beginMail = bench.line("MAIL FROM:<>") else {
            Issue.record("not logged in any more")
            return
        }
    }

    @Test("A recipient is refused when the announced size times all so far is over the limit")
    func groupBytes() {
        var options = SessionMachine.Options()
        options.groupBytesMax = 3_000_000
        var bench = SessionMachineBench(.loggedIn, options: options)
        _ = bench.line("MAIL FROM:<a@b.example> SIZE=1000000")
        for number in 0..<3 {
            guard case .addRecipient = bench.line("RCPT TO:<\(number)@d.example>") else {
                Issue.record("recipient \(number)")
                return
            }
        }
        #expect(bench.line("RCPT TO:<3@d.example>") == .refuseForGroup)
        #expect(bench.machine.transaction.recipientCount == 3, "the others stand")
        _ = bench.line("RSET")
        _ = bench.line("MAIL FROM:<a@b.example> SIZE=4000000")
        guard case .addRecipient = bench.line("RCPT TO:<0@d.example>") else {
            Issue.record("one recipient is no group")
            return
        }
        _ = bench.line("RSET")
        _ = bench.line("MAIL FROM:<a@b.example>")
        for number in 0..<10 {
            #expect(bench.line("RCPT TO:<\(number)@d.example>") != .refuseForGroup)
        }
    }

    @Test("The 101st recipient is refused; the first hundred stand")
    func recipientsMax() {
        var bench = SessionMachineBench(.mail)
        for i in 0..<100 {
            guard case .addRecipient = bench.line("RCPT TO:<r\(i)@d>") else {
                Issue.record("recipient \(i)")
                return
            }
        }
        #expect(bench.line("RCPT TO:<r100@d>") == .reply(.tooManyRecipients))
        #expect(bench.machine.transaction.recipientCount == 100)
        #expect(bench.line("DATA") == .reserve(bytes: 262_144))
    }

    @Test("MAIL is refused while the key is throttled, before a byte is uploaded")
    func throttled() {
        var bench = SessionMachineBench(.loggedIn)
        bench.rateLimit = .rateLimited
        #expect(bench.line("MAIL FROM:<a@b>") == .reply(.rateLimited))
        bench.rateLimit = nil
        guard case .beginMail = bench.line("MAIL FROM:<a@b>") else {
            Issue.record("still throttled")
            return
        }
    }

    @Test("SMTPUTF8 lets addresses be UTF-8")
    func utf8() {
        var bench = SessionMachineBench(.loggedIn)
        guard case .beginMail = bench.line("MAIL FROM:<ü@b> SMTPUTF8") else {
            Issue.record("refused")
            return
        }
        guard case .addRecipient = bench.line("RCPT TO:<ö@ü.example>") else {
            Issue.record("refused")
            return
        }
    }

    @Test("Bytes after STARTTLS close the session; nothing from before TLS survives it")
    func startTLS() {
        var bench = SessionMachineBench()
        #expect(
            bench.line("STARTTLS", hasBytesAfter: true) == .close(.bytesBehindSTARTTLS))
        bench = SessionMachineBench()
        _ = bench.line("EHLO before")
        #expect(bench.line("STARTTLS") == .startTLS)
        #expect(!bench.machine.acceptsInput)
        #expect(bench.machine.opened(at: bench.now) == .none)
        #expect(bench.machine.isTLS && !bench.machine.login.isAuthenticated)
        #expect(bench.line("MAIL FROM:<a@b>") == .reply(.authRequired))
        #expect(bench.line("STARTTLS") == .reply(.tlsAlreadyActive))
    }

    @Test("STARTTLS is refused, and the session closed, when the address has had its handshakes")
    func handshakeThrottle() {
        var bench = SessionMachineBench()
        bench.admitsHandshakes = false
        #expect(bench.line("NOOP") == .reply(.ok))
        #expect(bench.line("STARTTLS") == .close(.tooManyHandshakes))
    }

    @Test("A refused DATA with more after it closes the session: that may be content")
    func contentBehindRefusedData() {
        for start in [Start.plaintext, .tls, .loggedIn, .mail] {
            var bench = SessionMachineBench(start)
            #expect(bench.line("DATA") == .reply(.badSequence))
            #expect(bench.line("DATA", hasBytesAfter: true) == .close(.badSequence))
        }
        var bench = SessionMachineBench(.rcpt)
        #expect(bench.line("DATA", hasBytesAfter: true) == .reserve(bytes: 262_144))
        #expect(bench.timeOut() == .close(.insufficientMemory))
        bench = SessionMachineBench(.rcpt)
        #expect(bench.line("DATA") == .reserve(bytes: 262_144))
        #expect(bench.timeOut() == .giveUp(.insufficientMemory))
    }

    @Test("Only AUTH may be longer than other commands before the login")
    func longCommands() {
        let limits = SessionLimits()
        for (start, verb) in [(Start.tls, "NOOP "), (.tls, "EHLO "), (.loggedIn, "VRFY ")] {
            var bench = SessionMachineBench(start)
            let most = limits.commandLineBytesMax - 2 - verb.utf8.count
            let long = verb + String(repeating: "x", count: most)
            #expect(bench.line(long) != .reply(.lineTooLong))
            #expect(bench.line(long + "x") == .reply(.lineTooLong))
        }
        var bench = SessionMachineBench(.tls)
        let response = String(repeating: "A", count: 12_000)
        #expect(bench.line("AUTH PLAIN " + response) == .readResponse(11..<12_011, .plain))
    }

    @Test("The twentieth wrong command closes the session")
    func tooManyErrors() {
        var bench = SessionMachineBench()
        for _ in 1..<20 { #expect(bench.line("XYZZY") == .reply(.unrecognized)) }
        #expect(bench.line("XYZZY") == .close(.tooManyErrors))
    }

    @Test("A line over the limit is refused; inside AUTH it ends the exchange")
    func tooLong() {
        var bench = SessionMachineBench(.tls)
        #expect(bench.machine.lineTooLong(at: bench.now) == .reply(.lineTooLong))
        _ = bench.line("AUTH PLAIN")
        #expect(bench.machine.lineTooLong(at: bench.now) == .reply(.authLineTooLong))
        #expect(bench.line("NOOP") == .reply(.ok))
    }

    @Test("A drain ends idle sessions, and others after their answer")
    func drain() {
        for start in [Start.plaintext, .tls, .loggedIn, .mail, .rcpt] {
            var bench = SessionMachineBench(start)
            bench.wait(1_000)
            #expect(bench.machine.drain(at: bench.now) == .close(.shuttingDown))
        }
        var bench = answeredInDrain()
        #expect(bench.timeOut() == .close(.shuttingDown))
        #expect(bench.now == MonotonicTime(nanoseconds: 2_000_000_000), "a second later")
    }

    /// A message is answered while the process drains.
    private func answeredInDrain() -> SessionMachineBench {
        var bench = SessionMachineBench(.data)
        #expect(bench.machine.drain(at: bench.now) == .none)
        #expect(bench.machine.acceptsInput)
        _ = bench.machine.dataEnded(at: bench.now)
        #expect(bench.machine.drain(at: bench.now) == .none)
        let reply = Reply.queued(as: [0x31])
        #expect(
            bench.machine.outcome(reply, isKeyRefused: false, at: bench.now) == .reply(reply))
        #expect(!bench.machine.acceptsInput)
        #expect(bench.machine.drain(at: bench.now) == .none)
        #expect(bench.machine.acceptsInput)
        return bench
    }

    @Test("A client that has its answer in a drain may say QUIT; all else hears 421")
    func lastWord() {
        var quitting = answeredInDrain()
        quitting.wait(999)
        #expect(quitting.machine.drain(at: quitting.now) == .none)
        #expect(quitting.line("QUIT") == .quit)
        for text in [
            "MAIL FROM:<a@b.example>", "NOOP", "RSET", "EHLO x", "XYZZY", "GET / HTTP/1.1",
        ] {
            var other = answeredInDrain()
            #expect(other.line(text) == .close(.shuttingDown))
        }
        var long = answeredInDrain()
        #expect(long.machine.lineTooLong(at: long.now) == .close(.shuttingDown))
    }

    @Test("A client that was heard less than a second before a drain may say QUIT too")
    func lastWordOfTheBusy() {
        for start in [Start.plaintext, .tls, .loggedIn, .mail, .rcpt] {
            var bench = SessionMachineBench(start)
            bench.wait(999)
            #expect(bench.machine.drain(at: bench.now) == .none)
            #expect(bench.line("QUIT") == .quit)
        }
        var response = SessionMachineBench(.tls)
        _ = response.line("AUTH PLAIN")
        #expect(response.machine.drain(at: response.now) == .none)
        #expect(response.line("AHVzZXIAa2V5") == .close(.shuttingDown))
    }

    @Test("A drain ends a handshake without a word")
    func drainHandshake() {
        var bench = SessionMachineBench()
        _ = bench.line("STARTTLS")
        #expect(bench.machine.drain(at: bench.now) == .hangUp)
    }
}
