// The keys that hold most of what can run out. It names a key as `--trace-key` does, by a hash that does
// not lead back to it; never the key, an address or content.

import APIClient
import Log
import Wire

/// One key at a moment.
struct AccountReport: Sendable, Equatable {
    /// The first 64 bits of the key's SHA-256.
    var name: UInt64
    var sessions: Int
    var memoryBytes: Int
    var temporaryBytes: Int
    /// What its calls to the API hold, on the loops that answered.
    var calls = FlowHoldings(connections: 0, uploads: 0, waiting: 0)
    /// Times that a message waited for its share, since the key was here first.
    var delayed: Int
    /// Messages and recipients that a bound refused, since the key was here first.
    var refused: Int
}

/// Keys, those that hold most first.
struct AccountsReport {
    /// Keys in all.
    let total: Int
    let listed: [AccountReport]

    /// - Parameter limit: keys at most.
    init(_ reports: [AccountReport], limit: Int) {
        total = reports.count
        listed = Array(reports.sorted(by: Self.holdsMore).prefix(max(0, limit)))
    }

    /// - Parameter calls: of each loop, what the calls of its keys hold.
    init(_ accounts: [Account], calls: [[UInt64: FlowHoldings]], limit: Int) {
        let reports = accounts.map { account in
            var report = AccountReport(account)
            for holdings in calls.compactMap({ $0[account.name] }) { report.calls.add(holdings) }
            return report
        }
        self.init(reports, limit: limit)
    }

    /// By bytes, then by calls, then by sessions; the name makes the order the same each time.
    private static func holdsMore(_ one: AccountReport, _ other: AccountReport) -> Bool {
        let (weight, otherWeight) = (one.weight, other.weight)
        return weight == otherWeight ? one.name < other.name : weight > otherWeight
    }

    /// For programs, and readable as it is.
    var json: [UInt8] {
        JSONDocument.object {
            $0.field("total", total)
            $0.array("accounts") { list in
                for account in listed {
                    list.object {
                        $0.field("key", hexadecimal(account.name))
                        $0.field("sessions", account.sessions)
                        $0.field("memory_bytes", account.memoryBytes)
                        $0.field("temporary_bytes", account.temporaryBytes)
                        $0.field("api_connections", account.calls.connections)
                        $0.field("api_uploads", account.calls.uploads)
                        $0.field("api_waiting", account.calls.waiting)
                        $0.field("delayed", account.delayed)
                        $0.field("refused", account.refused)
                    }
                }
            }
        }
    }
}

extension AccountReport {
    /// What decides who holds most.
    fileprivate var weight: (bytes: Int, calls: Int, sessions: Int) {
        (memoryBytes + temporaryBytes, calls.connections + calls.waiting, sessions)
    }

    fileprivate init(_ account: Account) {
        self.init(
            name: account.name, sessions: account.sessionCount,
            memoryBytes: account.memoryBytes, temporaryBytes: account.temporaryBytes,
            delayed: account.delayedCount, refused: account.refusedCount)
    }
}
