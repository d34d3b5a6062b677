// From the kernel to the handler: completions, pausing, and what is kept while paused.
//
// Plaintext is delivered straight from the backend's buffer. Ciphertext is decrypted only as far
// as it can be delivered; the rest of one receive, at most 64 KiB, waits in slabs.

extension Stream {
    /// Stops the delivery of `streamReceived` (and, soon, of reading from the socket).
    public func pauseReceiving() {
        if !isReceivingPaused { arrivals.paused(at: loop.now) }
        isReceivingPaused = true
        loop.settleLater(self)
    }

    /// Delivery goes on when the current event is over.
    public func resumeReceiving() {
        if isReceivingPaused, arrivals.isLate(at: loop.now) {
            arrivals.unread(loop.backend.unreadByteCount(token))
        }
        isReceivingPaused = false
        loop.settleLater(self)
    }

    /// One completion of the backend.
    func handle(_ completion: Completion) {
        loop.settleLater(self)
        switch completion {
        case .received(let bytes) where bytes.isEmpty: peerEnded()
        case .received(let bytes): received(bytes)
        case .receiveFailed(let errno): receiveFailed(errno)
        case .sent(let byteCount): sent(byteCount)
        case .sendFailed(let errno): sendFailed(errno)
        case .connected(let errno): connected(errno)
        case .released: released()
        case .accepted, .acceptFailed: assertionFailure("not an operation of streams")
        }
    }

    private func received(_ bytes: UnsafeRawBufferPointer) {
        loop.counters.bytesReceived += UInt64(bytes.count)
        if isPeerEnded { return }  // Behind a close_notify.
        let arrival = arrivals.read(bytes.count, at: loop.now)
        if held.isEmpty { arrivedAt = arrival }
        switch phase {
        case .open where engine == nil: deliver(bytes)
        case .open, .handshaking: receiveTLS(bytes)
        case .draining, .closed, .connecting: break
        }
    }

    /// Hands plaintext to the handler.
    func deliver(_ bytes: UnsafeRawBufferPointer) {
        bytes.withMemoryRebound(to: UInt8.self) { handler.streamReceived(self, $0.span) }
    }

    /// The peer's FIN or close_notify: what is queued still leaves, then the stream ends.
    func peerEnded() {
        isReceiveArmed = false
        switch phase {
        case .handshaking where !isOutputDead:
            loop.counters.handshakesFailed += 1
            condemn(.tls("peer closed the connection during the handshake"))
        case .connecting, .handshaking, .open:
            if isPeerEnded { return }
            if isOutputDead { return condemn(closeReason ?? .peer) }
            if phase == .open, handler.streamPeerEnded(self) {
                isPeerEnded = true
                return
            }
            guard phase <= .open, !isCondemned else { return }  // The handler has ended it itself.
            drain(.peer, awaitingEnd: false)
        case .draining: awaitsEnd = false
        case .closed: break
        }
    }

    private func receiveFailed(_ errno: Int32) {
        isReceiveArmed = false
        condemn(closeReason ?? .system(errno: errno))
    }

    /// Keeps ciphertext for later.
    func hold(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        while offset < bytes.count {
            let slab = loop.slabs.take()
            let count = min(Slab.capacity, bytes.count - offset)
            UnsafeMutableRawBufferPointer(start: slab.payload, count: count).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
            slab.end = count
            held.append(slab)
            offset += count
        }
    }

    /// Delivers what was kept while receiving was paused, as far as the handler lets it.
    func deliverHeld() {
        while phase == .open, !isReceivingPaused, mayHavePlaintext || !held.isEmpty {
            guard let slab = held.first else {
                _ = decrypt(UnsafeRawBufferPointer(start: nil, count: 0))
                continue
            }
            let used = decrypt(
                UnsafeRawBufferPointer(start: slab.payload + slab.start, count: slab.count))
            // The handler may have ended the stream, and `held` went with it.
            guard phase == .open else { return }
            slab.start += used
            if slab.count == 0, let empty = held.popFirst() { loop.slabs.give(back: empty) }
        }
    }

    /// Asks the backend for bytes, or not to deliver them, as the state now demands.
    func armReceiving() {
        guard phase != .closed, phase != .connecting else { return }
        let wanted =
            switch phase {
            case .open: !isReceivingPaused && held.isEmpty && !isPeerEnded
            case .draining: awaitsEnd
            default: true
            }
        guard wanted != isReceiveArmed else { return }
        isReceiveArmed = wanted
        if wanted {
            loop.backend.receive(token)
        } else {
            loop.backend.stopReceiving(token)
        }
    }
}
