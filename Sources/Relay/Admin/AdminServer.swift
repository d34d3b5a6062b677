// The admin listener: what the relay tells its operators and their machines, over HTTP/1.1.
//
// It has a loop and a thread of its own, so that it answers while the others are busy, and they never
// wait for it. Nothing that it shows is a secret: no key, no content, no address of a message.

import HTTPServer
import Reactor

/// Starts the admin listener, and says what it may need.
package enum AdminServer {
    /// Connections at once; further ones are closed at once.
    private static let connectionsMax = 32
    /// Descriptors that the listener, its loop and its connections may need.
    package static let descriptorsMax = connectionsMax + 16

    private static let options = HTTPServerOptions(
        connectionsMax: connectionsMax,
        headBytesMax: 4_096,
        uploadBytesMax: connectionsMax * AdminRoute.bodyBytesMax,
        // Scrapes are often a minute apart.
        idleMilliseconds: 90_000,
        requestMilliseconds: 10_000,
        extendsRequests: false)

    /// Starts the thread.
    /// - Throws: `SystemError` that names the address.
    package static func start(_ context: AdminContext) throws -> LoopGroup {
        try LoopGroup(count: 1, backend: .epoll) { loop in
            try HTTPServer(
                loop: loop, addresses: context.addresses, tls: nil, options: options,
                service: AdminService(loop: loop, context: context))
        }
    }
}
