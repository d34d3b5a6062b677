// A connection to the API that is not open yet: TCP, TLS, and which HTTP both sides speak (ALPN, RFC
// 7301; RFC 9113 section 3). The open stream is handed to what carries calls over it.

import Glibc
import Reactor

/// One opening, from the decision until the stream is open or has failed.
final class APIOpening: StreamHandler {
    private let number: ConnectionNumber
    private let address: SocketAddress
    private let pool: ConnectionPool
    /// Why we end the opening, if we are the ones who do.
    private var endCause: String?

    init(number: ConnectionNumber, address: SocketAddress, pool: ConnectionPool) {
        self.number = number
        self.address = address
        self.pool = pool
        super.init()
    }

    /// Connects; the pool hears `opened` or `openingFailed`.
    func begin() {
        let stream = Stream.connect(
            loop: pool.loop, to: address, tls: pool.tls(for: number),
            serverName: pool.options.endpoint.host,
            handler: self)
        stream.deadline = pool.loop.now.advanced(
            byMilliseconds: pool.options.connectTimeoutMilliseconds)
    }

    override func streamOpened(_ stream: Stream) {
        if let tls = stream.tls { pool.secured(address, tls) }
        switch pool.options.http.version(on: stream) {
        case .http1:
            let connection = APIConnection(
                number: number, address: address, pool: pool, stream: stream)
            stream.handOver(to: connection)
            connection.start()
        case .http2:
            let carrier = HTTP2Carrier(
                number: number, address: address, pool: pool, stream: stream)
            stream.handOver(to: carrier)
            carrier.start()
        case .unknown, nil:
            endCause = "it does not speak HTTP/2, which --api-http 2 demands"
            stream.abort()
        }
    }

    override func streamTimedOut(_ stream: Stream) {
        endCause = "timed out"
        stream.abort()
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        pool.openingFailed(number, to: address, reason: endCause ?? reason.words)
    }
}

extension APIHTTPChoice {
    /// What is spoken over a stream that has opened; nil: not what is demanded.
    fileprivate func version(on stream: Stream) -> AddressReport.Version? {
        guard let tls = stream.tls else { return self == .http2 ? .http2 : .http1 }
        if tls.applicationProtocol == .http2 { return .http2 }
        return self == .http2 ? nil : .http1
    }
}

extension CloseReason {
    /// For the log and for `APIResult`.
    var words: String {
        switch self {
        case .local: "closed by us"
        case .peer: "closed by the API"
        case .system(let code): String(cString: strerror(code))
        case .tls(let reason): "TLS: \(reason)"
        }
    }
}
