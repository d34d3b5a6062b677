// The messages that are sent: deterministic, well-formed, of a given size.
//
// Small messages are plain text. From 64 KB on they have a text part and base64 attachments of at
// most 20 MB decoded each, as real large messages have. Illustrated messages have text, HTML and an
// inline picture.

/// Makes the bytes of DATA, with CRLF line ends and the final dot line.
enum TestMessage {
    enum Shape: String, Sendable {
        case text, illustrated, attachments

        /// The usual kind of message of this size.
        static func ofSize(_ bytes: Int) -> Shape { bytes < 65_536 ? .text : .attachments }
    }

    private static let attachmentLinesMax = 20 * 1_048_576 / 57

    static func make(_ kind: MessageMix.Kind) -> [UInt8] { make(kind.shape, bytes: kind.bytes) }

    /// - Parameter bytes: the intended size; the result differs by at most a few lines.
    static func make(_ shape: Shape, bytes: Int) -> [UInt8] {
        var message = Builder(bytes: bytes)
        message.add(
            """
            From: Sender <sender@yourdomain.com>\r
            To: Recipient 0 <recipient0@example.com>\r
            Subject: A test message of \(bytes) bytes\r
            Date: Sun, 22 Nov 2026 12:00:00 +0000\r
            Message-ID: <perf@yourdomain.com>\r
            MIME-Version: 1.0\r

            """)
        switch shape {
        case .text:
            message.add("Content-Type: text/plain; charset=utf-8\r\n\r\n")
            message.addText(to: bytes)
        case .illustrated: addIllustrated(&message, to: bytes)
        case .attachments:
            message.add("Content-Type: multipart/mixed; boundary=\"=_perf_boundary\"\r\n\r\n")
            message.add("--=_perf_boundary\r\nContent-Type: text/plain\r\n\r\nSee attachments.\r\n")
            addAttachments(&message, to: bytes)
            message.add("--=_perf_boundary--\r\n")
        }
        message.add(".\r\n")
        return message.bytes
    }

    /// A third is HTML, some is text, and the rest is one picture that the HTML shows.
    private static func addIllustrated(_ message: inout Builder, to bytes: Int) {
        message.add("Content-Type: multipart/related; boundary=\"=_perf_rel\"\r\n\r\n")
        message.add("--=_perf_rel\r\n")
        message.add("Content-Type: multipart/alternative; boundary=\"=_perf_alt\"\r\n\r\n")
        message.add("--=_perf_alt\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n")
        message.addText(to: message.bytes.count + bytes / 20)
        message.add(
            "--=_perf_alt\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body>\r\n")
        message.add("<img src=\"cid:picture@perf\" alt=\"\">\r\n")
        let line = "<p class=\"row\"><b>Quantity:</b> 2 &times; <a href=\"#\">Article</a></p>\r\n"
        let end = message.bytes.count + bytes / 3
        while message.bytes.count < end { message.add(line) }
        message.add("</body></html>\r\n--=_perf_alt--\r\n--=_perf_rel\r\n")
        message.add("Content-Type: image/png; name=\"picture.png\"\r\n")
        message.add("Content-Disposition: inline; filename=\"picture.png\"\r\n")
        message.add("Content-ID: <picture@perf>\r\nContent-Transfer-Encoding: base64\r\n\r\n")
        while message.bytes.count + 100 < bytes { message.addBase64Line() }
        message.add("--=_perf_rel--\r\n")
    }

    private static func addAttachments(_ message: inout Builder, to bytes: Int) {
        var number = 0
        while message.bytes.count + 100 < bytes {
            number += 1
            message.add(
                """
                --=_perf_boundary\r
                Content-Type: application/octet-stream; name="data\(number).bin"\r
                Content-Disposition: attachment; filename="data\(number).bin"\r
                Content-Transfer-Encoding: base64\r
                \r

                """)
            var lines = 0
            while message.bytes.count + 78 < bytes && lines < attachmentLinesMax {
                message.addBase64Line()
                lines += 1
            }
        }
    }
}

/// Collects a message.
private struct Builder {
    private(set) var bytes: [UInt8] = []
    private var seed: UInt64 = 0x9E37_79B9_7F4A_7C15
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let line = Array(
        "The quick brown fox jumps over the lazy dog, once again.\r\n".utf8)

    init(bytes count: Int) { bytes.reserveCapacity(count + 512) }

    mutating func add(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func addText(to end: Int) {
        while bytes.count + Builder.line.count <= end { bytes.append(contentsOf: Builder.line) }
    }

    /// 76 characters that look random and are the same each time.
    mutating func addBase64Line() {
        for _ in 0..<76 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bytes.append(Builder.alphabet[Int(seed >> 58)])
        }
        bytes.append(13)
        bytes.append(10)
    }
}
