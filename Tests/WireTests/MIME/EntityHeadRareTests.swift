// What few heads have: flowed text, the root of a related, whole fields in encoded words, the
// parameters of S/MIME, partial and external bodies.

import TestSupport
import Testing

@testable import Wire

@Suite struct EntityHeadRareTests {
    private func head(_ fields: String) -> EntityHead {
        var head = EntityHead()
        var losses = DecodeLosses()
        let block = Array((crlf(fields) + "\r\n\r\n").utf8)
        head.read(block.span, isInDigest: false, charsets: CharsetCache(), losses: &losses)
        return head
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test(arguments: [
        ("text/plain; format=flowed", true, false),
        ("text/plain; Format=\"Flowed\"; DelSp=Yes", true, true),
        ("text/plain; delsp=yes; format=flowed; charset=utf-8", true, true),
        ("text/plain; format=fixed; delsp=yes", false, false),
        ("text/plain; delsp=yes", false, false), ("text/html; format=flowed", false, false),
        ("text/plain", false, false),
    ])
    func flow(_ type: String, isFlowed: Bool, deletesSpaces: Bool) {
        let traits = head("Content-Type: \(type)").traits
        #expect(traits.isFlowed == isFlowed)
        #expect(traits.deletesSpaces == deletesSpaces)
    }

    @Test(arguments: [
        ("multipart/related; boundary=b; start=\"<root@example.com>\"", "root@example.com"),
        ("multipart/related; START=root@example.com; boundary=b", "root@example.com"),
        ("multipart/related; boundary=b", ""), ("multipart/mixed; boundary=b; start=x", ""),
    ])
    func start(_ type: String, start: String) {
        #expect(text(head("Content-Type: \(type)").start) == start)
    }

    @Test(arguments: [
        ("Content-Disposition: =?utf-8?b?YXR0YWNobWVudDsgZmlsZW5hbWU9IsOcLnBkZiI=?=", "Ü.pdf"),
        ("Content-Disposition: =?utf-8?q?attachment=3B_filename=3D=22=C3=9C=2Epdf=22?=", "Ü.pdf"),
        (
            "Content-Disposition: =?UTF-8?Q?attachment;_filename=3D=C3=9Cber?=\n =?UTF-8?Q?sicht_1.pdf?=",
            "Übersicht 1.pdf"
        ),
        ("Content-Disposition: attachment; =?utf-8?q?filename=3D=22=C3=A4=2Ecsv=22?=", "ä.csv"),
        ("Content-Type: =?utf-8?q?application/pdf=3B_name=3D=22=C3=A9=2Epdf=22?=", "é.pdf"),
        ("Content-Type: application/pdf; filename=\"a b.pdf\"", "a b.pdf"),
        ("Content-Disposition: attachment; filename=\"=?utf-8?q?a=22b=3B.pdf?=\"", "a\"b;.pdf"),
    ])
    func namesInEncodedFields(_ field: String, name: String) {
        let head = head(field)
        #expect(text(head.filename) == name)
        #expect(head.traits.hasName)
        if field.contains("Disposition") { #expect(head.isAttachment) }
        if field.contains("Type") { #expect(text(head.mediaType) == "application/pdf") }
    }

    @Test(arguments: [
        (
            "application/pkcs7-mime; smime-type=signed-data; name=smime.p7m",
            "; smime-type=signed-data"
        ),
        ("application/x-pkcs7-mime; SMIME-Type=\"enveloped-data\"", "; smime-type=enveloped-data"),
        (
            "message/partial; id=\"a b@example.com\"; total=3; number=2",
            "; id=\"a b@example.com\"; number=2; total=3"
        ),
        (
            "message/external-body; access-type=URL; URL=\"http://example.com/f?a=\\\"1\\\"\"",
            "; access-type=URL; url=\"http://example.com/f?a=\\\"1\\\"\""
        ),
        ("application/pdf; smime-type=x; name=a", ""),
    ])
    func keptParameters(_ type: String, kept: String) {
        #expect(text(head("Content-Type: \(type)").typeParameters) == kept)
    }

    @Test func descriptionAndLocation() {
        let head = head(
            "Content-Description: =?utf-8?q?Pl=C3=A4ne?= 2027\nContent-Location: http://example.com/\n a.gif"
        )
        #expect(text(head.description) == "Pläne 2027")
        #expect(text(head.location) == "http://example.com/a.gif")
        #expect(self.head("Subject: x").description.isEmpty)
    }
}
