import Foundation
import Reactor
import TestSupport
import Testing

@testable import APIClient
@testable import Relay

@Suite("A message on its way to the API", .serialized)
struct SubmissionTests {
    private func message(_ body: String, to recipients: [String] = ["to@example.com"])
        -> MappedMessage
    {
        let head = "Message-ID: <1@example.com>\nFrom: a@example.com\nSubject: s\n\n"
        return MappedMessage(crlf(head + body), to: recipients)
    }

    private func accepted(_ id: String) -> Outcome { .accepted(messageID: Array(id.utf8)) }

    private var large: String { String(repeating: "A line of a large text.\n", count: 60_000) }

    @Test("a small one is held and sent whole")
    func small() throws {
        let bench = try SubmissionBench()
        #expect(bench.send(message("Hello")) == accepted("id"))
        #expect(bench.api.chunkedCount == 0)
        #expect(bench.api.object(0)?["text_body"] as? String == "Hello")
        #expect(bench.worker.counters.messagesAccepted == 1)
        #expect(bench.isEmpty)
    }

    @Test("a large one is cut through, and the client waits when the API does not read")
    func cutThrough() throws {
        let bench = try SubmissionBench()
        let session = ScriptedSession()
        #expect(bench.send(message(large), session: session) == accepted("id"))
        #expect(bench.api.chunkedCount == 1)
        #expect(session.pauses > 0)
        #expect(bench.api.object(0)?["text_body"] as? String == large)
        #expect(bench.isEmpty)
    }

    @Test("a limit that is passed in the middle leaves the API with an incomplete request")
    func limitInTheMiddle() throws {
        let bench = try SubmissionBench { $0.mapping.attachmentBytesMax = 1_000_000 }
        var content = "Content-Type: application/octet-stream\n\n"
        content += large
        let outcome = bench.send(MappedMessage(crlf(content)))
        guard case .attachmentLimit(isSize: true, _) = outcome else {
            Issue.record("\(String(describing: outcome))")
            return
        }
        #expect(bench.wait { bench.api.incompleteCount == 1 })
        #expect(bench.api.bodies.isEmpty)
        #expect(bench.isEmpty)
    }

    @Test("an early answer decides while DATA is still arriving")
    func earlyAnswer() throws {
        let bench = try SubmissionBench()
        bench.api.earlyStatus = 401
        #expect(bench.send(message(large + large + large)) == .keyRefused)
        #expect(bench.isEmpty)
    }

    @Test("an API that stops reading is given up, and has nothing complete")
    func stalled() throws {
        let bench = try SubmissionBench { $0.api.timeoutMilliseconds = 300 }
        bench.api.isDeaf = true
        let many = String(repeating: large, count: 8)
        #expect(bench.send(message(many)) == .unavailable(isUncertain: false))
        #expect(bench.api.bodies.isEmpty)
        #expect(bench.isEmpty)
    }

    @Test("a client that leaves during DATA sends nothing", arguments: [false, true])
    func abandoned(isLarge: Bool) throws {
        let bench = try SubmissionBench()
        let session = ScriptedSession()
        let message = message(isLarge ? large : "small")
        let submission = bench.submission(message, session)
        #expect(bench.feed(message.content, to: submission, session))
        let budget = bench.worker.shared.budget
        submission.abandon(holding: budget.reserve(1_000, for: submission.account.shared))
        #expect(budget.reservedBytes == 0)
        #expect(bench.send(self.message("other")) == accepted("id"))
        #expect(bench.api.bodies.count == 1)
        #expect(bench.worker.counters.messagesAbandoned == 1)
        #expect(bench.isEmpty)
    }

    @Test("an unseen success answers the next try, and that one alone", arguments: [false, true])
    func unseen(isLarge: Bool) throws {
        let bench = try SubmissionBench()
        let message = message(isLarge ? large : "small")
        #expect(bench.send(message, unseen: true) == accepted("id"))
        #expect(bench.send(message) == accepted("id"))
        #expect(bench.api.bodies.count == 1)
        #expect(bench.worker.counters.duplicatesAnswered == 1)
        #expect(bench.send(message) == accepted("id"))
        #expect(bench.api.bodies.count == 2)
    }

    @Test("a message without a Message-ID is not guarded")
    func unguarded() throws {
        let bench = try SubmissionBench()
        let message = MappedMessage("From: a@example.com\r\n\r\nb")
        #expect(bench.send(message, unseen: true) == accepted("id"))
        #expect(bench.send(message) == accepted("id"))
        #expect(bench.api.bodies.count == 2)
    }

    @Test("a message whose time is used up before its end is taken up completes nothing")
    func dotTooOld() throws {
        let bench = try SubmissionBench()
        let session = ScriptedSession()
        let message = message("late")
        let submission = bench.submission(message, session)
        #expect(bench.feed(message.content, to: submission, session))
        #expect(submission.finish(by: bench.loop.now) == .unavailable(isUncertain: false))
        #expect(bench.api.bodies.isEmpty && bench.isEmpty)
    }

    @Test("the answer that comes after the client left is kept for its next try")
    func abandonedAfterFinish() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { _ in .hold }
        let session = ScriptedSession()
        let message = message("small")
        let submission = bench.submission(message, session)
        #expect(bench.feed(message.content, to: submission, session))
        #expect(submission.finish(by: bench.deadline) == nil)
        #expect(bench.wait { bench.api.held.count == 1 })
        // Its memory is in use as long as its body is, and is given back then.
        let budget = bench.worker.shared.budget
        submission.abandon(holding: budget.reserve(1_000, for: submission.account.shared))
        #expect(budget.reservedBytes == 1_000)
        bench.release(.accepted("late"))
        #expect(bench.wait { bench.worker.counters.messagesAccepted == 1 })
        #expect(budget.reservedBytes == 0)
        #expect(session.outcome == nil)
        #expect(bench.send(message) == accepted("late"))
        #expect(bench.api.bodies.count == 1)
    }

    @Test("text after the attachments is written as fast as the API reads")
    func lateText() throws {
        let bench = try SubmissionBench()
        var content = "Content-Type: multipart/mixed; boundary=m\n\n"
        content += "--m\nContent-Type: application/pdf\n\nx\n--m\n\n\(large)--m--\n"
        #expect(bench.send(MappedMessage(crlf(content))) == accepted("id"))
        #expect(bench.api.object(0)?["text_body"] as? String == String(large.dropLast()))
        #expect(bench.isEmpty)
    }

    @Test("a text that escapes make larger than the threshold leaves while it is written")
    func grownText() throws {
        let bench = try SubmissionBench()
        var content = "Content-Type: multipart/mixed; boundary=m\n\n--m\n\n"
        content += String(repeating: "<&>", count: 70_000)
        content += "\n--m\nContent-Type: text/html\n\n<p>x</p>\n--m--\n"
        #expect(bench.send(MappedMessage(crlf(content))) == accepted("id"))
        let html = bench.api.object(0)?["html_body"] as? String
        let signs = String(repeating: "&lt;&amp;&gt;", count: 70_000)
        #expect(html == "<div style='white-space: pre-wrap'>\(signs)</div><p>x</p>")
        #expect(bench.isEmpty)
    }

    @Test("hidden recipients get a request each", arguments: [false, true])
    func group(isLarge: Bool) throws {
        let bench = try SubmissionBench()
        let hidden = (0..<10).map { "h\($0)@example.com" }
        let body = isLarge ? large : "small"
        #expect(bench.send(message(body, to: hidden)) == accepted("id"))
        #expect(bench.api.bodies.count == 10)
        var seen: Set<String> = []
        for index in bench.api.bodies.indices {
            let object = bench.api.object(index)
            let to = object?["to"] as? [String] ?? []
            #expect(to.count == 1)
            seen.formUnion(to)
            #expect(object?["text_body"] as? String == body)
            #expect(object?["cc"] == nil && object?["bcc"] == nil)
        }
        #expect(seen == Set(hidden))
        #expect(bench.isEmpty)
    }

    @Test("a group that finds no room in files is refused for the moment, and nobody gets it")
    func groupWithoutRoom() throws {
        for (bytesMax, expected) in [(1 << 30, 0), (100_000, 1)] {
            let bench = try SubmissionBench(temporaryBytesMax: bytesMax)
            let group = message(large, to: ["a@example.com", "b@example.com"])
            let outcome = bench.send(group)
            #expect((outcome == .noRoom) == (expected == 1))
            let counters = bench.worker.counters
            #expect(counters.temporaryOverBudget + counters.temporaryOverShare == expected)
            #expect(counters.messages.counts[.noRoom] == expected)
            #expect(bench.api.bodies.isEmpty == (expected == 1))
            #expect(bench.worker.shared.temporary.usedBytes == 0)
            #expect(bench.isEmpty)
        }
    }

    @Test("a group whose calls would be too much together is refused, and nobody gets it")
    func groupTooLarge() throws {
        let bench = try SubmissionBench { $0.mapping.groupBytesMax = 2 * 1_000_000 - 1 }
        let recipients = (0..<8).map { "r\($0)@example.com" }
        #expect(bench.send(message(large, to: recipients)) == .groupTooLarge)
        #expect(bench.api.bodies.isEmpty && bench.worker.counters.groupsRefusedInData == 1)
        #expect(bench.isEmpty)
    }

    @Test("a second try of a group sends only to recipients that have not got it")
    func groupRetry() throws {
        let bench = try SubmissionBench()
        let hidden = ["a@example.com", "b@example.com", "c@example.com"]
        bench.api.answer = { body in
            String(decoding: body, as: UTF8.self).contains("b@example.com")
                ? .status(503, "{}") : .accepted("id")
        }
        let outcome = bench.send(message("small", to: hidden))
        guard case .unavailable = outcome else {
            Issue.record("\(String(describing: outcome))")
            return
        }
        let before = bench.api.bodies.count
        bench.api.answer = { _ in .accepted("again") }
        let second = bench.send(message("small", to: hidden))
        #expect(second?.isAccepted == true)
        #expect(bench.api.bodies.count == before + 1)
        #expect(bench.api.object(before)?["to"] as? [String] == ["b@example.com"])
    }

    @Test("equal alerts without a Message-ID are delivered each time, seen or unseen")
    func alerts() throws {
        let bench = try SubmissionBench()
        let content = MappedMessage(
            crlf("From: a@example.com\nSubject: s\n\nsmall"),
            to: ["a@example.com", "b@example.com"])
        for round in 1...3 {
            #expect(bench.send(content, unseen: round < 3) == accepted("id"))
            #expect(bench.api.bodies.count == 2 * round)
        }
        #expect(bench.worker.shared.ledgerHome.status.records == 0)
    }
}
