// What the sandbox's send accepts and refuses, and in which words.

import Testing
import Wire

@testable import Sandbox

@Suite struct SendRequestTests {
    private static let minimal =
        #""from":"a@b.test","to":["c@d.test"],"subject":"s","text_body":"t""#

    /// The refusal of `body`; empty when it is valid.
    private func refusal(_ body: String, _ limits: SandboxLimits = .api) -> String {
        switch SendRequest.parse(Array(body.utf8), limits: limits) {
        case .valid: ""
        case .invalid(let message): "400 " + message
        case .tooLarge(let message): "413 " + message
        }
    }

    @Test(
        "Valid requests",
        arguments: [
            "{\(minimal)}", " {\(minimal)} \n",
            #"{"from":"N <a@b.test>","to":["\"M, x\" <c@d.test>"],"subject":"s","html_body":"h"}"#,
            #"{"from":"a@b.test","to":["c@d.test"],"template":"t","variables":{"a":[1,{}]}}"#,
            #"{"from":"a@b.test","to":["c@d.test"],"template_id":"t","subject":null}"#,
            #"{\#(minimal),"cc":["e@f.test"],"bcc":[],"tags":["x"],"metadata":{"k":"v","n":1}}"#,
            #"{\#(minimal),"headers":{"X-A":"b"},"unsubscribe_scope":"all","unknown":[{"a":[]}]}"#,
            #"{\#(minimal),"attachments":[{"filename":"a","content":"AAAA","content_id":"x"}]}"#,
            #"{\#(minimal),"attachments":[{"filename":"a","content":"\/\/8="}]}"#,
            #"{"from":"grün@b.test","to":["用户@d.test"],"subject":"s","text_body":"t"}"#,
        ])
    func valid(body: String) { #expect(refusal(body) == "") }

    @Test(
        "Invalid requests are refused with the field or the byte",
        arguments: [
            ("", "400 request body is not valid JSON: syntax error at byte 0"),
            ("[]", "400 request body must be a JSON object"),
            (#"{"from":oops}"#, "400 request body is not valid JSON: syntax error at byte 8"),
            ("{\(minimal)", "400 request body is not valid JSON: syntax error at byte 66"),
            (#"{"from":1}"#, #"400 "from" must be a string"#),
            (#"{"to":"c@d.test"}"#, #"400 "to" must be an array of strings"#),
            (#"{"to":[1]}"#, #"400 "to" must be an array of strings"#),
            (#"{"to":["c@d.test"]}"#, #"400 "from" is required"#),
            (#"{"from":"a@b.test","to":[]}"#, #"400 "to" must contain at least one recipient"#),
            (
                #"{"from":"a@b.test","to":["c@d.test"],"text_body":"t"}"#,
                #"400 "subject" is required"#
            ),
            (
                #"{"from":"a@b.test","to":["c@d.test"],"subject":"s","text_body":""}"#,
                #"400 "html_body" or "text_body" is required"#
            ),
            (
                #"{\#(minimal),"template":"t"}"#,
                "400 a template is mutually exclusive with subject, html_body and text_body"
            ),
            (#"{\#(minimal),"cc":["nobody"]}"#, #"400 "cc" is not a valid email address: nobody"#),
            (#"{\#(minimal),"headers":[]}"#, #"400 "headers" must be an object"#),
            (
                #"{\#(minimal),"headers":{"X":"a\r\nBcc: b"}}"#,
                #"400 the values of "headers" must not contain line ends"#
            ),
            (#"{\#(minimal),"metadata":"x"}"#, #"400 "metadata" must be an object"#),
            (
                #"{\#(minimal),"attachments":[{"content":"AAAA"}]}"#,
                #"400 "attachments[0].filename" is required"#
            ),
            (
                #"{\#(minimal),"attachments":[{"filename":"a","content":""}]}"#,
                #"400 "attachments[0].content" is required"#
            ),
            (
                #"{\#(minimal),"attachments":[{"filename":"a","content":"AAA"}]}"#,
                #"400 "attachments[0].content" is not valid base64"#
            ),
            (
                #"{\#(minimal),"attachments":[{"filename":"a","content":"AA==AAAA"}]}"#,
                #"400 "attachments[0].content" is not valid base64"#
            ),
            (
                #"{\#(minimal),"attachments":[{"filename":"a","content":"AA\r\nAA"}]}"#,
                #"400 "attachments[0].content" is not valid base64"#
            ),
        ])
    func invalid(body: String, expected: String) { #expect(refusal(body) == expected) }

    @Test("Bytes that are no UTF-8 are refused with their place")
    func utf8() {
        guard case .invalid(let message) = SendRequest.parse([0x7B, 0x22, 0xFF, 0x22]) else {
            Issue.record("accepted")
            return
        }
        #expect(message == "request body is not valid UTF-8 at byte 2")
    }

    @Test("Ten attachments are the most")
    func attachmentCount() {
        let one = #"{"filename":"a","content":"AAAA"}"#
        for (count, expected) in [(10, ""), (11, "400 more than 10 attachments")] {
            let list = Array(repeating: one, count: count).joined(separator: ",")
            #expect(refusal("{\(Self.minimal),\"attachments\":[\(list)]}") == expected)
        }
    }

    @Test(
        "Attachments are bounded one by one and in all, when decoded",
        arguments: [
            ([100, 100], ""), ([101], "413 attachment f exceeds 100 bytes"),
            ([99, 100, 1], ""), ([100, 100, 1], "413 attachments exceed 200 bytes in all"),
        ])
    func attachmentSizes(sizes: [Int], expected: String) {
        var limits = SandboxLimits.api
        limits.attachmentBytesMax = 100
        limits.attachmentsBytesMax = 200
        let attachments = sizes.map { size in
            let content =
                String(repeating: "AAAA", count: size / 3) + ["", "AA==", "AAA="][size % 3]
            return #"{"filename":"f","content":"\#(content)"}"#
        }
        let body = "{\(Self.minimal),\"attachments\":[\(attachments.joined(separator: ","))]}"
        #expect(refusal(body, limits) == expected)
    }

    @Test(
        "Addresses are checked lightly",
        arguments: [
            ("a@b", "b"), ("A <a@B.test>", "b.test"), ("\"x y\"@b.test", "b.test"), ("a", nil),
            ("@b", nil), ("a@", nil), ("a b@c", nil), ("a@b@c", nil), ("a@b\r\n", nil), ("", nil),
            ("a@.b", nil), ("a@b..c", nil), ("A <>", nil), ("a@b, c@d", nil),
        ])
    func addresses(text: String, domain: String?) {
        #expect(SendAddress(text)?.domain == domain)
    }
}
