// A client that ends its side while its message is at the API: it is gone, or it waits for the
// reply.

import Reactor
import TestSupport
import Testing

@testable import APIClient
@testable import Relay

@Suite("A client that may be gone", .serialized)
struct SubmissionDoubtTests {
    private static let unavailable = Outcome.unavailable(isUncertain: false)

    private func message(to recipients: [String], hasID: Bool) -> MappedMessage {
        let head = "From: a@example.com\nSubject: s\n\nsmall"
        return MappedMessage(
            crlf((hasID ? "Message-ID: <1@example.com>\n" : "") + head), to: recipients)
    }

    /// A message that waits for the API when its client ends its side.
    private func inDoubt(
        _ bench: SubmissionBench, _ message: MappedMessage, _ session: ScriptedSession, held: Int
    ) -> Submission {
        let submission = bench.submission(message, session)
        #expect(bench.feed(message.content, to: submission, session))
        #expect(submission.finish(by: bench.deadline) == nil)
        #expect(bench.wait { bench.api.held.count == held })
        submission.clientMayBeGone()
        return submission
    }

    @Test(
        "no second call while the first is in flight; once it was seen, the same may be sent again")
    func seen() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { _ in .hold }
        let session = ScriptedSession()
        let message = message(to: ["to@example.com"], hasID: true)
        let submission = inDoubt(bench, message, session, held: 1)
        #expect(bench.send(message) == Self.unavailable)
        bench.release(.accepted("first"))
        #expect(bench.wait { session.outcome != nil })
        #expect(session.outcome?.isAccepted == true)
        submission.acceptedAndSeen()
        bench.api.answer = { _ in .accepted("second") }
        #expect(bench.send(message)?.isAccepted == true)
        #expect(bench.api.bodies.count == 2)
    }

    @Test("what was not seen answers the next try")
    func unseen() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { _ in .hold }
        let session = ScriptedSession()
        let message = message(to: ["to@example.com"], hasID: true)
        let submission = inDoubt(bench, message, session, held: 1)
        bench.release(.accepted("first"))
        #expect(bench.wait { session.outcome != nil })
        submission.acceptedButUnseen()
        #expect(bench.send(message) == .accepted(messageID: Array("first".utf8)))
        #expect(bench.api.bodies.count == 1)
    }

    @Test("a refusal leaves no record")
    func refused() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { _ in .hold }
        let session = ScriptedSession()
        let message = message(to: ["to@example.com"], hasID: true)
        _ = inDoubt(bench, message, session, held: 1)
        bench.release(.status(503, "{}"))
        #expect(bench.wait { session.outcome != nil })
        bench.api.answer = { _ in .accepted("second") }
        #expect(bench.send(message)?.isAccepted == true)
    }

    @Test("a group that was seen may be sent again, to everybody")
    func groupSeen() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { _ in .hold }
        let session = ScriptedSession()
        let message = message(to: ["a@example.com", "b@example.com"], hasID: false)
        let submission = inDoubt(bench, message, session, held: 2)
        bench.release(.accepted("first"))
        #expect(bench.wait { session.outcome != nil })
        submission.acceptedAndSeen()
        bench.api.answer = { _ in .accepted("second") }
        #expect(bench.send(message)?.isAccepted == true)
        #expect(bench.api.bodies.count == 4)
    }

    @Test("a group whose 250 was not seen answers the next try at once")
    func groupUnseen() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { _ in .hold }
        let session = ScriptedSession()
        let message = message(to: ["a@example.com", "b@example.com"], hasID: true)
        let submission = inDoubt(bench, message, session, held: 2)
        #expect(bench.send(message) == Self.unavailable)
        bench.release(.accepted("first"))
        #expect(bench.wait { session.outcome != nil })
        submission.acceptedButUnseen()
        #expect(bench.send(message) == .accepted(messageID: Array("first".utf8)))
        #expect(bench.api.bodies.count == 2)
    }

    /// When an earlier try ends, the records that a later try has claimed must not come back.
    @Test("the ledger is told once which recipients have the message of a group")
    func groupRecordsOnce() throws {
        let bench = try SubmissionBench()
        let isForA = { (body: [UInt8]) in
            String(decoding: body, as: UTF8.self).contains("a@example.com\"]")
        }
        bench.api.answer = { isForA($0) ? .accepted("a") : .hold }
        let session = ScriptedSession()
        let message = message(to: ["a@example.com", "b@example.com"], hasID: false)
        let submission = inDoubt(bench, message, session, held: 1)
        #expect(bench.wait { bench.worker.shared.ledger.count == 1 })

        // The next try uses the record of a, and sends only to b.
        let secondSession = ScriptedSession()
        let second = bench.submission(message, secondSession)
        #expect(bench.feed(message.content, to: second, secondSession))
        #expect(second.finish(by: bench.deadline) == nil)
        #expect(bench.wait { bench.api.held.count == 2 })
        bench.release(.accepted("b"))
        #expect(bench.wait { session.outcome != nil && secondSession.outcome != nil })
        submission.acceptedButUnseen()

        // A third time, on purpose: b is known from the first try, a is not.
        bench.api.answer = { _ in .accepted("third") }
        let before = bench.api.bodies.count
        #expect(bench.send(message)?.isAccepted == true)
        #expect(bench.api.bodies.count == before + 1)
        #expect(bench.api.object(before)?["to"] as? [String] == ["a@example.com"])
    }
}
