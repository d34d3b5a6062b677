// The command `postscale-relay ledger FILE`: what a ledger's file holds, whether it is whole, and a way
// to empty it. It shows numbers only, because the file has no names.

import ArgumentParser
import Glibc
import LedgerFile

struct LedgerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "Count, check or empty the records in a file of --ledger.",
        discussion: """
            Counting and checking do not disturb a relay that uses the file. Emptying needs the relay \
            to be stopped: it would go on by its own memory.
            """)

    @Argument(help: "The file.")
    var file: String

    @Flag(help: "Read the whole file, and end with status 1 when it is damaged.")
    var check = false

    @Flag(help: "Remove all records: what they guard may be sent again.")
    var empty = false

    func run() throws {
        if file.contains("://") {
            throw ValidationError("A server's records are counted with its own tools.")
        }
        guard access(file, F_OK) == 0 else {
            throw ValidationError("\(file): \(String(cString: strerror(errno))).")
        }
        do {
            let ledger = try LedgerFileReport(path: file, isEmptied: empty)
            print(ledger.lines.joined(separator: "\n"))
            guard check else { return }
            let faults = try ledger.faults()
            print(faults.isEmpty ? "whole" : faults.joined(separator: "\n"))
            if !faults.isEmpty { throw ExitCode(1) }
        } catch let error as LedgerFileError {
            print("\(file): \(error)")
            throw ExitCode(1)
        }
    }
}
