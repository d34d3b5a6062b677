// The session's clocks and DATA: idle time, rate, cap, memory, size, and the order of waits.

import Reactor
import Testing
import Wire

@testable import Relay

@Suite("Session machine: clocks and DATA")
struct SessionClockTests {
    @Test(
        "Sixty idle seconds end the session",
        arguments: [
            SessionMachineBench.Start.plaintext,
            .tls, .loggedIn, .mail, .rcpt,
        ])
    func idle(_ start: SessionMachineBench.Start) {
        var bench = SessionMachineBench(start)
        bench.wait(59_999)
        #expect(bench.machine.timedOut(at: bench.now) == .none)
        bench.wait(1)
        #expect(bench.machine.timedOut(at: bench.now) == .close(.idleTimeout))
    }

    @Test("A handshake has the idle clock too, and no word")
    func handshake() {
        var bench = SessionMachineBench()
        _ = bench.line("STARTTLS")
        bench.wait(60_000)
        #expect(bench.machine.timedOut(at: bench.now) == .hangUp)
    }

    @Test("A command starts the clock anew, up to the session's cap")
    func cap() {
        var bench = SessionMachineBench()
        for _ in 0..<30 {
            bench.wait(59_000)
            #expect(bench.machine.timedOut(at: bench.now) == .none)
            #expect(bench.line("NOOP") == .reply(.ok))
        }
        bench.wait(30_000)
        #expect(bench.machine.timedOut(at: bench.now) == .close(.sessionTimeout))
    }

    @Test("A message every 50 seconds for an hour: each is answered, two of the breaks are told")
    func keptForAnHour() {
        var bench = SessionMachineBench(.loggedIn)
        var answered = 0
        var ended = 0
        for _ in 0..<72 {
            #expect(bench.line("RSET") == .reply(.ok))
            _ = bench.line("MAIL FROM:<a@b>")
            _ = bench.line("RCPT TO:<a@b>")
            _ = bench.line("DATA")
            #expect(bench.machine.budgetGranted(at: bench.now) == .beginData)
            #expect(bench.machine.contentArrived(3_000, at: bench.now) == .feed)
            #expect(bench.machine.dataEnded(at: bench.now) == .finishMessage(by: bench.due))
            let reply = Reply.queued(as: [])
            #expect(
                bench.machine.outcome(reply, isKeyRefused: false, at: bench.now) == .reply(reply))
            answered += 1
            bench.wait(50_000)
            guard bench.machine.deadline <= bench.now else { continue }
            // The client finds the 421 in place of its next message's reply, and connects again.
            #expect(bench.machine.timedOut(at: bench.now) == .close(.sessionTimeout))
            ended += 1
            bench = SessionMachineBench(.loggedIn)
        }
        #expect(answered == 72)
        #expect(ended == 2)
    }

    @Test("DATA with progress outlives the cap by a minute, and the client is told after it")
    func dataOutlivesCap() {
        var bench = SessionMachineBench(.data)
        for _ in 0..<61 {
            bench.wait(30_000)
            #expect(bench.machine.contentArrived(64 * 1_024, at: bench.now) == .feed)
            #expect(bench.machine.timedOut(at: bench.now) == .none)
        }
        var late = bench
        late.wait(30_000)
        #expect(late.machine.contentArrived(64 * 1_024, at: late.now) == .feed)
        #expect(late.machine.timedOut(at: late.now) == .close(.sessionTimeout))

        _ = bench.machine.dataEnded(at: bench.now)
        let reply = Reply.queued(as: [])
        _ = bench.machine.outcome(reply, isKeyRefused: false, at: bench.now)
        #expect(bench.machine.timedOut(at: bench.now) == .close(.sessionTimeout))
    }

    @Test(
        "DATA that stops after a dot that ends no message is told so",
        arguments: ["\n.\n", "\n.\r\n"])
    func unended(_ end: String) {
        var bench = SessionMachineBench(.data)
        let content = Array("text\(end)".utf8)
        var offset = 0
        while offset < content.count { _ = bench.machine.next(content.span, &offset) }
        #expect(bench.machine.endsInBareDot)
        #expect(bench.timeOut() == .closeUnended)
        #expect(bench.machine.isClosed && !bench.machine.endsInBareDot)
    }

    @Test("DATA that stops is idle; DATA that trickles is too slow")
    func dataClocks() {
        var bench = SessionMachineBench(.data)
        _ = bench.machine.contentArrived(1_000_000, at: bench.now)
        bench.wait(60_000)
        #expect(bench.machine.timedOut(at: bench.now) == .close(.idleTimeout))

        bench = SessionMachineBench(.data)
        for _ in 0..<15 {
            bench.wait(1_000)
            #expect(bench.machine.contentArrived(10, at: bench.now) == .feed)
            #expect(bench.machine.timedOut(at: bench.now) == .none)
        }
        bench.wait(1_000)
        #expect(bench.machine.contentArrived(10, at: bench.now) == .tooSlow)
        #expect(bench.machine.contentIsTooSlow() == .close(.tooSlow))
    }

    @Test("A client that pauses and then sends fast is not slow, however often it pauses")
    func burstsAreNotSlow() {
        var bench = SessionMachineBench(.data)
        for _ in 0..<40 {
            bench.wait(40_000)
            #expect(bench.machine.contentArrived(16 * 1_024, at: bench.now) == .feed)
        }
    }

    @Test("Time in which the client is not read is not held against it")
    func pausedClock() {
        var bench = SessionMachineBench(.data)
        _ = bench.machine.contentArrived(1_024, at: bench.now)
        bench.machine.submissionPaused(at: bench.now)
        #expect(!bench.machine.acceptsInput)
        bench.wait(50_000)
        #expect(bench.machine.timedOut(at: bench.now) == .none)
        bench.machine.submissionContinues(at: bench.now)
        #expect(bench.machine.acceptsInput)
        #expect(bench.machine.contentArrived(1_024, at: bench.now) == .feed)
        bench.wait(59_000)
        #expect(bench.machine.timedOut(at: bench.now) == .none)
        bench.wait(1_000)
        #expect(bench.machine.timedOut(at: bench.now) == .close(.idleTimeout))
    }

    @Test("A submission that never continues is given up; the reply follows the dot")
    func stalled() {
        var bench = SessionMachineBench(.data)
        bench.machine.submissionPaused(at: bench.now)
        #expect(bench.timeOut() == .giveUp(nil))
        #expect(bench.machine.contentArrived(10, at: bench.now) == .discard)
        #expect(bench.machine.dataEnded(at: bench.now) == .reply(.apiUnavailable))
    }

    @Test("An outcome that never comes is an outage")
    func unanswered() {
        var bench = SessionMachineBench(.outcome)
        #expect(bench.timeOut() == .giveUp(.apiUnavailable))
        #expect(bench.line("NOOP") == .reply(.ok))
    }

    @Test(
        "DATA reserves the announced size, at most the threshold",
        arguments: [
            ("", 262_144), (" SIZE=1000", 1_000), (" SIZE=1000000", 262_144), (" SIZE=0", 0),
        ])
    func reserves(_ parameter: String, _ bytes: Int) {
        var bench = SessionMachineBench(.loggedIn)
        _ = bench.line("MAIL FROM:<a@b>" + parameter)
        _ = bench.line("RCPT TO:<a@b>")
        #expect(bench.line("DATA") == .reserve(bytes: bytes))
        #expect(!bench.machine.acceptsInput)
        #expect(bench.machine.budgetGranted(at: bench.now) == .beginData)
    }

    @Test("Without memory for sixty seconds DATA is refused")
    func noMemory() {
        var bench = SessionMachineBench(.rcpt)
        _ = bench.line("DATA")
        bench.wait(60_000)
        #expect(bench.machine.timedOut(at: bench.now) == .giveUp(.insufficientMemory))
        #expect(bench.line("DATA") == .reply(.badSequence))
    }

    @Test("A client that sends more than it announced has to wait for memory again")
    func topUp() {
        var bench = SessionMachineBench(.loggedIn)
        _ = bench.line("MAIL FROM:<a@b> SIZE=1000")
        _ = bench.line("RCPT TO:<a@b>")
        _ = bench.line("DATA")
        _ = bench.machine.budgetGranted(at: bench.now)
        _ = bench.machine.contentArrived(1_000, at: bench.now)
        #expect(bench.machine.checkMemory(at: bench.now) == nil)
        _ = bench.machine.contentArrived(1, at: bench.now)
        #expect(bench.machine.checkMemory(at: bench.now) == 261_144)
        #expect(!bench.machine.acceptsInput)
        var other = bench
        var refused = bench
        #expect(bench.machine.budgetGranted(at: bench.now) == .none)
        #expect(bench.machine.acceptsInput)
        #expect(other.timeOut() == .giveUp(nil))
        #expect(other.machine.dataEnded(at: other.now) == .reply(.insufficientMemory))
        #expect(refused.machine.budgetRefused(at: refused.now) == .giveUp(nil))
        #expect(refused.machine.acceptsInput)
        #expect(refused.machine.contentArrived(9_000, at: refused.now) == .discard)
        #expect(refused.machine.dataEnded(at: refused.now) == .reply(.insufficientMemory))
        #expect(refused.machine.budgetRefused(at: refused.now) == .none)
    }

    @Test("A message over the limit is abandoned, read to its end, and refused")
    func tooLarge() {
        var bench = SessionMachineBench(.data)
        #expect(bench.machine.contentArrived(52_428_800, at: bench.now) == .feed)
        #expect(bench.machine.contentArrived(1, at: bench.now) == .abandon)
        #expect(bench.machine.contentArrived(1_000, at: bench.now) == .discard)
        #expect(
            bench.machine.dataEnded(at: bench.now)
                == .reply(.messageTooLarge(bytesMax: 52_428_800)))
        #expect(bench.line("RCPT TO:<a@b>") == .reply(.badSequence))
    }

    @Test("An endless message over the limit ends with the session's cap")
    func endless() {
        var bench = SessionMachineBench(.data)
        _ = bench.machine.contentArrived(52_428_801, at: bench.now)
        var verdict = SessionVerdict.none
        for _ in 0..<70 where verdict == .none {
            bench.wait(30_000)
            _ = bench.machine.contentArrived(1_000_000, at: bench.now)
            verdict = bench.machine.timedOut(at: bench.now)
        }
        #expect(verdict == .close(.sessionTimeout))
    }

    @Test("Neither does one whose fate is known outlive the cap")
    func endlessDecided() {
        var bench = SessionMachineBench(.data)
        bench.machine.submissionDecided()
        var verdict = SessionVerdict.none
        for _ in 0..<70 where verdict == .none {
            bench.wait(30_000)
            _ = bench.machine.contentArrived(1_000_000, at: bench.now)
            verdict = bench.machine.timedOut(at: bench.now)
        }
        #expect(verdict == .close(.sessionTimeout))
    }

    @Test("A dot that waited in memory has waited: the reply is due from when it was read")
    func dotThatWaited() {
        var bench = SessionMachineBench(.data)
        let readAt = bench.now
        _ = bench.machine.contentArrived(200_000, at: bench.now)
        bench.machine.submissionPaused(at: bench.now)
        bench.wait(30_000)
        bench.machine.submissionContinues(at: bench.now)
        let due = readAt.advanced(byMilliseconds: 50_000)
        #expect(
            bench.machine.dataEnded(at: bench.now, arrivedAt: readAt) == .finishMessage(by: due))
        #expect(bench.machine.clock.waitingSince == readAt)
        #expect(bench.machine.deadline == readAt.advanced(byMilliseconds: 55_000))
    }

    @Test("When the outcome is known early the rest is thrown away, and the reply follows the dot")
    func decided() {
        var bench = SessionMachineBench(.data)
        bench.machine.submissionDecided()
        #expect(bench.machine.contentArrived(10, at: bench.now) == .discard)
        #expect(bench.machine.dataEnded(at: bench.now) == .finishMessage(by: bench.due))
        #expect(!bench.machine.acceptsInput)
    }
}
