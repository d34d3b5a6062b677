// Golden pairs for headers of other services, under `--map-foreign-headers`.

import TestSupport
import Wire

@testable import Mapping

extension GoldenPairs {
    private static func foreign(_ name: String, _ header: String, _ fields: String) -> GoldenPair {
        GoldenPair(
            name: name, message: "\(header)\n\nb",
            request: """
                {"from": "sender@example.com", "to": ["to@example.com"],
                 "subject": "(no subject)"\(fields), "text_body": "b"}
                """,
            options: .with { $0.mapsForeignHeaders = true })
    }

    static let foreign: [GoldenPair] = [
        foreign(
            "X-SMTPAPI with a list of categories",
            #"""
            X-SMTPAPI: {"to": ["x@example.net"], "category": ["news", "May ", 7],
             "unique_args": {"user": "42", "n": 7, "deep": {"a": [1]}}, "send_at": 1}
            """#,
            #", "tags": ["news", "May", "7"], "metadata": {"user": "42", "n": "7", "deep": "{\"a\": [1]}"}"#
        ),
        foreign(
            "X-SMTPAPI with one category, encoded",
            #"x-smtpapi: =?utf-8?b?eyJjYXRlZ29yeSI6ICJGcsO8aGxpbmcifQ==?="#,
            #", "tags": ["Frühling"]"#),
        foreign("X-SMTPAPI that is no JSON", #"X-SMTPAPI: {"category": "news""#, ""),
        foreign("X-SMTPAPI that is no object", #"X-SMTPAPI: ["news"]"#, ""),
        foreign(
            "Mailgun",
            #"""
            X-Mailgun-Tag: welcome
            X-Mailgun-Tag: May, 2026
            X-Mailgun-Variables: {"user": "42",
             "flag": true}
            X-Mailgun-Variables: {"user": "43", "plan": null}
            X-Mailgun-Variables: oops
            """#,
            #", "tags": ["welcome", "May, 2026"], "metadata": {"user": "42", "flag": "true", "plan": "null"}"#
        ),
        foreign(
            "Postmark",
            """
            X-PM-Tag: welcome
            X-PM-Metadata-color: =?utf-8?q?gr=C3=BCn?=
            X-PM-Metadata-color: red
            X-PM-Metadata-: none
            X-PM-Message-Stream: outbound
            """,
            #"""
            , "headers": {"X-PM-Metadata-": "none", "X-PM-Message-Stream": "outbound"},
             "tags": ["welcome"], "metadata": {"color": "grün"}
            """#),
        foreign(
            "Mandrill",
            """
            X-MC-Tags: welcome, , en,welcome
            X-MC-Metadata: { "user": "42" }
            X-MC-Track: opens
            """,
            #"""
            , "headers": {"X-MC-Track": "opens"}, "tags": ["welcome", "en"],
             "metadata": {"user": "42"}
            """#),
        foreign(
            "Amazon SES",
            """
            X-SES-MESSAGE-TAGS: campaign=spring,
             team = ops ,odd,=x
            X-SES-CONFIGURATION-SET: tracked
            """,
            #", "metadata": {"campaign": "spring", "team": "ops"}"#),
        foreign(
            "Mailjet and Brevo", "X-MJ-CustomID: order-7\nX-Mailin-Tag: receipt",
            #", "tags": ["receipt"], "metadata": {"CustomID": "order-7"}"#),
        foreign(
            "our own headers win",
            #"""
            X-PM-Metadata-a: theirs
            X-PM-Metadata-b: theirs
            X-PM-Tag: one
            X-Postscale-Metadata: {"a": "ours"}
            X-Postscale-Tags: one, two, one
            X-Mailin-Tag: three
            """#,
            #"""
            , "tags": ["one", "two", "one", "three"], "metadata": {"a": "ours", "b": "theirs"}
            """#),
    ]
}
