// What operators are told of a ledger's file.

import Glibc
import Relay

/// One file, looked at.
package struct LedgerFileReport {
    private let database: LedgerDatabase
    /// Numbers of the file, a line each.
    package let lines: [String]

    /// - Parameter isEmptied: removes all records first.
    /// - Throws: `LedgerFileError`, also when the file is to be emptied while a relay uses it.
    package init(path: String, isEmptied: Bool = false) throws {
        if isEmptied, FileLedgerWriter.isInUse(path) {
            throw LedgerFileError(code: 1, description: "a relay uses the file; stop it first")
        }
        database = try LedgerDatabase(
            path: path, bytesMax: FileLedger.Options(path: path).fileBytesMax, hashKey: .random(),
            isReadOnly: !isEmptied)
        if isEmptied { try database.empty() }
        let counts = try database.counts(wallNow: Int64(time(nil)))
        let words = [
            "accepted": "messages whose 250 was not seen",
            "delivered": "recipients of groups that have the message",
            "refused": "recipients of groups that were refused for good",
            "tried": "recipients of groups that were refused for the moment",
        ]
        lines =
            counts.byKind.map { "\($0.count) \(words[$0.word] ?? $0.word)" }
            + [
                "\(counts.expired) expired records", "\(counts.owners) API keys",
                "\(counts.bytes) bytes",
                FileLedgerWriter.isInUse(path) ? "in use by a relay" : "not in use",
            ]
    }

    /// What is wrong with the file; empty when nothing is.
    package func faults() throws -> [String] { try database.faults() }
}
