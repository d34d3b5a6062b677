// The calls of the admin listener: which JSON is which call, and that nothing else is taken.

import Reactor
import Testing

@testable import Relay

@Suite("Calls of the admin listener")
struct AdminCallTests {
    private func call(_ path: String, _ body: String) throws -> AdminCall {
        try AdminCall(path: path, body: Array(body.utf8))
    }

    @Test("Each call is one flat JSON object")
    func calls() throws {
        let hash = "ba7816bf8f01cfea"
        let block = try #require(AddressBlock("192.0.2.0/24"))
        let address = try #require(AddressBlock("192.0.2.7"))
        let rows: [(String, String, AdminCall)] = [
            ("/limits/forget", #"{"domain":"Example.COM"}"#, .forgetDomainLimit("example.com")),
            ("/limits/forget", #"{"key":"\#(hash)"}"#, .forgetKeyLimit(0xba78_16bf_8f01_cfea)),
            ("/keys/forget", #" { "key" : "\#(hash)" } "#, .forgetKey(0xba78_16bf_8f01_cfea)),
            (
                "/keys/forget", #"{"key":"\#(hash)414140de5dae2223"}"#,
                .forgetKey(0xba78_16bf_8f01_cfea)
            ),
            ("/trace", #"{"key":"\#(hash)"}"#, .trace(.key(0xba78_16bf_8f01_cfea), minutes: 10)),
            (
                "/trace", #"{"minutes":60,"address":"192.0.2.0/24"}"#,
                .trace(.addresses(block), minutes: 60)
            ),
            (
                "/trace", #"{"address":"192.0.2.7","minutes":1}"#,
                .trace(.addresses(address), minutes: 1)
            ),
            ("/log-level", #"{"level":"debug"}"#, .setLogLevel(.debug)),
        ]
        for (path, body, wanted) in rows { #expect(try call(path, body) == wanted) }
    }

    static let refused: [(String, [String])] = [
        (
            "/limits/forget",
            [
                #"{"domain":""}"#, #"{"domain":"ps_live_x"}"#, #"{"domain":"a@example.com"}"#,
                #"{"domain":"a b"}"#,
                #"{"domain":"x.y","key":"ba7816bf8f01cfea"}"#, #"{"domain":7}"#, #"{"dom":"x"}"#,
                #"{"key":"ba7816bf8f01cfe"}"#, #"{"domain":"x.y","domain":"y.z"}"#,
                #"{"domain":"x.\#(String(repeating: "x", count: 256))"}"#,
            ]
        ),
        (
            "/keys/forget",
            [#"{"domain":"x"}"#, #"{"key":null}"#, #"{"key":["ba7816bf8f01cfea"]}"#]
        ),
        (
            "/trace",
            [
                #"{"minutes":10}"#, #"{"address":"nowhere"}"#, #"{"address":"192.0.2.1/24"}"#,
                #"{"address":"192.0.2.7","minutes":0}"#, #"{"address":"192.0.2.7","minutes":61}"#,
                #"{"address":"192.0.2.7","minutes":-1}"#,
                #"{"address":"192.0.2.7","minutes":"5"}"#,
                #"{"address":"192.0.2.7","minutes":1.5}"#, #"{"address":7}"#,
                #"{"address":"192.0.2.7","key":"ba7816bf8f01cfea"}"#,
            ]
        ),
        ("/log-level", [#"{"level":"LOUD"}"#, #"{"level":"debug","key":"x"}"#]),
    ]

    @Test("Anything else is refused with the reason", arguments: refused)
    func faults(_ path: String, _ bodies: [String]) {
        for body in bodies + ["", "{}", "[]", "x", #"{"a":"#, #"{"key":{}}"#, "{} {}"] {
            #expect(throws: AdminCall.Fault.self, "\(path) \(body)") { try call(path, body) }
        }
    }

    @Test("A key that was given by mistake is not repeated")
    func mistake() {
        for path in ["/keys/forget", "/limits/forget", "/trace"] {
            do {
                _ = try call(path, #"{"key":"ps_live_given_by_mistake"}"#)
                Issue.record("it was taken")
            } catch {
                #expect(!"\(error)".contains("mistake"))
                #expect("\(error)".contains("sha256sum"))
            }
        }
    }
}
