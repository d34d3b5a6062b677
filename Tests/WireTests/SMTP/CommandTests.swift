// Command lines as clients send them, and as attackers do.

import TestSupport
import Testing

@testable import Wire

/// A command with its ranges read out, so that a table can hold it.
private func described(_ line: [UInt8]) -> String {
    func text(_ range: Range<Int>) -> String { Array(line[range]).text }
    switch Command.parse(line.span) {
    case .ehlo(let name): return "ehlo \(text(name))"
    case .helo(let name): return "helo \(text(name))"
    case .auth(let mechanism, let initial):
        return "auth \(text(mechanism)) \(initial.map(text) ?? "-")"
    case .mail(let mail):
        return "mail <\(text(mail.path))>" + (mail.size.map { " size \($0)" } ?? "")
            + (mail.is8BitMIME ? " 8bit" : "") + (mail.isBinaryMIME ? " binary" : "")
            + (mail.isSMTPUTF8 ? " utf8" : "")
    case .rcpt(let rcpt): return "rcpt <\(text(rcpt.path))>"
    case .bdat(let bdat): return "bdat \(bdat.size)" + (bdat.isLast ? " last" : "")
    case .malformed(let fault): return "\(fault)"
    case let other: return "\(other)"
    }
}

@Suite struct CommandTests {
    @Test(arguments: [
        ("EHLO client.example", "ehlo client.example"), ("ehlo [192.0.2.1]", "ehlo [192.0.2.1]"),
        ("HELO WIN_PC-7 ", "helo WIN_PC-7"), ("EHLO a b", "ehlo a b"), ("EHLO", "badSyntax"),
        ("helo  ", "badSyntax"), ("STARTTLS", "startTLS"), ("starttls \t", "startTLS"),
        ("STARTTLS now", "argumentsNotAllowed"), ("DATA", "data"),
        ("DATA x", "argumentsNotAllowed"),
        ("rset", "rset"), ("RSET x", "argumentsNotAllowed"), ("Quit", "quit"),
        ("QUIT x", "argumentsNotAllowed"), ("NOOP", "noop"), ("NOOP anything at all", "noop"),
        ("VRFY a@b", "vrfy"), ("EXPN list", "expn"), ("HELP", "help"), ("HELP MAIL", "help"),
        ("BDAT 100 LAST", "bdat 100 last"), ("", "unrecognized"), (" ", "unrecognized"),
        (" NOOP", "unrecognized"), ("FOO", "unrecognized"), ("MAILFROM:<a@b>", "unrecognized"),
        ("DATA.", "unrecognized"),
    ])
    func `verbs are known in any case`(line: String, expected: String) {
        #expect(described(line.bytes) == expected)
    }

    @Test(arguments: [
        "GET / HTTP/1.1", "POST /", "PUT x", "HEAD /", "OPTIONS *", "CONNECT a:443", "TRACE /",
        "DELETE /", "PATCH /", "PRI * HTTP/2.0", "get",
    ])
    func `the verbs of HTTP are recognised`(line: String) {
        #expect(described(line.bytes) == "httpVerb")
    }

    @Test(arguments: [
        ("AUTH PLAIN", "auth PLAIN -"), ("auth plain AGEAYg==", "auth plain AGEAYg=="),
        ("AUTH LOGIN =", "auth LOGIN ="), ("AUTH  CRAM-MD5  ", "auth CRAM-MD5 -"),
        ("AUTH", "badSyntax"), ("AUTH PLAIN a b", "badSyntax"), ("AUTH P*N", "badSyntax"),
        ("AUTH=PLAIN", "unrecognized"),
    ])
    func `AUTH has a mechanism and may have a response`(line: String, expected: String) {
        #expect(described(line.bytes) == expected)
    }

    @Test(arguments: [
        ("BDAT 0", "bdat 0"), ("BDAT 0 LAST", "bdat 0 last"),
        ("bdat 86324 last", "bdat 86324 last"),
        ("BDAT  12\tLAST ", "bdat 12 last"),
        ("BDAT 9223372036854775806", "bdat 9223372036854775806"),
    ])
    func `BDAT has a size and may be the last`(line: String, expected: String) {
        #expect(described(line.bytes) == expected)
    }

    @Test(arguments: [
        "BDAT", "BDAT ", "BDAT LAST", "BDAT 5LAST", "BDAT 5 LAST x", "BDAT 5 FIRST", "BDAT 5 5",
        "BDAT -1", "BDAT +5", "BDAT 005", "BDAT 00", "BDAT 0x5", "BDAT 5.", "BDAT 5,000", "BDAT ５",
        "BDAT 9223372036854775807", "BDAT 9999999999999999999", "BDAT 18446744073709551621",
        "BDAT 99999999999999999999", "BDAT 5\0 LAST", "BDAT\0 5", "BDAT5 LAST", " BDAT 5", "bdat=5",
        "BDAT 5 LAST\u{7F}", "BDAT \u{200B}5", "BDAT 5\r", "BDAT 5 LAST\r",
    ])
    func `a size that two servers could read differently is none`(line: String) {
        #expect(described(line.bytes) == "badChunk")
    }

    @Test(arguments: [
        ("MAIL FROM:<a@b.c>", "mail <a@b.c>"), ("mail from: <a@b.c> ", "mail <a@b.c>"),
        ("MAIL  FROM : <a@b>", "mail <a@b>"), ("MAIL FROM:a@b.c", "mail <a@b.c>"),
        ("MAIL FROM:<>", "mail <>"), ("MAIL FROM:<> SIZE=5", "mail <> size 5"),
        ("MAIL FROM:<@x.y,@z:a@b>", "mail <a@b>"),
        ("MAIL FROM:a@b size=1 body=8bitmime smtputf8 AUTH=<>", "mail <a@b> size 1 8bit utf8"),
        ("MAIL FROM:<a@b> BODY=7BIT", "mail <a@b>"),
        ("MAIL FROM:<a@b> SIZE=0", "mail <a@b> size 0"),
        ("MAIL FROM:<a@b> SIZE=99999999999999999999", "mail <a@b> size \(Int.max)"),
        ("MAIL FROM:<a@b> SIZE=999999999999999999999", "badSize"),
        ("MAIL FROM:<a@b> SIZE", "badSize"), ("MAIL FROM:<a@b> SIZE=", "badSize"),
        ("MAIL FROM:<a@b> SIZE=-1", "badSize"), ("MAIL FROM:<a@b> SIZE=1 SIZE=1", "badSize"),
        ("MAIL FROM:<a@b> BODY=BINARYMIME", "mail <a@b> binary"),
        ("MAIL FROM:<a@b> BODY=BINARY", "unknownParameter"),
        ("MAIL FROM:<a@b> BODY", "badSyntax"), ("MAIL FROM:<a@b> BODY=7BIT BODY=7BIT", "badSyntax"),
        ("MAIL FROM:<a@b> SMTPUTF8=1", "badSyntax"),
        ("MAIL FROM:<a@b> RET=FULL", "unknownParameter"),
        ("MAIL FROM:<a@b> AUTH", "badSyntax"), ("MAIL FROM:<a@b> =x", "badSyntax"),
        ("MAIL FROM:<a@b> *", "badSyntax"), ("MAIL", "badSyntax"), ("MAIL a@b", "badSyntax"),
        ("MAIL FROM <a@b>", "badSyntax"), ("MAIL TO:<a@b>", "badSyntax"),
        ("MAIL FROM", "badSyntax"),
        ("MAIL FROM:", "badAddress"), ("MAIL FROM:<a@b>SIZE=1", "badAddress"),
        ("MAIL FROM:<a@b", "badAddress"), ("MAIL FROM:a@b>", "badAddress"),
        ("MAIL FROM:<@x:>", "badAddress"), ("MAIL FROM:<@x a@b>", "badAddress"),
    ])
    func `MAIL takes the paths and parameters that clients send`(line: String, expected: String) {
        #expect(described(line.bytes) == expected)
    }

    @Test(arguments: [
        ("<a@b>", "rcpt <a@b>"), (" a.b+c@d-e.f_g ", "rcpt <a.b+c@d-e.f_g>"),
        ("<\"a b\"@c>", "rcpt <\"a b\"@c>"), ("<\"a>@\\\"\"@c>", "rcpt <\"a>@\\\"\"@c>"),
        ("<a@[192.0.2.1]>", "rcpt <a@[192.0.2.1]>"),
        ("<a@[IPv6:2001:db8::1]>", "rcpt <a@[IPv6:2001:db8::1]>"),
        ("<почта@домен.рф>", "rcpt <почта@домен.рф>"), ("<@r:a@b>", "rcpt <a@b>"),
        ("<a@b> NOTIFY=NEVER", "unknownParameter"), ("<a@b> =", "badSyntax"),
        ("<>", "badAddress"), ("<a>", "badAddress"), ("<a@>", "badAddress"), ("<@b>", "badAddress"),
        ("<a..b@docomo.ne.jp>", "rcpt <a..b@docomo.ne.jp>"), ("<a.@b>", "rcpt <a.@b>"),
        ("<.a@b>", "rcpt <.a@b>"), ("<.@b>", "badAddress"), ("<..@b>", "badAddress"),
        ("<Postmaster>", "noDomain"), ("<POSTMASTER> ", "noDomain"),
        ("<postmaster@b>", "rcpt <postmaster@b>"), ("<postmasters>", "badAddress"),
        ("<Postmaster>x@y", "badAddress"), ("postmaster", "badAddress"),
        ("<a@b@c>", "badAddress"), ("<a@b.>", "badAddress"), ("<a@b..c>", "badAddress"),
        ("<a b@c>", "badAddress"), ("<\"a@b>", "badAddress"), ("<\"a\\", "badAddress"),
        ("<a@[]>", "badAddress"), ("<a@[1>", "badAddress"), ("<a@b;c>", "badAddress"),
        ("<a@b>,<c@d>", "badAddress"), ("<\"a\tb\"@c>", "badAddress"), ("", "badAddress"),
    ])
    func `RCPT takes a mailbox`(path: String, expected: String) {
        #expect(described("RCPT TO:\(path)".bytes) == expected)
    }

    @Test func `an address over 320 bytes is refused`() {
        let longest = String(repeating: "a", count: 318)
        #expect(described("RCPT TO:<\(longest)@b>".bytes) == "rcpt <\(longest)@b>")
        #expect(described("RCPT TO:<\(longest)a@b>".bytes) == "badAddress")
    }

    @Test(arguments: [[0x80], [0xC3], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xFF]] as [[UInt8]])
    func `bytes beyond ASCII are UTF-8 in an address and nowhere else`(bytes: [UInt8]) {
        #expect(described("RCPT TO:<".bytes + bytes + "@b>".bytes) == "badAddress")
        #expect(described("EHLO ".bytes + bytes) == "badSyntax")
        #expect(described("RCPT TO:<a@b> ".bytes + bytes) == "badSyntax")
        #expect(described(bytes) == "unrecognized")
    }

    @Test(arguments: [0, 1, 7, 8, 11, 13, 27, 31, 127] as [UInt8])
    func `control bytes are refused everywhere in a line`(byte: UInt8) {
        for line in ["NOOP ", "MAIL FROM:<a@b> ", "RCPT TO:<\"a", "FOO"] {
            #expect(described(line.bytes + [byte] + "\"@b>".bytes) == "controlBytes")
        }
        #expect(described([byte]) == "controlBytes")
    }

    @Test(arguments: 0..<200)
    func `no line traps the parser`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let alphabet = "MAIL FROM:<>@\"\\[],. =TOEHL\t\u{80}a".bytes
        for start in ["", "MAIL FROM:", "RCPT TO:<", "AUTH ", "EHLO "] {
            let line = start.bytes + generator.bytes(Int(generator.next() % 30), from: alphabet)
            #expect(!described(line).isEmpty)
        }
    }
}
