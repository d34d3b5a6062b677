// Accounts: one for each key, named by a hash, and gone with whoever holds it.

import APIClient
import Testing
import Wire

@testable import Relay

@Suite("Accounts")
struct AccountTests {
    @Test("A key has one account, as long as somebody holds it")
    func table() {
        let table = AccountTable()
        let key = APIKey("ps_live_one".utf8.span)
        var first: Account? = table.account(for: key)
        #expect(table.account(for: APIKey("ps_live_one".utf8.span)) === first)
        let other = table.account(for: APIKey("ps_live_two".utf8.span))
        #expect(table.count == 2 && table.all.count == 2)
        first = nil
        #expect(table.count == 1 && table.all.allSatisfy { $0 === other })
    }

    @Test("An account has the name that --trace-key takes")
    func name() {
        let account = AccountTable().account(for: APIKey("ps_live_one".utf8.span))
        let rules = TraceRules(keyHashes: [account.name])
        let matches = ["ps_live_one", "ps_live_two"].map { rules.matches(key: $0.utf8.span) }
        #expect(matches == [true, false])
        // printf %s ps_live_one | sha256sum
        #expect(account.name == 0xdee9_3ad1_384a_0a50)
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
        #expect(AccountsReport(reports, limit: 50).listed.map(\.name) == [4, 2, 5, 3, 1])
        let short = AccountsReport(reports, limit: 2)
        #expect(short.listed.map(\.name) == [4, 2] && short.total == 5)
        let text = String(decoding: short.json, as: UTF8.self)
        #expect(text.contains("\"key\":\"0000000000000004\"") && text.contains("\"total\":5"))
    }
}
