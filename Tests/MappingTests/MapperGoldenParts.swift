// Golden pairs of messages that have parts.

@testable import Mapping

extension GoldenPairs {
    static let parts: [GoldenPair] = [
        GoldenPair(
            name: "text, html, an inline image and an attachment",
            message: """
                From: a@example.com
                Content-Type: multipart/mixed; boundary=m

                preamble
                --m
                Content-Type: multipart/alternative; boundary=a

                --a
                Content-Type: text/plain; charset=utf-8

                Text
                --a
                Content-Type: multipart/related; boundary=r

                --r
                Content-Type: text/html

                <p>Html</p>
                --r
                Content-Type: image/png
                Content-Transfer-Encoding: base64
                Content-ID: <logo@x>

                iVBO
                Rw0K
                --r--
                --a--
                --m
                Content-Type: application/pdf; name="r.pdf"
                Content-Disposition: attachment; filename*=utf-8''r%C3%A9sum%C3%A9.pdf
                Content-Transfer-Encoding: base64

                JVBERi0=
                --m--
                """,
            request: #"""
                {"from": "a@example.com", "to": ["to@example.com"], "subject": "(no subject)",
                 "text_body": "Text", "html_body": "<p>Html</p>",
                 "attachments": [
                    {"filename": "attachment-1.png", "content_type": "image/png",
                     "content_id": "logo@x", "content": "iVBORw0K"},
                    {"filename": "résumé.pdf", "content_type": "application/pdf",
                     "content": "JVBERi0="}]}
                """#),
        GoldenPair(
            name: "a picture beside the HTML keeps its id although it is called an attachment",
            message: """
                From: a@example.com
                Content-Type: multipart/mixed; boundary=m

                --m
                Content-Type: multipart/related; boundary=r

                --r
                Content-Type: text/html

                <p>Html</p>
                --r
                Content-Type: image/png; name=logo.png
                Content-Disposition: attachment; filename=logo.png
                Content-Transfer-Encoding: base64
                Content-ID: <logo@x>

                iVBORw0K
                --r--
                --m
                Content-Type: application/pdf
                Content-Disposition: attachment; filename=r.pdf
                Content-Transfer-Encoding: base64
                Content-ID: <of-every-file@x>

                JVBERi0=
                --m--
                """,
            request: #"""
                {"from": "a@example.com", "to": ["to@example.com"], "subject": "(no subject)",
                 "html_body": "<p>Html</p>",
                 "attachments": [
                    {"filename": "logo.png", "content_type": "image/png",
                     "content_id": "logo@x", "content": "iVBORw0K"},
                    {"filename": "r.pdf", "content_type": "application/pdf",
                     "content": "JVBERi0="}]}
                """#),
        GoldenPair(
            name: "texts after the attachments are written after them, in one body",
            message: """
                From: a@example.com
                Content-Type: multipart/mixed; boundary=m

                --m
                Content-Type: application/octet-stream
                Content-Disposition: attachment; filename=a.bin

                abc
                --m
                Content-Type: text/plain

                late "text"
                second line
                --m
                Content-Type: text/html

                <b>late</b>
                --m
                Content-Type: text/plain

                a footer
                --m--
                """,
            request: #"""
                {"from": "a@example.com", "to": ["to@example.com"], "subject": "(no subject)",
                 "attachments": [
                    {"filename": "a.bin", "content_type": "application/octet-stream",
                     "content": "YWJj"}],
                 "html_body": "<div style='white-space: pre-wrap'>late \"text\"<br>second line</div><b>late</b><div style='white-space: pre-wrap'>a footer</div>"}
                """#),
        GoldenPair(
            name: "an attached message, an attached text and an empty attachment",
            message: """
                From: a@example.com
                Content-Type: multipart/mixed; boundary=m

                --m
                Content-Type: message/rfc822

                From: b@example.com
                Subject: inner

                inner
                --m
                Content-Type: text/plain
                Content-Disposition: attachment; filename=notes.txt
                Content-Transfer-Encoding: quoted-printable

                caf=C3=A9
                --m
                Content-Type: application/pdf
                Content-Disposition: attachment; filename=empty.pdf
                Content-Transfer-Encoding: base64

                --m--
                """,
            request: #"""
                {"from": "a@example.com", "to": ["to@example.com"], "subject": "(no subject)",
                 "attachments": [
                    {"filename": "attachment-1.eml", "content_type": "message/rfc822",
                     "content": "RnJvbTogYkBleGFtcGxlLmNvbQ0KU3ViamVjdDogaW5uZXINCg0KaW5uZXI="},
                    {"filename": "notes.txt", "content_type": "text/plain",
                     "content": "Y2Fmw6k="}],
                 "text_body": "\n"}
                """#),
        GoldenPair(
            name: "content ids are not sent when they are not wanted",
            message: """
                Content-Type: image/gif; name=a.gif
                Content-ID: <x@y>
                Content-Transfer-Encoding: base64

                R0lGODlh
                """,
            request: #"""
                {"from": "sender@example.com", "to": ["to@example.com"],
                 "subject": "(no subject)",
                 "attachments": [{"filename": "a.gif", "content_type": "image/gif",
                    "content": "R0lGODlh"}],
                 "text_body": "\n"}
                """#,
            options: .with { $0.hasInlineContentID = false }),
        GoldenPair(
            name: "html alone, in base64",
            message: """
                Content-Type: text/html; charset=utf-8
                Content-Transfer-Encoding: base64

                PHA+w6k8L3A+DQo8YnI+
                """,
            request: #"""
                {"from": "sender@example.com", "to": ["to@example.com"],
                 "subject": "(no subject)", "html_body": "<p>é</p>\n<br>"}
                """#),
        GoldenPair(
            name: "attachments of a template message are sent",
            message: """
                X-Postscale-Template-Id: 123
                Content-Type: multipart/mixed; boundary=m

                --m

                text
                --m
                Content-Type: text/csv

                a,b
                --m--
                """,
            request: #"""
                {"from": "sender@example.com", "to": ["to@example.com"], "template_id": "123",
                 "attachments": [{"filename": "attachment-1.csv", "content_type": "text/csv",
                    "content": "YSxi"}]}
                """#),
    ]
}
