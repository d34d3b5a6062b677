// A customer as one loop sees it: the account that all loops share, and the flow of its calls in the
// pool of this loop.

import APIClient

/// One API key on one loop; held by its sessions and messages there.
package final class LoopAccount {
    /// What the key holds over all loops.
    let shared: Account
    /// Its calls in the pool of this loop.
    let flow: CallFlow
    /// Where its messages may spill.
    let temporary: TemporaryBudget
    private let table: LoopAccountTable

    fileprivate init(
        shared: Account, flow: CallFlow, temporary: TemporaryBudget, table: LoopAccountTable
    ) {
        self.shared = shared
        self.flow = flow
        self.temporary = temporary
        self.table = table
    }

    deinit { table.forget(shared.hash) }
}

/// The accounts of one loop that somebody holds.
final class LoopAccountTable {
    private struct Entry {
        weak var account: LoopAccount?
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
        if let account = entries[key.hash]?.account { return account }
        let account = LoopAccount(
            shared: accounts.account(for: key), flow: pool.makeFlow(), temporary: temporary,
            table: self)
        entries[key.hash] = Entry(account: account)
        return account
    }

    fileprivate func forget(_ hash: APIKey.Hash) {
        if let entry = entries[hash], entry.account == nil { entries[hash] = nil }
    }
}
