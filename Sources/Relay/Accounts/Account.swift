// What one customer holds of everything that can run out: one account per API key, over all loops.
//
// An account counts; it decides nothing. Each budget decides about its own resource, by the amount
// that the account holds and the amount that is free. An account lives as long as a session or a
// message of its key, and is found by the hash of the key, never by the key.

import APIClient
import Reactor
import Synchronization

/// The holdings of one API key. Safe to use from any loop.
package final class Account: Sendable {
    package let hash: APIKey.Hash
    private let table: AccountTable
    private let held = Atomic<Int>(0)
    private let spilled = Atomic<Int>(0)
    private let opened = Atomic<Int>(0)

    fileprivate init(hash: APIKey.Hash, table: AccountTable) {
        self.hash = hash
        self.table = table
    }

    deinit { table.forget(hash) }

    /// Bytes of the memory budget.
    package var memoryBytes: Int { held.load(ordering: .relaxed) }
    /// Bytes in temporary files.
    package var temporaryBytes: Int { spilled.load(ordering: .relaxed) }
    /// Sessions that are logged in.
    package var sessionCount: Int { opened.load(ordering: .relaxed) }

    /// The memory budget has given bytes, or has taken back as many (negative).
    func addMemory(_ bytes: Int) { held.add(bytes, ordering: .relaxed) }

    /// The budget of temporary bytes has given bytes, or has taken back as many (negative).
    func addTemporary(_ bytes: Int) { spilled.add(bytes, ordering: .relaxed) }

    /// Sessions have logged in, or have ended (negative).
    func addSessions(_ count: Int) { opened.add(count, ordering: .relaxed) }
}

/// The accounts that somebody holds, by the hash of their key. Safe to use from any loop.
package final class AccountTable: Sendable {
    private struct Entry {
        weak var account: Account?
    }

    private final class Shard: Sendable {
        let entries = Locked<[APIKey.Hash: Entry]>([:])
    }

    private static let shardCount = 16
    private let shards: [Shard]

    package init() { shards = (0..<Self.shardCount).map { _ in Shard() } }

    /// The account of a key; a new one when nobody holds one.
    package func account(for hash: APIKey.Hash) -> Account {
        shard(of: hash).entries.withLock { entries in
            if let account = entries[hash]?.account { return account }
            let account = Account(hash: hash, table: self)
            entries[hash] = Entry(account: account)
            return account
        }
    }

    /// All accounts at this moment.
    package var all: [Account] {
        shards.flatMap { shard in
            shard.entries.withLock { entries in entries.values.compactMap { $0.account } }
        }
    }

    /// An account has ended. Another one may have taken its place meanwhile.
    fileprivate func forget(_ hash: APIKey.Hash) {
        shard(of: hash).entries.withLock { entries in
            if let entry = entries[hash], entry.account == nil { entries[hash] = nil }
        }
    }

    private func shard(of hash: APIKey.Hash) -> Shard {
        shards[Int(truncatingIfNeeded: hash.low % UInt64(Self.shardCount))]
    }
}
