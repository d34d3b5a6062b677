// AUTH responses: which are logins, and which are not.

import Testing

@testable import Wire

/// Base64 by arithmetic, one bit group at a time.
func naiveBase64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    var text = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = Array(bytes[start..<min(start + 3, bytes.count)])
        let bits = (group + [0, 0]).prefix(3).reduce(0) { $0 << 8 | Int($1) }
        for i in 0..<4 {
            text.append(i <= group.count ? alphabet[bits >> (18 - 6 * i) & 63] : "=")
        }
    }
    return text
}

@Suite struct SASLTests {
    private func plain(_ base64: String) -> (SASL.Outcome, [UInt8]) {
        var outcome = SASL.Outcome.badFormat
        let decoded = written(capacity: 1_000) {
            outcome = SASL.plain(base64.bytes.span, into: &$0)
        }
        return (outcome, decoded)
    }

    @Test(arguments: ["", "postscale", "POSTSCALE", "postscale@mail.example"])
    func `PLAIN gives username and password`(identity: String) {
        let response = naiveBase64("\(identity)\0postscale\0ps_live_1".bytes)
        for blanks in ["", " ", "\t "] {
            let (outcome, decoded) = plain(response + blanks)
            guard case .credentials(let username, let password) = outcome else {
                Issue.record("\(outcome)")
                continue
            }
            #expect(Array(decoded[username]).text == "postscale")
            #expect(Array(decoded[password]).text == "ps_live_1")
        }
    }

    @Test(arguments: [
        ("somebody\0postscale\0key", SASL.Outcome.badAuthorizationIdentity),
        ("postscaler\0postscale\0key", .badAuthorizationIdentity),
        ("post\0postscale\0key", .badAuthorizationIdentity),
        ("\0postscale", .badFormat), ("postscale", .badFormat), ("", .badFormat),
        ("\0\0key", .badFormat), ("\0postscale\0", .badFormat), ("\0a\0b\0c", .badFormat),
        ("\0\0", .badFormat),
    ])
    func `PLAIN refuses what RFC 4616 does not allow`(message: String, expected: SASL.Outcome) {
        #expect(plain(naiveBase64(message.bytes)).0 == expected)
    }

    @Test(arguments: [
        "A", "AA", "AAA", "AA=A", "=AAA", "A===", "====", "AAAA=", "AA==AAAA", "A*AA",
    ])
    func `what is not base64 is not decoded`(response: String) {
        #expect(plain(response) == (.badBase64, []))
        var range: Range<Int>? = 0..<0
        _ = written(capacity: 100) { range = SASL.login(response.bytes.span, into: &$0) }
        #expect(range == nil)
    }

    @Test(arguments: ["", "a", "ab", "abc", "postscale", "ключ"])
    func `LOGIN answers are decoded one after the other`(text: String) {
        let decoded = written(capacity: 100) { output in
            _ = output.append("before")
            let range = SASL.login(naiveBase64(text.bytes).bytes.span, into: &output)
            #expect(range == 6..<6 + text.utf8.count)
        }
        #expect(decoded.text == "before" + text)
    }

    @Test func `an equals sign is the empty response`() {
        #expect(plain("=").0 == .badFormat)
        _ = written(capacity: 10) { output in
            let range = SASL.login("=".bytes.span, into: &output)
            #expect(range == 0..<0)
        }
    }

    @Test func `a response over the room is refused and nothing is written`() {
        let response = naiveBase64([UInt8](repeating: 65, count: 300)).bytes
        let decoded = written(capacity: 299) { output in
            let range = SASL.login(response.span, into: &output)
            let outcome = SASL.plain(response.span, into: &output)
            #expect(range == nil)
            #expect(outcome == .badFormat)
        }
        #expect(decoded.isEmpty)
    }
}
