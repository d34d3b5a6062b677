// How a stream ends: in order, at once, or because it has to. `streamClosed` comes exactly once.
//
// An orderly end sends what is queued, then close_notify and FIN, and goes on reading (throwing
// away) until the peer ends too: a socket closed with unread bytes resets the connection, and the
// reset can overtake our last reply (RFC 1122 section 4.2.2.13).

extension Stream {
    /// Sends what is queued, then closes (close_notify, FIN); `streamClosed(.local)` follows.
    /// What still arrives is thrown away. Bounded by `lingerMilliseconds` without progress.
    public func finish() {
        guard phase < .draining, !isCondemned else { return }
        if phase == .connecting || isOutputDead { return condemn(closeReason ?? .local) }
        drain(.local, awaitingEnd: !isPeerEnded)
    }

    /// Closes at once, queued bytes thrown away; with a reset, so that the peer can't take what it
    /// got for complete. `streamClosed(.local)` follows at the end of the event.
    public func abort() {
        closesWithReset = true
        condemn(closeReason ?? .local)
    }

    /// Closes when the event is over.
    func condemn(_ reason: CloseReason) {
        guard phase != .closed, !isCondemned else { return }
        isCondemned = true
        closeReason = reason
        loop.settleLater(self)
    }

    /// Nothing more is delivered or taken; what is queued leaves, and then our end.
    func drain(_ reason: CloseReason, awaitingEnd: Bool) {
        if let engine, phase == .open {
            sealGathered()
            guard phase == .open else { return }  // It could not be encrypted, and has ended.
            engine.closeNotify(into: output)
        }
        phase = .draining
        closeReason = closeReason ?? reason
        awaitsEnd = awaitingEnd
        gathered.removeAll(to: loop.slabs)
        gatheredByteCount = 0
        held.removeAll(to: loop.slabs)
        armLinger()
        loop.settleLater(self)
    }

    /// Goes on with an orderly end, as far as the queue and the peer let it.
    func advanceDraining() {
        guard phase == .draining, !isCondemned, output.isEmpty else { return }
        if !isShutDown {
            isShutDown = true
            loop.backend.shutDown(token)
        }
        if !awaitsEnd { close(closeReason ?? .local, withReset: false) }
    }

    /// Begins the time that an ending stream has left, anew after each progress, but not for ever.
    func armLinger() {
        if lingerEnd == .never {
            lingerEnd = loop.now.advanced(byMilliseconds: Stream.lingerMillisecondsMax)
        }
        lingerDeadline = min(
            lingerEnd, loop.now.advanced(byMilliseconds: Stream.lingerMilliseconds))
        loop.wheel.arm(token.slot, at: lingerDeadline)
    }

    /// The peer has let the time pass. If it has not taken everything, it gets a reset.
    func giveUpLingering() {
        close(closeReason ?? .local, withReset: !output.isEmpty)
    }

    /// Ends the stream now; only from the loop, never from inside a call of the owner.
    func close(_ reason: CloseReason, withReset: Bool) {
        guard phase != .closed else { return }
        phase = .closed
        loop.counters.closed += 1
        loop.wheel.disarm(token.slot)
        let isHeld = descriptor >= 0 && loop.backend.close(token, withReset: withReset)
        descriptor = -1
        gathered.removeAll(to: loop.slabs)
        gatheredByteCount = 0
        held.removeAll(to: loop.slabs)
        engine = nil
        if !isHeld { released() }
        let last = handler
        handler = loop.inertHandler
        last.streamClosed(self, reason)
    }

    /// The backend holds nothing of this stream any more.
    func released() {
        output.removeAll()
        loop.slots.release(token)
    }
}
