// Takes new connections of one listener and makes their sessions; turns the abusive ones away.

import Reactor
import Wire

/// The door of one listening socket.
final class SMTPListener: ListenerHandler {
    private let worker: Worker
    private let isImplicitTLS: Bool
    private let turnedAway = TurnedAway()

    init(worker: Worker, isImplicitTLS: Bool) {
        self.worker = worker
        self.isImplicitTLS = isImplicitTLS
        super.init()
    }

    override func accepted(_ address: SocketAddress, on listener: Listener) -> StreamHandler? {
        let abuse = worker.shared.abuse
        // Over TLS a word of explanation would cost a handshake.
        if isImplicitTLS, !abuse.admitsHandshake(address, at: worker.loop.now) {
            worker.shared.log.event(.info, "handshake-refused", ["peer": address.host])
            return nil
        }
        guard abuse.admits(address, at: worker.loop.now) else {
            worker.shared.log.event(.info, "connection-refused", ["peer": address.host])
            return isImplicitTLS ? nil : turnedAway
        }
        return Session(worker: worker, peer: address, isImplicitTLS: isImplicitTLS)
    }
}

/// Says 421 and closes. Has no state, so one serves all.
private final class TurnedAway: StreamHandler {
    override func streamOpened(_ stream: Stream) {
        stream.write(Reply.tooManyConnections, isEnhanced: false)
        stream.finish()
    }
}

extension Stream {
    /// Writes one reply.
    func write(_ reply: Reply, isEnhanced: Bool) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Reply.wireBytesMax) { memory in
            var region = Region(memory)
            reply.write(into: &region, enhanced: isEnhanced)
            write(region.bytes)
        }
    }
}
