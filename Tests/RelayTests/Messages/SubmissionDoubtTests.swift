// What outlives a connection: clients that end their side while their message is at the API, second
// tries, and groups that some recipients refused.

import Reactor
import TestSupport
import Testing

@testable import APIClient
@testable import Relay

private func accepted(_ id: String) -> Outcome { .accepted(messageID: Array(id.utf8)) }

private func message(
    to recipients: [String], hasID: Bool = true, body: String = "small"
) -> MappedMessage {
    let head = "From: a@example.com\nSubject: s\n\n" + body
    return MappedMessage(
        crlf((hasID ? "Message-ID: <1@example.com>\n" : "") + head), to: recipients)
}

extension SubmissionBench {
    /// A message whose dot has come.
    fileprivate func begin(
        _ message: MappedMessage, _ session: ScriptedSession = ScriptedSession()
    ) -> Submission {
        let submission = submission(message, session)
        #expect(feed(message.content, to: submission, session))
        #expect(submission.finish(by: deadline) == nil)
        return submission
    }

    fileprivate var records: Int { worker.shared.ledgerHome.status.records }

    /// Recipients of the requests from number `first` on.
    fileprivate func recipients(from first: Int = 0) -> [String] {
        (first..<api.bodies.count).compactMap { (api.object($0)?["to"] as? [String])?.first }
    }
}

@Suite("A client that may be gone", .serialized)
struct SubmissionDoubtTests {
    @Test(
        "the second try waits for the first one's answer, and gets it",
        arguments: [["to@example.com"], ["a@example.com", "b@example.com"]])
    func waits(recipients: [String]) throws {
        let bench = try SubmissionBench()
        bench.api.answer = { _ in .hold }
        let (first, second) = (ScriptedSession(), ScriptedSession())
        let message = message(to: recipients)
        let submission = bench.begin(message, first)
        #expect(bench.wait { bench.api.held.count == recipients.count })
        submission.clientMayBeGone()
        let again = bench.begin(message, second)
        #expect(bench.worker.counters.duplicatesPending == 1)
        bench.release(.accepted("first"))
        #expect(bench.wait { first.outcome != nil && second.outcome != nil })
        #expect(first.outcome == accepted("first") && second.outcome == accepted("first"))
        #expect(bench.api.bodies.count == recipients.count)
        // The second one was seen: the same again is another message.
        again.replySeen()
        #expect(bench.records == 0)
        bench.api.answer = { _ in .accepted("on purpose") }
        #expect(bench.send(message) == accepted("on purpose"))
        #expect(bench.isEmpty)
    }

    @Test("the second try is sent when the first one has failed")
    func failed() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { _ in .hold }
        let (first, second) = (ScriptedSession(), ScriptedSession())
        let message = message(to: ["to@example.com"])
        bench.begin(message, first).clientMayBeGone()
        #expect(bench.wait { bench.api.held.count == 1 })
        _ = bench.begin(message, second)
        bench.release(.status(503, "{}"))
        #expect(bench.wait { bench.api.bodies.count == 2 && bench.api.held.count == 1 })
        #expect(first.outcome?.isAccepted == false && second.outcome == nil)
        bench.release(.accepted("second"))
        #expect(bench.wait { second.outcome == accepted("second") })
        #expect(bench.isEmpty)
    }

    @Test("after the lease the second try is sent")
    func lease() throws {
        let home = MemoryLedger()
        let bench = try SubmissionBench(home: home)
        let other = try SubmissionBench(home: home)
        let message = message(to: ["to@example.com"])
        // Another relay takes the message, its client leaves, and it is killed.
        other.api.answer = { _ in .hold }
        let session = ScriptedSession()
        let lost = other.submission(message, session)
        #expect(other.feed(message.content, to: lost, session))
        #expect(lost.finish(by: other.loop.now.advanced(byMilliseconds: 400)) == nil)
        lost.clientMayBeGone()
        #expect(bench.send(message) == accepted("id"))
        #expect(bench.worker.counters.duplicatesPending == 1)
        #expect(bench.api.bodies.count == 1)
    }

    @Test("what was not seen answers the next try, and that one alone")
    func unseen() throws {
        let bench = try SubmissionBench()
        let message = message(to: ["to@example.com"])
        #expect(bench.send(message, unseen: true) == accepted("id"))
        bench.api.answer = { _ in .accepted("again") }
        // As often as its 250 is not seen.
        #expect(bench.send(message, unseen: true) == accepted("id"))
        #expect(bench.send(message) == accepted("id"))
        #expect(bench.records == 0)
        #expect(bench.send(message) == accepted("again"))
    }

    @Test("the order of recipients and the case of domains do not count, a recipient more does")
    func sameRecipients() throws {
        let bench = try SubmissionBench()
        let text = crlf("Message-ID: <1@x>\nTo: a@x.example, b@x.example, c@x.example\n\nb")
        let first = MappedMessage(text, to: ["a@x.example", "b@x.example"])
        #expect(bench.send(first, unseen: true) == accepted("id"))
        #expect(
            bench.send(MappedMessage(text, to: ["b@X.example", "a@x.example"]), unseen: true)
                == accepted("id"))
        #expect(bench.api.bodies.count == 1)
        _ = bench.send(MappedMessage(text, to: ["a@x.example", "b@x.example", "c@x.example"]))
        #expect(bench.api.bodies.count == 2)
        _ = bench.send(MappedMessage(text, to: ["A@x.example", "b@x.example"]))
        #expect(bench.api.bodies.count == 3)
    }

    @Test("a message that is told of an acceptance after its client left gives it back")
    func givesBack() throws {
        let home = LateLedger()
        let bench = try SubmissionBench(home: home)
        let message = message(to: ["to@example.com"])
        #expect(bench.send(message, unseen: true) == accepted("id"))
        home.isLate = true
        let submission = bench.begin(message)
        submission.abandon()
        home.answerAll()
        home.isLate = false
        #expect(bench.send(message) == accepted("id"))
        #expect(bench.api.bodies.count == 1)
        #expect(bench.isEmpty)
    }

    @Test("a refusal leaves no record")
    func refused() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { _ in .hold }
        let session = ScriptedSession()
        let message = message(to: ["to@example.com"])
        let submission = bench.begin(message, session)
        #expect(bench.wait { bench.api.held.count == 1 })
        submission.clientMayBeGone()
        bench.release(.status(503, "{}"))
        #expect(bench.wait { session.outcome != nil })
        #expect(bench.records == 0)
    }

    @Test("what is under way is not recorded for a message without a Message-ID")
    func unguarded() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { _ in .hold }
        let session = ScriptedSession()
        let submission = bench.begin(message(to: ["to@example.com"], hasID: false), session)
        #expect(bench.wait { bench.api.held.count == 1 })
        submission.clientMayBeGone()
        bench.release(.accepted("first"))
        #expect(bench.wait { session.outcome != nil })
        #expect(bench.records == 0)
    }
}

@Suite("A group that some recipients refused", .serialized)
struct SubmissionGroupTests {
    private static let six = (1...6).map { "r\($0)@example.com" }

    /// An API that takes `count` requests and limits the rest.
    private func limit(_ bench: SubmissionBench, to count: Int) {
        let most = bench.api.bodies.count + count
        bench.api.answer = { [weak api = bench.api] _ in
            (api?.bodies.count ?? 0) <= most ? .accepted("id") : .status(429, "{}")
        }
    }

    private func tries(
        _ bench: SubmissionBench, _ envelope: (Int) -> [String]
    ) -> (copies: [String: Int], rounds: Int) {
        var delivered: [String: Int] = [:]
        for round in 1...10 {
            let before = bench.api.bodies.count
            limit(bench, to: 2)
            let outcome = bench.send(message(to: envelope(round)))
            for name in bench.recipients(from: before).prefix(2) {
                delivered[name, default: 0] += 1
            }
            if outcome?.isAccepted == true { return (delivered, round) }
        }
        return (delivered, 11)
    }

    @Test("6 hidden recipients, the API takes 2 a try: each gets one copy, and then 250")
    func sixHidden() throws {
        let bench = try SubmissionBench()
        let (copies, rounds) = tries(bench) { _ in Self.six }
        #expect(copies == Dictionary(uniqueKeysWithValues: Self.six.map { ($0, 1) }))
        #expect(rounds == 3)
        #expect(bench.records == 0 && bench.isEmpty)
        // The same again after the 250 is another message.
        bench.api.answer = { _ in .accepted("id") }
        let before = bench.api.bodies.count
        #expect(bench.send(message(to: Self.six))?.isAccepted == true)
        #expect(bench.api.bodies.count == before + 6)
    }

    @Test("in another order, at another relay of the fleet, with another grouping")
    func regrouped() throws {
        let home = MemoryLedger()
        var copies: [String: Int] = [:]
        for round in 1...12 {
            let bench = try SubmissionBench(home: home)
            limit(bench, to: 2)
            var names = Self.six
            if round % 2 == 0 { names.reverse() }
            // Those that are left come in two parts at last.
            if round > 2 { names = round % 2 == 0 ? Array(Self.six[..<3]) : Array(Self.six[3...]) }
            _ = bench.send(message(to: names))
            for name in bench.recipients().prefix(2) { copies[name, default: 0] += 1 }
            if round >= 4, copies.values.reduce(0, +) == 6 { break }
        }
        #expect(copies == Dictionary(uniqueKeysWithValues: Self.six.map { ($0, 1) }))
    }

    @Test("a recipient that is left alone is found, though it is no group any more")
    func oneLeft() throws {
        let bench = try SubmissionBench()
        limit(bench, to: 1)
        let two = Array(Self.six.prefix(2))
        #expect(bench.send(message(to: two))?.isForTheMoment == true)
        let has = try #require(bench.recipients().first)
        bench.api.answer = { _ in .accepted("again") }
        let before = bench.api.bodies.count
        #expect(bench.send(message(to: [has])) == accepted("id"))
        #expect(bench.api.bodies.count == before)
        #expect(bench.worker.counters.duplicatesAnswered == 1)
        let other = try #require(two.first { $0 != has })
        #expect(bench.send(message(to: [other])) == accepted("again"))
    }

    @Test("who was refused for good is not asked again, and decides the last reply")
    func refusedForGood() throws {
        let bench = try SubmissionBench()
        let names = Array(Self.six.prefix(3))
        func answer(_ body: [UInt8], _ third: ScriptedAnswer) -> ScriptedAnswer {
            let text = String(decoding: body, as: UTF8.self)
            if text.contains(names[0]) { return .accepted("id") }
            return text.contains(names[1]) ? .status(400, "{\"error\":\"no\"}") : third
        }
        bench.api.answer = { answer($0, .status(503, "{}")) }
        #expect(bench.send(message(to: names))?.isForTheMoment == true)
        let before = bench.api.bodies.count
        bench.api.answer = { answer($0, .accepted("id")) }
        #expect(bench.send(message(to: names)) == .invalidRequest(message: []))
        #expect(bench.recipients(from: before) == [names[2]])
        // A permanent reply leaves nothing.
        #expect(bench.records == 0)
    }

    @Test(
        "a refusal for good that the client may not have seen is remembered",
        arguments: [true, false])
    func unseenRefusal(isGone: Bool) throws {
        let bench = try SubmissionBench()
        let names = Array(Self.six.prefix(3))
        func answer(_ body: [UInt8]) -> ScriptedAnswer {
            String(decoding: body, as: UTF8.self).contains(names[1])
                ? .status(400, "{\"error\":\"no\"}") : .accepted("id")
        }
        if isGone {
            bench.api.answer = { _ in .hold }
            let session = ScriptedSession()
            let submission = bench.begin(message(to: names), session)
            #expect(bench.wait { bench.api.held.count == 3 })
            submission.abandon()
            bench.loop.later { [api = bench.api] in
                for (connection, body) in zip(api.held, api.bodies) {
                    connection.send(answer(body))
                }
            }
            #expect(bench.wait { bench.records == 3 })
            #expect(session.outcome == nil)
        } else {
            bench.api.answer = answer
            let outcome = bench.send(message(to: names), unseen: true)
            #expect(outcome?.isAccepted == false && outcome?.isForTheMoment == false)
            #expect(bench.records == 3)
        }
        // The next try gets the same reply, without a call.
        #expect(bench.send(message(to: names)) == .invalidRequest(message: []))
        #expect(bench.api.bodies.count == 3)
        #expect(bench.records == 0)
    }

    @Test("a large group has several calls at a time, as far as the key's share allows")
    func sideBySide() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { _ in .hold }
        let large = String(repeating: "A line of a large text.\n", count: 15_000)
        let session = ScriptedSession()
        _ = bench.begin(message(to: Self.six, body: large), session)
        #expect(bench.wait { bench.api.held.count == 6 })
        bench.release(.accepted("id"))
        #expect(bench.wait { session.outcome?.isAccepted == true })
        #expect(bench.worker.shared.budget.reservedBytes == 0)
        #expect(bench.isEmpty)
    }

    @Test("a 4yz waits for as long as its home asks for, and no longer than its deadline")
    func writtenLate() throws {
        let home = LateLedger()
        home.writePatienceMilliseconds = 5_000
        let bench = try SubmissionBench(home: home)
        limit(bench, to: 1)
        home.isLate = true
        let session = ScriptedSession()
        let submission = bench.begin(message(to: Array(Self.six.prefix(2))), session)
        #expect(bench.wait { home.waitingCount == 1 })
        bench.pause(milliseconds: 200)
        #expect(session.outcome == nil)
        home.answerAll()
        #expect(bench.wait { session.outcome?.isForTheMoment == true })
        #expect(bench.worker.counters.ledgerWaitsOver == 0)
        withExtendedLifetime(submission) {}
        #expect(bench.isEmpty)

        let (now, ledger) = (bench.loop.now, bench.worker.ledger)
        for (left, patience) in [(60_000, 5_000), (1_000, 1_000), (0, 50)] {
            let deadline = now.advanced(byMilliseconds: left)
            #expect(ledger.writePatienceMilliseconds(until: deadline) == patience)
        }
    }

    @Test("a 4yz waits until its records are written, and not for ever", arguments: [true, false])
    func written(isWritten: Bool) throws {
        let home = LateLedger()
        let bench = try SubmissionBench(home: home)
        limit(bench, to: 1)
        home.isLate = true
        let session = ScriptedSession()
        let submission = bench.begin(message(to: Array(Self.six.prefix(2))), session)
        #expect(bench.wait { home.waitingCount == 1 })
        #expect(session.outcome == nil)
        let asked = bench.loop.now
        if isWritten { home.answerAll() }
        #expect(bench.wait { session.outcome != nil })
        #expect(session.outcome?.isForTheMoment == true)
        #expect(bench.worker.counters.ledgerWaitsOver == (isWritten ? 0 : 1))
        #expect(bench.loop.now.milliseconds(since: asked) < 1_000)
        home.answerAll()
        withExtendedLifetime(submission) {}
        #expect(bench.isEmpty)
    }
}

@Suite("Hidden recipients that others join at a later try", .serialized)
struct SubmissionMixedTests {
    private static let hidden = (2...4).map { "r\($0)@example.com" }
    private static let shown = "r1@example.com"
    private static let late = "r5@example.com"

    private func message(to recipients: [String], size: Int = 0) -> MappedMessage {
        let text =
            "Message-ID: <1@x>\nFrom: a@example.com\nTo: R <\(Self.shown)>\n"
            + "Cc: \(Self.late)\n\n"
        return MappedMessage(
            crlf(text + String(repeating: "A line of text.\n", count: size)), to: recipients)
    }

    /// A try with hidden recipients alone, of whom the first gets a copy.
    private func begin(_ bench: SubmissionBench, size: Int = 0) throws -> [String] {
        bench.api.answer = { [weak api = bench.api] _ in
            (api?.bodies.count ?? 0) <= 1 ? .accepted("id") : .status(429, "{}")
        }
        let outcome = bench.send(message(to: Self.hidden, size: size))
        #expect(outcome?.isForTheMoment == true)
        let has = try #require(bench.recipients().first)
        bench.api.answer = { _ in .accepted("rest") }
        return Self.hidden.filter { $0 != has }
    }

    private func fields(_ bench: SubmissionBench) -> [String: [String]] {
        let object = bench.api.object(bench.api.bodies.count - 1) ?? [:]
        return ["to", "cc", "bcc"].reduce(into: [:]) { $0[$1] = object[$1] as? [String] }
    }

    @Test("those that have it are left out of the one call for all", arguments: [0, 30_000])
    func joins(size: Int) throws {
        let bench = try SubmissionBench()
        let left = try begin(bench, size: size)
        let before = bench.api.bodies.count
        let all = message(to: [Self.shown, Self.late] + Self.hidden, size: size)
        #expect(bench.send(all) == accepted("rest"))
        #expect(bench.api.bodies.count == before + 1)
        #expect(
            fields(bench) == [
                "to": ["R <\(Self.shown)>"], "cc": [Self.late], "bcc": left,
            ])
        #expect(bench.api.object(before)?["from"] as? String == "a@example.com")
        #expect(bench.records == 0 && bench.isEmpty)
    }

    @Test("a recipient named in Cc alone moves up")
    func movesUp() throws {
        let bench = try SubmissionBench()
        let left = try begin(bench)
        #expect(bench.send(message(to: [Self.late] + Self.hidden)) == accepted("rest"))
        #expect(fields(bench) == ["to": [Self.late], "bcc": left])
    }

    @Test("when the call is refused for the moment, those that have it still have it")
    func again() throws {
        let bench = try SubmissionBench()
        let left = try begin(bench)
        let all = message(to: Self.hidden + [Self.shown])
        bench.api.answer = { _ in .status(503, "{}") }
        #expect(bench.send(all)?.isForTheMoment == true)
        bench.api.answer = { _ in .accepted("rest") }
        #expect(bench.send(all) == accepted("rest"))
        #expect(fields(bench) == ["to": ["R <\(Self.shown)>"], "bcc": left])
        #expect(bench.records == 0)
    }

    @Test("what can't be left out any more is refused for the moment")
    func tooLate() throws {
        let home = LateLedger()
        let bench = try SubmissionBench(home: home)
        _ = try begin(bench)
        home.tellsRecipients = false
        let before = bench.api.bodies.count
        let all = message(to: Self.hidden + [Self.shown])
        #expect(bench.send(all) == .unavailable(isUncertain: false))
        #expect(bench.api.bodies.count == before)
        home.tellsRecipients = true
        #expect(bench.send(all) == accepted("rest"))
        #expect(bench.isEmpty)
    }
}

/// A home that answers when the test says so.
final class LateLedger: LedgerHome, LedgerDesk, @unchecked Sendable {
    private let memory = MemoryLedger()
    private var waiting: [() -> Void] = []
    var isLate = false
    var writePatienceMilliseconds = 50
    /// Says in time that a scope has records of recipients.
    var tellsRecipients = true
    var waitingCount: Int { waiting.count }
    var hashKey: ContentHash.Key { memory.hashKey }
    var status: LedgerStatus { memory.status }

    func desk(on loop: Loop) -> any LedgerDesk { self }
    func start() {}
    func close() {}
    func mayHold(_ scope: LedgerScope, ticket: UInt64) -> Bool {
        memory.mayHold(scope, ticket: ticket)
    }
    func mayHoldRecipients(_ scope: LedgerScope, ticket: UInt64) -> Bool {
        tellsRecipients && memory.mayHoldRecipients(scope, ticket: ticket)
    }

    func ask(
        _ question: LedgerQuestion, at now: MonotonicTime,
        _ answer: @escaping (LedgerAnswer) -> Void
    ) -> LedgerAnswer? {
        let found = memory.ask(question, at: now, answer)
        guard isLate, let found else { return found }
        waiting.append { answer(found) }
        return nil
    }

    func apply(_ changes: [LedgerChange], at now: MonotonicTime, written: (() -> Void)?) -> Bool {
        memory.apply(changes, at: now, written: nil)
        guard isLate, let written else { return true }
        waiting.append(written)
        return false
    }

    func answerAll() {
        let all = waiting
        waiting = []
        for answer in all { answer() }
    }
}
