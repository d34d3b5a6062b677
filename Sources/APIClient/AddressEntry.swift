// What one pool knows of one address of the API. Plain data, part of `AddressTable`, which alone
// changes it.

import Reactor

extension AddressTable {
    /// An HTTP/1.1 connection that carries no call.
    struct Idle {
        var connection: ConnectionNumber
        var since: MonotonicTime
        /// How long its opening took: no round trip is longer. 0 when it is fresh.
        var roundTrip: UInt64
        /// It has carried no call.
        var isFresh: Bool

        /// Its age when a request that is sent now arrives, in nanoseconds.
        func age(at now: MonotonicTime) -> UInt64 { now.nanoseconds(since: since) &+ roundTrip }
    }

    struct Entry {
        var socketAddress: SocketAddress
        var version: AddressReport.Version
        /// It agrees on HTTP/2 and refuses it.
        var isHTTP1Demanded = false
        var health = Health.healthy
        /// In the latest answer of name resolution.
        var isListed = true
        /// Rests in a row; the exponent of the backoff.
        var rests = 0
        /// When the latest rest began. Openings that began before say nothing about it.
        var restBegan = MonotonicTime(nanoseconds: 0)
        /// Before this time no connection is opened beyond those aimed at.
        var openingsRestUntil = MonotonicTime(nanoseconds: 0)
        /// Connections that the address takes, as far as is known; `Int.max`: no limit is known.
        var aim = Int.max
        /// Calls in a row that broke.
        var brokenCalls = 0
        /// The flow whose call broke last; nil for the check of a key.
        var lastFault: FlowNumber?
        /// Until then calls wait for it when no address is usable.
        var isAwaitedUntil = MonotonicTime(nanoseconds: 0)
        /// From then on an answer is news to other loops.
        var isNewsFrom = MonotonicTime(nanoseconds: 0)
        var idleLimits = IdleLimits()

        // Since the address became known, for the metrics.
        var calls = 0
        var opened = 0
        var failed = 0

        // Connections by state, see `connectionMoved`.
        var opening = 0
        /// HTTP/1.1 connections that carry a call.
        var busy = 0
        /// Idle HTTP/1.1 connections. The one that was used last is taken first, so the others can
        /// grow old and close.
        var idle: [Idle] = []
        var shared = SharedConnections()

        /// Calls that it carries.
        var inFlight: Int { busy + shared.callCount }
        /// Connections that are open and can be given calls.
        var working: Int { busy + idle.count + shared.usableCount }
        var connectionCount: Int { opening + working }
        /// No connection points to it.
        var isUnused: Bool { connectionCount == 0 && shared.isEmpty }

        /// A call can be put on an HTTP/2 connection.
        var hasStream: Bool {
            guard shared.hasRoom else { return false }
            if case .resting = health { return false }
            return true
        }

        /// Whether one more may be opened, beside those that there are.
        func mayOpen(at now: MonotonicTime) -> Bool {
            guard opening == 0 || version == .http1 else { return false }
            let count = connectionCount
            return count < aim || count == aim && openingsRestUntil <= now
        }
    }
}
