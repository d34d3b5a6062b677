// Receiving over io_uring: one multishot request a socket, pauses, and what arrives during them.
//
// A pause cancels the request, but pieces may still complete until the cancellation does. They are
// copied and kept with the socket, so that paused sockets never use up the ring's buffers.

import CEpoll.Uring
import Glibc

extension UringBackend {
    package func receive(_ token: Token) {
        guard let socket = sockets.find(token) else { return }
        socket.pointee.isReceiving = true
        if !socket.pointee.held.isEmpty {
            queueHeld(socket)
        } else {
            startReceiving(socket)
        }
    }

    package func stopReceiving(_ token: Token) {
        guard let socket = sockets.find(token), socket.pointee.isReceiving else { return }
        socket.pointee.isReceiving = false
        if socket.pointee.inFlight.contains(.receive) {
            cu_cancel(ring, Operation.receive.data(token))
        }
    }

    func startReceiving(_ socket: UnsafeMutablePointer<UringSocket>) {
        // A receive that waits for the connection would swallow its error.
        let mustWait =
            socket.pointee.isClosing || socket.pointee.inFlight.contains(.connect)
            || socket.pointee.inFlight.contains(.receive)
        guard !mustWait else { return }
        socket.pointee.inFlight.insert(.receive)
        cu_receive(ring, socket.pointee.descriptor, Operation.receive.data(socket.pointee.token))
    }

    func received(
        _ socket: UnsafeMutablePointer<UringSocket>, _ completion: cu_completion
    ) -> Completion? {
        if completion.has_more == 0 { socket.pointee.inFlight.remove(.receive) }
        if socket.pointee.isClosing {
            recycle(completion)
            return nil
        }
        switch completion.result {
        case -ECANCELED, -ENOBUFS, -EINTR, -EAGAIN:
            // Cancelled by a pause that is over, or out of buffers for a moment: begin again.
            // What is held comes first, or it would never be caught up with.
            if socket.pointee.isReceiving, socket.pointee.held.isEmpty { startReceiving(socket) }
            return nil
        default: break
        }
        guard socket.pointee.isReceiving, socket.pointee.held.isEmpty else {
            hold(completion, socket)
            return nil
        }
        guard completion.result > 0, completion.buffer >= 0 else {
            recycle(completion)
            return ended(completion.result, socket)
        }
        goOnReceiving(socket)
        shownBuffer = completion.buffer
        return .received(
            UnsafeRawBufferPointer(
                start: cu_buffer(ring, completion.buffer), count: Int(completion.result)))
    }

    /// The end of the peer's bytes, or an error.
    private func ended(
        _ result: Int32, _ socket: UnsafeMutablePointer<UringSocket>
    ) -> Completion {
        socket.pointee.isReceiving = false
        return result < 0
            ? .receiveFailed(errno: -result)
            : .received(UnsafeRawBufferPointer(start: parts, count: 0))
    }

    /// A multishot receive may end with a piece; it goes on with the next.
    private func goOnReceiving(_ socket: UnsafeMutablePointer<UringSocket>) {
        if !socket.pointee.inFlight.contains(.receive) { startReceiving(socket) }
    }

    private func hold(_ completion: cu_completion, _ socket: UnsafeMutablePointer<UringSocket>) {
        var memory: UnsafeMutableRawPointer?
        if completion.result <= 0 {
            recycle(completion)
        } else if completion.buffer >= 0 {
            let copy = UnsafeMutableRawPointer.allocate(
                byteCount: Int(completion.result), alignment: 16)
            copy.copyMemory(
                from: cu_buffer(ring, completion.buffer), byteCount: Int(completion.result))
            memory = copy
            cu_recycle(ring, completion.buffer)
        }
        socket.pointee.held.append(HeldPiece(result: completion.result, memory: memory))
    }

    /// Has the next piece that is held delivered in the next batch.
    private func queueHeld(_ socket: UnsafeMutablePointer<UringSocket>) {
        guard !socket.pointee.isQueued else { return }
        socket.pointee.isQueued = true
        resumed.append(socket.pointee.token)
    }

    /// The next piece that came while the socket was paused.
    func deliverHeld(_ token: Token) -> Event? {
        guard let socket = sockets.find(token) else { return nil }
        socket.pointee.isQueued = false
        guard !socket.pointee.isClosing, socket.pointee.isReceiving, !socket.pointee.held.isEmpty
        else { return nil }
        let piece = socket.pointee.held.removeFirst()
        guard let memory = piece.memory else {
            return Event(token: token, completion: ended(piece.result, socket))
        }
        if socket.pointee.held.isEmpty {
            goOnReceiving(socket)
        } else {
            queueHeld(socket)
        }
        shownCopy = memory
        let bytes = UnsafeRawBufferPointer(start: memory, count: Int(piece.result))
        return Event(token: token, completion: .received(bytes))
    }
}
