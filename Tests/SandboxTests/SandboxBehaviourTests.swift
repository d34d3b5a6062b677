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
        let documented = text.split(separator: "\n").compactMap { line -> String? in
            guard line.hasPrefix("| `ps_test_") else { return nil }
            return String(line.dropFirst("| `ps_test_".count).prefix { $0 != "`" })
        }
        #expect(documented == SandboxBehaviour.table.map(\.name))
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
