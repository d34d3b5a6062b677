// The writer's side of a ledger file: who may use it, and its database while it is open.
//
// One process at a time uses a file: a lock beside it says so, which its end releases. A relay that
// starts while another one still drains goes on in memory until that one has ended.

import CSQLite
import Glibc
import Relay

/// The file of one ledger. `@unchecked`: used by the thread that makes it until the writer's thread
/// is started, and by that thread alone after.
final class FileLedgerWriter: @unchecked Sendable {
    /// What was found when the file was opened.
    struct Opened {
        var rows: [LedgerRow]
        var hashKey: ContentHash.Key
        /// Where a damaged file is kept.
        var setAside: String?
    }

    private let options: FileLedger.Options
    private var database: LedgerDatabase?
    /// Holds the lock; -1 while we do not.
    private var lock: Int32 = -1

    init(options: FileLedger.Options) { self.options = options }

    deinit { close() }

    /// Opens the file and reads it. A damaged one is set aside, and a new one begun.
    /// - Parameter hashKey: for a new file.
    func open(hashKey: ContentHash.Key) throws -> Opened {
        close()
        try takeLock()
        do {
            return try read(hashKey, setAside: nil)
        } catch let error as LedgerFileError where error.isDamage {
            database = nil
            return try read(hashKey, setAside: try setAside())
        }
    }

    private func read(_ hashKey: ContentHash.Key, setAside: String?) throws -> Opened {
        let database = try LedgerDatabase(
            path: options.path, bytesMax: options.fileBytesMax, hashKey: hashKey)
        let rows = try database.load(wallNow: Int64(time(nil)))
        self.database = database
        return Opened(rows: rows, hashKey: database.hashKey, setAside: setAside)
    }

    /// The file under another name, with what belongs to it.
    private func setAside() throws -> String {
        let aside = "\(options.path).damaged-\(Int64(time(nil)))"
        guard rename(options.path, aside) == 0 else {
            throw LedgerFileError(
                code: 1,
                description: "damaged, and not to be renamed: "
                    + String(cString: strerror(errno)))
        }
        for suffix in ["-wal", "-shm"] { rename(options.path + suffix, aside + suffix) }
        return aside
    }

    private func takeLock() throws {
        let descriptor = Glibc.open(
            options.path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw LedgerFileError(
                code: SQLITE_CANTOPEN, description: String(cString: strerror(errno)))
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            Glibc.close(descriptor)
            throw LedgerFileError(code: SQLITE_BUSY, description: "another process uses the file")
        }
        lock = descriptor
    }

    /// Whether a process uses the file of this path now.
    static func isInUse(_ path: String) -> Bool {
        let descriptor = Glibc.open(path + ".lock", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { Glibc.close(descriptor) }
        return flock(descriptor, LOCK_EX | LOCK_NB) != 0
    }

    /// Makes all changes, or none; they are on disk then.
    func write(_ writes: [LedgerWrite]) throws {
        guard let database else {
            throw LedgerFileError(code: 1, description: "the file is not open")
        }
        try database.write(writes)
    }

    func empty() throws { try database?.empty() }

    func expire() throws { try database?.expire(wallNow: Int64(time(nil))) }

    func close() {
        database = nil
        if lock >= 0 {
            Glibc.close(lock)
            lock = -1
        }
    }
}
