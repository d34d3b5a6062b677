// The magic keys, and that the documentation shows the same table.

import Foundation
import Testing

@testable import Sandbox

@Suite struct SandboxBehaviourTests {
    @Test(
        "Only keys of Postscale's own form are valid",
        arguments: [
            ("ps_live_abc", true), ("ps_test_abc", true), ("ps_live_", false), ("ps_test_", false),
            ("", false), ("YOUR_API_KEY", false), ("PS_LIVE_abc", false), ("ps_live_a b", false),
        ])
    func form(key: String, isValid: Bool) {
        #expect((SandboxBehaviour(key: Array(key.utf8)) != nil) == isValid)
    }

    @Test("A missing key and one of more than 512 bytes are invalid")
    func absentAndLong() {
        #expect(SandboxBehaviour(key: nil) == nil)
        #expect(
            SandboxBehaviour(key: Array("ps_live_".utf8) + Array(repeating: 97, count: 505)) == nil)
    }

    @Test(
        "A name counts alone and with a suffix, and the longer of two names wins",
        arguments: [
            ("ps_test_limited", SandboxEffect.limited(.daily)),
            ("ps_test_limited_a1", .limited(.daily)),
            ("ps_test_limited_hourly_a1", .limited(.hourly)),
            ("ps_test_limitedx", .accept),
            ("ps_test_revoked", .revoked),
            ("ps_test_revoked_later_7", .revoked),
            ("ps_live_down", .accept),
        ])
    func names(key: String, send: SandboxEffect) {
        #expect(SandboxBehaviour(key: Array(key.utf8))?.send == send)
    }

    @Test("Only a revoked_later key may still be read with")
    func revokedLater() {
        #expect(SandboxBehaviour(key: Array("ps_test_revoked".utf8))?.read == .revoked)
        #expect(SandboxBehaviour(key: Array("ps_test_revoked_later".utf8))?.read == .accept)
    }

    @Test("docs/sandbox.md lists exactly the keys that there are")
    func documentation() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        let text = try String(
            contentsOf: root.appending(path: "docs/sandbox.md"), encoding: .utf8)
        // The examples after the table name keys too.
        let table = try #require(text.split(separator: "A further `_suffix`").first)
        let documented = table.split(separator: "\n").compactMap { line -> String? in
            guard line.hasPrefix("| `ps_test_") else { return nil }
            return String(line.dropFirst("| `ps_test_".count).prefix { $0 != "`" })
        }
        let patterns = ["send_<error>_<shape>", "auth_<error>_<shape>"]
        #expect(documented == SandboxBehaviour.table.map(\.name) + patterns)
        let errors = text.split(separator: "\n").compactMap { line -> String? in
            guard let row = line.wholeMatch(of: /\| `([45][0-9a-z-]+)` .*/) else { return nil }
            return String(row.1)
        }
        #expect(errors == SandboxError.table.map(\.name))
        let shapes = SandboxErrorShape.allCases.map { "`\($0.rawValue)`" }
        for shape in shapes { #expect(text.contains("| \(shape) |"), "\(shape)") }
    }

    @Test(
        "An error by name: which request meets it",
        arguments: [
            ("send_403-plan_coded", "accept", "403-plan coded"),
            ("send_404_nested_x7", "accept", "404 nested"),
            ("auth_403_page", "403 page", "accept"),
            ("auth_429_foreign_1", "429 foreign", "accept"),
            ("send_499_page", "accept", "accept"), ("send_403_paper", "accept", "accept"),
            ("send_403", "accept", "accept"), ("sent_403_page", "accept", "accept"),
            ("auth_403-plan_page", "403-plan page", "accept"),
        ])
    func errors(name: String, read: String, send: String) throws {
        func text(_ effect: SandboxEffect) -> String {
            guard case .error(let error) = effect else { return "\(effect)" }
            return "\(error.name) \(error.shape)"
        }
        let behaviour = try #require(SandboxBehaviour(key: Array("ps_test_\(name)".utf8)))
        #expect(text(behaviour.read) == read)
        #expect(text(behaviour.send) == send)
    }

    @Test(
        "From when and how often a key's effect comes",
        arguments: [
            ("down", "DDDDDD"), ("down_after_2", "..DDDD"), ("down_for_2", "DD...."),
            ("down_after_1_for_2", ".DD..."), ("down_after_1_for_2_x9", ".DD..."),
            ("down_for_2_after_1", "DD...."), ("down_after_x", "DDDDDD"), ("down_after", "DDDDDD"),
            ("down_after_-1", "DDDDDD"), ("down_after_12345678", "DDDDDD"),
            ("down_x_after_2", "DDDDDD"), ("down_for_0", "......"), ("down_after_9", "......"),
            ("send_503_text_after_2_for_1", "..D..."), ("after_2", "......"),
        ])
    func turns(name: String, expected: String) throws {
        let behaviour = try #require(SandboxBehaviour(key: Array("ps_test_\(name)".utf8)))
        let effects = (0..<6).map { behaviour.turn($0).send }
        #expect(effects.map { $0 == .accept ? "." : $0 == .down ? "D" : "?" }.joined() == expected)
    }

    @Test("Key checks are counted for what key checks meet, else sends")
    func counted() throws {
        for (name, countsReads) in [
            ("revoked_after_3", false), ("down_for_1", false), ("auth_limited_for_1", true),
            ("auth_down_for_1", true), ("sendonly_after_1", true), ("auth_403_page_for_1", true),
            ("send_403_page_for_1", false),
        ] {
            let behaviour = SandboxBehaviour(key: Array("ps_test_\(name)".utf8))
            #expect(behaviour?.countsReads == countsReads, "\(name)")
        }
    }

    @Test(
        "What a recipient's domain asks for",
        arguments: [
            ("lost.test", .lost), ("70s.late.test", .late(seconds: 70)),
            ("0s.late.test", .late(seconds: 0)), ("601s.late.test", nil), ("70.late.test", nil),
            ("-1s.late.test", nil), ("s.late.test", nil), ("503.text.test", .down),
            ("502.page.test", .badGateway), ("403.coded.test", .forbidden), ("403.test", nil),
            ("403.paper.test", nil), ("a.503.text.test", nil), ("403.text.example", nil),
            ("example.com", nil), ("", nil), ("test", nil),
        ] as [(String, SandboxEffect?)])
    func recipients(domain: String, effect: SandboxEffect?) {
        #expect(SandboxEffect(domain: domain) == effect)
    }

    @Test(
        "Each error has its status in each shape, and only the API's have no Server",
        arguments: SandboxError.table.map(\.name), SandboxErrorShape.allCases)
    func answers(name: String, shape: SandboxErrorShape) throws {
        let answer = SandboxError.named(name[...], shape).answer(now: 0)
        #expect(String(answer.status) == name.prefix(3))
        let isInFront = shape == .page || shape == .foreign
        #expect((answer.headers.contains { $0.name == "Server" }) == isInFront)
        #expect(answer.contentType == (shape == .page ? "text/html" : "application/json"))
        guard shape != .page else { return }
        let json = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
        let inner = json?["error"] as? [String: String]
        switch shape {
        case .text: #expect(json?["error"] is String && json?.count == 1)
        case .coded: #expect(json?["error"] is String && json?["message"] is String)
        case .nested: #expect(inner?["code"] != nil && inner?["message"] != nil)
        case .foreign, .page: #expect(json?["error"] == nil && json?["message"] is String)
        }
        #expect(
            answer.headers.contains { $0.name == "Retry-After" } == (name == "429" && !isInFront))
    }

    @Test("A key's own limit has no warming phase")
    func keyLimit() throws {
        let answer = try #require(SandboxEffect.limited(.key).refusal())
        let body = String(decoding: answer.body, as: UTF8.self)
        #expect(answer.status == 429 && !body.contains("warming_phase"))
        #expect(body.contains(#""limit_type":"per_minute","limit":60,"used":60"#))
    }

    @Test("A 429 has the documented body and says when to come back")
    func rateLimit() throws {
        let answer = try #require(SandboxEffect.limited(.daily).refusal())
        #expect(answer.status == 429)
        #expect(answer.headers.first { $0.name == "Retry-After" }?.value == "3600")
        #expect(
            String(decoding: answer.body, as: UTF8.self)
                == #"{"error":"rate_limit_exceeded","message":"daily sending limit exceeded","#
                + #""limit_type":"daily","limit":1500,"used":1500,"#
                + #""retry_after_seconds":3600,"warming_phase":"phase_1"}"#)
    }
}
