// The place of one session among those of its key: of the sessions that are possible at all, a key
// has at most as many as are still free.

/// One session of an account, until this value goes.
struct SessionShare: ~Copyable {
    private let account: Account

    /// nil when the key has as many sessions as are free.
    /// - Parameter free: sessions that could still begin, of all keys together.
    init?(of account: Account, free: Int) {
        guard account.sessionCount < max(free, 1) else { return nil }
        self.account = account
        account.addSessions(1)
    }

    deinit { account.addSessions(-1) }
}
