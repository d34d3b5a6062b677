// What the process may do: root's rights are given up, core dumps are forbidden.
//
// Every check happens before the first client is accepted; if one fails, the process ends.

import ArgumentParser
import CEpoll.Process
import Glibc
import Log
import Reactor

/// The rights of the process. On the main thread.
struct ProcessRights {
    /// The user and group to become; nil to stay.
    private let identity: ProcessIdentity?
    private let log: EventLog

    init(identity: ProcessIdentity?, log: EventLog) {
        self.identity = identity
        self.log = log
    }

    /// Keeps keys out of core dumps, and hides the process's memory from other processes of its user.
    /// - Throws: `SystemError`.
    func forbidCoreDumps() throws {
        guard ck_set_undumpable() == 0 else {
            throw SystemError(operation: "forbid core dumps", errno: errno)
        }
    }

    /// Gives root's rights up: the ports are bound, and no client has been accepted yet.
    /// - Throws: `ValidationError` that names the flag; `SystemError`.
    func giveUpRoot() throws {
        if let identity {
            try identity.assume()
            // The kernel resets it when the user changes (prctl(2), PR_SET_DUMPABLE).
            try forbidCoreDumps()
        }
        if geteuid() == 0 { log.event(.warning, "running-as-root") }
    }
}
