// The file of a ledger: one SQLite database, used by one thread at a time.
//
// Write-ahead log with synchronous=FULL: what `write` has returned from is on disk. It holds keyed
// digests, message ids, times, and the key of the digests; never an address, an API key or content.
// The file and those beside it belong to their user alone (mode 0600).

import CSQLite
import Glibc
import Relay

/// What SQLite said.
package struct LedgerFileError: Error, CustomStringConvertible {
    /// SQLite's extended result code.
    package let code: Int32
    package let description: String

    /// What an operator can do about it.
    package var remedy: String {
        switch code & 0xFF {
        case SQLITE_FULL: "free space on its disk"
        case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_READONLY:
            "the folder must be there, and belong to the relay's user"
        case SQLITE_BUSY, SQLITE_LOCKED:
            "one relay at a time uses a file: end the other one, or name another file"
        case SQLITE_MISMATCH: "name another file, or move this one away"
        default: isDamage ? "move it away; the relay makes another" : "look at its disk and folder"
        }
    }

    /// The content is not what it was when it was written, or never was a database.
    package var isDamage: Bool {
        [SQLITE_CORRUPT, SQLITE_NOTADB].contains(code & 0xFF)
    }
}

/// One row: a record with its time on the wall clock.
package struct LedgerRow: Sendable, Equatable {
    package var digest: ContentDigest
    package var scope: LedgerScope
    package var fact: LedgerFact
    /// Seconds since 1970.
    package var until: Int64
}

/// One change of the file.
package enum LedgerWrite: Sendable, Equatable {
    case put(LedgerRow)
    case delete(ContentDigest)
}

/// What a file holds, for operators.
package struct LedgerFileCounts: Equatable {
    /// By the word of their kind: "accepted", "delivered", "refused", "tried".
    package var byKind: [(word: String, count: Int)] = []
    package var expired = 0
    package var owners = 0
    package var bytes = 0

    package static func == (a: Self, b: Self) -> Bool {
        a.byKind.map(\.count) == b.byKind.map(\.count) && a.expired == b.expired
            && a.owners == b.owners && a.bytes == b.bytes
    }
}

/// An open database. Not thread-safe; its owner's thread uses it.
package final class LedgerDatabase {
    private enum Kind: Int64, CaseIterable {
        case accepted = 1
        case delivered = 2
        case refused = 3
        case tried = 4
    }

    /// "PSLG": so that another program's database is never taken for a ledger.
    private static let applicationID: Int64 = 0x5053_4C47
    private static let version: Int64 = 1
    private static let pageBytes = 4_096
    /// How long a write waits for somebody else's.
    private static let busyMilliseconds: Int32 = 100

    private let database: OpaquePointer
    private var put: OpaquePointer?
    private var delete: OpaquePointer?
    /// Kept in the file, made when the file was made.
    package private(set) var hashKey: ContentHash.Key

    /// Opens the file, and makes it when there is none.
    /// - Parameters:
    ///   - bytesMax: of the file; more is refused as if the disk were full.
    ///   - hashKey: for a file that is made now.
    ///   - isReadOnly: for looking: nothing is made or changed.
    /// - Throws: `LedgerFileError`.
    package init(
        path: String, bytesMax: Int, hashKey: ContentHash.Key, isReadOnly: Bool = false
    ) throws {
        if !isReadOnly {
            let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard descriptor >= 0 else {
                throw LedgerFileError(
                    code: SQLITE_CANTOPEN, description: String(cString: strerror(errno)))
            }
            fchmod(descriptor, 0o600)
            Glibc.close(descriptor)
        }
        var opened: OpaquePointer?
        let flags = isReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE
        let status = sqlite3_open_v2(
            path, &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard status == SQLITE_OK, let opened else {
            let error = Self.error(opened, status)
            sqlite3_close_v2(opened)
            throw error
        }
        database = opened
        self.hashKey = hashKey
        do { try prepare(bytesMax: bytesMax, isReadOnly: isReadOnly) } catch {
            sqlite3_finalize(put)
            sqlite3_finalize(delete)
            sqlite3_close_v2(opened)
            put = nil
            delete = nil
            isClosed = true
            throw error
        }
    }

    private var isClosed = false

    deinit {
        guard !isClosed else { return }
        sqlite3_finalize(put)
        sqlite3_finalize(delete)
        sqlite3_close_v2(database)
    }

    private func prepare(bytesMax: Int, isReadOnly: Bool) throws {
        sqlite3_busy_timeout(database, Self.busyMilliseconds)
        let tables = try number("SELECT count(*) FROM sqlite_schema")
        let application = try number("PRAGMA application_id")
        guard tables == 0 || application == Self.applicationID else {
            throw LedgerFileError(
                code: SQLITE_MISMATCH, description: "the database is another program's")
        }
        if isReadOnly {
            guard tables > 0 else { return }
        } else {
            if tables == 0 { try run("PRAGMA auto_vacuum=INCREMENTAL") }
            try run("PRAGMA journal_mode=WAL")
            try run("PRAGMA synchronous=FULL")
            try run("PRAGMA journal_size_limit=4194304")
            try run("PRAGMA max_page_count=\(max(16, bytesMax / Self.pageBytes))")
            if tables == 0 { try make() }
            put = try statement(
                """
                INSERT INTO record (digest, owner, sender, kind, detail, until)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                ON CONFLICT (digest) DO UPDATE SET owner=?2, sender=?3, kind=?4, detail=?5, until=?6
                """)
            delete = try statement("DELETE FROM record WHERE digest=?1")
        }
        let version = try number("PRAGMA user_version")
        guard version == Self.version else {
            throw LedgerFileError(
                code: SQLITE_MISMATCH, description: "its format \(version) is not known")
        }
        try readHashKey()
    }

    private func make() throws {
        try run("BEGIN IMMEDIATE")
        do {
            try run("PRAGMA application_id=\(Self.applicationID)")
            try run("PRAGMA user_version=\(Self.version)")
            try run("CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL)")
            try run(
                """
                CREATE TABLE record (digest BLOB PRIMARY KEY, owner INTEGER NOT NULL,
                sender INTEGER NOT NULL, kind INTEGER NOT NULL, detail BLOB NOT NULL,
                until INTEGER NOT NULL) WITHOUT ROWID
                """)
            try run("CREATE INDEX record_until ON record (until)")
            let insert = try statement("INSERT INTO setting VALUES ('hash_key', ?1)")
            defer { sqlite3_finalize(insert) }
            let words = hashKey.words
            let bytes = Self.bytes([words.0, words.1, words.2, words.3])
            try step(insert) { bind(insert, 1, bytes) }
            try run("COMMIT")
        } catch {
            try? run("ROLLBACK")
            throw error
        }
    }

    private func readHashKey() throws {
        let select = try statement("SELECT value FROM setting WHERE name='hash_key'")
        defer { sqlite3_finalize(select) }
        guard sqlite3_step(select) == SQLITE_ROW else { throw error() }
        let bytes = Self.blob(select, 0)
        guard bytes.count == 32 else {
            throw LedgerFileError(code: SQLITE_CORRUPT, description: "its key is damaged")
        }
        hashKey = ContentHash.Key(
            words: (
                Self.word(bytes, 0), Self.word(bytes, 8), Self.word(bytes, 16), Self.word(bytes, 24)
            ))
    }

    // MARK: Records

    /// All records that count.
    /// - Parameter wallNow: seconds since 1970.
    package func load(wallNow: Int64) throws -> [LedgerRow] {
        let select = try statement(
            "SELECT digest, owner, sender, kind, detail, until FROM record WHERE until > ?1")
        defer { sqlite3_finalize(select) }
        sqlite3_bind_int64(select, 1, wallNow)
        var rows: [LedgerRow] = []
        while true {
            let status = sqlite3_step(select)
            guard status == SQLITE_ROW else {
                if status == SQLITE_DONE { return rows }
                throw error()
            }
            if let row = Self.row(select) { rows.append(row) }
        }
    }

    /// Makes all changes, or none; they are on disk then.
    package func write(_ writes: [LedgerWrite]) throws {
        guard !writes.isEmpty else { return }
        try run("BEGIN IMMEDIATE")
        do {
            for write in writes {
                switch write {
                case .put(let row): try self.put(row)
                case .delete(let digest):
                    try step(delete) { bind(delete, 1, Self.bytes(digest)) }
                }
            }
            try run("COMMIT")
        } catch {
            try? run("ROLLBACK")
            throw error
        }
    }

    /// Removes what has expired, and gives its pages back.
    package func expire(wallNow: Int64) throws {
        try run("DELETE FROM record WHERE until <= \(wallNow)")
        try run("PRAGMA incremental_vacuum(256)")
    }

    /// Removes every record; the key stays.
    package func empty() throws {
        try run("DELETE FROM record")
        try run("PRAGMA incremental_vacuum")
    }

    private func put(_ row: LedgerRow) throws {
        let (kind, detail): (Kind, [UInt8])
        switch row.fact {
        case .accepted(let messageID): (kind, detail) = (.accepted, messageID)
        case .delivered(let messageID): (kind, detail) = (.delivered, messageID)
        case .refused(let refusal): (kind, detail) = (.refused, [refusal.rawValue])
        case .tried: (kind, detail) = (.tried, [])
        case .pending: return
        }
        try step(put) {
            bind(put, 1, Self.bytes(row.digest))
                && sqlite3_bind_int64(put, 2, Int64(bitPattern: row.scope.owner)) == SQLITE_OK
                && sqlite3_bind_int64(put, 3, Int64(bitPattern: row.scope.sender)) == SQLITE_OK
                && sqlite3_bind_int64(put, 4, kind.rawValue) == SQLITE_OK
                && bind(put, 5, detail)
                && sqlite3_bind_int64(put, 6, row.until) == SQLITE_OK
        }
    }

    private static func row(_ select: OpaquePointer?) -> LedgerRow? {
        let digest = blob(select, 0)
        let detail = blob(select, 4)
        guard digest.count == 16, let kind = Kind(rawValue: sqlite3_column_int64(select, 3)) else {
            return nil
        }
        let fact: LedgerFact
        switch kind {
        case .accepted: fact = .accepted(messageID: detail)
        case .delivered: fact = .delivered(messageID: detail)
        case .refused:
            guard let refusal = detail.first.flatMap(LedgerRefusal.init(rawValue:)) else {
                return nil
            }
            fact = .refused(refusal)
        case .tried: fact = .tried
        }
        return LedgerRow(
            digest: ContentDigest(high: word(digest, 0), low: word(digest, 8)),
            scope: LedgerScope(
                owner: UInt64(bitPattern: sqlite3_column_int64(select, 1)),
                sender: UInt64(bitPattern: sqlite3_column_int64(select, 2))),
            fact: fact, until: sqlite3_column_int64(select, 5))
    }

    private static func bytes(_ digest: ContentDigest) -> [UInt8] {
        bytes([digest.high, digest.low])
    }

    /// Words with their most significant byte first.
    private static func bytes(_ words: [UInt64]) -> [UInt8] {
        var bytes: [UInt8] = []
        for word in words { withUnsafeBytes(of: word.bigEndian) { bytes += $0 } }
        return bytes
    }

    private static func word(_ bytes: [UInt8], _ start: Int) -> UInt64 {
        var word: UInt64 = 0
        for byte in bytes[start..<start + 8] { word = word << 8 | UInt64(byte) }
        return word
    }

    // MARK: For operators

    /// Counts what is there.
    package func counts(wallNow: Int64) throws -> LedgerFileCounts {
        var counts = LedgerFileCounts()
        guard try number("SELECT count(*) FROM sqlite_schema") > 0 else { return counts }
        for kind in Kind.allCases {
            let count = try number(
                "SELECT count(*) FROM record WHERE until > \(wallNow) AND kind=\(kind.rawValue)")
            counts.byKind.append(("\(kind)", Int(count)))
        }
        counts.expired = Int(try number("SELECT count(*) FROM record WHERE until <= \(wallNow)"))
        counts.owners = Int(try number("SELECT count(DISTINCT owner) FROM record"))
        let pages = try number("PRAGMA page_count")
        counts.bytes = Int(pages * (try number("PRAGMA page_size")))
        return counts
    }

    /// What is wrong with the file, a line each; empty when nothing is.
    package func faults() throws -> [String] {
        let check = try statement("PRAGMA integrity_check(20)")
        defer { sqlite3_finalize(check) }
        var faults: [String] = []
        while sqlite3_step(check) == SQLITE_ROW {
            if let text = sqlite3_column_text(check, 0) { faults.append(String(cString: text)) }
        }
        return faults == ["ok"] ? [] : faults
    }

    // MARK: For tests

    /// Keeps everybody else from writing until `letGo`.
    func hold() throws { try run("BEGIN IMMEDIATE") }
    func letGo() throws { try run("ROLLBACK") }
    /// Makes it look like another program's.
    func disguise() throws { try run("PRAGMA application_id=1") }

    // MARK: SQLite

    private static func error(_ database: OpaquePointer?, _ code: Int32) -> LedgerFileError {
        let text = database.map { String(cString: sqlite3_errmsg($0)) } ?? "no memory"
        return LedgerFileError(code: code, description: text)
    }

    private func error() -> LedgerFileError {
        Self.error(database, sqlite3_extended_errcode(database))
    }

    private func run(_ sql: String) throws {
        guard sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK else { throw error() }
    }

    private func statement(_ sql: String) throws -> OpaquePointer? {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(database, sql, -1, &statement, nil) == SQLITE_OK else {
            throw error()
        }
        return statement
    }

    private func number(_ sql: String) throws -> Int64 {
        let select = try statement(sql)
        defer { sqlite3_finalize(select) }
        guard sqlite3_step(select) == SQLITE_ROW else { throw error() }
        return sqlite3_column_int64(select, 0)
    }

    /// Runs a statement once with the values that `bind` gives it.
    private func step(_ statement: OpaquePointer?, _ bind: () -> Bool) throws {
        guard bind(), sqlite3_step(statement) == SQLITE_DONE else {
            let error = error()
            sqlite3_reset(statement)
            throw error
        }
        sqlite3_reset(statement)
        sqlite3_clear_bindings(statement)
    }

    /// Copies `bytes` into a parameter.
    private func bind(_ statement: OpaquePointer?, _ index: Int32, _ bytes: [UInt8]) -> Bool {
        guard !bytes.isEmpty else { return sqlite3_bind_zeroblob(statement, index, 0) == SQLITE_OK }
        // SQLITE_TRANSIENT, which is a macro: SQLite copies before it returns.
        let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        return bytes.withUnsafeBytes {
            sqlite3_bind_blob(statement, index, $0.baseAddress, Int32($0.count), copies)
                == SQLITE_OK
        }
    }

    private static func blob(_ select: OpaquePointer?, _ column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(select, column) else { return [] }
        let count = Int(sqlite3_column_bytes(select, column))
        return Array(UnsafeRawBufferPointer(start: start, count: count))
    }
}
