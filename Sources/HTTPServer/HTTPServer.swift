// A small HTTP server on one loop: the listeners and connections of the sandbox and of the admin
// listener. What is answered is a service's business (`HTTPService`). It speaks HTTP/1.1, and HTTP/2
// with clients that chose it during the handshake, if the certificate's context offers it.
//
// Bounded: connections, heads, bodies, bodies of all connections together, pipelined bytes, and the
// time that each step may take. Not for the byte path of messages.

import Reactor

/// The bounds of a server.
package struct HTTPServerOptions: Sendable {
    /// Connections at once; further ones are closed at once.
    package var connectionsMax: Int
    /// A head of more bytes is refused.
    package var headBytesMax: Int
    /// Bytes of bodies that are still arriving, over all connections; above it the answer is 503.
    package var uploadBytesMax: Int
    /// How long a connection may rest between two requests.
    package var idleMilliseconds: Int
    /// How long a request may take to arrive, and an answer to leave.
    package var requestMilliseconds: Int
    /// Each piece of a request begins `requestMilliseconds` anew: for bodies of any size.
    package var extendsRequests: Bool
    /// Clients without TLS may speak HTTP/2 from the start, by prior knowledge (RFC 9113 section 3.3).
    /// Their preface must come in one piece.
    package var knowsHTTP2: Bool

    package init(
        connectionsMax: Int, headBytesMax: Int, uploadBytesMax: Int, idleMilliseconds: Int,
        requestMilliseconds: Int, extendsRequests: Bool, knowsHTTP2: Bool = false
    ) {
        self.connectionsMax = connectionsMax
        self.headBytesMax = headBytesMax
        self.uploadBytesMax = uploadBytesMax
        self.idleMilliseconds = idleMilliseconds
        self.requestMilliseconds = requestMilliseconds
        self.extendsRequests = extendsRequests
        self.knowsHTTP2 = knowsHTTP2
    }
}

/// Listeners and connections. Belongs to the loop that it was made on, which holds it until its
/// own end.
package final class HTTPServer: ListenerHandler {
    let options: HTTPServerOptions
    let service: any HTTPService
    private var listeners: [Listener] = []
    private var connections: [ObjectIdentifier: StreamHandler] = [:]
    private var uploadBytes = 0

    /// Starts to listen. Call on the loop's thread.
    /// - Parameter tls: HTTPS with this certificate; nil for plain HTTP.
    /// - Throws: `SystemError` that names the address that cannot be bound.
    package init(
        loop: Loop, addresses: [SocketAddress], tls: TLSContext?, options: HTTPServerOptions,
        service: any HTTPService
    ) throws(SystemError) {
        self.options = options
        self.service = service
        super.init()
        for address in addresses {
            // Not shared with another process: its clients must know which server answers.
            listeners.append(
                try Listener(
                    loop: loop, address: address, tls: tls, isShared: false, bounds: .known,
                    handler: self))
        }
    }

    /// The bound addresses, with real ports, in the order in which they were given.
    package var addresses: [SocketAddress] { listeners.map(\.address) }

    override package func accepted(
        _ address: SocketAddress, on listener: Listener
    ) -> StreamHandler? {
        guard connections.count < options.connectionsMax else { return nil }
        let connection = HTTPConnection(server: self)
        connections[ObjectIdentifier(connection)] = connection
        service.note(.opened(connections: connections.count))
        return connection
    }

    /// The client of a new connection has chosen HTTP/2.
    /// - Returns: what carries it on.
    @discardableResult
    func speaksHTTP2(_ connection: HTTPConnection, on stream: Stream) -> StreamHandler {
        let successor = HTTP2Connection(server: self, stream: stream)
        connections[ObjectIdentifier(connection)] = nil
        connections[ObjectIdentifier(successor)] = successor
        stream.handOver(to: successor)
        successor.begin()
        return successor
    }

    /// A connection has ended.
    func ended(_ connection: StreamHandler) {
        connections[ObjectIdentifier(connection)] = nil
        service.note(.closed(connections: connections.count))
    }

    /// A connection holds so many more bytes of a body.
    /// - Returns: false when all of them together hold too many now.
    func hold(_ byteCount: Int) -> Bool {
        uploadBytes += byteCount
        return uploadBytes <= options.uploadBytesMax
    }

    /// A connection has given them back.
    func release(_ byteCount: Int) { uploadBytes -= byteCount }
}
