// Golden pairs: a message with its envelope, and the request that the API must get.

import TestSupport
import Wire

@testable import Mapping

/// One pair. The line ends of the message become CRLF.
struct GoldenPair: CustomStringConvertible, Sendable {
    var name: String
    var sender = "sender@example.com"
    var recipients = ["to@example.com"]
    var message: String
    var request: String
    var options = MappingOptions()

    var description: String { name }

    var mapped: MappedMessage {
        var mapped = MappedMessage(crlf(message), from: sender, to: recipients)
        mapped.options = options
        return mapped
    }
}

enum GoldenPairs {
    static let all = plain + parts + foreign

    static let plain: [GoldenPair] = [
        GoldenPair(
            name: "the product page's first message",
            message: """
                From: sender@yourdomain.com
                To: to@example.com
                Subject: Hello from Postscale

                Hello from Postscale SMTP!
                """,
            request: #"""
                {"from": "sender@yourdomain.com", "to": ["to@example.com"],
                 "subject": "Hello from Postscale", "text_body": "Hello from Postscale SMTP!"}
                """#),
        GoldenPair(
            name: "nothing but an envelope",
            message: "",
            request: #"""
                {"from": "sender@example.com", "to": ["to@example.com"],
                 "subject": "(no subject)", "text_body": "\n"}
                """#),
        GoldenPair(
            name: "a body without a header block",
            message: "\nOnly text.\n",
            request: #"""
                {"from": "sender@example.com", "to": ["to@example.com"],
                 "subject": "(no subject)", "text_body": "Only text.\n"}
                """#),
        GoldenPair(
            name: "encoded words, quoted-printable and another charset",
            message: """
                From: =?utf-8?q?J=C3=BCrgen?= <j@example.com>
                To: "Doe, John" <to@example.com>
                Subject: =?iso-8859-1?q?Gr=FC=DFe?=
                Content-Type: text/plain; charset=iso-8859-1
                Content-Transfer-Encoding: quoted-printable

                Gr=FC=DFe aus K=F6ln, "sch=
                =F6n" \\
                """,
            request: #"""
                {"from": "Jürgen <j@example.com>", "to": ["\"Doe, John\" <to@example.com>"],
                 "subject": "Grüße", "text_body": "Grüße aus Köln, \"schön\" \\"}
                """#),
        GoldenPair(
            name: "headers: passed, joined, decoded, left out",
            message: """
                Received: from a by b
                Return-Path: <x@example.com>
                DKIM-Signature: v=1; b=abc
                ARC-Seal: i=1
                Date: Thu, 1 Jan 1970 00:00:00 +0000
                Message-ID: <1@example.com>
                MIME-Version: 1.0
                From: a@example.com
                To: to@example.com
                Bcc: hidden@example.com
                Resent-Bcc: hidden@example.com
                Subject: s
                Reply-To: =?utf-8?q?Doe=2C_Jane?= <jane@example.com>
                X-My-Header: one
                X-MY-HEADER: two
                X-Folded: a
                 b
                List-Unsubscribe: <https://example.com/u>
                X-Postscale-Nonsense: 1

                b
                """,
            request: #"""
                {"from": "a@example.com", "to": ["to@example.com"], "subject": "s",
                 "headers": {"Reply-To": "\"Doe, Jane\" <jane@example.com>",
                    "X-My-Header": "one, two", "X-Folded": "a b",
                    "List-Unsubscribe": "<https://example.com/u>"},
                 "text_body": "b"}
                """#),
        GoldenPair(
            name: "headers that are passed on request",
            message: """
                Date: Thu, 1 Jan 1970 00:00:00 +0000
                Message-ID: <1@example.com>
                From: a@example.com

                b
                """,
            request: #"""
                {"from": "a@example.com", "to": ["to@example.com"], "subject": "(no subject)",
                 "headers": {"Message-ID": "<1@example.com>"}, "text_body": "b"}
                """#,
            options: .with { $0.passedHeaders = ["message-id"] }),
        GoldenPair(
            name: "bare recipients",
            message: "From: A <a@example.com>\nTo: T <to@example.com>\n\nb",
            request: #"""
                {"from": "A <a@example.com>", "to": ["to@example.com"],
                 "subject": "(no subject)", "text_body": "b"}
                """#,
            options: .with { $0.hasBareRecipients = true }),
        GoldenPair(
            name: "text of a template message is not sent",
            message: """
                From: a@example.com
                Subject: s
                X-Postscale-Template: welcome
                X-Postscale-Variables: {"name": {"first": "A", "n": [1, 2]}}
                X-Postscale-Unsubscribe-Scope: news

                b
                """,
            request: #"""
                {"from": "a@example.com", "to": ["to@example.com"], "template": "welcome",
                 "variables": {"name": {"first": "A", "n": [1, 2]}}, "unsubscribe_scope": "news"}
                """#),
        GoldenPair(
            name: "tags and metadata",
            message: """
                From: a@example.com
                X-Postscale-Tags: welcome, onboarding, ,en
                X-Postscale-Tags: again
                X-Postscale-Metadata: {"user_id": "42", "n": 1.50, "o": {"a": [true]},
                 "z": null, "b": false, "user_id": "43", "q\\u0022": "\\u00e9\\n"}
                X-Postscale-Metadata-campaign: =?utf-8?q?l=C3=A4unch?=

                b
                """,
            request: #"""
                {"from": "a@example.com", "to": ["to@example.com"], "subject": "(no subject)",
                 "tags": ["welcome", "onboarding", "en", "again"],
                 "metadata": {"user_id": "43", "n": "1.50", "o": "{\"a\": [true]}", "z": "null",
                    "b": "false", "q\"": "é\n", "campaign": "läunch"},
                 "text_body": "b"}
                """#),
    ]
}
