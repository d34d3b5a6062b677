// The API's decisions without sockets: heads and bodies in, answers out.

import HTTPServer
import Testing
import Wire

@testable import Log
@testable import Sandbox

@Suite struct SandboxServiceTests {
    private let service = SandboxService(
        options: SandboxOptions(addresses: []), log: EventLog.silent())

    private func request(_ line: String, key: String? = "ps_test_x", type: String? = nil)
        -> SandboxRequest
    {
        var text = line + " HTTP/1.1\r\nHost: localhost\r\n"
        if let key { text += "Authorization: bearer  \(key)\r\n" }
        if let type { text += "Content-Type: \(type)\r\n" }
        let bytes = Array((text + "\r\n").utf8)
        guard case .head(let head) = HTTPRequestHead.parse(bytes.span) else {
            preconditionFailure("a test's own request head")
        }
        return SandboxRequest(HTTPRequest(head, in: bytes.span))
    }

    /// Status and body of the answer to a whole request.
    private func answer(_ request: SandboxRequest, _ body: String = "") -> (Int, String) {
        let answer =
            switch service.admit(request) {
            case .answer(let early): early
            case .body: service.respond(to: request, body: Array(body.utf8))
            }
        return (answer.status, String(decoding: answer.body, as: UTF8.self))
    }

    private func send(
        _ body: String = #"{"from":"a@b.test","to":["c@d.test"],"subject":"s","text_body":"t"}"#,
        key: String? = "ps_test_x", type: String? = "application/json; charset=utf-8"
    ) -> (Int, String) {
        answer(request("POST /v1/send", key: key, type: type), body)
    }

    private func send(from: String = "a@b.test", to: [String]) -> Int {
        let list = to.map { "\"\($0)\"" }.joined(separator: ",")
        return send(#"{"from":"\#(from)","to":[\#(list)],"subject":"s","text_body":"t"}"#).0
    }

    @Test("A live key's message is queued, a test key's simulated")
    func accepted() throws {
        let live = send(key: "ps_live_x")
        #expect(live.0 == 202)
        let liveID = try #require(service.store.messages.last?.messageID)
        #expect(liveID.hasSuffix("@b.test") && liveID.utf8.count == 16 + 7)
        #expect(live.1 == #"{"message_id":"\#(liveID)","status":"queued"}"#)
        let test = send()
        let testID = try #require(service.store.messages.last?.messageID)
        #expect(
            test.1
                == #"{"message_id":"\#(testID)","status":"simulated","environment":"test"}"#)
    }

    @Test("Each error has its shape")
    func shapes() {
        #expect(send(key: nil) == (401, #"{"error":"invalid or revoked API key"}"#))
        #expect(
            send("{") == (
                400,
                #"{"error":{"code":"invalid_request","message":"request body is not valid JSON: "#
                    + #"syntax error at byte 1"}}"#
            ))
        #expect(
            send(key: "ps_test_forbidden") == (
                403,
                #"{"error":"forbidden","message":"this API key is not permitted to do this"}"#
            ))
    }

    @Test(
        "Heads that are refused",
        arguments: [
            ("POST /v1/send", "ps_test_x", "text/plain", 415),
            ("POST /v1/send", "ps_test_x", nil, 415),
            ("POST /v1/send", "ps_test_revoked", "application/json", 401),
            ("POST /v1/send", "ps_test_toolarge", "application/json", 413),
            ("GET /v1/send", "ps_test_x", nil, 405),
            ("POST /v1/emails", "ps_test_x", nil, 405),
            ("GET /v1/nothing", "ps_test_x", nil, 404), ("GET /nothing", nil, nil, 404),
            ("GET /v1/emails", nil, nil, 401),
        ] as [(String, String?, String?, Int)])
    func heads(line: String, key: String?, type: String?, status: Int) {
        guard case .answer(let answer) = service.admit(request(line, key: key, type: type)) else {
            Issue.record("admitted")
            return
        }
        #expect(answer.status == status)
    }

    @Test("Magic domains")
    func domains() {
        #expect(send(to: ["a@suppressed.test", "B <b@Suppressed.test>"]) == 422)
        #expect(send(to: ["a@suppressed.test", "b@c.test"]) == 202)
        #expect(send(to: ["a@c.test", "b@invalid.test"]) == 400)
        #expect(send(to: ["a@down.test"]) == 503)
        #expect(send(to: ["a@flaky.test"]) == 503)
        #expect(send(to: ["a@flaky.test"]) == 202)
        #expect(send(to: ["suppressed@example.com", "B <Suppressed+2@Example.com>"]) == 422)
        #expect(send(to: ["suppressed@example.com", "b@example.com"]) == 202)
        #expect(send(to: ["invalid@example.com"]) == 400)
        #expect(send(to: ["403-plan.coded+x@example.com"]) == 403)
        #expect(send(to: ["flaky+1@example.com"]) == 503)
        #expect(send(to: ["flaky+2@example.com"]) == 503)
        #expect(send(to: ["flaky+1@example.com"]) == 202)
        #expect(send(to: ["unverified@example.com", "down.x@example.com"]) == 202)
        #expect(send(from: "a@unverified.test", to: ["a@c.test"]) == 403)
    }

    @Test(
        "Recipients whose domain asks for an error",
        arguments: [
            ("403.coded.test", 403), ("403-plan.nested.test", 403), ("402.text.test", 402),
            ("409.nested.test", 409), ("404.text.test", 404), ("401.page.test", 401),
            ("422.page.test", 422), ("429.page.test", 429), ("503.page.test", 503),
            ("403.foreign.test", 403), ("lost.test", 202), ("1s.late.test", 202),
        ])
    func magicRecipients(domain: String, status: Int) {
        #expect(send(to: ["b@example.com", "a@\(domain)"]) == status)
        #expect(service.store.messages.count == (status == 202 ? 1 : 0))
    }

    @Test("A late answer comes when the domain says, a lost one never")
    func deliveries() throws {
        for (domain, delivery) in [
            ("70s.late.test", HTTPAnswer.Delivery.after(milliseconds: 70_000)),
            ("lost.test", .reset), ("example.com", .now),
        ] {
            let body =
                #"{"from":"a@b.test","to":["c@\#(domain)"],"subject":"s","text_body":"t"}"#
            let answer = service.respond(
                to: request("POST /v1/send", type: "application/json"), body: Array(body.utf8))
            #expect(answer.delivery == delivery && answer.status == 202)
        }
    }

    @Test(
        "A template whose name begins with unknown does not exist",
        arguments: [
            (#""template":"welcome""#, 202), (#""template":"unknown""#, 404),
            (#""template":"unknown-welcome""#, 404), (#""template_id":"unknown""#, 404),
            (#""template":"wellknown""#, 202),
        ])
    func templates(field: String, status: Int) {
        let answer = send(#"{"from":"a@b.test","to":["c@d.test"],\#(field)}"#)
        #expect(answer.0 == status)
        #expect(status == 202 || answer.1.hasPrefix(#"{"error":{"code":"template_not_found","#))
    }

    @Test("A sending domain that warms up meets its limit, other domains of the key do not")
    func warming() {
        let slow = "a@minute2.warming.test"
        #expect([1, 2, 3].map { _ in send(from: slow, to: ["b@c.test"]) } == [202, 202, 429])
        let body = #"{"from":"\#(slow)","to":["b@c.test"],"subject":"s","text_body":"t"}"#
        let answer = send(body).1
        #expect(
            answer.hasPrefix(
                #"{"error":"rate_limit_exceeded","message":"per_minute sending limit exceeded","#
                    + #""limit_type":"per_minute","limit":2,"used":2,"retry_after_seconds":"#)
                && answer.hasSuffix(#","warming_phase":"phase_1"}"#))
        #expect(send(from: "a@warmed.example", to: ["b@c.test"]) == 202)
        #expect(send(from: "a@minut2.warming.test", to: ["b@c.test"]) == 403)
    }

    @Test("A key that is revoked in the middle")
    func revokedInTheMiddle() {
        let key = "ps_test_revoked_after_2"
        #expect(answer(request("GET /v1/emails", key: key)).0 == 200)
        #expect([1, 2, 3, 4].map { _ in send(key: key).0 } == [202, 202, 401, 401])
        #expect(answer(request("GET /v1/emails", key: key)).0 == 401)
        #expect(send(key: key + "_other").0 == 202, "each key is counted for itself")
    }

    @Test(
        "A fault for some messages, then all is as usual",
        arguments: [
            ("limited_brief_for_1", [429, 202, 202]), ("toolarge_for_1", [413, 202, 202]),
            ("revoked_later_after_1_for_1", [202, 401, 202]),
            ("send_503_page_after_1_for_1", [202, 503, 202]),
        ])
    func some(name: String, statuses: [Int]) {
        #expect(statuses.map { _ in send(key: "ps_test_\(name)").0 } == statuses)
    }

    @Test("A key check that fails once")
    func keyCheckOnce() {
        for name in ["auth_403_page_for_1", "auth_429_page_for_1", "auth_down_for_1"] {
            let key = "ps_test_" + name
            #expect(answer(request("GET /v1/emails", key: key)).0 != 200, "\(name)")
            #expect(answer(request("GET /v1/emails", key: key)).0 == 200, "\(name)")
            #expect(send(key: key).0 == 202, "\(name)")
        }
    }

    @Test("The key check lists messages, newest first, with filters and pages")
    func emails() {
        #expect(answer(request("GET /v1/emails?limit=1")) == (200, #"{"emails":[],"total":0}"#))
        for name in ["one", "two", "three"] {
            _ = send(
                #"{"from":"a@b.test","to":["\#(name)@d.test"],"subject":"\#(name)","text_body":"t"}"#
            )
        }
        let page = answer(request("GET /v1/emails?limit=1&offset=1")).1
        #expect(page.contains(#""subject":"two""#) && page.hasSuffix(#"],"total":3}"#))
        let filtered = answer(request("GET /v1/emails?to=one%40d.test&status=simulated")).1
        #expect(filtered.contains(#""subject":"one""#) && filtered.hasSuffix(#"],"total":1}"#))
        for query in ["limit=0", "limit=101", "limit=x", "offset=-1"] {
            #expect(answer(request("GET /v1/emails?\(query)")).0 == 400)
        }
        #expect(answer(request("GET /v1/emails", key: "ps_test_auth_down")).0 == 503)
        #expect(answer(request("GET /v1/emails", key: "ps_test_sendonly")).0 == 403)
    }

    @Test("Suppressions")
    func suppressions() {
        let check = "GET /v1/suppressions/check"
        #expect(answer(request(check)).0 == 400)
        #expect(
            answer(request("\(check)?email=a@b.test")) == (200, #"{"suppressed":false}"#))
        #expect(
            answer(request("\(check)?email=a%40suppressed.test")).1
                .hasPrefix(#"{"suppressed":true,"entry":{"email":"a@suppressed.test""#))
    }

    @Test("Test access shows messages as received, and attachments decoded")
    func testAccess() throws {
        let body =
            #"{"attachments":[{"filename":"f\n.txt","content":"aMOk"}],"from":"a@b.test","#
            + #""to":["c@d.test"],"subject":"s","text_body":"t"}"#
        #expect(send(body).0 == 202)
        let id = try #require(service.store.messages.first?.messageID)
            .replacing("@", with: "%40")
        #expect(answer(request("GET /sandbox/messages/\(id)", key: nil)) == (200, body))
        #expect(
            answer(request("GET /sandbox/messages/\(id)/attachments/1", key: nil)) == (200, "hä"))
        for path in ["\(id)/attachments/0", "\(id)/attachments/2", "\(id)/x", "nothing"] {
            #expect(answer(request("GET /sandbox/messages/\(path)", key: nil)).0 == 404)
        }
        let list = answer(request("GET /sandbox/messages", key: nil)).1
        #expect(
            list.contains(#""attachments":[{"filename":"f\n.txt","content_type":"","bytes":3}]"#))
        #expect(answer(request("DELETE /sandbox/messages", key: nil)).0 == 200)
        #expect(service.store.messages.isEmpty)
    }
}
