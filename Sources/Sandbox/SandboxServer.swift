// The sandbox: a faithful imitation of the Postscale API on one loop of its own.
//
// Made for tests, demonstrations and development without an account: nothing is ever delivered.
// It shares no state with the relay and blocks nobody but its own thread, which is also where it
// writes its files.

import Log
import Reactor

/// Listeners and connections of one sandbox. Belongs to the loop that it was made on.
package final class SandboxServer {
    private let service: SandboxService
    private var listeners: [Listener] = []
    private let acceptor: SandboxAcceptor

    /// Starts to listen. Call on the loop's thread.
    /// - Throws: `SystemError` when an address cannot be bound.
    package init(loop: Loop, options: SandboxOptions, log: EventLog) throws(SystemError) {
        service = SandboxService(options: options, log: log)
        acceptor = SandboxAcceptor(service: service)
        for address in options.addresses {
            // Not shared: half of the messages would be in another sandbox, and nobody told.
            let listener = try Listener(
                loop: loop, address: address, tls: options.tls, isShared: false, handler: acceptor)
            listeners.append(listener)
        }
    }

    /// The bound addresses, with real ports, in the order of the options.
    var addresses: [SocketAddress] { listeners.map(\.address) }

    /// Stops listening; idle connections close now, others behind their answer.
    func close() {
        for listener in listeners { listener.close() }
        listeners = []
        acceptor.closeConnections()
    }
}

/// Takes connections and knows the live ones.
final class SandboxAcceptor: ListenerHandler {
    private let service: SandboxService
    private var connections: [ObjectIdentifier: SandboxConnection] = [:]

    init(service: SandboxService) {
        self.service = service
        super.init()
    }

    override func accepted(_ address: SocketAddress, on listener: Listener) -> StreamHandler? {
        guard connections.count < service.options.connectionsMax else { return nil }
        let connection = SandboxConnection(service: service, acceptor: self)
        connections[ObjectIdentifier(connection)] = connection
        service.statistics.connections += 1
        service.statistics.connectionsOpen = connections.count
        return connection
    }

    /// A connection has ended.
    func remove(_ connection: SandboxConnection) {
        connections[ObjectIdentifier(connection)] = nil
        service.statistics.connectionsOpen = connections.count
    }

    func closeConnections() {
        for connection in connections.values { connection.closeWhenIdle() }
    }
}
