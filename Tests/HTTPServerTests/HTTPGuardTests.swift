// Which names a server answers to, and which calls a web page could not have made.

import Testing
import Wire

@testable import HTTPServer

@Suite struct HTTPGuardTests {
    @Test(
        "Host is an IP address, localhost, or the server's own name",
        arguments: [
            ("127.0.0.1", true), ("127.0.0.1:8587", true), ("10.1.2.3:80", true), ("[::1]", true),
            ("[::1]:8587", true), ("[2001:db8::1]:1", true), ("[::ffff:127.0.0.1]", true),
            ("localhost", true), ("LocalHost:8587", true), ("localhost:", true),
            ("relay.example", true), ("Relay.Example:8587", true),
            ("evil.example", false), ("evil.example:8587", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false), ("evil-localhost", false), ("a.localhost", false),
            ("relay.example.evil.example", false), ("x.relay.example", false),
            ("relay.example@evil.example", false), ("evil.example:80@localhost", false),
            ("", false), (":8587", false), ("localhost:x", false), ("localhost:123456", false),
            ("127.1", false), ("2130706433", false), ("0x7f000001", false), ("127.0.0.01", false),
            ("::1", false), ("[::1", false), ("[::1]x", false), ("[evil.example]", false),
            ("[127.0.0.1]", false), ("localhost, evil.example", false), ("local host", false),
            ("[::1]:80:80", false), ("localhost:80:80", false), ("localhost:-1", false),
        ])
    func host(host: String, isAccepted: Bool) {
        #expect(HTTPGuard(hostname: "relay.example").accepts(host: host) == isAccepted)
    }

    @Test(
        "Without a name of its own a server has IP addresses and localhost", arguments: ["", ":1"])
    func noName(host: String) {
        let guardian = HTTPGuard(hostname: nil)
        #expect(!guardian.accepts(host: host))
        #expect(!guardian.accepts(host: "relay.example"))
        #expect(guardian.accepts(host: "localhost"))
    }

    @Test(
        "A POST needs JSON and the call field; other methods a browser asks for first",
        arguments: [
            ("POST", "application/json", true, nil),
            ("POST", "Application/JSON ; charset=utf-8", true, nil),
            ("POST", "application/json", false, .noCallField),
            ("POST", "text/plain", true, .notJSON), ("POST", "text/plain", false, .notJSON),
            ("POST", "application/x-www-form-urlencoded", true, .notJSON),
            ("POST", "multipart/form-data; boundary=application/json", true, .notJSON),
            ("POST", "text/plain; application/json", true, .notJSON),
            ("POST", "application/jsonx", true, .notJSON), ("POST", "", true, .notJSON),
            ("GET", "", false, nil), ("HEAD", "", false, nil), ("PUT", "", false, nil),
            ("DELETE", "", false, nil), ("PUT", "text/plain", false, nil),
        ] as [(String, String, Bool, HTTPGuard.Fault?)])
    func calls(method: String, type: String, hasField: Bool, fault: HTTPGuard.Fault?) {
        #expect(
            HTTPGuard.callFault(method: method, contentType: type, hasCallField: hasField) == fault)
    }

    @Test(
        "Both checks read the head of a request",
        arguments: [
            (
                "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    + "x-requested-by: curl\r\n", nil, nil
            ),
            (
                "POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\n"
                    + "X-Requested-By:  \r\n", .foreignHost, .noCallField
            ),
            ("GET / HTTP/1.0\r\n", nil, nil), ("GET / HTTP/1.0\r\nHost: x\r\n", .foreignHost, nil),
            ("GET / HTTP/1.1\r\nHost:\r\n", .foreignHost, nil),
            ("POST / HTTP/1.1\r\nHost: [::1]:1\r\nX-Requested-By: a\r\n", nil, .notJSON),
        ] as [(String, HTTPGuard.Fault?, HTTPGuard.Fault?)])
    func heads(text: String, hostFault: HTTPGuard.Fault?, callFault: HTTPGuard.Fault?) {
        let bytes = Array((text + "\r\n").utf8)
        guard case .head(let head) = HTTPRequestHead.parse(bytes.span) else {
            Issue.record("a test's own request head")
            return
        }
        let request = HTTPRequest(head, in: bytes.span)
        #expect(HTTPGuard(hostname: nil).fault(of: request) == hostFault)
        #expect(HTTPGuard.callFault(of: request) == callFault)
    }

    @Test(
        "Each fault has its status",
        arguments: [
            (HTTPGuard.Fault.foreignHost, 421), (.notJSON, 415), (.noCallField, 403),
        ])
    func statuses(fault: HTTPGuard.Fault, status: Int) {
        #expect(fault.status == status)
        #expect(
            HTTPAnswer(status: status, contentType: "", body: []).head(closes: false)
                .hasPrefix("HTTP/1.1 \(status) ") && !fault.reason.isEmpty)
    }
}
