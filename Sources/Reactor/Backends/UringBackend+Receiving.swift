// Receiving over io_uring: one multishot request a socket, pauses, and what arrives during them.
//
// A pause cancels the request, but pieces may still complete until the cancellation does. They are
// copied and kept with the socket, so that paused sockets never use up the ring's buffers. Sockets
// that are sent much go over to `+Bulk`.

import CEpoll.Uring
import Glibc

extension UringBackend {
    package func receive(_ token: Token) {
        guard let socket = sockets.find(token) else { return }
        socket.pointee.isReceiving = true
        if !socket.pointee.held.isEmpty {
            enqueue(socket)
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

    package func unreadByteCount(_ token: Token) -> Int {
        guard let socket = sockets.find(token) else { return 0 }
        return socket.pointee.held.reduce(SocketCalls.unreadBytes(of: socket.pointee.descriptor)) {
            $0 + Int(max($1.result, 0))
        }
    }

    /// Has the kernel receive, if it is not about it already.
    func startReceiving(_ socket: UnsafeMutablePointer<UringSocket>) {
        // A receive that waits for the connection would swallow its error.
        let mustWait =
            socket.pointee.isClosing || socket.pointee.inFlight.contains(.connect)
            || socket.pointee.inFlight.contains(.receive)
        guard !mustWait else { return }
        guard !socket.pointee.isBulk else { return goOnInBulk(socket) }
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
        case -ENOBUFS, Int32(UringBackend.bufferBytes): enterBulk(socket)
        default: break
        }
        switch completion.result {
        case -ECANCELED, -ENOBUFS, -EINTR, -EAGAIN:
            // Cancelled by a pause that is over, or for bulk mode, or out of buffers: go on. What
            // is held comes first, or it would never be caught up with.
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
        startReceiving(socket)
        shownBuffer = completion.buffer
        return .received(
            UnsafeRawBufferPointer(
                start: cu_buffer(ring, completion.buffer), count: Int(completion.result)))
    }

    /// The end of the peer's bytes, or an error.
    func ended(
        _ result: Int32, _ socket: UnsafeMutablePointer<UringSocket>
    ) -> Completion {
        socket.pointee.isReceiving = false
        return result < 0
            ? .receiveFailed(errno: -result)
            : .received(UnsafeRawBufferPointer(start: parts, count: 0))
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

    /// Has the next piece delivered in the next batch.
    func enqueue(_ socket: UnsafeMutablePointer<UringSocket>) {
        guard !socket.pointee.isQueued else { return }
        socket.pointee.isQueued = true
        ready.append(socket.pointee.token)
    }

    /// The next piece of a socket that stood in the queue.
    func deliverQueued(_ token: Token) -> Event? {
        guard let socket = sockets.find(token) else { return nil }
        socket.pointee.isQueued = false
        // A listener that is closing, behind the last connection that it let in.
        if socket.pointee.isClosing, socket.pointee.inFlight.isEmpty {
            return release(socket, token)
        }
        guard !socket.pointee.isClosing, socket.pointee.isReceiving else { return nil }
        if !socket.pointee.held.isEmpty {
            return Event(token: token, completion: nextHeld(socket))
        }
        let isDue =
            socket.pointee.isBulk && socket.pointee.isReadable
            && !socket.pointee.inFlight.contains(.receive)
        guard isDue, let completion = receiveNow(socket) else { return nil }
        return Event(token: token, completion: completion)
    }

    /// The next piece that came while the socket was paused.
    private func nextHeld(_ socket: UnsafeMutablePointer<UringSocket>) -> Completion {
        let piece = socket.pointee.held.removeFirst()
        guard let memory = piece.memory else { return ended(piece.result, socket) }
        if socket.pointee.held.isEmpty {
            startReceiving(socket)
        } else {
            enqueue(socket)
        }
        shownCopy = memory
        return .received(UnsafeRawBufferPointer(start: memory, count: Int(piece.result)))
    }
}
