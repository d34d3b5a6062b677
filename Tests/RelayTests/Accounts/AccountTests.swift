// Accounts: one for each key, named by a hash, and gone with the last use of it.

import APIClient
import Reactor
import Testing
import Wire

@testable import Relay

@Suite("Accounts")
struct AccountTests {
    /// A use that a test ends at a chosen moment.
    private final class Use {
        private var use: AccountUse?
        let account: Account
        init(_ table: AccountTable, _ key: String) {
            let use = table.use(APIKey(key.utf8.span))
            account = use.account
            self.use = consume use
        }
        func end() { use = nil }
    }

    @Test("A key has one account, as long as somebody uses it")
    func table() {
        let table = AccountTable()
        let (first, again) = (Use(table, "ps_live_one"), Use(table, "ps_live_one"))
        let other = Use(table, "ps_live_two")
        #expect(first.account === again.account && first.account !== other.account)
        #expect(table.count == 2 && table.all.count == 2)
        first.end()
        #expect(table.count == 2)
        again.end()
        #expect(table.count == 1 && table.all.allSatisfy { $0 === other.account })
        #expect(Use(table, "ps_live_one").account !== first.account)
        other.end()
        #expect(table.count == 0)
    }

    @Test("Four threads that use and leave the same keys leave no account")
    func threads() async {
        let table = AccountTable()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    for round in 0..<2_000 { Use(table, "ps_\((round + task) % 3)").end() }
                }
            }
        }
        #expect(table.count == 0)
    }

    @Test("An account has the name that --trace-key takes")
    func name() {
        let account = Account(key: APIKey("ps_live_one".utf8.span))
        let rules = TraceRules(keyHashes: [account.name])
        let now = MonotonicTime(nanoseconds: 1)
        let ends = ["ps_live_one", "ps_live_two"].map { rules.end(ofKey: $0.utf8.span, at: now) }
        #expect(ends == [.never, nil])
        // printf %s ps_live_one | sha256sum
        #expect(account.name == 0xdee9_3ad1_384a_0a50)
    }

    @Test("A key that has logged in is found by its name, after it has left too")
    func names() {
        let table = AccountTable()
        #expect(table.hash(named: 0xdee9_3ad1_384a_0a50) == nil)
        let use = Use(table, "ps_live_one")
        let hash = use.account.hash
        #expect(use.account.nameText == "dee93ad1384a0a50")
        use.end()
        #expect(table.count == 0 && table.hash(named: 0xdee9_3ad1_384a_0a50) == hash)
    }

    @Test("The report has the keys that hold most first, and no more than were asked for")
    func report() {
        func report(_ name: UInt64, _ sessions: Int, _ memory: Int, _ files: Int) -> AccountReport {
            AccountReport(
                name: name, sessions: sessions, memoryBytes: memory, temporaryBytes: files,
                delayed: 0, refused: 0)
        }
        let reports = [
            report(1, 1, 0, 0), report(2, 1, 5, 5), report(3, 9, 0, 0), report(4, 1, 0, 11),
            report(5, 1, 5, 5),
        ]
        var busy = reports
        busy[0].calls.add(FlowHoldings(connections: 1, uploads: 0, waiting: 90))
        #expect(AccountsReport(busy, limit: 50).listed.map(\.name) == [4, 2, 5, 1, 3])
        #expect(AccountsReport(reports, limit: 50).listed.map(\.name) == [4, 2, 5, 3, 1])
        let short = AccountsReport(reports, limit: 2)
        #expect(short.listed.map(\.name) == [4, 2] && short.total == 5)
        let text = String(decoding: short.json, as: UTF8.self)
        #expect(text.contains("\"key\":\"0000000000000004\"") && text.contains("\"total\":5"))
    }
}
