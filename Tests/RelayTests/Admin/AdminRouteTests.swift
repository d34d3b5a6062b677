// The meaning of each request to the admin listener.

import Testing
import Wire

@testable import Relay

@Suite struct AdminRouteTests {
    private func route(_ method: String, _ target: String, _ body: String = "") -> AdminRoute {
        let bytes = Array("\(method) \(target) HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        guard case .head(let head) = HTTPRequestHead.parse(bytes.span) else {
            preconditionFailure("a test's own request head")
        }
        return AdminRoute(HTTPRequest(head, in: bytes.span), body: Array(body.utf8))
    }

    @Test("Each path has its page, for GET and HEAD alone")
    func pages() {
        let pages: [(String, AdminRoute)] = [
            ("/metrics", .metrics), ("/healthz", .health), ("/readyz", .readiness),
            ("/status", .statusPage), ("/status.json", .statusJSON), ("/", .index),
            ("/debug/sessions", .sessions(isJSON: false, limit: 500)),
            ("/debug/sessions.json?limit=10000", .sessions(isJSON: true, limit: 10_000)),
            ("/debug/accounts", .accounts(limit: 50)),
            ("/debug/accounts?limit=3", .accounts(limit: 3)),
            ("/log-level", .logLevel), ("/metrics?x=1", .metrics),
        ]
        for (target, wanted) in pages {
            #expect(route("GET", target) == wanted)
            #expect(route("HEAD", target) == wanted)
        }
        for target in ["/nothing", "/Metrics", "/metrics/", "/status.html", "*", "//metrics"] {
            #expect(route("GET", target) == .notFound)
            #expect(route("POST", target) == .notFound)
        }
        #expect(route("POST", "/metrics") == .wrongMethod(allowed: "GET, HEAD"))
    }

    @Test("A limit is a number from 1 to 10,000")
    func badLimits() {
        for limit in ["0", "10001", "-1", "x", "1e3", ""] {
            guard case .badQuery = route("GET", "/debug/sessions?limit=\(limit)") else {
                Issue.record("limit=\(limit) was taken")
                continue
            }
        }
    }

    @Test("Accounts are at most fifty")
    func badAccountLimits() {
        for limit in ["0", "51", "-1", "x", ""] {
            guard case .badQuery = route("GET", "/debug/accounts?limit=\(limit)") else {
                Issue.record("limit=\(limit) was taken")
                continue
            }
        }
    }

    @Test("PUT and POST set the log level, to a level that exists")
    func logLevels() {
        #expect(route("PUT", "/log-level?level=debug") == .call(.setLogLevel(.debug)))
        #expect(
            route("POST", "/log-level", #"{"level":"critical"}"#)
                == .call(.setLogLevel(.critical)))
        for body in ["", "{}", #"{"level":"CRITICAL"}"#, #"{"level":1}"#, #"{"a":"debug"}"#] {
            guard case .badQuery = route("POST", "/log-level?level=debug", body) else {
                Issue.record("\(body) was taken")
                continue
            }
        }
        for target in ["/log-level", "/log-level?level=", "/log-level?level=DEBUG"] {
            guard case .badQuery = route("PUT", target) else {
                Issue.record("\(target) was taken")
                continue
            }
        }
        #expect(
            route("DELETE", "/log-level") == .wrongMethod(allowed: "GET, HEAD, POST, PUT"))
    }

    @Test("Calls that change something are POST alone")
    func calls() {
        let hash = #"{"key":"ba7816bf8f01cfea"}"#
        #expect(
            route("POST", "/keys/forget", hash) == .call(.forgetKey(0xba78_16bf_8f01_cfea)))
        for path in ["/limits/forget", "/keys/forget", "/trace"] {
            for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
                #expect(route(method, path, hash) == .wrongMethod(allowed: "POST"))
            }
            guard case .badQuery = route("POST", path) else {
                Issue.record("\(path) took an empty body")
                continue
            }
        }
    }
}
