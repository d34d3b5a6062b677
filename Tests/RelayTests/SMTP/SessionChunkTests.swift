// BDAT (RFC 3030) in a session's machine: what each chunk is answered, and what the next one finds.

import Reactor
import Testing
import Wire

@testable import Relay

@Suite("Session machine: BDAT")
struct SessionChunkTests {
    /// One chunk of the message, with all of its bytes, and its verdict.
    private func chunk(_ bench: inout SessionMachineBench, _ size: Int, isLast: Bool = false)
        -> SessionVerdict
    {
        let verdict = bench.line("BDAT \(size)" + (isLast ? " LAST" : ""))
        if case .reserve = verdict {
            #expect(bench.machine.budgetGranted(at: bench.now) == .beginChunks)
        } else if verdict != .none {
            return verdict
        }
        _ = payload(&bench, size)
        return bench.machine.dataEnded(at: bench.now)
    }

    /// All bytes of a chunk.
    private func payload(_ bench: inout SessionMachineBench, _ size: Int) -> ContentVerdict {
        var verdict = ContentVerdict.feed
        let bytes = [UInt8](repeating: 0x0A, count: size)
        var offset = 0
        if size > 0 {
            #expect(bench.machine.next(bytes.span, &offset) == .content(0..<size))
            verdict = bench.machine.contentArrived(size, at: bench.now)
        }
        #expect(bench.machine.isChunkOver)
        #expect(bench.machine.next(bytes.span, &offset) == .endOfData && offset == size)
        return verdict
    }

    @Test("Each chunk has its reply, and the last one the message's")
    func replies() {
        var bench = SessionMachineBench(.rcpt)
        #expect(chunk(&bench, 10) == .reply(.ok))
        #expect(chunk(&bench, 0) == .reply(.ok))
        #expect(chunk(&bench, 5, isLast: true) == .finishMessage(by: bench.due))
        #expect(bench.machine.data.byteCount == 15)
        let reply = Reply.queued(as: [])
        #expect(bench.machine.outcome(reply, isKeyRefused: false, at: bench.now) == .reply(reply))
        #expect(!bench.machine.transaction.hasSender)
        #expect(chunk(&bench, 0, isLast: true) == .reply(.badSequence))
    }

    @Test(
        "The memory of the first chunk is asked for before its bytes are read",
        arguments: [
            ("", "BDAT 100 LAST", 100), ("", "BDAT 100", 262_144), ("SIZE=1000", "BDAT 100", 1_000),
            ("SIZE=50", "BDAT 100", 100), ("SIZE=1000", "BDAT 100 LAST", 100),
            ("", "BDAT 50000000 LAST", 262_144), ("", "BDAT 0 LAST", 0),
        ])
    func memory(_ size: String, _ bdat: String, _ bytes: Int) {
        var bench = SessionMachineBench(.loggedIn)
        _ = bench.line("MAIL FROM:<a@b> \(size)")
        _ = bench.line("RCPT TO:<c@d>")
        #expect(bench.line(bdat) == .reserve(bytes: bytes))
        #expect(!bench.machine.acceptsInput)
    }

    @Test("Without memory the chunks come all the same, and each has the refusal")
    func noMemory() {
        var bench = SessionMachineBench(.rcpt)
        _ = bench.line("BDAT 10")
        let start = bench.now
        #expect(bench.timeOut() == .giveUp(nil))
        // Its patience may have begun with its last byte.
        #expect(bench.now == start.advanced(byMilliseconds: 50_000))
        #expect(bench.machine.acceptsInput)
        #expect(payload(&bench, 10) == .discard)
        #expect(bench.machine.dataEnded(at: bench.now) == .reply(.insufficientMemory))
        #expect(chunk(&bench, 10) == .reply(.insufficientMemory))
        #expect(chunk(&bench, 0, isLast: true) == .reply(.insufficientMemory))
        #expect(!bench.machine.transaction.hasSender)
    }

    @Test("A message over the limit has 552 in the chunk where it is, and in every one after it")
    func tooLarge() {
        var options = SessionMachine.Options()
        options.limits.messageBytesMax = 100
        var bench = SessionMachineBench(.rcpt, options: options)
        #expect(chunk(&bench, 100) == .reply(.ok))
        let refusal = SessionVerdict.reply(.messageTooLarge(bytesMax: 100))
        #expect(chunk(&bench, 1) == refusal)
        #expect(chunk(&bench, 0) == refusal)
        #expect(chunk(&bench, 1_000_000) == refusal)
        #expect(chunk(&bench, 1, isLast: true) == refusal)
        #expect(!bench.machine.transaction.hasSender)
    }

    @Test("An outcome in the middle is told at once, and again to each chunk")
    func decided() {
        var bench = SessionMachineBench(.rcpt)
        _ = bench.line("BDAT 10")
        _ = bench.machine.budgetGranted(at: bench.now)
        bench.machine.submissionDecided()
        #expect(payload(&bench, 10) == .discard)
        #expect(bench.machine.dataEnded(at: bench.now) == .finishMessage(by: bench.due))
        let told = bench.machine.outcome(.logInAgain, isKeyRefused: true, at: bench.now)
        #expect(told == .reply(.logInAgain))
        #expect(bench.line("DATA") == .reply(.badSequence))
        #expect(chunk(&bench, 10) == .repeatRefusal)
        #expect(chunk(&bench, 10, isLast: true) == .repeatRefusal)
        #expect(!bench.machine.transaction.hasSender)
        // Logged out, and the client may have sent more already.
        #expect(bench.line("MAIL FROM:<a@b>") == .reply(.logInAgain))
        #expect(chunk(&bench, 65_536, isLast: true) == .reply(.badSequence))
        #expect(bench.line("BDAT 65537 LAST") == .close(.badSequence))
    }

    @Test("A chunk whose bytes are in waits with the submission, and for memory")
    func held() {
        for isLast in [false, true] {
            var bench = SessionMachineBench(.rcpt)
            _ = bench.line("BDAT 10" + (isLast ? " LAST" : ""))
            _ = bench.machine.budgetGranted(at: bench.now)
            let bytes = [UInt8](repeating: 0x58, count: 10)
            var offset = 0
            #expect(bench.machine.next(bytes.span, &offset) == .content(0..<10))
            bench.machine.submissionPaused(at: bench.now)
            #expect(bench.machine.isChunkOver && !bench.machine.acceptsInput)
            bench.machine.submissionContinues(at: bench.now)
            #expect(bench.machine.isChunkOver && bench.machine.acceptsInput)
            #expect(bench.machine.next(Bytes(), &offset) == .endOfData)
        }
    }

    @Test("MAIL, RCPT and DATA between chunks change nothing; RSET and EHLO end the message")
    func between() {
        var bench = SessionMachineBench(.rcpt)
        #expect(chunk(&bench, 10) == .reply(.ok))
        for line in ["MAIL FROM:<a@b>", "RCPT TO:<e@f>", "DATA", "AUTH PLAIN"] {
            #expect(bench.line(line) == .reply(.badSequence))
        }
        #expect(bench.line("DATA", hasBytesAfter: true) == .close(.badSequence))
        bench = SessionMachineBench(.rcpt)
        _ = chunk(&bench, 10)
        #expect(bench.line("RSET") == .reply(.ok))
        #expect(chunk(&bench, 10, isLast: true) == .reply(.badSequence))
        bench = SessionMachineBench(.rcpt)
        _ = chunk(&bench, 10)
        #expect(bench.line("EHLO x") == .hello(isExtended: true))
        #expect(!bench.machine.transaction.isChunked)
    }

    @Test("BINARYMIME needs BDAT")
    func binary() {
        var bench = SessionMachineBench(.loggedIn)
        _ = bench.line("MAIL FROM:<a@b> BODY=BINARYMIME")
        _ = bench.line("RCPT TO:<c@d>")
        #expect(bench.line("DATA") == .reply(.badSequence))
        #expect(chunk(&bench, 10, isLast: true) == .finishMessage(by: bench.due))
    }

    @Test("Without CHUNKING neither is known, and a payload is never read")
    func notOffered() {
        var options = SessionMachine.Options()
        options.limits.hasChunking = false
        var bench = SessionMachineBench(.loggedIn, options: options)
        #expect(bench.line("HELP") == .reply(.helpWithoutChunking))
        #expect(bench.line("MAIL FROM:<a@b> BODY=BINARYMIME") == .reply(.unknownParameter))
        bench = SessionMachineBench(.rcpt, options: options)
        #expect(bench.line("BDAT 10 LAST") == .close(.badSequence))
    }

    @Test("Chunks without bytes are commands that do nothing; a message begins the count anew")
    func emptyChunks() {
        var bench = SessionMachineBench(.rcpt)
        #expect(chunk(&bench, 0) == .reply(.ok))
        for _ in 0..<1_000 { #expect(chunk(&bench, 0) == .reply(.ok)) }
        #expect(chunk(&bench, 0) == .close(.tooManyCommands))
        #expect(bench.machine.isClosed)
    }

    @Test("Chunks that belong to no message are wrong commands")
    func tooManyErrors() {
        var bench = SessionMachineBench(.loggedIn)
        for _ in 1..<20 { #expect(chunk(&bench, 1) == .reply(.badSequence)) }
        #expect(chunk(&bench, 1) == .close(.tooManyErrors))
    }

    @Test("A client has the idle timeout for each chunk, and the session's end may come after it")
    func clocks() {
        var bench = SessionMachineBench(.rcpt)
        _ = chunk(&bench, 10)
        bench.wait(59_999)
        #expect(bench.machine.timedOut(at: bench.now) == .none)
        _ = bench.line("BDAT 10")
        #expect(bench.timeOut() == .close(.idleTimeout))
        // It began before the session's time was up.
        bench = SessionMachineBench(.rcpt)
        bench.wait(30 * 60_000 - 1)
        _ = chunk(&bench, 10)
        bench.wait(30_000)
        #expect(bench.machine.timedOut(at: bench.now) == .none)
        #expect(chunk(&bench, 10) == .reply(.ok))
        bench.wait(29_999)
        _ = chunk(&bench, 10)
        #expect(bench.timeOut() == .close(.sessionTimeout))
    }

    @Test("A message in chunks trickles as one, however many chunks there are")
    func trickle() {
        var bench = SessionMachineBench(.rcpt)
        var verdict = ContentVerdict.feed
        for _ in 0..<17 where verdict == .feed {
            let line = bench.line("BDAT 10")
            if case .reserve = line { _ = bench.machine.budgetGranted(at: bench.now) }
            verdict = payload(&bench, 10)
            _ = bench.machine.dataEnded(at: bench.now)
            bench.wait(1_000)
        }
        #expect(verdict == .tooSlow)
    }

    @Test("A drain lets the message come to its end, and then says 421")
    func drain() {
        var bench = SessionMachineBench(.rcpt)
        _ = chunk(&bench, 10)
        bench.wait(5_000)
        #expect(bench.machine.drain(at: bench.now) == .none)
        #expect(bench.machine.acceptsInput)
        #expect(chunk(&bench, 10) == .reply(.ok))
        #expect(chunk(&bench, 10, isLast: true) == .finishMessage(by: bench.due))
        _ = bench.machine.outcome(.ok, isKeyRefused: false, at: bench.now)
        #expect(!bench.machine.acceptsInput)
        bench.wait(1_000)
        #expect(bench.machine.drain(at: bench.now) == .close(.shuttingDown))
    }
}
