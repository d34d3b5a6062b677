// The outcome and the request are the same, however a message is cut and wherever it must pause.

import Reactor
import TestSupport
import Testing

@testable import APIClient
@testable import Relay

private let now = MonotonicTime(nanoseconds: 1_000_000_000)
private let deadline = now.advanced(byMilliseconds: 50_000)
private let accepted = Outcome.accepted(messageID: [1])
private let refused = Outcome.invalidRequest(message: [2])
private let uncertain = Outcome.unavailable(isUncertain: true)

/// A session, a mapper, an upload and an API as numbers. The machine's decisions change them, and a
/// seed decides what they do.
private struct SubmissionModel {
    static let highWater = 400
    static let lowWater = 200

    var machine = SubmissionMachine(thresholdBytes: 1_000)
    var random: SeededGenerator
    /// Bytes of the request: written, taken by the API, and still held back after the dot.
    var body = 0
    var taken = 0
    var late: Int
    /// Where the mapper finds something that cannot be sent; nil for a message that can.
    let faultAt: Int?
    let ledgerKnows: SubmissionFinding
    let answer: Outcome

    var isCallStarted = false
    var isBodyComplete = false
    var isPaused = false
    var outcomesTold: [Outcome] = []
    var pauses = 0
    var looks = 0

    private var pending: Int { body - taken }

    mutating func perform(_ first: SubmissionVerdict?) {
        var next = first
        while let verdict = next { next = carryOut(verdict) }
    }

    private mutating func carryOut(_ verdict: SubmissionVerdict) -> SubmissionVerdict? {
        switch verdict {
        case .startCall:
            #expect(!isCallStarted)
            isCallStarted = true
            return machine.callHasGrown(isFull: pending > Self.highWater)
        case .growCall:
            #expect(isCallStarted && !isBodyComplete)
            return machine.callHasGrown(isFull: pending > Self.highWater)
        case .pauseSession:
            #expect(!isPaused)
            isPaused = true
            pauses += 1
        case .continueSession:
            #expect(isPaused)
            isPaused = false
        case .askLedger:
            // At once or later, as it likes.
            if Bool.random(using: &random) { machine.ledgerAsked() }
            looks += 1
            // The other try ends after some looks, and has failed.
            let isOver = ledgerKnows == .underWay && looks > 3
            return machine.ledgerFound(isOver ? .unknown : ledgerKnows)
        case .waitForOther: return machine.otherMayHaveEnded(at: now)
        case .completeBody, .pumpBody:
            pump()
            return isBodyComplete ? machine.bodyCompleted() : machine.bodyWaits()
        case .awaitRecords: return machine.recordsWritten()
        case .end(let told, _):
            if told == .sessionFinishes, let outcome = machine.outcome {
                outcomesTold.append(outcome)
            }
            if told == .sessionContinues { isPaused = false }
        case .recordPending, .awaitSilently, .record, .recordRecipients, .forget, .giveBack, .drop:
            Issue.record("\(verdict) without a client that left")
        }
        return nil
    }

    private mutating func pump() {
        if !isCallStarted && body + late > 1_000 { isCallStarted = true }
        let room = isCallStarted ? max(0, Self.highWater - pending) : late
        let step = min(room, late)
        body += step
        late -= step
        guard late == 0 else { return }
        isCallStarted = true
        isBodyComplete = true
    }

    /// The API reads something, or nothing.
    mutating func apiReads() {
        guard isCallStarted else { return }
        taken += min(pending, Int.random(in: 0...300, using: &random))
        if !isBodyComplete && pending < Self.lowWater { perform(machine.apiWantsBody()) }
    }

    /// Sends the whole message in pieces of at most `longest` bytes; returns its outcome.
    mutating func send(_ count: Int, longest: Int) -> Outcome? {
        var fed = 0
        while fed < count {
            while isPaused { apiReads() }
            let piece = min(count - fed, Int.random(in: 1...longest, using: &random))
            fed += piece
            guard machine.isReceiving else { continue }
            if let faultAt, fed > faultAt {
                perform(machine.mapperFailed(.unparsable(reason: [7])))
                continue
            }
            body += piece
            perform(machine.contentFed(bodyBytes: body))
            if Bool.random(using: &random) { apiReads() }
        }
        while isPaused { apiReads() }
        perform(machine.endOfData(by: deadline, at: now, isKnown: true))
        if let outcome = machine.outcome {
            #expect(outcomesTold.isEmpty || outcomesTold == [outcome])
            return outcome
        }
        while !isBodyComplete || pending > 0 { apiReads() }
        perform(machine.answered(answer))
        #expect(outcomesTold.count == 1)
        return outcomesTold.first
    }
}

@Suite("A message in any pieces, with pauses in any place")
struct SubmissionSplitTests {
    struct Message: CustomTestStringConvertible {
        var count: Int
        var late = 0
        var faultAt: Int?
        var ledger = SubmissionFinding.unknown
        var answer = accepted
        var expected: Outcome
        var testDescription: String { "\(count) bytes, \(late) late, \(expected)" }
    }

    static let unparsable = Outcome.unparsable(reason: [7])
    static let messages = [
        Message(count: 1, expected: accepted),
        Message(count: 1_000, expected: accepted),
        Message(count: 1_001, expected: accepted),
        Message(count: 20_000, expected: accepted),
        Message(count: 900, late: 100, expected: accepted),
        Message(count: 900, late: 5_000, expected: accepted),
        Message(count: 20_000, late: 5_000, expected: accepted),
        Message(count: 500, answer: refused, expected: refused),
        Message(count: 20_000, late: 3_000, answer: refused, expected: refused),
        Message(count: 20_000, answer: uncertain, expected: uncertain),
        Message(count: 800, faultAt: 700, expected: unparsable),
        Message(count: 20_000, faultAt: 15_000, expected: unparsable),
        Message(
            count: 800, ledger: .known(.accepted(messageID: [9]), isTaken: true),
            expected: .accepted(messageID: [9])),
        Message(
            count: 20_000, ledger: .known(.accepted(messageID: [9]), isTaken: true),
            expected: .accepted(messageID: [9])),
        Message(count: 20_000, ledger: .known(refused, isTaken: false), expected: refused),
        Message(count: 20_000, ledger: .underWay, expected: accepted),
    ]

    @Test("has one outcome", arguments: messages)
    func machine(_ message: Message) {
        var pauses = 0
        for seed in 0..<30 {
            for longest in [1, 7, 100, 1_000, 30_000] where longest > 1 || message.count < 5_000 {
                var model = SubmissionModel(
                    random: SeededGenerator(seed: UInt64(seed * 31 + longest)),
                    late: message.late, faultAt: message.faultAt, ledgerKnows: message.ledger,
                    answer: message.answer)
                let outcome = model.send(message.count, longest: longest)
                #expect(outcome == message.expected, "seed \(seed), pieces of \(longest)")
                let isSent =
                    message.faultAt == nil
                    && (message.ledger == .unknown || message.ledger == .underWay)
                #expect(model.isBodyComplete == isSent)
                if isSent { #expect(model.taken == message.count + message.late) }
                pauses += model.pauses
            }
        }
        #expect((pauses > 0) == (message.count > 1_000), "\(pauses) pauses")
    }

    private static let large = String(repeating: "A line of a large text.\n", count: 30_000)

    static let contents: [(name: String, text: String, to: [String])] = [
        ("small", "Message-ID: <1@example.com>\nSubject: s\n\nHello\n", ["to@example.com"]),
        ("large", "Message-ID: <1@example.com>\nSubject: s\n\n" + large, ["to@example.com"]),
        (
            "text behind an attachment",
            "Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: application/pdf\n\nx\n"
                + "--m\n\n\(large)--m--\n", ["to@example.com"]
        ),
        ("a group", "Subject: s\n\n" + large, ["a@example.com", "b@example.com"]),
    ]

    /// With the real classes: cut at random places, to an API that stops reading at random.
    @Test("has one request, to the byte", arguments: contents.indices)
    func request(_ index: Int) throws {
        let (name, text, recipients) = Self.contents[index]
        let answered = Outcome.accepted(messageID: Array("id".utf8))
        let message = MappedMessage(crlf(text), to: recipients)
        let whole = try SubmissionBench()
        #expect(whole.send(message) == answered)
        let expected = Set(whole.api.bodies.map { String(decoding: $0, as: UTF8.self) })
        #expect(expected.count == recipients.count)
        for seed in 1...4 {
            let bench = try SubmissionBench()
            var random = SeededGenerator(seed: UInt64(seed))
            bench.api.naps = SeededGenerator(seed: UInt64(seed) + 99)
            let session = ScriptedSession()
            let submission = bench.submission(message, session)
            let longest = message.content.count < 1_000 ? 9 : 90_000
            #expect(
                bench.feed(message.content, to: submission, session) {
                    Int.random(in: 1...longest, using: &random)
                })
            #expect(submission.finish(by: bench.deadline) == nil)
            #expect(bench.wait { session.outcome != nil })
            #expect(session.outcome == answered)
            #expect(session.pauses > 0 || name != "large")
            #expect(Set(bench.api.bodies.map { String(decoding: $0, as: UTF8.self) }) == expected)
            #expect(bench.isEmpty)
        }
    }
}
