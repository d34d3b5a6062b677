// Names, values, addresses and what is owed: the plain parts of a ledger in a server.

import Reactor
import TestSupport
import Testing

@testable import LedgerServer
@testable import Relay

@Suite("The plain parts of a ledger in a server")
struct ServerValueTests {
    @Test("A value says what was written")
    func values() {
        let facts: [LedgerFact] =
            [
                .accepted(messageID: Array("m 1@api.test".utf8)), .delivered(messageID: []),
                .pending(submission: .max), .tried,
            ] + LedgerRefusal.allCases.map { .refused($0) }
        for fact in facts {
            let read = ServerValue.fact(ServerValue.bytes(fact, until: 1_800_000_000_000))
            #expect(read?.fact == fact)
            #expect(read?.until == 1_800_000_000_000)
        }
    }

    @Test(
        "What no relay has written is no value",
        arguments: [
            "", "1", "1a", "1a5", "1a5 ", "2a5 x", "1z5 x", "1r5 9", "1pz 1", "1p5 x", "1a-5 x",
        ])
    func nonsense(_ text: String) { #expect(ServerValue.fact(Array(text.utf8)) == nil) }

    @Test("A name depends on key, owner, scope and digest, and hides all of them")
    func names() {
        let namer = ServerNamer(key: ContentHash.Key(words: (1, 2, 3, 4)))
        let scope = LedgerScope(owner: 5, sender: 6)
        let digest = ContentDigest(high: 7, low: 8)
        let names = [
            namer.name(of: scope), namer.name(of: digest, in: scope),
            namer.name(of: LedgerScope(owner: 6, sender: 5)),
            namer.name(of: digest, in: LedgerScope(owner: 6, sender: 6)),
            namer.name(.keyLimit, account: 5), namer.name(.domainLimit, account: 5, "a.example"),
            namer.name(.domain, account: 0, "a.example"), namer.name(.key, account: 5),
            ServerNamer(key: ContentHash.Key(words: (1, 2, 3, 5))).name(of: scope),
        ]
        #expect(Set(names).count == names.count)
        #expect(namer.name(of: scope) == names[0])
        for name in names {
            #expect(ServerName(Substring(name.text)) == name)
            #expect(name.text.utf8.count == 32)
        }
        let key = ContentHash.Key(secret: Array("s".utf8))
        #expect(ContentHash.Key(text: Substring(key.text))?.text == key.text)
    }

    @Test(
        "Addresses of servers",
        arguments: [
            ("valkey://h", "valkey://h:6379", "", false),
            ("redis://10.0.0.1:7000", "valkey://10.0.0.1:7000", "", false),
            ("VALKEYS://relay@db.example:6380/3", "valkeys://db.example:6380/3", "relay", true),
            ("rediss://[2001:db8::1]/0", "valkeys://[2001:db8::1]:6379", "", true),
            ("valkey://u@[::1]:1/", "valkey://[::1]:1", "u", false),
        ])
    func addresses(_ url: String, _ shown: String, _ user: String, _ isTLS: Bool) {
        let address = LedgerServerAddress(url: url)
        #expect(address?.description == shown)
        #expect(address?.user == user)
        #expect(address?.isTLS == isTLS)
    }

    @Test(
        "No addresses",
        arguments: [
            "valkey://", "valkey://h:", "valkey://h:0", "valkey://h:70000", "valkey://h/x",
            "valkey://h/99999", "valkey://u:password@h", "valkey://:password@h", "valkey://@h",
            "http://h", "valkey:/h", "valkey://[::1", "valkey://[h]", "valkey://a b",
            "valkey://h?x=1",
            "valkey://h:1:2",
        ])
    func noAddresses(_ url: String) { #expect(LedgerServerAddress(url: url) == nil) }

    @Test("Credentials are lines, and show nothing")
    func credentials() {
        let file = "# of the fleet\nuser=relay\r\npassword=a=b#c \n\nsecret=s\n"
        let credentials = LedgerCredentials(Array(file.utf8))
        #expect(credentials?.user == Array("relay".utf8))
        #expect(credentials?.password == Array("a=b#c ".utf8))
        #expect(credentials?.secret == Array("s".utf8))
        #expect("\(credentials!)".contains("hidden"))
        #expect(LedgerCredentials(Array("hunter2\n".utf8)) == nil)
        #expect(LedgerCredentials(Array("pass=x\n".utf8)) == nil)
    }

    // MARK: What is owed

    private static let now = MonotonicTime(nanoseconds: 5_000_000_000)

    private static func change(_ kind: LedgerChange.Kind, _ number: UInt64 = 1) -> LedgerChange {
        LedgerChange(
            kind, scope: LedgerScope(owner: 1, sender: 1),
            digest: ContentDigest(high: number, low: 0))
    }

    private static func put(_ fact: LedgerFact, seconds: Int = 60) -> LedgerChange.Kind {
        .put(fact, until: now.advanced(byMilliseconds: 1_000 * seconds))
    }

    private static func left(_ kinds: [LedgerChange.Kind]) -> [LedgerChange.Kind] {
        var owed = OwedChanges()
        for kind in kinds { owed.append(change(kind), at: now) }
        return owed.take(9).map(\.kind)
    }

    @Test("Of a record the last change is owed")
    func merging() {
        let accepted = Self.put(.accepted(messageID: [1]))
        let pending = Self.put(.pending(submission: 4))
        let delivered = Self.put(.delivered(messageID: [2]))
        #expect(Self.left([pending, accepted]) == [accepted])
        #expect(Self.left([accepted, .forget]) == [.forget])
        #expect(Self.left([accepted, .forget, accepted]) == [accepted])
        #expect(Self.left([pending, .settle(submission: 4)]).isEmpty)
        #expect(Self.left([pending, .settle(submission: 5)]) == [pending])
        #expect(Self.left([accepted, .settle(submission: 4)]) == [accepted])
        #expect(Self.left([.settle(submission: 4)]).isEmpty)
        #expect(Self.left([.forget, .settle(submission: 4)]) == [.forget])
        #expect(Self.left([delivered, Self.put(.tried)]) == [delivered])
        #expect(Self.left([Self.put(.tried), delivered]) == [delivered])
    }

    @Test("What is owed is bounded by number and by bytes, and what finds no room is counted")
    func bounds() {
        var bounds = OwedChanges.Bounds()
        bounds.changes = 3
        var owed = OwedChanges(bounds: bounds)
        for number in 1...5 { owed.append(Self.change(.forget, UInt64(number)), at: Self.now) }
        #expect(owed.count == 3)
        #expect(owed.lost == 2)
        // A record that is owed already needs no more room.
        let isOwed = owed.append(Self.change(Self.put(.tried), 2), at: Self.now)
        #expect(isOwed)
        let (first, rest) = (owed.take(2), owed.take(2))
        #expect(first.map(\.digest.high) == [1, 2])
        #expect(rest.map(\.digest.high) == [3])
        bounds.bytes = 400
        owed = OwedChanges(bounds: bounds)
        for number in 1...3 { owed.append(Self.change(.forget, UInt64(number)), at: Self.now) }
        #expect(owed.count == 2)
    }

    // MARK: Tickets

    @Test("Equal questions that were not sent are one, and no answer is as good as yes")
    func tickets() {
        var book = TicketBook()
        let (one, two) = (LedgerScope(owner: 1, sender: 1), LedgerScope(owner: 1, sender: 2))
        let first = book.ask(one)
        #expect(book.unsent(one) == first)
        #expect(book.unsent(two) == nil)
        #expect(book.isUnsent(first))
        #expect(book.mayHold(first))
        book.sent()
        #expect(book.unsent(one) == nil)
        let second = book.ask(one)
        #expect(second != first)
        book.sent()
        book.answered(first, of: one, .nothing)
        #expect(!book.mayHold(first))
        #expect(book.mayHold(second))
        #expect(book.unanswered(one) == second)
        book.answered(second, of: one, .wholes)
        #expect(book.unanswered(one) == nil)
        #expect(book.mayHold(second))
        #expect(!book.mayHoldRecipients(second))
        #expect(!book.mayHold(first))
        let third = book.ask(one)
        book.sent()
        #expect(book.mayHoldRecipients(third))
        book.answered(third, of: one, .recipients)
        #expect(book.mayHoldRecipients(third))
    }

    @Test("So many positive answers that old ones are forgotten: they stay positive")
    func manyTickets() {
        var book = TicketBook()
        for _ in 0..<10_000 {
            let ticket = book.ask(LedgerScope(owner: 1, sender: 1))
            book.sent()
            book.answered(ticket, of: LedgerScope(owner: 1, sender: 1), nil)
        }
        #expect(book.mayHold(1))
        #expect(book.mayHold(9_999))
    }
}
