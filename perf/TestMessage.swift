// The messages that are sent: deterministic, well-formed, of a given size.
//
// Small ones are plain text; from 64 KB on, a text part and base64 attachments of at most 20 MB
// decoded each, as real large messages are.

/// Makes the bytes of DATA, with CRLF line ends and the final dot line.
enum TestMessage {
    private static let attachmentLinesMax = 20 * 1_048_576 / 57

    /// - Parameter bytes: the size aimed at; the result differs by at most a few lines.
    static func make(bytes: Int) -> [UInt8] {
        var text = """
            From: Sender <sender@yourdomain.com>\r
            To: Recipient 0 <recipient0@example.com>\r
            Subject: A test message of \(bytes) bytes\r
            Date: Sun, 22 Nov 2026 12:00:00 +0000\r
            Message-ID: <perf@yourdomain.com>\r
            MIME-Version: 1.0\r

            """
        var result: [UInt8] = []
        result.reserveCapacity(bytes + 256)
        if bytes < 65_536 {
            text += "Content-Type: text/plain; charset=utf-8\r\n\r\n"
            result.append(contentsOf: text.utf8)
            let line = Array("The quick brown fox jumps over the lazy dog, once again.\r\n".utf8)
            while result.count + line.count <= bytes { result.append(contentsOf: line) }
        } else {
            text += "Content-Type: multipart/mixed; boundary=\"=_perf_boundary\"\r\n\r\n"
            text += "--=_perf_boundary\r\nContent-Type: text/plain\r\n\r\nSee attachments.\r\n"
            result.append(contentsOf: text.utf8)
            appendAttachments(&result, to: bytes)
            result.append(contentsOf: "--=_perf_boundary--\r\n".utf8)
        }
        result.append(contentsOf: ".\r\n".utf8)
        return result
    }

    private static func appendAttachments(_ result: inout [UInt8], to bytes: Int) {
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var seed: UInt64 = 0x9E37_79B9_7F4A_7C15
        var number = 0
        while result.count + 100 < bytes {
            number += 1
            let head = """
                --=_perf_boundary\r
                Content-Type: application/octet-stream; name="data\(number).bin"\r
                Content-Disposition: attachment; filename="data\(number).bin"\r
                Content-Transfer-Encoding: base64\r
                \r

                """
            result.append(contentsOf: head.utf8)
            var lines = 0
            while result.count + 78 < bytes && lines < attachmentLinesMax {
                for _ in 0..<76 {
                    seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    result.append(alphabet[Int(seed >> 58)])
                }
                result.append(13)
                result.append(10)
                lines += 1
            }
        }
    }
}
