// The bounds and times of a pool, each with its one default. Plain data, part of `PoolMachine`.

import Reactor

extension PoolMachine {
    /// Bounds and times.
    struct Limits {
        /// HTTP/1.1 connections in any state, all addresses together.
        var connectionsMax = 256
        /// HTTP/2 connections that calls can be put on, all addresses together. As many more may
        /// carry their last calls.
        var http2ConnectionsMax = 16
        /// Calls on one HTTP/2 connection, if its peer allows as many.
        var streamsMax = 256
        /// An address may speak HTTP/2: which version it speaks is learnt from its first connection.
        var offersHTTP2 = false
        /// Messages that may wait for a connection.
        var queueMax = 10_000
        /// Connections that may be opening at once: bounds the handshakes of a cold start.
        var openingMax = 32
        /// An idle connection is closed after this.
        var idleMilliseconds = 30_000
        var restMillisecondsMin = 250
        var restMillisecondsMax = 15_000
        /// The API restarts now and then. When no address is usable and one has answered a call in
        /// this time, calls wait for it, and it is tried at least so often.
        var awaitedMilliseconds = 10_000
        var awaitedRestMillisecondsMax = 1_000
        /// Calls in a row that may break on an address before it rests like one that refuses.
        var brokenCallsMax = 5
        /// A message waits so long for a fresh connection when there is one of unknown use.
        var freshMilliseconds = 1_000
        /// A slow upload lets complete messages go first for so long.
        var lateMilliseconds = 500
        /// An end without an answer crossed the request when it comes so soon after it, and after
        /// an idle time that is not shorter.
        var crossingMilliseconds = 1_000
        var crossedIdleMillisecondsMin = 250
        /// Checks of keys that stand in the queue; further ones wait with their network.
        var checksWaitingMax = 4
        /// Further addresses are ignored.
        var addressesMax = 16

        /// HTTP/1.1 connections that messages never take.
        var checkReserve: Int { max(1, connectionsMax / 16) }
        /// HTTP/1.1 connections that carry messages, at most. Of very few none is given away: there the
        /// reserve is one more.
        var messagesMax: Int {
            connectionsMax < 4 ? connectionsMax : connectionsMax - checkReserve
        }
        /// HTTP/2 streams that carry messages, at most, of so many.
        func messagesMax(ofStreams streams: Int) -> Int {
            streams < 2 ? streams : streams - max(1, streams / 16)
        }
        /// Checks of keys that may wait for a connection; their places are their own.
        var checkQueueMax: Int { max(64, queueMax / 16) }

        var rests: AddressTable.Rests {
            AddressTable.Rests(
                shortest: restMillisecondsMin, longest: restMillisecondsMax,
                longestWhileAwaited: min(restMillisecondsMax, awaitedRestMillisecondsMax),
                awaited: awaitedMilliseconds)
        }
        var idleNanoseconds: UInt64 { UInt64(clamping: idleMilliseconds) &* 1_000_000 }
        var crossingNanoseconds: UInt64 {
            UInt64(clamping: crossingMilliseconds) &* 1_000_000
        }
        var crossedIdleNanosecondsMin: UInt64 {
            UInt64(clamping: crossedIdleMillisecondsMin) &* 1_000_000
        }
    }
}
