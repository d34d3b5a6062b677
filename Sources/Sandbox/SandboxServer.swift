// The sandbox: a faithful imitation of the Postscale API on one loop of its own.
//
// Made for tests, demonstrations and development without an account: nothing is ever delivered.
// It shares no state with the relay and blocks nobody but its own thread, which is also where it
// writes its files.

import HTTPServer
import Log
import Reactor
import Wire

/// Listeners and connections of one sandbox. Belongs to the loop that it was made on.
package final class SandboxServer {
    private let server: HTTPServer

    /// Starts to listen. Call on the loop's thread.
    /// - Throws: `SystemError` when an address cannot be bound.
    package init(loop: Loop, options: SandboxOptions, log: EventLog) throws(SystemError) {
        server = try HTTPServer(
            loop: loop, addresses: options.addresses, tls: options.tls,
            options: HTTPServerOptions(
                connectionsMax: options.connectionsMax,
                headBytesMax: HTTPRequestHead.bytesMax,
                uploadBytesMax: options.uploadBytesMax,
                idleMilliseconds: options.idleTimeoutMilliseconds,
                requestMilliseconds: options.idleTimeoutMilliseconds,
                // 80 MiB over a slow network take as long as they take.
                extendsRequests: true, knowsHTTP2: true),
            service: SandboxService(options: options, log: log))
    }

    /// The bound addresses, with real ports, in the order of the options.
    var addresses: [SocketAddress] { server.addresses }
}
