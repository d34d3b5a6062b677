// Replies, exactly as clients receive them.

import Testing

@testable import Wire

private func wire(_ reply: Reply, enhanced: Bool = false) -> String {
    written(capacity: Reply.wireBytesMax) { reply.write(into: &$0, enhanced: enhanced) }.text
}

@Suite struct ReplyTests {
    @Test(arguments: [
        (Reply.badUsername, "535 Invalid username, use \"postscale\"\r\n"),
        (.authFailed, "535 Authentication failed\r\n"),
        (.authUnavailable, "451 Authentication service unavailable\r\n"),
        (.apiUnavailable, "451 API unavailable\r\n"),
        (.parseFailed, "554 Failed to parse message\r\n"),
        (.rateLimited, "452 Rate limit exceeded, try again later\r\n"),
        (.allSuppressed, "550 All recipients suppressed\r\n"),
        (.authRequired, "502 Authentication required\r\n"),
        (.tlsRequired, "530 Must issue a STARTTLS command first\r\n"),
        (.usernamePrompt, "334 VXNlcm5hbWU6\r\n"), (.passwordPrompt, "334 UGFzc3dvcmQ6\r\n"),
        (.emptyChallenge, "334 \r\n"), (.authCancelled, "501 Authentication cancelled\r\n"),
        (.unknownMechanism, "504 Unrecognized authentication type\r\n"),
        (.authenticated, "235 Authentication successful\r\n"),
        (.messageTooLarge, "552 Message size exceeds maximum\r\n"),
        (
            .messageTooLarge(bytesMax: 52_428_800),
            "552 Message size exceeds maximum of 52428800 bytes\r\n"
        ),
        (.tooManyRecipients, "452 Too many recipients\r\n"),
        (.queued(as: "a1@b.c".bytes), "250 Ok: queued as a1@b.c\r\n"),
        (.queued(as: []), "250 Ok: queued\r\n"),
        (.idleTimeout, "421 Timeout, closing connection\r\n"),
        (.shuttingDown, "421 Service shutting down\r\n"),
        (.parseFailed(reason: "at 5".bytes), "554 Failed to parse message: at 5\r\n"),
        (.startData, "354 End data with <CR><LF>.<CR><LF>\r\n"),
        (.forbidden(message: "no".bytes), "550 no\r\n"),
        (.rejected(message: [0xFF]), "554 Message rejected by the API\r\n"),
    ])
    func `texts are those of the page and the reply table`(reply: Reply, expected: String) {
        #expect(wire(reply) == expected)
    }

    @Test(arguments: [
        (Reply.ok, "250 2.0.0 Ok\r\n"), (.authFailed, "535 5.7.8 Authentication failed\r\n"),
        (.startData, "354 End data with <CR><LF>.<CR><LF>\r\n"),
        (.emptyChallenge, "334 \r\n"), (.readyForTLS, "220 2.0.0 Ready to start TLS\r\n"),
        (
            Reply(code: 554, enhanced: (5, 6, 0), dynamicText: "x".bytes), "554 5.6.0 x\r\n"
        ),
    ])
    func `enhanced status codes come after the code`(reply: Reply, expected: String) {
        #expect(wire(reply, enhanced: true) == expected)
    }

    @Test(arguments: [
        ("a\r\nQUIT\r\n", "a QUIT"), ("\t\0 a \u{7F} b\n", "a b"), ("é€😀", "???"),
        ("", ""), ("  ", ""), ("a\\\"b", "a\\\"b"),
    ])
    func `text from elsewhere is cleaned to one line of printable ASCII`(
        text: String, cleaned: String
    ) {
        let reply = Reply(code: 554, enhanced: (5, 6, 0), dynamicText: text.bytes)
        #expect(wire(reply) == "554 \(cleaned)\r\n")
    }

    @Test(arguments: ["a", "a b", "ж "])
    func `a reply is never longer than its limit`(unit: String) {
        let text = String(repeating: unit, count: 600).bytes
        for cut in 480...520 {
            let reply = Reply.parseFailed(reason: Array(text.prefix(cut)))
            let line = wire(reply, enhanced: true)
            #expect(line.utf8.count <= 512 && line.hasSuffix("\r\n") && !line.hasSuffix(" \r\n"))
        }
    }

    @Test func `greeting and HELO name the host`() {
        let host = "smtp.postscale.io".bytes
        let greeting = written(capacity: 512) {
            Reply.writeGreeting(hostname: host.span, into: &$0)
        }
        #expect(greeting.text == "220 smtp.postscale.io ESMTP Postscale SMTP Relay\r\n")
        let helo = written(capacity: 512) { Reply.writeHELO(hostname: host.span, into: &$0) }
        #expect(helo.text == "250 smtp.postscale.io\r\n")
    }

    @Test(arguments: [false, true], [false, true])
    func `EHLO offers AUTH only over TLS`(isTLS: Bool, isEnhanced: Bool) {
        for hasChunking in [false, true] { checkEHLO(isTLS, isEnhanced, hasChunking) }
    }

    private func checkEHLO(_ isTLS: Bool, _ isEnhanced: Bool, _ hasChunking: Bool) {
        let host = [UInt8](repeating: 104, count: 300)
        let lines = written(capacity: Reply.ehloBytesMax) {
            Reply.writeEHLO(
                hostname: host.span,
                options: EHLOOptions(
                    isTLS: isTLS, messageBytesMax: 52_428_800, recipientsMax: 100,
                    hasChunking: hasChunking, hasEnhancedStatusCodes: isEnhanced), into: &$0)
        }
        let expected =
            "250-\(String(repeating: "h", count: 255))\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n"
            + "250-8BITMIME\r\n250-SMTPUTF8\r\n"
            + (hasChunking ? "250-CHUNKING\r\n250-BINARYMIME\r\n" : "")
            + "250-LIMITS RCPTMAX=100\r\n"
            + (isEnhanced ? "250-ENHANCEDSTATUSCODES\r\n" : "")
            + (isTLS ? "250-AUTH PLAIN LOGIN\r\n250 AUTH=PLAIN LOGIN\r\n" : "250 STARTTLS\r\n")
        #expect(lines.text == expected)
    }

    @Test(arguments: [0, 9, 10, 52_428_800, Int.max, -1, Int.min])
    func `numbers are written in decimal`(number: Int) {
        let digits = written(capacity: 20) { $0.append(decimal: number) }
        #expect(digits.text == "\(number)")
    }
}
