// Content-* fields, well-formed and not, and safe file names.

import Testing

@testable import Wire

private func head(_ fields: String, isInDigest: Bool = false) -> EntityHead {
    var head = EntityHead()
    var losses = DecodeLosses()
    head.read(
        (fields + "\n\n").mail.span, isInDigest: isInDigest, charsets: CharsetCache(),
        losses: &losses)
    return head
}

@Suite struct EntityHeadTests {
    @Test(
        "Media types",
        arguments: [
            ("text/plain", "text/plain", EntityHead.Media.textPlain),
            ("TEXT/HTML; charset=x", "text/html", .textHTML),
            ("text/calendar", "text/calendar", .textOther),
            ("text / plain", "text/plain", .textPlain),
            ("image/ jpeg", "image/jpeg", .other),
            ("text/html (a comment)", "text/html", .textHTML),
            ("message/rfc822", "message/rfc822", .messageRFC822),
            ("message/global", "message/global", .messageRFC822),
            ("message/delivery-status", "message/delivery-status", .other),
            ("multipart/mixed; boundary=b", "multipart/mixed", .multipart),
            ("multipart; boundary=b", "multipart/mixed", .multipart),
            ("", "text/plain", .textPlain),
            ("text", "text/plain", .textPlain),
            ("inline", "text/plain", .textPlain),
            ("application", "application/octet-stream", .other),
            ("image/", "application/octet-stream", .other),
            ("/png", "text/plain", .textPlain),
            ("; charset=utf-8", "text/plain", .textPlain),
            ("a/b/c", "text/plain", .textPlain),
            (
                "x/" + String(repeating: "y", count: 125),
                "x/" + String(repeating: "y", count: 125),
                .other
            ),
            ("x/" + String(repeating: "y", count: 126), "text/plain", .textPlain),
        ])
    func types(value: String, type: String, media: EntityHead.Media) {
        let head = head("Content-Type: " + value)
        #expect(head.mediaType.text == type)
        #expect(head.media == media)
    }

    @Test("Without a type it is text/plain, in a digest message/rfc822")
    func defaults() {
        #expect(head("A: b").media == .textPlain)
        #expect(head("A: b").charset == .undeclared)
        #expect(head("A: b", isInDigest: true).mediaType.text == "message/rfc822")
        #expect(head("Content-Type: text/html", isInDigest: true).media == .textHTML)
    }

    @Test(
        "Parameters that a receiver of the file needs stay with its type",
        arguments: [
            ("Content-Type: text/csv; charset=windows-1252", "; charset=windows-1252"),
            ("Content-Type: text/csv; x=y; CHARSET=\"Koi8-R\" (c); name=a", "; charset=Koi8-R"),
            ("Content-Type: text/plain; charset=\"a b\\\";x\"", "; charset=abx"),
            ("Content-Type: text/plain; charset='utf-8'", "; charset=utf-8"),
            ("Content-Type: text/plain; charset=\"\"; format=flowed", ""),
            ("Content-Type: text/plain", ""),
            ("Content-Type: application/json; charset=utf-8", ""),
            (
                "Content-Type: text/calendar; charset=utf-8; method=REQUEST",
                "; charset=utf-8; method=REQUEST"
            ),
            ("Content-Type: text/calendar; method=\"REPLY\"", "; method=REPLY"),
            ("Content-Type: text/plain; method=REPLY", ""),
            ("Content-Type: image/png; charset=utf-8\nContent-Transfer-Encoding: x-zip", ""),
        ])
    func typeParameters(fields: String, parameters: String) {
        #expect(head(fields).typeParameters.text == parameters)
    }

    @Test("Content in an unknown transfer encoding is a file of unknown type, or may be a text")
    func unknownEncoding() {
        let encoding = "\nContent-Transfer-Encoding: x-zip"
        #expect(head("Content-Type: text/html" + encoding).media == .textHTML)
        let file = "\nContent-Disposition: attachment"
        #expect(head("Content-Type: text/html" + encoding + file).media == .other)
        #expect(
            head("Content-Type: message/rfc822" + encoding).mediaType.text
                == "application/octet-stream")
        #expect(head("Content-Type: multipart/mixed; boundary=b" + encoding).media == .multipart)
    }

    @Test("A text without a subtype is plain text, also in a digest")
    func textInDigest() {
        #expect(head("Content-Type: text", isInDigest: true).mediaType.text == "text/plain")
        #expect(head("Content-Type: ?", isInDigest: true).mediaType.text == "message/rfc822")
    }

    @Test("A suffix counts as part of a name")
    func suffixes() {
        func named(_ name: String) -> String {
            AttachmentName.appending(".eml", to: name.bytes).text
        }
        let long = String(repeating: "x", count: 251)
        #expect(named("a") == "a.eml")
        #expect(named(long) == long + ".eml")
        #expect(named(long + "yz") == long + ".eml")
        let wide = String(repeating: "\u{65E5}", count: 85)
        #expect(named(wide) == String(repeating: "\u{65E5}", count: 83) + ".eml")
    }

    @Test("Charset, encoding, disposition and id")
    func fields() {
        let head = head(
            "Content-type: text/plain; charset=\"UTF-8\"\nCONTENT-TRANSFER-ENCODING: base64\n"
                + "Content-Disposition: ATTACHMENT\nContent-ID: (c) <a b@c> x")
        #expect(head.charset.kind == .utf8)
        #expect(head.encoding == .base64)
        #expect(head.isAttachment)
        #expect(head.contentID.text == "ab@c")
        #expect(head.filename.isEmpty)
    }

    @Test("The first of several fields counts")
    func first() {
        let head = head(
            "Content-Type: text/html\nContent-Type: image/png; name=x\n"
                + "Content-Transfer-Encoding: base64\nContent-Transfer-Encoding: 7bit\n"
                + "Content-Disposition: inline\nContent-Disposition: attachment; filename=y")
        #expect(head.media == .textHTML)
        #expect(head.encoding == .base64)
        #expect(!head.isAttachment)
        #expect(head.filename.isEmpty)
    }

    @Test(
        "File names come from either field, in either form",
        arguments: [
            ("Content-Type: a/b; name=x.txt", "x.txt"),
            ("Content-Type: a/b; name=x.txt\nContent-Disposition: attachment; filename=y", "y"),
            ("Content-Disposition: attachment; filename=y\nContent-Type: a/b; name=x.txt", "y"),
            ("Content-Disposition: attachment; filename=\"..\"\nContent-Type: a/b; name=x", "x"),
            ("Content-Disposition: attachment; filename*=utf-8''%C3%A9t%C3%A9.txt", "été.txt"),
            ("Content-Disposition: attachment; filename*0=a; filename*1=b", "ab"),
            ("Content-Type: a/b; name=\"=?utf-8?q?=C3=A9t=C3=A9?=\"", "été"),
            ("Content-Disposition: attachment; filename=\"\"", ""),
        ])
    func names(fields: String, name: String) {
        #expect(head(fields).filename.text == name)
    }

    @Test(
        "File names are safe to use",
        arguments: [
            ("a.txt", "a.txt"), ("../../etc/passwd", "passwd"), ("C:\\x\\y.doc", "y.doc"),
            ("/", ""), ("..", ""), (".", ""), (".htaccess", "htaccess"), (". .x", "x"),
            ("a/", "a"), ("a/..", ""), ("a\r\nb\0c\u{7F}d\u{85}e", "abcde"), (" a ", "a"),
            ("日本語.pdf", "日本語.pdf"), ("a/ ", "a"), ("", ""), ("a b", "a b"), ("\u{FEFF}", ""),
            ("\u{FEFF}a\u{FEFF}.txt", "a.txt"), ("\u{EFF}x", "\u{EFF}x"),
        ])
    func cleaning(raw: String, clean: String) {
        #expect(AttachmentName.clean(raw.bytes.span).text == clean)
    }

    @Test("Long file names keep their extension and whole characters")
    func longNames() {
        let long = String(repeating: "é", count: 300)
        let name = AttachmentName.clean((long + ".pdf").bytes.span)
        #expect(name.text == String(repeating: "é", count: 125) + ".pdf")
        #expect(AttachmentName.clean(long.bytes.span).count == 254)
        let noExtension = "a." + String(repeating: "b", count: 400)
        #expect(AttachmentName.clean(noExtension.bytes.span).count == 255)
        for count in 240..<270 {
            let name = AttachmentName.clean(
                (String(repeating: "日", count: count) + ".x").bytes.span)
            #expect(String(validating: name, as: UTF8.self) != nil && name.count <= 255)
        }
    }

    @Test("Boundaries lose trailing blanks and folding, and all but one byte past the bound")
    func boundaries() {
        #expect(head("Content-Type: multipart/a; boundary=\" b c \"").boundary.text == " b c")
        #expect(head("Content-Type: multipart/a; boundary=\"b\n c\"").boundary.text == "b c")
        #expect(head("Content-Type: multipart/a").boundary.isEmpty)
        #expect(head("Content-Type: text/plain; boundary=b").boundary.isEmpty)
        let long = String(repeating: "b", count: 300)
        #expect(head("Content-Type: multipart/a; boundary=" + long).boundary.count == 201)
    }
}
