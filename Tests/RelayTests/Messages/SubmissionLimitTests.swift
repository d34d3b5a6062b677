// Messages and the API's limits, over real sockets: what is waited for, what is refused without a
// call, and what a limit of one domain leaves alone.

import Foundation
import Reactor
import TestSupport
import Testing

@testable import APIClient
@testable import Relay

@Suite("Limits of the API", .serialized)
struct SubmissionLimitTests {
    private func message(_ number: Int = 1, from: String = "a@shop.example", lines: Int = 1)
        -> MappedMessage
    {
        let body = String(repeating: "A line of text.\n", count: lines)
        return MappedMessage(
            crlf("Message-ID: <\(number)@x>\nFrom: \(from)\nSubject: s\n\n\(body)"))
    }

    private func limit(_ seconds: Int, isOfDomain: Bool = true) -> ScriptedAnswer {
        let phase = isOfDomain ? #","warming_phase":"phase_1""# : ""
        return .status(
            429,
            #"{"error":"rate_limit_exceeded","limit_type":"daily","retry_after_seconds":\#(seconds)"#
                + phase + "}")
    }

    private func isLimited(_ outcome: Outcome?) -> Bool {
        if case .rateLimited = outcome { true } else { false }
    }

    private func isAccepted(_ outcome: Outcome?) -> Bool { outcome?.isAccepted == true }

    @Test("a wait that fits is waited for, and the reply comes in the same try")
    func waits() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { [unowned api = bench.api, limit] _ in
            api.bodies.count == 1 ? limit(1, true) : .accepted("id")
        }
        let begin = bench.loop.now
        #expect(isAccepted(bench.send(message())))
        #expect(bench.loop.now.milliseconds(since: begin) >= 1_000)
        #expect(bench.api.bodies.count == 2 && bench.api.bodies[0] == bench.api.bodies[1])
        #expect(bench.worker.limitLines.isEmpty && bench.isEmpty)
        #expect(isAccepted(bench.send(message(2))))
        #expect(bench.api.bodies.count == 3)
    }

    @Test("of those that wait one asks, and its success releases the next")
    func chain() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { _ in .hold }
        let sessions = (0..<3).map { _ in ScriptedSession() }
        for (number, session) in sessions.enumerated() {
            let message = message(number)
            let submission = bench.submission(message, session)
            #expect(bench.feed(message.content, to: submission, session))
            #expect(submission.finish(by: bench.deadline) == nil)
        }
        #expect(bench.wait { bench.api.held.count == 3 })
        bench.release(limit(1))
        for count in 1...3 {
            #expect(bench.wait { bench.api.held.count == 1 })
            #expect(bench.worker.limitLines.count == 3 - count, "one is on its way alone")
            bench.release(.accepted("id"))
            #expect(bench.wait { sessions.filter { $0.outcome != nil }.count == count })
        }
        #expect(sessions.allSatisfy { isAccepted($0.outcome) })
        #expect(bench.api.bodies.count == 6 && bench.worker.limitLines.isEmpty && bench.isEmpty)
    }

    @Test("a long limit of a domain refuses that domain without a call, and no other")
    func domain() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { [limit] body in
            String(decoding: body, as: UTF8.self).contains("shop.example")
                ? limit(3_600, true) : .accepted("id")
        }
        #expect(isLimited(bench.send(message())))
        #expect(bench.api.bodies.count == 1)
        #expect(isLimited(bench.send(message(2, from: "Shop <b@SHOP.example>"))))
        #expect(isLimited(bench.send(message(3, lines: 60_000))))
        #expect(bench.api.bodies.count == 1 && bench.api.incompleteCount == 0)
        #expect(isAccepted(bench.send(message(4, from: "a@warm.example"))))
        bench.api.answer = { _ in .accepted("id") }
        #expect(isLimited(bench.send(message(5))))
        #expect(bench.worker.shared.rateLimits.forget(domain: "shop.example"))
        #expect(isAccepted(bench.send(message(6))))
        #expect(bench.isEmpty)
    }

    @Test("a limit without a warming phase is the key's")
    func key() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { [limit] _ in limit(3_600, false) }
        #expect(isLimited(bench.send(message())))
        #expect(isLimited(bench.send(message(2, from: "a@warm.example"))))
        #expect(bench.api.bodies.count == 1 && bench.isEmpty)
    }

    @Test("an upload that was cut through can't be sent again: it is refused")
    func cutThrough() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { [limit] _ in limit(1, true) }
        #expect(isLimited(bench.send(message(lines: 60_000))))
        #expect(bench.api.bodies.count == 1 && bench.isEmpty)
    }

    @Test("a wait that does not fit into what is left is not begun")
    func tooLong() throws {
        let bench = try SubmissionBench { $0.api.timeoutMilliseconds = 2_000 }
        bench.api.answer = { [limit] _ in limit(1, true) }
        #expect(isLimited(bench.send(message())))
        #expect(bench.api.bodies.count == 2, "a second was waited for, and not the next one")
        #expect(bench.worker.limitLines.isEmpty && bench.isEmpty)
    }

    @Test("a page of something in front of the API with 429 is no limit")
    func page() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { _ in .status(429, "<html>slow down</html>") }
        #expect(bench.send(message()) == .unavailable(isUncertain: false))
        bench.api.answer = { _ in .accepted("id") }
        #expect(isAccepted(bench.send(message(2))))
        #expect(bench.api.bodies.count == 2)
    }

    @Test("a group waits like any other message")
    func group() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { [unowned api = bench.api, limit] _ in
            api.bodies.count == 2 ? limit(1, true) : .accepted("id")
        }
        let content = "Message-ID: <1@x>\r\nFrom: a@shop.example\r\nSubject: s\r\n\r\nx\r\n"
        let outcome = bench.send(
            MappedMessage(content, to: ["b@x.example", "c@x.example", "d@x.example"]))
        #expect(isAccepted(outcome))
        #expect(bench.api.bodies.count == 4)
        #expect(bench.worker.limitLines.isEmpty && bench.isEmpty)
    }

    @Test("what was accepted for some stays known until a 250 was seen, also without a Message-ID")
    func unseen() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { [unowned api = bench.api] _ in
            api.bodies.count == 2 ? .status(500, "{\"error\":\"e\"}") : .accepted("id")
        }
        let content = "From: a@shop.example\r\nSubject: s\r\n\r\nx\r\n"
        let message = MappedMessage(content, to: ["b@x.example", "c@x.example"])
        #expect(bench.send(message) == .unavailable(isUncertain: true))
        #expect(isAccepted(bench.send(message, unseen: true)))
        #expect(bench.api.bodies.count == 3)
        #expect(isAccepted(bench.send(message)))
        #expect(bench.api.bodies.count == 3, "both have it")
        // The 250 was seen: the same again is another message.
        #expect(isAccepted(bench.send(message)))
        #expect(bench.api.bodies.count == 5)
    }

    @Test("a client that leaves while its message waits changes nothing for those that wait")
    func leaves() throws {
        let bench = try SubmissionBench()
        bench.api.answer = { [unowned api = bench.api, limit] _ in
            api.bodies.count <= 1 ? limit(1, true) : .accepted("id")
        }
        let session = ScriptedSession()
        let message = message()
        let submission = bench.submission(message, session)
        #expect(bench.feed(message.content, to: submission, session))
        #expect(submission.finish(by: bench.deadline) == nil)
        #expect(bench.wait { bench.worker.limitLines.count == 1 })
        submission.abandon()
        #expect(isAccepted(bench.send(self.message(2))))
        #expect(session.outcome == nil)
        #expect(bench.wait { bench.worker.limitLines.isEmpty })
        #expect(bench.api.bodies.count == 3)
    }
}
