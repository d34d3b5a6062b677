// The inbox: what only the sandbox has. Heads and bodies in, answers out.

import Foundation
import HTTPServer
import Testing
import Wire

@testable import Log
@testable import Sandbox

@Suite struct SandboxInboxTests {
    private let service = SandboxService(
        options: SandboxOptions(addresses: []), log: EventLog.silent())

    private func request(_ line: String, _ fields: String = "") -> HTTPRequest {
        let bytes = Array((line + " HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n").utf8)
        guard case .head(let head) = HTTPRequestHead.parse(bytes.span) else {
            preconditionFailure("a test's own request head")
        }
        return HTTPRequest(head, in: bytes.span)
    }

    private func ask(_ line: String, _ body: String = "") throws -> (Int, NSDictionary) {
        let request = SandboxRequest(request(line))
        let answer =
            switch service.admit(request) {
            case .answer(let early): early
            case .body: service.respond(to: request, body: Array(body.utf8))
            }
        let object = try? JSONSerialization.jsonObject(with: Data(answer.body)) as? NSDictionary
        return (answer.status, object ?? [:])
    }

    private func keep(_ subject: String, text: String = "t") throws {
        let body =
            #"{"from":"a@b.test","to":["c@d.test"],"subject":"\#(subject)","#
            + #""text_body":"\#(text)"}"#
        guard case .valid(let request) = SendRequest.parse(Array(body.utf8)) else {
            preconditionFailure("a test's own message")
        }
        _ = try service.store.add(request, body: Array(body.utf8), isTest: true)
    }

    private func numbers(_ query: String) throws -> [Int] {
        let list = try ask("GET /sandbox/messages?" + query).1["messages"] as? [NSDictionary]
        return (list ?? []).compactMap { $0["number"] as? Int }
    }

    @Test("Messages are counted, and asked for from a number on")
    func after() throws {
        for subject in ["one", "two", "three"] { try keep(subject) }
        #expect(try numbers("") == [1, 2, 3])
        #expect(try numbers("after=1") == [2, 3])
        #expect(try numbers("after=3") == [])
        #expect(try ask("GET /sandbox/messages?after=x").0 == 400)
        let second = try #require(service.store.messages.dropFirst().first?.messageID)
        #expect(try ask("DELETE /sandbox/messages/\(second)").0 == 200)
        #expect(try ask("DELETE /sandbox/messages/\(second)").0 == 404)
        #expect(try numbers("") == [1, 3])
        #expect(try ask("GET /sandbox/messages").1["first"] as? Int == 1)
        #expect(try ask("DELETE /sandbox/messages").0 == 200)
        try keep("four")
        #expect(try numbers("") == [4], "a number is never given twice")
    }

    @Test(
        "A search finds addresses, subjects and content, without case",
        arguments: [("TWO", [2]), ("c@D.test", [1, 2]), ("needle", [1]), ("nothing", [])])
    func search(_ text: String, _ expected: [Int]) throws {
        try keep("one", text: "hay and a Needle")
        try keep("two")
        #expect(try numbers("q=" + text) == expected)
    }

    @Test("The answer that a message had is kept with it")
    func answer() throws {
        try keep("one")
        let list = try ask("GET /sandbox/messages").1["messages"] as? [NSDictionary]
        let answer = list?.first?["answer"] as? NSDictionary
        #expect(answer?["status"] as? Int == 202)
        let body = answer?["body"] as? NSDictionary
        #expect(body?["message_id"] as? String == service.store.messages[0].messageID)
    }

    @Test("Refusals are kept, the last of them")
    func refusals() throws {
        let send = request("POST /v1/send")
        for number in 0..<SandboxRefusals.countMax + 5 {
            service.note(.decided(.badRequest("number \(number)"), to: send))
        }
        service.note(.decided(HTTPAnswer(status: 202, json: "{}"), to: send))
        service.note(.decided(.notFound(), to: request("GET /elsewhere")))
        let list = try ask("GET /sandbox/refusals").1["refusals"] as? [NSDictionary] ?? []
        #expect(list.count == SandboxRefusals.countMax)
        #expect((list.last?["body"] as? String)?.contains("number 204") == true)
        #expect(list.last?["status"] as? Int == 400)
    }

    /// The status of a call, by its head first, as the server asks.
    private func status(_ line: String, _ fields: String, _ body: String = "") -> Int {
        let request = request(line, fields)
        switch service.admit(request) {
        case .answer(let answer): return answer.status
        case .body:
            var status = 0
            service.respond(to: request, body: Array(body.utf8)) { status = $0.status }
            return status
        }
    }

    @Test(
        "A call that sets a limit needs JSON and the call field: no web page can make it",
        arguments: [
            ("Content-Type: application/json\r\nX-Requested-By: test\r\n", 200),
            ("Content-Type: application/json\r\n", 403), ("X-Requested-By: test\r\n", 415),
            ("Content-Type: text/plain\r\nX-Requested-By: test\r\n", 415),
            ("Content-Type: text/plain\r\n", 415), ("", 415),
        ])
    func calls(fields: String, expected: Int) throws {
        let body = #"{"domain":"shop.example","limit_type":"daily","limit":1}"#
        #expect(status("POST /sandbox/limits", fields, body) == expected)
        let limits = try ask("GET /sandbox/limits").1["limits"] as? [NSDictionary]
        #expect(limits?.count == (expected == 200 ? 1 : 0))
    }

    @Test("Limits are set, shown and forgotten by calls")
    func limits() throws {
        let fields = "Content-Type: application/json\r\nX-Requested-By: test\r\n"
        let body = #"{"domain":"shop.example","limit_type":"hourly","limit":1}"#
        #expect(status("POST /sandbox/limits", fields, "limit=1") == 400)
        #expect(status("POST /sandbox/limits", fields, body) == 200)
        let message =
            #"{"from":"a@shop.example","to":["b@c.test"],"subject":"s","text_body":"t"}"#
        func send() -> [Int] {
            let key = "Authorization: Bearer ps_test_x\r\nContent-Type: application/json\r\n"
            return (0..<2).map { _ in status("POST /v1/send", key, message) }
        }
        #expect(send() == [202, 429])
        let limits = try ask("GET /sandbox/limits").1["limits"] as? [NSDictionary]
        let expected: NSDictionary = [
            "domain": "shop.example", "limit_type": "hourly", "limit": 1, "used": 1,
            "window_seconds": 3_600,
        ]
        #expect(limits?.count == 1 && limits?.first == expected)
        #expect(try ask("DELETE /sandbox/limits").0 == 200)
        #expect(send() == [202, 202])
        #expect(try ask("PUT /sandbox/limits").0 == 405)
    }

    @Test(
        "The page is there, and may load nothing from elsewhere",
        arguments: [
            "/", "/sandbox/inbox.css", "/sandbox/inbox.js",
        ])
    func page(_ path: String) throws {
        let answer = service.respond(to: SandboxRequest(request("GET \(path)")), body: [])
        #expect(answer.status == 200 && answer.body.count > 1_000)
        let policy = answer.headers.first { $0.name == "Content-Security-Policy" }?.value ?? ""
        #expect(policy.hasPrefix("default-src 'none'") && !policy.contains("http"))
        #expect(try ask("POST \(path)").0 == 405)
    }
}

@Suite struct SandboxChaosTests {
    @Test(
        "Shares by flag",
        arguments: [
            ("429=5,503=2", [5, 0, 2, 0, 0]), ("slow=100", [0, 0, 0, 100, 0]),
            ("", [0, 0, 0, 0, 0]),
            ("500=1,reset=3", [0, 1, 0, 0, 3]),
        ])
    func flag(_ text: String, _ expected: [Int]) {
        #expect(SandboxChaos(text)?.percents == expected)
    }

    @Test(
        "What is no share",
        arguments: [
            "429", "429=", "429=x", "429=101", "429=-1", "404=1", "429=1,429=2", "429=60,503=60",
            "429=1=2",
        ])
    func wrong(_ text: String) { #expect(SandboxChaos(text) == nil) }

    @Test(
        "Shares by call, and back",
        arguments: [
            (#"{"429":5,"slow":10}"#, true), ("{}", true), (#"{"429":101}"#, false), ("[]", false),
            (#"{"teapot":1}"#, false), (#"{"429":"5"}"#, false), (#"{"429":60,"500":60}"#, false),
            (#"{"429":5} "#, true), (#"{"429":5}x"#, false),
        ])
    func call(_ text: String, _ isRight: Bool) {
        let chaos = SandboxChaos(json: Array(text.utf8).span)
        #expect((chaos != nil) == isRight)
        if let chaos { #expect(SandboxChaos(json: chaos.json.span) == chaos) }
    }

    @Test("Each message meets what its number says")
    func effects() throws {
        let chaos = try #require(SandboxChaos("429=10,503=20,reset=5"))
        let effects = (0..<100).map(chaos.effect)
        #expect(effects.count { $0 == .limited(.minute) } == 10)
        #expect(effects.count { $0 == .down } == 20)
        #expect(effects.count { $0 == .reset } == 5)
        #expect(effects.count { $0 == nil } == 65)
    }
}
