// What one customer holds of everything that can run out: one account per API key, over all loops.
//
// An account counts; it decides nothing. Each budget decides about its own resource, by the amount
// that the account holds and the amount that is free. An account is in use as long as a session or a
// message of its key is on some loop, and is found by the hash of the key, never by the key.

import APIClient
import Log
import Reactor
import Synchronization

/// The holdings of one API key. Safe to use from any loop.
package final class Account: Sendable {
    package let hash: APIKey.Hash
    /// How operators name the key (`--trace-key`): the first 64 bits of its SHA-256.
    package let name: UInt64
    /// `name` in sixteen digits.
    let nameText: String
    private let held = Atomic<Int>(0)
    private let spilled = Atomic<Int>(0)
    private let opened = Atomic<Int>(0)
    private let delayed = Atomic<Int>(0)
    private let refused = Atomic<Int>(0)

    /// An account of its own; `AccountTable` makes those that loops share.
    init(key: APIKey) {
        hash = key.hash
        name = key.publicHash
        nameText = hexadecimal(name)
    }

    /// Bytes of the memory budget.
    package var memoryBytes: Int { held.load(ordering: .sequentiallyConsistent) }
    /// Bytes in temporary files.
    package var temporaryBytes: Int { spilled.load(ordering: .sequentiallyConsistent) }
    /// Sessions that are logged in.
    package var sessionCount: Int { opened.load(ordering: .relaxed) }
    /// Times that a message waited for its share of something, since the account began.
    package var delayedCount: Int { delayed.load(ordering: .relaxed) }
    /// Messages and recipients that were refused by a bound, since the account began.
    package var refusedCount: Int { refused.load(ordering: .relaxed) }

    /// The memory budget is about to give bytes, or has taken back as many (negative).
    /// - Returns: what the account holds now.
    @discardableResult
    func addMemory(_ bytes: Int) -> Int {
        held.add(bytes, ordering: .sequentiallyConsistent).newValue
    }

    /// The same for the budget of temporary bytes.
    @discardableResult
    func addTemporary(_ bytes: Int) -> Int {
        spilled.add(bytes, ordering: .sequentiallyConsistent).newValue
    }

    /// Sessions have logged in, or have ended (negative).
    func addSessions(_ count: Int) { opened.add(count, ordering: .relaxed) }

    /// A bound has made a message of this key wait.
    func noteDelayed() { delayed.add(1, ordering: .relaxed) }

    /// A bound has refused a message or a recipient of this key.
    func noteRefused() { refused.add(1, ordering: .relaxed) }
}

/// That somebody on a loop goes by an account; the account leaves its table with the last of these.
struct AccountUse: ~Copyable {
    let account: Account
    private let table: AccountTable

    fileprivate init(of account: Account, in table: AccountTable) {
        self.account = account
        self.table = table
    }

    deinit { table.end(account.hash) }
}

/// The accounts that are in use, by the hash of their key. Safe to use from any loop.
///
/// It counts uses, because a weak reference would make each retain and release of an account slow.
package final class AccountTable: Sendable {
    private struct Entry {
        let account: Account
        var uses = 0
    }

    private final class Shard: Sendable {
        let entries = Locked<[APIKey.Hash: Entry]>([:])
    }

    private static let shardCount = 16
    /// Names that are remembered at most; the older half is forgotten first.
    static let namesMax = 65_536
    private let shards: [Shard]
    /// Keys that have logged in, in use or not, by their name.
    private let names = Locked(BoundedMap<UInt64, APIKey.Hash>(countMax: namesMax))

    package init() { shards = (0..<Self.shardCount).map { _ in Shard() } }

    /// The account of a key; a new one when nobody uses one.
    func use(_ key: APIKey) -> AccountUse {
        let account = shard(of: key.hash).entries.withLock { entries in
            var entry = entries[key.hash] ?? Entry(account: newAccount(key))
            entry.uses += 1
            entries[key.hash] = entry
            return entry.account
        }
        return AccountUse(of: account, in: self)
    }

    private func newAccount(_ key: APIKey) -> Account {
        let account = Account(key: key)
        names.withLock { $0.insert(key.hash, for: account.name) }
        return account
    }

    /// The key that operators name so; nil when none of that name has logged in lately.
    func hash(named name: UInt64) -> APIKey.Hash? { names.withLock { $0[name] } }

    /// All accounts at this moment.
    package var all: [Account] {
        shards.flatMap { shard in
            shard.entries.withLock { entries in entries.values.map(\.account) }
        }
    }

    /// How many there are.
    package var count: Int {
        shards.reduce(0) { $0 + $1.entries.withLock { entries in entries.count } }
    }

    fileprivate func end(_ hash: APIKey.Hash) {
        shard(of: hash).entries.withLock { entries in
            guard var entry = entries[hash] else { return }
            entry.uses -= 1
            entries[hash] = entry.uses > 0 ? entry : nil
        }
    }

    private func shard(of hash: APIKey.Hash) -> Shard {
        shards[Int(truncatingIfNeeded: hash.low % UInt64(Self.shardCount))]
    }
}
