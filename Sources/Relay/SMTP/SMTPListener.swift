// Takes the new connections of one listener and makes their sessions, or turns them away.
//
// A connection is turned away when its address or its network has too many, when the process ends,
// and when no descriptor is to spare. It hears why where that costs no handshake.

import Glibc
import Logging
import Reactor
import Wire

/// One listening socket.
package struct ListenerSpec: Sendable, Equatable {
    package var address: SocketAddress
    /// TLS from the first byte instead of STARTTLS.
    package var isImplicitTLS: Bool
    /// The descriptor that the process was started with; nil for a socket of our own.
    package var inherited: Int32?

    package init(address: SocketAddress, isImplicitTLS: Bool, inherited: Int32? = nil) {
        self.address = address
        self.isImplicitTLS = isImplicitTLS
        self.inherited = inherited
    }
}

/// Decides about the connections of one listening socket.
final class SMTPListener: ListenerHandler {
    let worker: Worker
    let isImplicitTLS: Bool
    /// Which of the configuration's listeners this is.
    let index: Int
    private let turnedAway: TurnedAway
    private var silentUntil = MonotonicTime(nanoseconds: 0)

    private static let logIntervalMilliseconds = 10_000

    init(worker: Worker, isImplicitTLS: Bool, index: Int = 0) {
        self.worker = worker
        self.isImplicitTLS = isImplicitTLS
        self.index = index
        turnedAway = TurnedAway(worker: worker, with: .tooManyConnections)
        super.init()
    }

    override func accepted(_ address: SocketAddress, on listener: Listener) -> StreamHandler? {
        guard !worker.shared.isOverfull else {
            worker.listenerCounters[index].overDescriptors += 1
            return nil
        }
        let proxies = worker.configuration.reloadable.proxies
        if !proxies.isEmpty, proxies.contains(where: { $0.contains(address) }) {
            return ProxyDoor(worker: worker, listener: self, balancer: address)
        }
        return admit(address)
    }

    /// The handler of a client at `address`; nil to close its connection at once.
    func admit(_ address: SocketAddress) -> StreamHandler? {
        // The kernel accepted it before the listener was closed.
        if worker.turnsClientsAway {
            return isImplicitTLS ? nil : TurnedAway(worker: worker, with: .shuttingDown)
        }
        let abuse = worker.shared.abuse
        // Over TLS an explanation would cost a handshake.
        if isImplicitTLS, !abuse.admitsHandshake(address, at: worker.loop.now) {
            worker.listenerCounters[index].overHandshakes += 1
            log(.info, "handshake-refused", address)
            return nil
        }
        guard
            abuse.admits(
                address, at: worker.loop.now, free: worker.shared.freeSessions)
        else {
            worker.listenerCounters[index].overConnections += 1
            log(.info, "connection-refused", address)
            return isImplicitTLS ? nil : turnedAway
        }
        return Session(
            worker: worker, peer: address, isImplicitTLS: isImplicitTLS, listener: index)
    }

    private func log(_ level: Logger.Level, _ event: StaticString, _ address: SocketAddress) {
        guard worker.log.begin(level, event) else { return }
        worker.log.text("peer", address.host)
        worker.log.end()
    }

    override var isFull: Bool { worker.shared.isFull }

    /// Pauses repeat while there is no room: one line per ten seconds.
    override func paused(_ why: ListenerPause) {
        guard worker.loop.now >= silentUntil else { return }
        silentUntil = worker.loop.now.advanced(byMilliseconds: Self.logIntervalMilliseconds)
        worker.shared.log.event(
            .warning, "accept-paused",
            [
                "reason": why.words,
                "sessions": "\(worker.shared.clientCount)",
            ])
    }
}

extension ListenerPause {
    fileprivate var words: String {
        switch self {
        case .full: "no descriptors to spare"
        case .failed(let errno): String(cString: strerror(errno))
        }
    }
}

/// Answers 421 and closes. Has no state of a stream, so one object serves them all.
final class TurnedAway: StreamHandler {
    private let worker: Worker
    private let reply: Reply

    init(worker: Worker, with reply: Reply) {
        self.worker = worker
        self.reply = reply
        super.init()
    }

    /// The connection has a descriptor until the client has gone, like a session.
    override func streamAccepted(_ stream: Stream) {
        worker.shared.clientEntered()
    }

    override func streamClosed(_ stream: Stream, _ reason: CloseReason) {
        worker.shared.clientLeft()
    }

    override func streamOpened(_ stream: Stream) {
        worker.counters.replies.count(reply.code)
        stream.write(reply, isEnhanced: false)
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
