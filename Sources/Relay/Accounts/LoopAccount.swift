// A customer as one loop sees it: the account that all loops share, and the flow of its calls in the
// pool of this loop.

import APIClient

/// One API key on one loop; held by its sessions and messages there.
package final class LoopAccount {
    /// What the key holds over all loops.
    var shared: Account { use.account }
    /// Its calls in the pool of this loop.
    let flow: CallFlow
    /// Where its messages may spill.
    let temporary: TemporaryBudget
    private let use: AccountUse
    private let table: LoopAccountTable

    fileprivate init(
        use: consuming AccountUse, flow: CallFlow, temporary: TemporaryBudget,
        table: LoopAccountTable
    ) {
        self.use = use
        self.flow = flow
        self.temporary = temporary
        self.table = table
    }

    deinit { table.forget(use.account.hash) }
}

/// The accounts of one loop that somebody holds.
final class LoopAccountTable {
    /// An account forgets itself here before it is gone. All of that happens on one thread, so the
    /// reference need not be weak, which would make each retain and release slow.
    private struct Entry {
        unowned let account: LoopAccount
    }

    private let accounts: AccountTable
    private let pool: ConnectionPool
    private let temporary: TemporaryBudget
    private var entries: [APIKey.Hash: Entry] = [:]

    init(accounts: AccountTable, pool: ConnectionPool, temporary: TemporaryBudget) {
        self.accounts = accounts
        self.pool = pool
        self.temporary = temporary
    }

    /// The account of a key; a new one when nobody on this loop holds one.
    func account(for key: APIKey) -> LoopAccount {
        if let entry = entries[key.hash] { return entry.account }
        let account = LoopAccount(
            use: accounts.use(key), flow: pool.makeFlow(), temporary: temporary,
            table: self)
        entries[key.hash] = Entry(account: account)
        return account
    }

    /// What the calls of each key hold in the pool of this loop, by the account's name.
    var holdings: [UInt64: FlowHoldings] {
        entries.values.reduce(into: [:]) { all, entry in
            let account = entry.account
            all[account.shared.name] = pool.holdings(of: account.flow)
        }
    }

    fileprivate func forget(_ hash: APIKey.Hash) {
        entries[hash] = nil
    }
}
