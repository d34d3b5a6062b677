// The commands that keep a ledger in a Valkey or Redis server, as bytes.
//
// Each kind of fact has a name of its own, so that plain commands suffice: an acceptance (`a`), its being
// told (`k`), a lease (`l`), what has become of a recipient (`g`), that it was tried (`t`). The records of
// a scope are listed in sets: acceptances (`s`), leases (`p`), recipients (`r`). An empty set is none, so
// one EXISTS says whether a scope has any record. Everything expires by the server's clock. Beside them
// are the fleet's key (`key`) and its news (`news`).

import Relay

/// Writes commands, for one connection.
struct LedgerCommands {
    private static let hasKey = Array("key".utf8)
    private static let hasNews = Array("news".utf8)

    private(set) var writer = CommandWriter()
    private let prefix: [UInt8]

    init(prefix: [UInt8]) { self.prefix = prefix }

    /// Forgets what was written; the memory stays.
    mutating func removeAll() { writer.removeAll() }

    /// The names of a fact's record, and of the list that it is in.
    static func kinds(of fact: LedgerFact) -> (record: UInt8, list: UInt8) {
        switch fact {
        case .accepted: (UInt8(ascii: "a"), UInt8(ascii: "s"))
        case .pending: (UInt8(ascii: "l"), UInt8(ascii: "p"))
        case .delivered, .refused: (UInt8(ascii: "g"), UInt8(ascii: "r"))
        case .tried: (UInt8(ascii: "t"), UInt8(ascii: "r"))
        }
    }

    // MARK: The connection

    mutating func logIn(user: [UInt8], password: [UInt8]) {
        writer.begin(user.isEmpty ? 2 : 3)
        writer.add("AUTH")
        if !user.isEmpty { writer.add(user) }
        writer.addSecret(password)
    }

    mutating func select(_ database: Int) {
        writer.begin(2)
        writer.add("SELECT")
        writer.add(String(database))
    }

    /// Sets the key unless it is there; this also shows whether writes are taken.
    mutating func claimKey(_ value: [UInt8]) {
        writer.begin(4)
        writer.add("SET")
        writer.add(prefix + Self.hasKey)
        writer.add(value)
        writer.add("NX")
    }

    mutating func readKey() {
        writer.begin(2)
        writer.add("GET")
        writer.add(prefix + Self.hasKey)
    }

    // MARK: Questions

    /// Whether a scope has any record. The reply counts names as often as they are given, so it also
    /// says which: `recipientsMin` or more means that there are records of recipients.
    mutating func exists(_ scope: ServerName) {
        writer.begin(6)
        writer.add("EXISTS")
        for kind in "sprrr".utf8 { writer.add(prefix, kind, scope) }
    }

    static let recipientsMin = 3

    /// Three values for the whole (acceptance, lease, who tells it), and two per recipient (what has become
    /// of it, that it was tried).
    mutating func look(whole: ServerName?, recipients: [ServerName]) {
        writer.begin(1 + (whole == nil ? 0 : 3) + 2 * recipients.count)
        writer.add("MGET")
        if let whole { for kind in "alk".utf8 { writer.add(prefix, kind, whole) } }
        for recipient in recipients {
            for kind in "gt".utf8 { writer.add(prefix, kind, recipient) }
        }
    }

    /// Keeps an acceptance from others while it is told.
    mutating func take(_ whole: ServerName, for teller: String, milliseconds: Int) {
        writer.begin(6)
        writer.add("SET")
        writer.add(prefix, UInt8(ascii: "k"), whole)
        writer.add(teller)
        writer.add("PX")
        writer.add(String(milliseconds))
        writer.add("NX")
    }

    // MARK: Changes

    mutating func set(
        _ kind: UInt8, _ name: ServerName, _ value: [UInt8], milliseconds: Int, onlyIfAbsent: Bool
    ) {
        writer.begin(onlyIfAbsent ? 6 : 5)
        writer.add("SET")
        writer.add(prefix, kind, name)
        writer.add(value)
        writer.add("PX")
        writer.add(String(milliseconds))
        if onlyIfAbsent { writer.add("NX") }
    }

    mutating func delete(_ kinds: String, _ name: ServerName) {
        writer.begin(1 + kinds.utf8.count)
        writer.add("DEL")
        for kind in kinds.utf8 { writer.add(prefix, kind, name) }
    }

    mutating func list(_ name: ServerName, in kind: UInt8, of scope: ServerName) {
        writer.begin(3)
        writer.add("SADD")
        writer.add(prefix, kind, scope)
        writer.add(name.text)
    }

    /// Makes a list last.
    mutating func renew(_ kind: UInt8, of scope: ServerName, milliseconds: Int) {
        writer.begin(3)
        writer.add("PEXPIRE")
        writer.add(prefix, kind, scope)
        writer.add(String(milliseconds))
    }

    mutating func unlist(_ name: ServerName, in kind: UInt8, of scope: ServerName) {
        writer.begin(3)
        writer.add("SREM")
        writer.add(prefix, kind, scope)
        writer.add(name.text)
    }

    // MARK: News

    /// Two commands.
    mutating func tell(_ news: [UInt8]) {
        let name = prefix + Self.hasNews
        writer.begin(8)
        writer.add("XADD")
        writer.add(name)
        for word in ["MAXLEN", "~", "1000", "*", "n"] as [StaticString] { writer.add(word) }
        writer.add(news)
        writer.begin(3)
        writer.add("PEXPIRE")
        writer.add(name)
        writer.add(String(3 * ServerNews.agesMilliseconds))
    }

    /// - Parameter count: of entries at most.
    mutating func readNews(after entry: String, count: Int) {
        writer.begin(6)
        writer.add("XREAD")
        writer.add("COUNT")
        writer.add(String(count))
        writer.add("STREAMS")
        writer.add(prefix + Self.hasNews)
        writer.add(entry)
    }
}

/// Lists of one scope that were made to last.
struct RenewedLists {
    private var scope: LedgerScope?
    private var lists: [UInt8] = []

    mutating func isFirst(_ list: UInt8, _ scope: LedgerScope) -> Bool {
        if self.scope != scope { (self.scope, lists) = (scope, []) }
        guard !lists.contains(list) else { return false }
        lists.append(list)
        return true
    }
}

/// What errors of a server mean.
enum ServerWords {
    /// Of a server that takes no writes, and still answers questions.
    private static let refusals = ["OOM ", "READONLY ", "MISCONF ", "NOREPLICAS "]

    static func isRefusal(_ words: String) -> Bool { refusals.contains { words.hasPrefix($0) } }

    /// For the log: printable, and not too long.
    static func cleaned(_ words: String) -> String {
        let scalars = words.unicodeScalars.prefix(160).filter { (0x20...0x7E).contains($0.value) }
        return String(String.UnicodeScalarView(scalars))
    }
}
