// All settings of the relay as one value, after the flags have been read and checked.
//
// It only gathers: each setting lives beside what it sets, with its default. The flags make this
// value, and tests make it by hand. Of a running relay only `reloadable` is ever replaced.

import APIClient
import Mapping
import Reactor

/// All settings.
package struct Configuration: Sendable {
    /// io_uring where the kernel grants it.
    package static let usualBackend = BackendKind.auto

    /// The relay's name in its greeting.
    package var hostname: String
    package var listeners: [ListenerSpec]
    /// Groups of TLS, with clients and with the API; nil for the usual ones.
    package var tlsGroups: String?
    package var loops: Int
    package var backend = Configuration.usualBackend
    /// What SIGHUP replaces.
    package var reloadable = ReloadableSettings()
    package var api: APIOptions
    package var keys = KeyOptions()
    package var mapping = MappingOptions()
    package var messages = MessageOptions()
    /// Memory that all messages in flight may hold together.
    package var memoryBudgetBytes: Int
    /// Sessions of all loops together; further connections wait until one ends.
    package var sessionsMax = Int.max
    package var drain = DrainOptions()
    /// Replies have RFC 3463 codes, and EHLO says so.
    package var hasEnhancedStatusCodes = false
    /// Whose sessions are written down; nil for nobody's.
    package var trace: TraceRules?
    /// The line of a message has its envelope and its Message-ID.
    package var logsEnvelopes = false
    /// Where the admin listener is; empty for none.
    package var admin: [SocketAddress] = []

    package init(
        hostname: String, listeners: [ListenerSpec], loops: Int, api: APIOptions,
        memoryBudgetBytes: Int
    ) {
        self.hostname = hostname
        self.listeners = listeners
        self.loops = loops
        self.api = api
        self.memoryBudgetBytes = memoryBudgetBytes
    }
}
