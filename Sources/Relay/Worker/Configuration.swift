// Every setting of the relay as one value, after the flags have been read and checked.
//
// Flags make it, tests make it by hand; nothing else does. It never changes while the relay runs.

import APIClient
import Mapping
import Reactor

/// All settings.
package struct Configuration: Sendable {
    package var hostname: String
    package var listeners: [ListenerSpec]
    /// Balancers: their connections begin with a PROXY header, which says whose they are.
    package var proxies: [AddressBlock] = []
    package var loops: Int
    package var backend: BackendKind = .auto
    package var limits = SessionLimits()
    package var abuse = AbuseLimits()
    package var mapping = MappingOptions()
    package var api: APIOptions
    /// Request bodies up to this size are held whole; larger ones are cut through.
    package var bufferThresholdBytes = 262_144
    package var memoryBudgetBytes: Int
    /// Sessions of all loops together; more wait until one ends.
    package var sessionsMax = Int.max
    package var duplicateWindowMilliseconds = 600_000
    /// After SIGTERM, how long connections are still accepted, so that a balancer learns of the end
    /// before there is one.
    package var drainDelayMilliseconds = 0
    package var drainTimeoutMilliseconds = 30_000
    /// Of that, how long clients that have sent no message yet may go on to send one.
    package var drainGraceMilliseconds = 0
    package var hasEnhancedStatusCodes = false
    package var hasVerboseReplies = false
    /// Whose sessions are written down; nil for nobody's.
    package var trace: TraceRules?
    /// Where operators and their machines are answered; empty for nowhere.
    package var admin: [SocketAddress] = []
    /// Where bodies beyond the threshold are spilled when they must be held.
    package var temporaryFolder = "/tmp"

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
