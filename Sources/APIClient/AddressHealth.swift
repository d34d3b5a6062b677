// Whether an address of the API is used, and what makes it rest. Plain data, part of `AddressTable`.

import Reactor

extension AddressTable {
    enum Health: Equatable {
        case healthy
        /// No new connection before this time; after it, one may probe.
        case resting(until: MonotonicTime)
        /// One connection tries whether the address works again.
        case probing
    }

    /// How long addresses rest, in milliseconds.
    struct Rests {
        var shortest: Int
        var longest: Int
        /// Of an address that calls wait for.
        var longestWhileAwaited: Int
        /// For so long after an answer calls wait for its address, if none is usable.
        var awaited: Int
    }

    /// What a failure means for an address.
    enum Setback: Equatable {
        case none
        /// No new connections for so long, and no calls.
        case rests(milliseconds: Int)
        /// For so long no more connections than those that work.
        case limited(connections: Int, milliseconds: Int)
    }
}
