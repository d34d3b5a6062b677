// What an answer of the API means for a message, without its reply.

import Testing
import Wire

@testable import APIClient

@Suite("Outcome")
struct OutcomeTests {
    private func response(_ status: Int, _ body: String, retryAfter: Int? = nil) -> APIResponse {
        APIResponse(
            status: status, requestIDBytes: [], retryAfterSeconds: retryAfter,
            body: Array(body.utf8))
    }

    @Test func `a message id reuses the memory of the one before when nobody else holds it`() {
        var memory: [UInt8] = []
        let first = response(202, #"{"message_id":"first"}"#).outcome(reusing: &memory)
        let second = response(202, #"{"message_id":"se\u0063ond"}"#).outcome(reusing: &memory)
        let third = response(202, #"{"message_id":7}"#).outcome(reusing: &memory)
        #expect(first == .accepted(messageID: Array("first".utf8)))
        #expect(second == .accepted(messageID: Array("second".utf8)))
        #expect(third == .accepted(messageID: Array("7".utf8)))
        let none = response(202, "{}").outcome(reusing: &memory)
        #expect(none == .accepted(messageID: []))
    }

    @Test("Only a server's failure, or a success that can't be read, is uncertain")
    func uncertain() {
        #expect(response(500, "").outcome() == .unavailable(isUncertain: true))
        #expect(response(200, "x").outcome() == .unavailable(isUncertain: true))
        #expect(response(302, "").outcome() == .unavailable(isUncertain: false))
        #expect(response(404, "").outcome() == .unavailable(isUncertain: false))
    }

    @Test(
        "Odd figures in a 429 do no harm",
        arguments: [
            (#"{"retry_after_seconds":-1}"#, nil), (#"{"retry_after_seconds":"7"}"#, 7),
            (#"{"retry_after_seconds":1.2}"#, 2), (#"{"retry_after_seconds":1e300}"#, nil),
            (#"{"retry_after_seconds":null}"#, nil), (#"{"retry_after_seconds":"nan"}"#, nil),
            (#"{"error":{"retry_after_seconds":9}}"#, 9),
        ] as [(String, Int?)])
    func oddFigures(_ body: String, _ seconds: Int?) {
        #expect(
            response(429, body).outcome()
                == .rateLimited(RateLimit(kind: "", retryAfterSeconds: seconds)))
    }
}
