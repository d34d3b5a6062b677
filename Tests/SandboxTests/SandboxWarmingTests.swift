// Limits of sending domains: which names have them, when they are met, when they end.

import Testing

@testable import Sandbox

@Suite struct SandboxWarmingTests {
    /// Sends at the given seconds: "ok", or kind, limit and seconds to wait.
    private func send(
        _ warming: inout SandboxWarming, _ domain: String, at times: [Int]
    ) -> [String] {
        times.map { now in
            if let met = warming.limit(of: domain, now: now) {
                return "\(met.kind.rawValue) \(met.limit) \(met.waitSeconds)"
            }
            warming.count(domain, now: now)
            return "ok"
        }
    }

    @Test(
        "The name of a domain says its limits",
        arguments: [
            (
                "minute2.warming.test", [0, 1, 2, 59, 60, 61, 62],
                ["ok", "ok", "per_minute 2 58", "per_minute 2 1", "ok", "ok", "per_minute 2 58"]
            ),
            ("hour1.warming.test", [0, 10, 3_600], ["ok", "hourly 1 3590", "ok"]),
            (
                "day1.warming.test", [5, 10, 86_404, 86_405],
                ["ok", "daily 1 86395", "daily 1 1", "ok"]
            ),
            (
                "minute1-2s.warming.test", [0, 1, 2, 3],
                ["ok", "per_minute 1 1", "ok", "per_minute 1 1"]
            ),
            (
                "shop.minute1.day2.warming.test", [0, 1, 60, 61, 120],
                ["ok", "per_minute 1 59", "ok", "daily 2 86339", "daily 2 86280"]
            ),
            ("minute0.warming.test", [0, 100], ["per_minute 0 60", "per_minute 0 60"]),
            ("example.com", [0, 0, 0, 0], ["ok", "ok", "ok", "ok"]),
            ("minute1.example.com", [0, 0], ["ok", "ok"]),
            ("minute1.xwarming.test", [0, 0], ["ok", "ok"]),
        ])
    func named(domain: String, times: [Int], expected: [String]) {
        var warming = SandboxWarming()
        #expect(send(&warming, domain, at: times) == expected)
    }

    @Test("A domain's limit is that domain's alone")
    func apart() {
        var warming = SandboxWarming()
        #expect(send(&warming, "a.minute1.warming.test", at: [0, 0]) == ["ok", "per_minute 1 60"])
        #expect(send(&warming, "b.minute1.warming.test", at: [0]) == ["ok"])
        #expect(send(&warming, "warmed.example", at: [0, 0]) == ["ok", "ok"])
    }

    @Test(
        "Below warming.test a name without a limit is a mistake",
        arguments: [
            ("warming.test", true), ("minut2.warming.test", true), ("minute.warming.test", true),
            ("minute2x.warming.test", true), ("minute2-s.warming.test", true),
            ("minute2-0s.warming.test", true), ("minute2-86401s.warming.test", true),
            ("minute-1.warming.test", true), ("day1000001.warming.test", true),
            ("minute2-5s.warming.test", false), ("x.day50.warming.test", false),
            ("example.com", false), ("swarming.test", false),
        ])
    func unknown(domain: String, isUnknown: Bool) {
        #expect(SandboxWarming().isUnknown(domain) == isUnknown)
    }

    @Test(
        "What a call may ask for",
        arguments: [
            (
                #"{"domain":"Shop.example","limit_type":"daily","limit":3}"#,
                "shop.example daily 3 86400"
            ),
            (
                #"{"domain":"a.b","limit_type":"per_minute","limit":0,"window_seconds":1}"#,
                "a.b per_minute 0 1"
            ),
            (#"{"domain":"a.b","limit_type":"hourly","limit":1} "#, "a.b hourly 1 3600"),
            (#"{"domain":"a.b","limit_type":"weekly","limit":1}"#, nil),
            (#"{"domain":"","limit_type":"daily","limit":1}"#, nil),
            (#"{"domain":"a@b","limit_type":"daily","limit":1}"#, nil),
            (#"{"limit_type":"daily","limit":1}"#, nil), (#"{"domain":"a.b","limit":1}"#, nil),
            (#"{"domain":"a.b","limit_type":"daily"}"#, nil),
            (#"{"domain":"a.b","limit_type":"daily","limit":-1}"#, nil),
            (#"{"domain":"a.b","limit_type":"daily","limit":"1"}"#, nil),
            (#"{"domain":"a.b","limit_type":"daily","limit":1,"window_seconds":0}"#, nil),
            (#"{"domain":"a.b","limit_type":"daily","limit":1,"window_seconds":1.5}"#, nil),
            (#"{"domain":"a.b","limit_type":"daily","limit":1,"colour":1}"#, nil),
            (#"{"domain":"a.b","limit_type":"daily","limit":1}x"#, nil), ("", nil), ("[]", nil),
            ("domain=a.b", nil),
        ] as [(String, String?)])
    func order(body: String, expected: String?) {
        let order = SandboxWarming.order(json: Array(body.utf8).span)
        let text = order.map {
            "\($0.domain) \($0.window.kind.rawValue) \($0.window.limit) \($0.window.seconds)"
        }
        #expect(text == expected)
    }

    @Test("A call's limit replaces one of the same kind, and the name's limits stay")
    func replaced() throws {
        var warming = SandboxWarming()
        let window = try #require(SandboxWarming.Window(kind: .minute, limit: 1, seconds: 10))
        #expect(send(&warming, "x.test", at: [0, 1]) == ["ok", "ok"])
        warming.set(window, of: "x.test")
        #expect(send(&warming, "x.test", at: [2, 3, 12]) == ["ok", "per_minute 1 9", "ok"])
        warming.set(window, of: "x.test")
        #expect(send(&warming, "x.test", at: [13]) == ["ok"], "nothing is used of a new limit")
        #expect(warming.list.map(\.windows.count) == [1])
        warming.set(window, of: "day1.warming.test")
        #expect(
            send(&warming, "day1.warming.test", at: [0, 10]) == ["ok", "daily 1 86390"])
        warming.removeAll()
        #expect(send(&warming, "x.test", at: [13, 13]) == ["ok", "ok"])
    }
}
