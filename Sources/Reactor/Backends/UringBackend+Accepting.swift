// Listening sockets of the io_uring backend: multishot accept, and one connection at a time once
// there was no room.

import CEpoll.System
import CEpoll.Uring
import Glibc

extension UringBackend {
    package func listen(
        on address: SocketAddress, backlog: Int, isShared: Bool
    ) throws(SystemError) -> Int32 {
        try SocketCalls.listen(
            on: address, backlog: backlog, isShared: isShared, isBlocking: true)
    }

    package func share(_ inherited: Int32) throws(SystemError) -> Int32 {
        let descriptor = try SocketCalls.duplicate(inherited, isBlocking: true)
        shared.insert(descriptor)
        return descriptor
    }

    package func accept(on descriptor: Int32, _ token: Token) {
        if sockets.find(token) == nil {
            sockets.insert(UringSocket(token: token, descriptor: descriptor))
        }
        guard let socket = sockets.find(token) else { return }
        socket.pointee.isReceiving = true
        startAccepting(socket)
    }

    func startAccepting(_ socket: UnsafeMutablePointer<UringSocket>) {
        guard !socket.pointee.inFlight.contains(.accept) else { return }
        socket.pointee.inFlight.insert(.accept)
        cu_accept(
            ring, socket.pointee.descriptor, socket.pointee.acceptsOneByOne ? 0 : 1,
            Operation.accept.data(socket.pointee.token))
    }

    package func stopAccepting(_ token: Token) {
        guard let socket = sockets.find(token) else { return }
        socket.pointee.isReceiving = false
        socket.pointee.acceptsOneByOne = true
        if socket.pointee.inFlight.contains(.accept) {
            cu_cancel(ring, Operation.accept.data(token))
        }
    }

    /// io_uring's accepts wait exclusively: the kernel tells one of all processes and loops that
    /// share the socket. If that one cancels its accept at this moment, or dies, nobody is told, and
    /// the client waits for its greeting until another one comes. A cancelled accept begins again by
    /// looking.
    func acceptOverlooked(_ token: Token) {
        guard let socket = sockets.find(token), socket.pointee.isReceiving,
            socket.pointee.inFlight.contains(.accept),
            cs_is_readable(socket.pointee.descriptor) != 0
        else { return }
        cu_cancel(ring, Operation.accept.data(token))
    }

    func accepted(
        _ socket: UnsafeMutablePointer<UringSocket>, _ completion: cu_completion
    ) -> Completion? {
        if completion.has_more == 0 { socket.pointee.inFlight.remove(.accept) }
        let wantsMore = socket.pointee.isReceiving && !socket.pointee.isClosing
        guard completion.result >= 0 else {
            switch -completion.result {
            case ECANCELED, EINTR, ECONNABORTED, EPROTO, EAGAIN:
                if wantsMore { startAccepting(socket) }
                return nil
            default:
                socket.pointee.isReceiving = false
                return .acceptFailed(errno: -completion.result)
            }
        }
        // One that was accepted before `stopAccepting` or `close` came through is somebody's client.
        if completion.has_more == 0, wantsMore { startAccepting(socket) }
        var storage = sockaddr_storage()
        _ = cu_peer_address(completion.result, &storage)
        return .accepted(
            descriptor: completion.result, peer: SocketAddress(storage) ?? SocketAddress.none)
    }
}
