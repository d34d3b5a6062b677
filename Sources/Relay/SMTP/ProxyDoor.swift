// The way in for connections of a balancer: reads the PROXY header, then hands the stream to the
// handler of the client that the header names. All this comes before TLS and before the greeting.
//
// The header is required: a connection that begins without one, or with a bad one, is reset. The
// header has five seconds, and its reader bounds its bytes.

import Reactor
import Wire

/// One connection of a balancer, until its client is known.
final class ProxyDoor: StreamHandler {
    /// From accept to the end of the header. The protocol asks for three seconds at least, so that
    /// a lost packet is sent again in time.
    static let timeoutMilliseconds = 5_000

    private let worker: Worker
    private let listener: SMTPListener
    private let balancer: SocketAddress
    private var reader = ProxyHeaderReader()
    private var isInside = false

    init(worker: Worker, listener: SMTPListener, balancer: SocketAddress) {
        self.worker = worker
        self.listener = listener
        self.balancer = balancer
        super.init()
    }

    override var beginsInPlaintext: Bool { true }

    /// The connection has a descriptor, like a session, and the drain waits for it.
    override func streamAccepted(_ stream: Stream) {
        isInside = true
        worker.doorOpened()
        stream.deadline = worker.loop.now.advanced(byMilliseconds: Self.timeoutMilliseconds)
    }

    override func streamReceived(_ stream: Stream, _ bytes: Bytes) {
        let (used, step) = reader.take(bytes)
        switch step {
        case .needsInput: break
        case .bad(let error):
            count(\.headersBad)
            refuse(stream, error.rawValue)
        case .done(let header):
            leave()
            // The balancer itself checks whether the relay serves.
            if header == .local, worker.shared.isLeaving {
                return listener.sendAway(stream)
            }
            listener.enter(
                stream, peer: peer(header), rest: bytes.extracting(used..<bytes.count))
        }
    }

    override func streamTimedOut(_ stream: Stream) {
        count(\.headersLate)
        refuse(stream, "timeout")
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        if isInside { count(\.headersMissing) }
        leave()
    }

    private func count(_ what: WritableKeyPath<ListenerCounters, Int>) {
        worker.listenerCounters[listener.index][keyPath: what] += 1
    }

    private func leave() {
        guard isInside else { return }
        isInside = false
        worker.doorClosed()
    }

    private func refuse(_ stream: Stream, _ reason: String) {
        leave()
        worker.shared.log.event(
            .notice, "proxy-header-refused", ["peer": balancer.host, "reason": reason])
        stream.abort()
    }

    /// The address of the balancer's client; of the balancer when it speaks for itself.
    private func peer(_ header: ProxyHeader) -> SocketAddress {
        guard case .proxied(let source, _) = header else { return balancer }
        return SocketAddress(high: source.high, low: source.low, port: source.port)
    }
}

extension SMTPListener {
    /// Tells the client that the relay is ending, where that is possible without TLS.
    func sendAway(_ stream: Stream) {
        if isImplicitTLS { return stream.abort() }
        let handler = TurnedAway(worker: worker, with: .shuttingDown)
        stream.handOver(to: handler)
        handler.streamAccepted(stream)
        handler.streamOpened(stream)
    }

    /// Takes in a client whose address a balancer has named.
    /// - Parameter bytes: what came after the header; read during this call only.
    func enter(_ stream: Stream, peer: SocketAddress, rest bytes: Bytes) {
        guard let handler = admit(peer) else { return stream.abort() }
        stream.handOver(to: handler)
        stream.deadline = .never
        handler.streamAccepted(stream)
        if isImplicitTLS {
            stream.startTLS(worker.serverTLS, startingWith: bytes)
        } else {
            handler.streamOpened(stream)
            if bytes.count > 0 { handler.streamReceived(stream, bytes) }
        }
    }
}
