// A Valkey server as far as a ledger needs one: commands in, replies out, with the faults of a real one.
//
// It has no socket and no clock, so that unit tests and the simulation share it. What it answers was
// compared with redis-server 7.0 (Tests/EndToEnd/test_ledger_server.py runs the relay against that one).

/// The data and the condition of one server; connections are `ValkeyModel.Connection`.
package final class ValkeyModel {
    /// What every command meets first.
    package enum Condition: Sendable {
        case good
        /// OOM: no write has room; DEL, SREM and PEXPIRE need none.
        case full
        /// READONLY
        case replica
        /// LOADING
        case loading
    }

    /// One connection's part: its input so far, and whether it is logged in.
    package final class Connection {
        fileprivate var input: [UInt8] = []
        fileprivate var isLoggedIn = false
        package init() {}
    }

    private enum Value {
        case text([UInt8])
        case set(Set<[UInt8]>)
        case stream([(id: (UInt64, UInt64), fields: [[UInt8]])])
    }

    private struct Entry {
        var value: Value
        /// Milliseconds; nil for ever.
        var until: UInt64?
    }

    package var condition = Condition.good
    /// Needed by every connection, if any.
    package var password: [UInt8] = []
    /// Commands so far, each as its words.
    package private(set) var commands: [[String]] = []
    /// Writes are counted, and not kept.
    package var keepsCommands = true
    private var entries: [[UInt8]: Entry] = [:]
    private var lastID: (UInt64, UInt64) = (0, 0)

    package init() {}

    /// Its data is gone.
    package func lose() { entries = [:] }

    /// Names that exist now.
    package func names(at now: UInt64) -> [String] {
        entries.filter { ($0.value.until ?? .max) > now }.keys
            .map { String(decoding: $0, as: UTF8.self) }.sorted()
    }

    /// Sets a value, for tests.
    package func set(_ name: String, _ value: String) {
        entries[Array(name.utf8)] = Entry(value: .text(Array(value.utf8)), until: nil)
    }

    /// Takes input, cut anywhere.
    /// - Parameter now: milliseconds.
    /// - Returns: the replies to the commands that are complete.
    package func receive(
        _ bytes: [UInt8], from connection: Connection, at now: UInt64
    ) -> [UInt8] {
        connection.input += bytes
        var output: [UInt8] = []
        var offset = 0
        while let words = Self.command(connection.input, &offset) {
            if keepsCommands {
                commands.append(words.map { String(decoding: $0, as: UTF8.self) })
            }
            output += answer(words, connection, now)
        }
        connection.input.removeFirst(offset)
        return output
    }

    // MARK: RESP

    private static func command(_ input: [UInt8], _ offset: inout Int) -> [[UInt8]]? {
        var at = offset
        guard let count = number(input, &at, after: 0x2A) else { return nil }
        var words: [[UInt8]] = []
        for _ in 0..<count {
            guard let length = number(input, &at, after: 0x24), input.count >= at + length + 2
            else {
                return nil
            }
            words.append(Array(input[at..<at + length]))
            at += length + 2
        }
        offset = at
        return words
    }

    private static func number(_ input: [UInt8], _ at: inout Int, after mark: UInt8) -> Int? {
        guard at < input.count, let end = input[at...].firstIndex(of: 0x0A) else { return nil }
        precondition(input[at] == mark && input[end - 1] == 0x0D, "no command")
        defer { at = end + 1 }
        return Int(String(decoding: input[(at + 1)..<(end - 1)], as: UTF8.self))
    }

    private static let ok = Array("+OK\r\n".utf8)
    private static let nothing = Array("$-1\r\n".utf8)

    private static func integer(_ number: Int) -> [UInt8] { Array(":\(number)\r\n".utf8) }
    private static func error(_ words: String) -> [UInt8] { Array("-\(words)\r\n".utf8) }
    private static func list(_ replies: [[UInt8]]) -> [UInt8] {
        Array("*\(replies.count)\r\n".utf8) + replies.flatMap { $0 }
    }
    private static func bytes(_ bytes: [UInt8]) -> [UInt8] {
        Array("$\(bytes.count)\r\n".utf8) + bytes + [0x0D, 0x0A]
    }

    // MARK: Commands

    private static let writes: Set<String> = [
        "SET", "DEL", "SADD", "SREM", "PEXPIRE", "XADD",
    ]
    private static let growing: Set<String> = ["SET", "SADD", "XADD"]

    private func answer(
        _ words: [[UInt8]], _ connection: Connection, _ now: UInt64
    ) -> [UInt8] {
        let name = String(decoding: words[0], as: UTF8.self)
        if name == "AUTH" {
            guard !password.isEmpty else {
                return Self.error(
                    "ERR AUTH <password> called without any password configured for the default "
                        + "user. Are you sure your configuration is correct?")
            }
            connection.isLoggedIn = words.last == password
            return connection.isLoggedIn
                ? Self.ok
                : Self.error("WRONGPASS invalid username-password pair or user is disabled.")
        }
        if !password.isEmpty, !connection.isLoggedIn {
            return Self.error("NOAUTH Authentication required.")
        }
        switch condition {
        case .loading:
            return Self.error("LOADING Redis is loading the dataset in memory")
        case .full where Self.growing.contains(name):
            return Self.error("OOM command not allowed when used memory > 'maxmemory'.")
        case .replica where Self.writes.contains(name):
            return Self.error("READONLY You can't write against a read only replica.")
        default: break
        }
        return perform(name, words, now)
    }

    private func perform(_ name: String, _ words: [[UInt8]], _ now: UInt64) -> [UInt8] {
        for word in words.dropFirst() {
            if let until = entries[word]?.until, until <= now { entries[word] = nil }
        }
        switch name {
        case "SELECT": return Self.ok
        case "GET": return text(words[1])
        case "MGET": return Self.list(words.dropFirst().map { text($0) })
        case "EXISTS":
            return Self.integer(words.dropFirst().count { entries[$0] != nil })
        case "DEL":
            return Self.integer(
                words.dropFirst().count { entries.removeValue(forKey: $0) != nil })
        case "SET": return set(words, now)
        case "PEXPIRE":
            guard entries[words[1]] != nil, let left = Self.number(words[2]) else {
                return Self.integer(0)
            }
            entries[words[1]]?.until = now + left
            return Self.integer(1)
        case "SADD", "SREM": return change(words, isAdded: name == "SADD")
        case "XADD": return add(words, now)
        case "XREAD": return read(words)
        default: return Self.error("ERR unknown command '\(name)', with args beginning with: ")
        }
    }

    private static func number(_ word: [UInt8]) -> UInt64? {
        UInt64(String(decoding: word, as: UTF8.self))
    }

    private func text(_ name: [UInt8]) -> [UInt8] {
        if case .text(let text)? = entries[name]?.value { Self.bytes(text) } else { Self.nothing }
    }

    private func set(_ words: [[UInt8]], _ now: UInt64) -> [UInt8] {
        var until: UInt64?
        var rest = words.dropFirst(3)
        while let option = rest.popFirst() {
            switch String(decoding: option, as: UTF8.self) {
            case "NX": if entries[words[1]] != nil { return Self.nothing }
            case "PX": until = rest.popFirst().flatMap { Self.number($0) }.map { now + $0 }
            default: return Self.error("ERR syntax error")
            }
        }
        entries[words[1]] = Entry(value: .text(words[2]), until: until)
        return Self.ok
    }

    private func change(_ words: [[UInt8]], isAdded: Bool) -> [UInt8] {
        var members: Set<[UInt8]> = []
        let entry = entries[words[1]]
        if case .set(let old)? = entry?.value { members = old }
        let before = members.count
        if isAdded { members.insert(words[2]) } else { members.remove(words[2]) }
        entries[words[1]] =
            members.isEmpty ? nil : Entry(value: .set(members), until: entry?.until)
        return Self.integer(abs(members.count - before))
    }

    private func add(_ words: [[UInt8]], _ now: UInt64) -> [UInt8] {
        lastID = now > lastID.0 ? (now, 0) : (lastID.0, lastID.1 + 1)
        var entry = entries[words[1]] ?? Entry(value: .stream([]), until: nil)
        guard case .stream(var items) = entry.value,
            let star = words.firstIndex(of: [0x2A])
        else { return Self.error("ERR syntax error") }
        items.append((lastID, Array(words[(star + 1)...])))
        entry.value = .stream(items.suffix(1_000))
        entries[words[1]] = entry
        return Self.bytes(Array("\(lastID.0)-\(lastID.1)".utf8))
    }

    private func read(_ words: [[UInt8]]) -> [UInt8] {
        guard case .stream(let items)? = entries[words[4]]?.value else {
            return Array("*-1\r\n".utf8)
        }
        let after = String(decoding: words[5], as: UTF8.self).split(separator: "-")
            .compactMap { UInt64($0) }
        let new = items.filter { ($0.id.0, $0.id.1) > (after[0], after[1]) }.prefix(64)
        guard !new.isEmpty else { return Array("*-1\r\n".utf8) }
        let entries = new.map { item in
            Self.list([
                Self.bytes(Array("\(item.id.0)-\(item.id.1)".utf8)),
                Self.list(item.fields.map { Self.bytes($0) }),
            ])
        }
        return Self.list([Self.list([Self.bytes(words[4]), Self.list(entries)])])
    }
}
