// Every phase of a session's machine with every event: its answer, and the phase that follows. An
// event that the phase does not expect changes nothing at all.

import Reactor
import Testing
import Wire

@testable import Relay

@Suite("Session machine: phases and events")
struct SessionPhaseTests {
    /// A machine in each phase, and in the variants of DATA and BDAT that answer differently.
    enum Place: String, CaseIterable {
        case handshake, commands, response, keyCheck, loginDelay, budget, data
        case heldBySubmission, heldByBudget, discarding, outcome, lastWord, closed
        case chunkBudget, chunk, lastChunk, strayChunk, betweenChunks, refusedChunks
        case askingHandshake, askingResponse, askingRefusal, askingRateLimit
    }

    enum Event: String, CaseIterable {
        case opened, drain, gone, noop, quit, rset, data, bdat, lastBdat, lineTooLong, responseLine
        case handshakeAdmitted
        case handshakeRefused, response, keyValid, keyRefused, keyUnavailable, turnedAway
        case refusalNoted, rateLimitFree, rateLimited, recipientAdded, budgetGranted
        case budgetRefused, content, checkMemory, paused, continues, decided, dataEnded, outcome
        case timedOut
    }

    private static let start = MonotonicTime(nanoseconds: 1_000_000_000)

    /// `announced` bytes are reserved; no content has come.
    private static func inData(announced: String = "SIZE=1000") -> SessionMachineBench {
        var bench = SessionMachineBench(.loggedIn)
        _ = bench.line("MAIL FROM:<a@b> \(announced)")
        _ = bench.line("RCPT TO:<c@d>")
        _ = bench.line("DATA")
        _ = bench.machine.budgetGranted(at: bench.now)
        return bench
    }

    /// A chunk is arriving.
    private static func inChunk(_ bdat: String) -> SessionMachineBench {
        var bench = SessionMachineBench(.rcpt)
        _ = bench.line(bdat)
        _ = bench.machine.budgetGranted(at: bench.now)
        return bench
    }

    private static func bench(_ place: Place) -> SessionMachineBench {
        var bench = SessionMachineBench(.tls)
        let at = bench.now
        func command(_ text: String, _ machine: inout SessionMachine) {
            let line = Array(text.utf8)
            let command = Command.parse(line.span)
            _ = machine.command(command, in: line.span, hasBytesAfter: false, at: at)
        }
        switch place {
        case .handshake:
            bench.machine = SessionMachine(options: .init(), isImplicitTLS: true, at: at)
        case .commands: break
        case .response: _ = bench.line("AUTH PLAIN")
        case .keyCheck:
            _ = bench.line("AUTH PLAIN x")
            _ = bench.response(.key(fingerprint: 1))
        case .loginDelay:
            _ = bench.logIn(.refused, fingerprint: 1)
            _ = bench.logIn(.refused, fingerprint: 2)
        case .budget:
            bench = SessionMachineBench(.rcpt)
            _ = bench.line("DATA")
        case .data: bench = inData()
        case .heldBySubmission:
            bench = inData()
            bench.machine.submissionPaused(at: at)
        case .heldByBudget:
            bench = inData()
            _ = bench.machine.contentArrived(1_001, at: at)
            _ = bench.machine.checkMemory(at: at)
        case .discarding:
            bench = inData()
            bench.machine.submissionDecided()
        case .outcome: bench = SessionMachineBench(.outcome)
        case .chunkBudget:
            bench = SessionMachineBench(.rcpt)
            _ = bench.line("BDAT 100")
        case .chunk: bench = inChunk("BDAT 100")
        case .lastChunk: bench = inChunk("BDAT 100 LAST")
        case .strayChunk:
            bench = SessionMachineBench(.mail)
            _ = bench.line("BDAT 100 LAST")
        case .betweenChunks:
            bench = inChunk("BDAT 0")
            _ = bench.machine.dataEnded(at: at)
        case .refusedChunks:
            bench = inChunk("BDAT 0")
            bench.machine.submissionDecided()
            _ = bench.machine.dataEnded(at: at)
            _ = bench.machine.outcome(.parseFailed, isKeyRefused: false, at: at)
        case .lastWord: _ = bench.machine.drain(at: at)
        case .closed: bench.machine.gone()
        case .askingHandshake:
            bench = SessionMachineBench(.plaintext)
            command("STARTTLS", &bench.machine)
        case .askingResponse: command("AUTH PLAIN x", &bench.machine)
        case .askingRefusal:
            command("AUTH PLAIN x", &bench.machine)
            _ = bench.machine.response(.wrongUsername(fingerprint: 1), at: at)
        case .askingRateLimit:
            bench = SessionMachineBench(.loggedIn)
            command("MAIL FROM:<a@b>", &bench.machine)
        }
        return bench
    }

    /// The machine's answer to the event, in words.
    private static func happen(_ event: Event, _ machine: inout SessionMachine) -> String {
        func command(_ text: String, _ machine: inout SessionMachine) -> SessionVerdict {
            let line = Array(text.utf8)
            return machine.command(
                Command.parse(line.span), in: line.span, hasBytesAfter: false, at: start)
        }
        let verdict: SessionVerdict
        switch event {
        case .opened: verdict = machine.opened(at: start)
        case .drain: verdict = machine.drain(at: start)
        case .gone:
            machine.gone()
            return "-"
        case .noop: verdict = command("NOOP", &machine)
        case .quit: verdict = command("QUIT", &machine)
        case .rset: verdict = command("RSET", &machine)
        case .data: verdict = command("DATA", &machine)
        case .bdat: verdict = command("BDAT 5", &machine)
        case .lastBdat: verdict = command("BDAT 5 LAST", &machine)
        case .lineTooLong: verdict = machine.lineTooLong(at: start)
        case .responseLine:
            let line: [UInt8] = [0x78]
            verdict = machine.responseLine(line.span, at: start)
        case .handshakeAdmitted: verdict = machine.handshakeAnswered(isAdmitted: true, at: start)
        case .handshakeRefused: verdict = machine.handshakeAnswered(isAdmitted: false, at: start)
        case .response: verdict = machine.response(.key(fingerprint: 9), at: start)
        case .keyValid: verdict = machine.keyChecked(.valid, at: start)
        case .keyRefused: verdict = machine.keyChecked(.refused, at: start)
        case .keyUnavailable:
            verdict = machine.keyChecked(.unavailable(reason: "status 500"), at: start)
        case .turnedAway: verdict = machine.loginTurnedAway()
        case .refusalNoted: verdict = machine.refusalNoted(mayTryAgain: true, at: start)
        case .rateLimitFree: verdict = machine.rateLimitAnswered(nil)
        case .rateLimited: verdict = machine.rateLimitAnswered(.rateLimited)
        case .recipientAdded:
            machine.recipientAdded(isNew: true)
            return "-"
        case .budgetGranted: verdict = machine.budgetGranted(at: start)
        case .budgetRefused: verdict = machine.budgetRefused(at: start)
        case .content: return "\(machine.contentArrived(10, at: start))"
        case .checkMemory: return machine.checkMemory(at: start).map { "\($0)" } ?? "-"
        case .paused:
            machine.submissionPaused(at: start)
            return "-"
        case .continues:
            machine.submissionContinues(at: start)
            return "-"
        case .decided:
            machine.submissionDecided()
            return "-"
        case .dataEnded: verdict = machine.dataEnded(at: start)
        case .outcome: verdict = machine.outcome(.ok, isKeyRefused: false, at: start)
        case .timedOut:
            guard machine.deadline < .never else { return "-" }
            verdict = machine.timedOut(at: machine.deadline)
        }
        return words(verdict)
    }

    private static func words(_ verdict: SessionVerdict) -> String {
        switch verdict {
        case .none: "-"
        case .reply(let reply): "\(reply.code)"
        case .close(let reply): "close \(reply.code)"
        case .giveUp(let reply): reply.map { "giveUp \($0.code)" } ?? "giveUp"
        case .reset: "reset"
        case .beginMail: "beginMail"
        case .readResponse: "readResponse"
        case .noteRefusal: "noteRefusal"
        case .finishMessage: "finishMessage"
        default: "\(verdict)"
        }
    }

    /// The name of the phase; for DATA also why it is held or discarded.
    private static func place(_ machine: SessionMachine) -> Place {
        switch machine.phase {
        case .handshake: .handshake
        case .commands where machine.transaction.isChunked:
            machine.data.discard == nil ? .betweenChunks : .refusedChunks
        case .commands: .commands
        case .response: .response
        case .asking(.handshake): .askingHandshake
        case .asking(.response): .askingResponse
        case .asking(.refusal): .askingRefusal
        case .asking(.rateLimit): .askingRateLimit
        case .keyCheck: .keyCheck
        case .loginDelay: .loginDelay
        case .budget: machine.transaction.isChunked ? .chunkBudget : .budget
        case .data(.chunk) where machine.data.discard == .outOfOrder: .strayChunk
        case .data(.chunk) where machine.data.discard == nil:
            machine.expectsChunks ? .chunk : .lastChunk
        case .data:
            if machine.data.discard != nil {
                .discarding
            } else if machine.data.holds.contains(.budget) {
                .heldByBudget
            } else {
                machine.data.isHeld ? .heldBySubmission : .data
            }
        case .outcome: .outcome
        case .lastWord: .lastWord
        case .closed: .closed
        }
    }

    /// Place and event, the verdict, and the place that follows. Anything that is not in the table
    /// changes nothing: `-`, and every field of the machine stays the same.
    static let table: [(Place, Event, String, Place)] = [
        (.handshake, .opened, "greet", .commands),
        (.handshake, .drain, "hangUp", .closed),
        (.handshake, .timedOut, "hangUp", .closed),

        (.commands, .drain, "-", .lastWord),
        (.commands, .noop, "250", .commands),
        (.commands, .quit, "quit", .closed),
        (.commands, .rset, "reset", .commands),
        (.commands, .data, "503", .commands),
        (.commands, .bdat, "close 503", .closed),
        (.commands, .lastBdat, "close 503", .closed),
        (.commands, .lineTooLong, "500", .commands),
        (.commands, .recipientAdded, "-", .commands),
        (.commands, .timedOut, "close 421", .closed),

        (.response, .drain, "-", .lastWord),
        (.response, .responseLine, "readResponse", .askingResponse),
        (.response, .lineTooLong, "500", .commands),
        (.response, .timedOut, "close 421", .closed),

        (.keyCheck, .drain, "-", .keyCheck),
        (.keyCheck, .keyValid, "logIn", .commands),
        (.keyCheck, .keyRefused, "noteRefusal", .askingRefusal),
        (.keyCheck, .keyUnavailable, "451", .commands),
        (.keyCheck, .turnedAway, "close 421", .closed),
        (.keyCheck, .timedOut, "giveUp 451", .commands),

        (.loginDelay, .drain, "-", .loginDelay),
        (.loginDelay, .timedOut, "535", .commands),

        (.budget, .drain, "close 421", .closed),
        (.budget, .budgetGranted, "beginData", .data),
        (.budget, .timedOut, "giveUp 451", .commands),

        (.data, .drain, "-", .data),
        (.data, .content, "feed", .data),
        (.data, .paused, "-", .heldBySubmission),
        (.data, .decided, "-", .discarding),
        (.data, .dataEnded, "finishMessage", .outcome),
        (.data, .timedOut, "close 421", .closed),

        (.heldBySubmission, .drain, "-", .heldBySubmission),
        (.heldBySubmission, .content, "feed", .heldBySubmission),
        (.heldBySubmission, .continues, "-", .data),
        (.heldBySubmission, .decided, "-", .discarding),
        (.heldBySubmission, .dataEnded, "finishMessage", .outcome),
        (.heldBySubmission, .timedOut, "giveUp", .discarding),

        (.heldByBudget, .drain, "-", .heldByBudget),
        (.heldByBudget, .content, "feed", .heldByBudget),
        (.heldByBudget, .paused, "-", .heldByBudget),
        (.heldByBudget, .decided, "-", .discarding),
        (.heldByBudget, .budgetGranted, "-", .data),
        (.heldByBudget, .budgetRefused, "giveUp", .discarding),
        (.heldByBudget, .dataEnded, "finishMessage", .outcome),
        (.heldByBudget, .timedOut, "giveUp", .discarding),

        (.discarding, .drain, "-", .discarding),
        (.discarding, .content, "discard", .discarding),
        (.discarding, .paused, "-", .discarding),
        (.discarding, .dataEnded, "finishMessage", .outcome),
        (.discarding, .timedOut, "close 421", .closed),

        (.outcome, .drain, "-", .outcome),
        (.outcome, .outcome, "250", .commands),
        (.outcome, .timedOut, "giveUp 451", .commands),

        (.chunkBudget, .drain, "-", .chunkBudget),
        (.chunkBudget, .budgetGranted, "beginChunks", .chunk),
        (.chunkBudget, .timedOut, "giveUp", .discarding),

        (.chunk, .drain, "-", .chunk),
        (.chunk, .content, "feed", .chunk),
        (.chunk, .paused, "-", .chunk),
        (.chunk, .decided, "-", .discarding),
        (.chunk, .dataEnded, "250", .betweenChunks),
        (.chunk, .timedOut, "close 421", .closed),

        (.lastChunk, .drain, "-", .lastChunk),
        (.lastChunk, .content, "feed", .lastChunk),
        (.lastChunk, .paused, "-", .lastChunk),
        (.lastChunk, .decided, "-", .discarding),
        (.lastChunk, .dataEnded, "finishMessage", .outcome),
        (.lastChunk, .timedOut, "close 421", .closed),

        (.strayChunk, .drain, "-", .strayChunk),
        (.strayChunk, .content, "discard", .strayChunk),
        (.strayChunk, .paused, "-", .strayChunk),
        (.strayChunk, .dataEnded, "503", .commands),
        (.strayChunk, .timedOut, "close 421", .closed),

        (.betweenChunks, .drain, "-", .betweenChunks),
        (.betweenChunks, .noop, "250", .betweenChunks),
        (.betweenChunks, .quit, "quit", .closed),
        (.betweenChunks, .rset, "reset", .commands),
        (.betweenChunks, .data, "503", .betweenChunks),
        (.betweenChunks, .bdat, "-", .chunk),
        (.betweenChunks, .lastBdat, "-", .lastChunk),
        (.betweenChunks, .lineTooLong, "500", .betweenChunks),
        (.betweenChunks, .recipientAdded, "-", .betweenChunks),
        (.betweenChunks, .timedOut, "close 421", .closed),

        (.refusedChunks, .drain, "-", .refusedChunks),
        (.refusedChunks, .noop, "250", .refusedChunks),
        (.refusedChunks, .quit, "quit", .closed),
        (.refusedChunks, .rset, "reset", .commands),
        (.refusedChunks, .data, "503", .refusedChunks),
        (.refusedChunks, .bdat, "-", .discarding),
        (.refusedChunks, .lastBdat, "-", .discarding),
        (.refusedChunks, .lineTooLong, "500", .refusedChunks),
        (.refusedChunks, .recipientAdded, "-", .refusedChunks),
        (.refusedChunks, .timedOut, "close 421", .closed),

        (.lastWord, .noop, "close 421", .closed),
        (.lastWord, .rset, "close 421", .closed),
        (.lastWord, .data, "close 421", .closed),
        (.lastWord, .bdat, "close 421", .closed),
        (.lastWord, .lastBdat, "close 421", .closed),
        (.lastWord, .quit, "quit", .closed),
        (.lastWord, .lineTooLong, "close 421", .closed),
        (.lastWord, .timedOut, "close 421", .closed),

        (.closed, .drain, "-", .closed),

        (.askingHandshake, .drain, "-", .askingHandshake),
        (.askingHandshake, .handshakeAdmitted, "startTLS", .handshake),
        (.askingHandshake, .handshakeRefused, "close 421", .closed),

        (.askingResponse, .drain, "-", .askingResponse),
        (.askingResponse, .response, "checkKey", .keyCheck),

        (.askingRefusal, .drain, "-", .askingRefusal),
        (.askingRefusal, .refusalNoted, "535", .commands),

        (.askingRateLimit, .drain, "-", .askingRateLimit),
        (.askingRateLimit, .rateLimitFree, "beginMail", .commands),
        (.askingRateLimit, .rateLimited, "452", .commands),
    ]

    @Test("A phase answers every event as the table says", arguments: Place.allCases)
    func answers(_ place: Place) {
        for event in Event.allCases {
            var machine = Self.bench(place).machine
            #expect(Self.place(machine) == place)
            let before = "\(machine)"
            let verdict = Self.happen(event, &machine)
            let after = Self.place(machine)
            let row = Self.table.first { $0.0 == place && $0.1 == event }
            if event == .gone {
                #expect(after == .closed)
            } else if let row {
                #expect(verdict == row.2 && after == row.3, "\(place), \(event)")
            } else {
                // Content that no one waits for is discarded.
                #expect(verdict == (event == .content ? "discard" : "-"), "\(place), \(event)")
                #expect("\(machine)" == before, "\(place), \(event)")
            }
        }
    }

    @Test("The table names no place and event twice")
    func once() {
        let pairs = Self.table.map { "\($0.0) \($0.1)" }
        #expect(Set(pairs).count == pairs.count)
    }

    @Test("Only a phase with a reader finds anything in the input", arguments: Place.allCases)
    func reads(_ place: Place) {
        let input = Array("NOOP\r\n".utf8)
        var machine = Self.bench(place).machine
        var offset = 0
        let piece = machine.next(input.span, &offset)
        switch place {
        case .commands, .lastWord, .betweenChunks, .refusedChunks:
            #expect(piece == .command(0..<4) && offset == 6)
        case .response: #expect(piece == .response(0..<4) && offset == 6)
        case .data, .heldBySubmission, .heldByBudget, .discarding, .chunk, .lastChunk, .strayChunk:
            #expect(piece == .content(0..<6) && offset == 6)
        default: #expect(piece == .needInput && offset == 0)
        }
    }

    @Test("A drain does not lose the beginning of a line")
    func drainInsideLine() {
        var machine = SessionMachineBench(.tls).machine
        let input = Array("QUIT\r\n".utf8)
        var offset = 0
        #expect(machine.next(input.span.extracting(0..<5), &offset) == .needInput && offset == 0)
        #expect(machine.drain(at: Self.start) == .none)
        #expect(machine.next(input.span, &offset) == .command(0..<4) && offset == 6)
    }

    @Test("Lines that end with a bare LF are counted in every phase that reads lines")
    func bareLineFeeds() {
        var machine = SessionMachineBench(.tls).machine
        let input = Array("NOOP\nNOOP\r\nNOOP\n".utf8)
        var offset = 0
        for _ in 0..<3 { _ = machine.next(input.span, &offset) }
        #expect(machine.bareLineFeeds == 2)
        _ = machine.drain(at: Self.start)
        offset = 0
        _ = machine.next(input.span, &offset)
        #expect(machine.bareLineFeeds == 3)
    }
}
