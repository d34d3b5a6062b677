// Accounts of invented keys, by name.

import APIClient
import Reactor

@testable import Relay

/// Makes an account for each name that is asked for.
final class TestKeys: Sendable {
    private let accounts = Locked<[String: Account]>([:])

    subscript(name: String) -> Account {
        accounts.withLock { accounts in
            if let account = accounts[name] { return account }
            let account = Account(key: APIKey("ps_\(name)".utf8.span))
            accounts[name] = account
            return account
        }
    }
}
