// Address lists: RFC 5322's examples, lists seen in the wild, and hostile ones.

import TestSupport
import Testing

@testable import Wire

/// All mailboxes of a list as `Name<address>`.
func parsedAddresses(_ value: [UInt8], keepsNames: Bool = false) -> (
    mailboxes: [String], losses: DecodeLosses, isTooLong: Bool
) {
    var losses = DecodeLosses()
    var mailboxes: [String] = []
    var isTooLong = false
    let cache = CharsetCache()
    _ = written(capacity: 4 * value.count + 64) { region in
        var parser = AddressParser(keepsNames: keepsNames)
        while true {
            switch parser.next(value.span, charsets: cache, into: &region, losses: &losses) {
            case .end: return
            case .tooManyTokens:
                isTooLong = true
                return
            case .mailbox(let mailbox):
                let name = region.bytes.extracting(mailbox.displayName).copied()
                let address = region.bytes.extracting(mailbox.address).copied()
                let text = String(validating: name + [0x3C] + address + [0x3E], as: UTF8.self)
                mailboxes.append(text ?? "(not UTF-8)")
            }
        }
    }
    return (mailboxes, losses, isTooLong)
}

@Suite("Address lists")
struct AddressParserTests {
    @Test("The examples of RFC 5322 appendix A come out as meant", arguments: AddressLists.ofTheRFC)
    func examplesOfTheRFC(list: ListCase) {
        let found = parsedAddresses(list.value.bytes)
        #expect(found.mailboxes == list.expected)
        #expect(found.losses == DecodeLosses())
    }

    @Test(
        "Lists that are seen in the wild are read as they were meant",
        arguments: AddressLists.seenInTheWild)
    func seenInTheWild(list: ListCase) {
        #expect(parsedAddresses(list.value.bytes).mailboxes == list.expected)
    }

    @Test(
        "Entries without an addr-spec are dropped and counted, empty ones only dropped",
        arguments: [
            ("root", 1), ("<root>", 1), ("<>", 1), ("a@", 1), ("<@b.c>", 1), ("x, y, a@b.c", 2),
            ("=?utf-8?q?a=40?=", 1), ("=?utf-8?q?a?= <b>", 1), ("", 0), (", ;", 0),
            ("(only a comment)", 0),
        ] as [(String, Int)])
    func notAddresses(value: String, dropped: Int) {
        let found = parsedAddresses(value.bytes)
        #expect(found.losses.malformedAddresses == dropped)
        #expect(found.mailboxes == (value.contains("a@b.c") ? ["<a@b.c>"] : []))
    }

    @Test(
        "An address in encoded words is found and counted",
        arguments: [
            ("=?utf-8?q?a=40b.c?=", ["<a@b.c>"], 1), ("=?utf-8?q?a?=@b.c", ["<a@b.c>"], 1),
            ("Ann <=?utf-8?q?a=40b.c?=>", ["Ann<a@b.c>"], 1),
            ("=?utf-8?q?Lee=2C_Ann?= <=?utf-8?b?YUBiLmM=?=>", ["Lee, Ann<a@b.c>"], 1),
            ("=?utf-8?q?Zo=C3=AB_<a@b.c>?=", ["Zoë<a@b.c>"], 1),
            (
                "=?utf-8?b?Wm/DqyA8YUBiLmM+LCBCb2IgPGJAYi5jPiwgY0BiLmM=?=",
                ["Zoë<a@b.c>", "Bob<b@b.c>", "<c@b.c>"], 3
            ),
            ("=?utf-8?q?Zo=C3=AB_<a@?=\r\n =?utf-8?q?b.c>?=, d@b.c", ["Zoë<a@b.c>", "<d@b.c>"], 1),
            ("=?utf-8?q?M=C3=BCller=2C_J=C3=B6rg_<a@b.c>?=", ["Müller, Jörg<a@b.c>"], 1),
            ("\"=?utf-8?q?Zo=C3=AB_<a@b.c>?=\"", ["Zoë<a@b.c>"], 1),
            ("a@b.c, =?utf-8?q?nobody?=, d@b.c", ["<a@b.c>", "<d@b.c>"], 0),
            ("=?utf-8?q?a=40b.c?= <d@b.c>", ["a@b.c<d@b.c>"], 0),
        ] as [(String, [String], Int)])
    func encodedAddresses(value: String, expected: [String], count: Int) {
        let found = parsedAddresses(value.bytes)
        #expect(found.mailboxes == expected)
        #expect(found.losses.encodedAddresses == count)
    }

    @Test(
        "A list comma that is an encoded word separates",
        arguments: [
            "A <a@b.c> =?utf-8?q?=2C?= =?utf-8?q?Zo=C3=AB?= <z@b.c>",
            "A <a@b.c>=?utf-8?q?=2C_?= =?utf-8?q?Zo=C3=AB?= <z@b.c>",
            "A <a@b.c> =?utf-8?b?LA==?= =?utf-8?q?Zo=C3=AB?= <z@b.c>",
            "A <a@b.c>\r\n =?UTF-8?Q?,?=\r\n =?utf-8?q?Zo=C3=AB?= <z@b.c>",
        ])
    func encodedCommas(value: String) {
        #expect(parsedAddresses(value.bytes).mailboxes == ["A<a@b.c>", "Zoë<z@b.c>"])
        #expect(
            parsedAddresses("a@b.c =?utf-8?q?=2C?= z@b.c".bytes).mailboxes
                == ["<a@b.c>", "<z@b.c>"])
        #expect(
            parsedAddresses("=?utf-8?q?Doe?= =?utf-8?q?=2C?= =?utf-8?q?_J?= <a@b.c>".bytes)
                .mailboxes == ["Doe, J<a@b.c>"])
    }

    @Test(
        "Quotes and parentheses in encoded words are text",
        arguments: [
            ("=?utf-8?Q?\"J=C3=B6rg B\"?= <a@b.c>", "\"Jörg B\""),
            ("=?utf-8?Q?J=C3=B6rg_(Sales)?= <a@b.c>", "Jörg (Sales)"),
            ("=?utf-8?Q?J_=28Sales?= =?utf-8?Q?_=22X=22=29?= <a@b.c>", "J (Sales \"X\")"),
            ("=?utf-8?Q?a<b>,c?= <a@b.c>", "a<b>,c"),
            ("=?utf-8?B?IkoiIChTKQ==?= <a@b.c>", "\"J\" (S)"),
            ("=?utf-8?Q?=EF=BB=BFAnn?= <a@b.c>", "Ann"), ("\u{FEFF}Ann <a@b.c>", "Ann"),
            ("=?x-nobody?Q?Se=F1or?= <a@b.c>", "Señor"),
            ("=?utf-8?q?=3D=3Futf-8=3Fq=3FZo=3DC3=3DAB=3F=3D?= <a@b.c>", "Zoë"),
            ("=?utf-8?q?x?y <a@b.c>", "?utf-8?q?x?y"), ("A\u{7F}B <a@b.c>", "A B"),
        ] as [(String, String)])
    func textInEncodedWords(value: String, name: String) {
        #expect(parsedAddresses(value.bytes).mailboxes == ["\(name)<a@b.c>"])
    }

    @Test(
        "Names without an address are kept when they are asked for",
        arguments: [
            ("Mailer <DAEMON>", ["Mailer<>"]), ("root", []), ("root (Cron)", ["Cron<>"]),
            ("=?utf-8?q?Zo=C3=AB?= <>", ["Zoë<>"]), ("Ann Lee", ["Ann Lee<>"]),
            ("\"Ann\"", ["Ann<>"]), ("Ann, b@c.d", ["<b@c.d>"]),
            ("X Y, b@c.d", ["X Y<>", "<b@c.d>"]),
        ] as [(String, [String])])
    func names(value: String, expected: [String]) {
        #expect(parsedAddresses(value.bytes, keepsNames: true).mailboxes == expected)
    }

    @Test("No control character comes out of a list")
    func controls() {
        let found = parsedAddresses("\"a\rb\u{0}\" <x\u{1}@y\u{0}.z>".bytes)
        #expect(found.mailboxes == ["a b<x@y.z>"])
        let word = "=?utf-8?q?a=0D=0ABcc:_x?= <\"a\u{1}\r\n b\"@c.d>"
        #expect(parsedAddresses(word.bytes).mailboxes == ["a  Bcc: x<\"a b\"@c.d>"])
    }

    @Test("No control character of 8 bits comes out, also not as the last one of a word")
    func wideControls() {
        for word in ["=?x-none?q?a=EF=9D?=", "=?x-none?q?a=9Db?=", "=?windows-1252?q?a=9D?="] {
            let names = parsedAddresses(Array("\(word) <s@x.example>".utf8))
            #expect(!"\(names)".unicodeScalars.contains { (0x80..<0xA0).contains($0.value) })
        }
    }

    @Test("8-bit names that are not UTF-8 are read as windows-1252")
    func undeclaredNames() {
        let found = parsedAddresses([0x4A, 0xFC, 0x72] + " <a@b.c>".bytes)
        #expect(found.mailboxes == ["Jür<a@b.c>"])
    }

    @Test("More tokens than the bound end the list, and the mailboxes before stay valid")
    func tokenBound() {
        let list = String(repeating: "a@b.c,", count: 6000)
        let found = parsedAddresses(list.bytes)
        #expect(found.isTooLong)
        #expect(found.mailboxes.count == AddressParser.tokensMax / 2)
        #expect(!parsedAddresses(String(repeating: "a@b.c,", count: 4000).bytes).isTooLong)
    }

    static let slowParts: [String] = [
        "(", "((", "(a)", ")", "<", "\"", "<\"", "\"<", ":", "<@a:", "=?", "=?a?q?", "[", "a@[",
        "\\", "(\\", "\"a\" ", "a@b<", "<a@b>", "@", ".", " ", ",", "=?utf-8?q?", "<a,", "(<",
        "g:", "g:a@b;", "a.", "=?utf-8?q?a?= ", "=?utf-8?q?a=40b?=,", "=?utf-8?q?a=40b?=",
        "=?utf-8?q?=2C?=", "=?utf-8?q?\" ", "a@=?utf-8?q?b?=, ", "<=?utf-8?q?a=40b?=>",
        "a@b ", "a@b c ", "a@b- ", "a@b a@b <a@b> ",
    ]

    @Test("Lists made to be slow take linear time", arguments: slowParts)
    func slowLists(part: String) {
        expectLinear(part) { _ = parsedAddresses($0) }
    }

    @Test("Random lists give valid text without controls, and are read back when written")
    func randomLists() {
        var generator = SeededGenerator(seed: 5322)
        let parts = [
            "a@b.c", " d@e.f ", "<a@b.c>", "\"", "(", ")", "<", ">", ",", ";", ":", " ", "\r\n ",
            "\\", "é",
            "=?utf-8?q?x=E9?=", "Jane", ".", "@", "[", "]", "=?", "=?utf-8?q?a=40b.c?=", "?=", "=",
            "=?utf-8?b?Wm/DqyA8YUBiLmM+?=", "=?utf-8?q?=2C?=", "=?x?q?=FF?=", "=?utf-8?q?=3D=3F?=",
        ].map(\.bytes)
        for _ in 0..<3000 {
            var value: [UInt8] = []
            for _ in 0..<Int.random(in: 0...14, using: &generator) {
                value += parts.randomElement(using: &generator)!
            }
            for mailbox in parsedAddresses(value).mailboxes {
                #expect(mailbox != "(not UTF-8)", "\(value.text)")
                #expect(!mailbox.utf8.contains { $0 < 0x20 }, "\(value.text)")
                #expect(!mailbox.contains("=?"), "\(value.text)")
            }
        }
    }

    private func formatted(_ name: String, _ address: String) -> String {
        written(capacity: 1000) {
            AddressParser.format(
                displayName: name.bytes.span, address: address.bytes.span, into: &$0)
        }.text
    }

    @Test(
        "A mailbox is written with quotes where they are needed, and reads back the same",
        arguments: [
            ("", "a@b.c", "a@b.c"), ("Jane", "a@b.c", "Jane <a@b.c>"),
            ("Jane Doe", "a@b.c", "Jane Doe <a@b.c>"), ("Jürgen", "a@b.c", "Jürgen <a@b.c>"),
            ("Doe, J.", "a@b.c", "\"Doe, J.\" <a@b.c>"),
            ("a\"b\\c", "a@b.c", "\"a\\\"b\\\\c\" <a@b.c>"),
            ("a  b", "a@b.c", "\"a  b\" <a@b.c>"),
            ("a@b", "\"x y\"@b.c", "\"a@b\" <\"x y\"@b.c>"),
        ] as [(String, String, String)])
    func format(name: String, address: String, expected: String) {
        let text = formatted(name, address)
        #expect(text == expected)
        #expect(parsedAddresses(text.bytes).mailboxes == ["\(name)<\(address)>"])
    }

    @Test(
        "Mailboxes are compared by domain without case and by local part as asked",
        arguments: [
            ("a@b.c", "a@B.C", true, true), ("A@b.c", "a@b.c", false, true),
            ("a@b.c", "a@b.d", false, false), ("a@b.c", "a@b.cc", false, false),
            ("\"a.b\"@c", "a.b@c", true, true), ("\"a\\\"b\"@c", "\"a\\\"b\"@C", true, true),
            ("ab@c", "abc@c", false, false), ("a", "a", true, true), ("a", "a@b", false, false),
            ("", "", true, true), ("é@b", "É@b", false, false),
            ("\"a..b\"@c", "a..b@c", true, true),
        ] as [(String, String, Bool, Bool)])
    func same(a: String, b: String, exactly: Bool, ignoringCase: Bool) {
        let (left, right) = (a.bytes, b.bytes)
        #expect(AddressParser.same(left.span, right.span, ignoringLocalCase: false) == exactly)
        #expect(AddressParser.same(right.span, left.span, ignoringLocalCase: true) == ignoringCase)
    }
}
