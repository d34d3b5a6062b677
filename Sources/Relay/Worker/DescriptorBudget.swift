// How the descriptors of the process are divided, so that a flood of clients never leaves the relay
// without a descriptor for the API: a client that is let in can be served.

/// How many descriptors clients get, and how many the API.
package struct DescriptorBudget: Equatable {
    /// Standard streams, signals, the sandbox's listener, the first look-up.
    private static let fixed = 24
    /// Of each loop besides its listeners: its event queue, its mailbox, its share of look-ups.
    private static let perLoop = 4

    /// Connections to the API, at most, of each loop.
    package let apiConnectionsMax: Int
    /// Sessions of all loops together; beyond them connections wait in the kernel's backlog.
    package let sessionsMax: Int

    /// Sessions beyond `sessionsMax` that may be let in before all listeners have stopped.
    static func overshoot(_ sessionsMax: Int) -> Int { max(4, sessionsMax / 32) }

    /// A sixteenth is left for the files of large messages, and for connections that are accepted
    /// while a listener is being told to pause.
    /// - Parameters:
    ///   - limit: descriptors of the process.
    ///   - others: descriptors that others may need, besides the fixed ones.
    ///   - listeners: listening sockets of each loop.
    ///   - apiConnectionsMax: the connections to the API that each loop was asked to have. It gets as
    ///     many, but at most a quarter of its share of the limit.
    package init(limit: Int, loops: Int, listeners: Int, apiConnectionsMax: Int, others: Int = 0) {
        let apiShare = max(1, limit / 4 / loops)
        self.apiConnectionsMax = min(apiConnectionsMax, apiShare)
        let reserved =
            Self.fixed + others + loops * (Self.perLoop + listeners + self.apiConnectionsMax)
            + limit / 16
        sessionsMax = max(1, limit - reserved)
    }
}
