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
        #expect(response(408, "").outcome() == .unavailable(isUncertain: true))
    }

    @Test(
        "Odd figures in a 429 do no harm",
        arguments: [
            (#"{"error":"x","retry_after_seconds":-1}"#, nil),
            (#"{"error":"x","retry_after_seconds":"7"}"#, 7),
            (#"{"error":"x","retry_after_seconds":1.2}"#, 2),
            (#"{"error":"x","retry_after_seconds":0}"#, 1),
            (#"{"error":"x","retry_after_seconds":1e300}"#, nil),
            (#"{"error":"x","retry_after_seconds":null}"#, nil),
            (#"{"error":"x","retry_after_seconds":"nan"}"#, nil),
            (#"{"error":{"retry_after_seconds":9}}"#, 9),
        ] as [(String, Int?)])
    func oddFigures(_ body: String, _ seconds: Int?) {
        #expect(
            response(429, body).outcome()
                == .rateLimited(RateLimit(kind: "", retryAfterSeconds: seconds)))
    }

    /// Each status that is the API's alone, with what it means when the body is the API's JSON.
    static let refusals: [(Int, Outcome)] = [
        (400, .invalidRequest(message: Array("w".utf8))), (401, .keyRefused),
        (402, .planLimit(message: Array("w".utf8))), (403, .forbidden(message: Array("w".utf8))),
        (404, .invalidRequest(message: Array("w".utf8))),
        (405, .invalidRequest(message: Array("w".utf8))),
        (409, .invalidRequest(message: Array("w".utf8))),
        (410, .invalidRequest(message: Array("w".utf8))),
        (415, .invalidRequest(message: Array("w".utf8))),
        (422, .allSuppressed), (429, .rateLimited(RateLimit(kind: "", retryAfterSeconds: nil))),
        (451, .invalidRequest(message: Array("w".utf8))),
        (499, .invalidRequest(message: Array("w".utf8))),
    ]
    static let shapes = [
        #"{"error":"w"}"#, #"{"error":"c","message":"w"}"#, #"{"message":"w","error":"c"}"#,
        #"{"error":{"code":"c","message":"w"}}"#, #" {"error":{"message":"w"},"more":[1]} "#,
    ]
    static let foreign = [
        "", "<html>", "{}", #"{"message":"w"}"#, #"{"detail":"w"}"#, #"{"error":null}"#,
        #"{"error":true}"#, #"{"error":4}"#, #"{"error":["w"]}"#, #"["error"]"#, #""error""#,
        #"{"error":"w""#, #"{"error":"w"} x"#, #"{"data":{"error":"w"}}"#,
        #"{"errors":[{"message":"w"}]}"#, "\u{FEFF}<!DOCTYPE html>",
    ]

    @Test("A 4xx counts only with the API's JSON, in each of its shapes")
    func refusalsAndShapes() {
        for (status, outcome) in Self.refusals {
            for body in Self.shapes {
                #expect(response(status, body).outcome() == outcome, "\(status) \(body)")
                #expect(!response(status, body).isForeign)
            }
            for body in Self.foreign {
                let answer = response(status, body, retryAfter: 1)
                #expect(answer.outcome() == .unavailable(isUncertain: false), "\(status) \(body)")
                #expect(answer.isForeign)
            }
        }
        for body in Self.shapes + Self.foreign {
            #expect(response(413, body).outcome() == .tooLarge)
            #expect(response(408, body).outcome() == .unavailable(isUncertain: true))
            for status in [200, 302, 408, 413, 500, 503] {
                #expect(!response(status, body).isForeign)
            }
        }
    }

    @Test(
        "A 403 that speaks of a plan is a limit, and only whole words count",
        arguments: [
            (#"{"error":"plan limit reached"}"#, true), (#"{"error":"Quota exceeded."}"#, true),
            (#"{"error":"plan_limit_reached","message":"no"}"#, true),
            (#"{"error":{"code":"PLAN-LIMIT","message":"no"}}"#, true),
            (#"{"error":{"code":"planLimit","message":"no"}}"#, true),
            (#"{"error":"forbidden","message":"You have no credits left"}"#, true),
            (#"{"error":"not in your plan"}"#, true), (#"{"error":"limit"}"#, true),
            (#"{"error":"planet is limited"}"#, false), (#"{"error":"unlimited"}"#, false),
            (#"{"error":"explanation"}"#, false), (#"{"error":"accredits"}"#, false),
            (#"{"error":"domain not verified"}"#, false), (#"{"error":""}"#, false),
        ])
    func planLimits(_ body: String, _ isLimit: Bool) {
        let outcome = response(403, body).outcome()
        if case .planLimit = outcome { #expect(isLimit) } else { #expect(!isLimit, "\(outcome)") }
    }

    @Test("A limit with a warming phase is the domain's")
    func warming() {
        for (body, isOfDomain) in [
            (#"{"error":"x","warming_phase":"phase_1"}"#, true), (#"{"error":"x"}"#, false),
            (#"{"error":"x","warming_phase":null}"#, false),
            (#"{"error":"x","warming_phase":""}"#, false),
            (#"{"error":{"code":"x","warming_phase":"phase_4"}}"#, true),
        ] {
            let limit = RateLimit(kind: "", retryAfterSeconds: nil, isOfDomain: isOfDomain)
            #expect(response(429, body).outcome() == .rateLimited(limit), "\(body)")
        }
    }
}
