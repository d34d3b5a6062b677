// What a pool has at a moment, for the metrics and the status page: plain data, copied on the loop.

import Reactor

/// One address of the API as a pool sees it.
package struct AddressReport: Sendable {
    package enum Health: String, Sendable { case healthy, resting, probing }

    /// The version of HTTP that it spoke last.
    package enum Version: String, Sendable {
        case unknown
        case http1 = "1.1"
        case http2 = "2"
    }

    package var address: SocketAddress
    package var version: Version
    package var health: Health
    /// In the latest answer of name resolution.
    package var isListed: Bool
    /// Connections by what they are doing.
    package var opening: Int
    package var idle: Int
    package var busy: Int
    /// Calls that they carry now: over HTTP/2 the streams in use.
    package var callsInFlight: Int
    /// Since the address became known.
    package var calls: Int
    package var connectionsOpened: Int
    package var connectionsFailed: Int
}

/// What the calls of one flow hold in one pool.
package struct FlowHoldings: Sendable, Equatable {
    /// Connections, or streams of HTTP/2 connections.
    package private(set) var connections: Int
    /// Those of them that carry a message which still arrives.
    package private(set) var uploads: Int
    /// Calls that wait for a connection.
    package private(set) var waiting: Int

    package init(connections: Int, uploads: Int, waiting: Int) {
        self.connections = connections
        self.uploads = uploads
        self.waiting = waiting
    }

    /// Adds what the same customer holds in another pool.
    package mutating func add(_ other: FlowHoldings) {
        connections += other.connections
        uploads += other.uploads
        waiting += other.waiting
    }
}

/// What a pool has at a moment.
package struct PoolReport: Sendable {
    package var counters: PoolCounters
    package var addresses: [AddressReport]
    /// Calls that wait for a connection.
    package var queued: Int
    /// An address is believed to work. One that has only rested enough to be tried does not count.
    package var isReady: Bool
}

extension AddressReport.Health {
    init(_ health: AddressTable.Health) {
        switch health {
        case .healthy: self = .healthy
        case .resting: self = .resting
        case .probing: self = .probing
        }
    }
}
