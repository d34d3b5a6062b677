// From an answer of the API to the reply on the wire: the table of "Replies, to the letter".

import Testing
import Wire

@testable import APIClient
@testable import Relay

/// A reply as it is on the wire, without its line end.
func onWire(_ reply: Reply) -> String {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Reply.wireBytesMax) { memory in
        var region = Region(memory)
        reply.write(into: &region, enhanced: false)
        // CRLF is one Swift character.
        return String(region.bytes.copiedText().dropLast(1))
    }
}

@Suite("Replies for outcomes")
struct OutcomeReplyTests {
    struct Row: CustomTestStringConvertible {
        var status: Int
        var body: String
        var reply: String
        var testDescription: String { "\(status) \(body)" }

        init(_ status: Int, _ body: String, _ reply: String) {
            self.status = status
            self.body = body
            self.reply = reply
        }
    }

    private func response(_ status: Int, _ body: String, retryAfter: Int? = nil) -> APIResponse {
        APIResponse(
            status: status, requestIDBytes: [], retryAfterSeconds: retryAfter,
            body: Array(body.utf8))
    }

    static let rows = [
        Row(202, #"{"message_id":"a1@x.com","status":"queued"}"#, "250 Ok: queued as a1@x.com"),
        Row(200, #"{"status":"queued","message_id":"a1"}"#, "250 Ok: queued as a1"),
        Row(201, #" {"message_id":"a1","more":[1,{"message_id":"no"}]} "#, "250 Ok: queued as a1"),
        Row(202, "{}", "250 Ok: queued"),
        Row(202, #"{"message_id":"a\r\n250 b"}"#, "250 Ok: queued as a 250 b"),
        Row(202, "<html>", "451 API unavailable"),
        Row(202, "", "451 API unavailable"),
        Row(202, #"{"message_id":"a1""#, "451 API unavailable"),
        Row(202, #"{"message_id":"a1"} x"#, "451 API unavailable"),
        Row(400, #"{"error":"bad from"}"#, "554 bad from"),
        Row(400, #"{"error":"invalid","message":"bad from"}"#, "554 bad from"),
        Row(400, #"{"message":"bad from","error":"invalid"}"#, "554 bad from"),
        Row(400, #"{"error":{"code":"invalid","message":"bad from"}}"#, "554 bad from"),
        Row(400, #"{"error":{"code":"invalid"}}"#, "554 invalid"),
        Row(400, #"{"error":"line\r\nbreak \u00e4"}"#, "554 line break ?"),
        Row(400, #"{"error":""}"#, "554 Message rejected by the API"),
        Row(400, "not JSON", "451 API unavailable"),
        Row(400, #"{"error":null}"#, "451 API unavailable"),
        Row(401, #"{"error":"revoked"}"#, "451 Authentication failed, log in again"),
        Row(401, "<html>", "451 API unavailable"),
        Row(402, #"{"error":"pay\r\n\u0007first"}"#, "452 pay first"),
        Row(402, #"{"error":{}}"#, "452 Plan limit reached"),
        Row(402, "<html>", "451 API unavailable"),
        Row(403, #"{"error":"plan_limit","message":"upgrade now"}"#, "452 upgrade now"),
        Row(403, #"{"error":"domain not verified"}"#, "550 domain not verified"),
        Row(403, #"{"error":{}}"#, "550 Not permitted by the API"),
        Row(403, "", "451 API unavailable"),
        Row(408, #"{"error":"x"}"#, "451 API unavailable"),
        Row(413, "", "552 Message size exceeds maximum"),
        Row(422, #"{"error":"x"}"#, "550 All recipients suppressed"),
        Row(422, "<html>", "451 API unavailable"),
        Row(429, #"{"error":"x"}"#, "452 Rate limit exceeded, try again later"),
        Row(429, "", "451 API unavailable"),
        Row(500, #"{"error":"x"}"#, "451 API unavailable"),
        Row(503, "", "451 API unavailable"),
        Row(302, "", "451 API unavailable"),
        Row(404, #"{"error":"no template"}"#, "554 no template"),
        Row(409, #"{"error":"conflict"}"#, "554 conflict"),
        Row(409, "", "451 API unavailable"),
        Row(418, #"{"error":"a teapot"}"#, "554 a teapot"),
    ]

    @Test("Every status has its reply", arguments: rows)
    func table(_ row: Row) {
        #expect(
            onWire(response(row.status, row.body).outcome().reply(isVerbose: false)) == row.reply)
    }

    @Test("A 429 says which limit and until when; its body goes before its header")
    func rateLimit() {
        let body =
            #"{"error":"rate_limit_exceeded","message":"daily sending limit exceeded","#
            + #""limit_type":"daily","limit":1500,"used":1500,"retry_after_seconds":3600}"#
        let full = response(429, body, retryAfter: 5).outcome()
        #expect(full == .rateLimited(RateLimit(kind: "daily", retryAfterSeconds: 3_600)))
        #expect(
            onWire(full.reply(isVerbose: true))
                == "452 Rate limit exceeded, try again later: daily limit, retry in 3600 seconds")
        #expect(onWire(full.reply(isVerbose: false)) == "452 Rate limit exceeded, try again later")
        let header = response(429, #"{"error":"x"}"#, retryAfter: 5).outcome()
        #expect(header == .rateLimited(RateLimit(kind: "", retryAfterSeconds: 5)))
        #expect(
            onWire(header.reply(isVerbose: true))
                == "452 Rate limit exceeded, try again later: retry in 5 seconds")
        #expect(
            onWire(response(429, #"{"error":"x"}"#).outcome().reply(isVerbose: true))
                == "452 Rate limit exceeded, try again later")
    }

    @Test("The relay's own refusals have their replies")
    func own() {
        let parse = Outcome.unparsable(reason: Array("no colon in header 3".utf8))
        #expect(
            onWire(parse.reply(isVerbose: false))
                == "554 Failed to parse message: no colon in header 3")
        let size = Outcome.attachmentLimit(isSize: true, reason: Array("too big".utf8))
        #expect(onWire(size.reply(isVerbose: false)) == "552 too big")
        let number = Outcome.attachmentLimit(isSize: false, reason: Array("too many".utf8))
        #expect(onWire(number.reply(isVerbose: false)) == "554 too many")
        #expect(
            onWire(Outcome.noRoom.reply(isVerbose: false))
                == "451 Insufficient resources, try again later")
        #expect(onWire(Outcome.tooManyHops.reply(isVerbose: false)) == "554 Too many hops")
        #expect(
            onWire(Outcome.groupTooLarge.reply(isVerbose: false))
                == "552 Message too large for its number of hidden recipients")
        #expect(
            onWire(Outcome.protected(isEncrypted: false).reply(isVerbose: false))
                == "554 Signed message refused, because its signature would be lost")
        #expect(
            onWire(Outcome.protected(isEncrypted: true).reply(isVerbose: false))
                == "554 Encrypted message refused, because it would arrive as a file")
    }

    @Test("A verbose 250 says what was lost, as much of it as its line has room for")
    func losses() {
        func reply(_ id: Int, _ losses: String) -> String {
            let id = Array(String(repeating: "i", count: id).utf8)
            return onWire(
                Outcome.accepted(messageID: id).reply(isVerbose: true, losses: losses))
        }
        #expect(reply(2, "") == "250 Ok: queued as ii")
        #expect(reply(2, "a lost") == "250 Ok: queued as ii (a lost)")
        #expect(reply(0, "a lost; b lost") == "250 Ok: queued (a lost; b lost)")
        for id in 0..<520 {
            let long = Array(repeating: "0123456789", count: 60).joined(separator: "; ")
            let line = reply(id, long)
            #expect(line.utf8.count <= 510)
            guard line.contains("(") else { continue }
            #expect(line.hasSuffix("0123456789; more)"), "\(line)")
            #expect(id > 470 || line.utf8.count > 480)
        }
        #expect(!reply(495, "0123456789").contains("("))
    }
}
