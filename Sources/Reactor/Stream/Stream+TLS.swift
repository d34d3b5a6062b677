// The stream's side of TLS: feeding the engine, and turning its verdicts into events.

extension Stream {
    /// STARTTLS: everything written so far leaves in plaintext, everything that arrives from now on
    /// is TLS. Plaintext that came in the same read is the caller's to refuse.
    /// - Parameter serverName: whom a client talks to (SNI, verification, session cache); nil for
    ///   the server's side.
    public func startTLS(_ context: TLSContext, serverName: String? = nil) {
        guard phase == .open, !isCondemned, !isOutputDead else { return }
        precondition(engine == nil, "TLS is up already")
        beginHandshake(context, serverName: serverName)
        loop.settleLater(self)
    }

    /// The server's side begins with `bytes`, which came in the same read as what was plaintext and
    /// are TLS already. They are copied, and used when the event is over.
    public func startTLS(_ context: TLSContext, behind bytes: Span<UInt8>) {
        startTLS(context)
        guard phase == .handshaking else { return }
        bytes.withUnsafeBytes { hold($0) }
    }

    /// What was held before the handshake began.
    func shakeHeldHands() {
        while phase == .handshaking, !isCondemned, let slab = held.first {
            let used = shakeHands(
                UnsafeRawBufferPointer(start: slab.payload + slab.start, count: slab.count))
            // When the stream has been ended, what was held may have gone with it.
            guard phase <= .open, !isCondemned else { return }
            slab.start += used
            guard slab.count == 0 else { return }
            if let empty = held.popFirst() { loop.slabs.give(back: empty) }
        }
    }

    /// Waits for a ClientHello, or sends one.
    func beginHandshake(_ context: TLSContext, serverName: String?) {
        engine = context.makeEngine(port: loop.tlsPort, serverName: serverName)
        guard engine != nil else { return condemn(.tls(OpenSSLError.takeLine())) }
        phase = .handshaking
        if serverName != nil { receiveTLS(UnsafeRawBufferPointer(start: nil, count: 0)) }
    }

    /// Ciphertext from the peer; what cannot be delivered now is kept.
    func receiveTLS(_ bytes: UnsafeRawBufferPointer) {
        var used = 0
        if held.isEmpty {
            if phase == .handshaking { used = shakeHands(bytes) }
            used += decrypt(UnsafeRawBufferPointer(rebasing: bytes[used...]))
        }
        if phase <= .open, used < bytes.count {
            hold(UnsafeRawBufferPointer(rebasing: bytes[used...]))
        }
    }

    /// Goes on with the handshake; returns the bytes it used.
    private func shakeHands(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let engine else { return 0 }
        let (used, outcome) = engine.handshake(bytes, into: output, at: loop.now)
        switch outcome {
        case .needsInput: break
        case .finished:
            loop.counters.handshakesDone += 1
            if engine.isResumed { loop.counters.handshakesResumed += 1 }
            phase = .open
            handler.streamOpened(self)
        case .failed(let line):
            loop.counters.handshakesFailed += 1
            failTLS(line)
        }
        return used
    }

    /// Decrypts and delivers until the input is used up, or the handler has had enough; returns
    /// the bytes used.
    func decrypt(_ bytes: UnsafeRawBufferPointer) -> Int {
        var used = 0
        while phase == .open, !isReceivingPaused, !isCondemned, let engine {
            let step = engine.decrypt(
                UnsafeRawBufferPointer(rebasing: bytes[used...]), replies: output)
            used += step.used
            mayHavePlaintext = step.status == .hasMore
            if !step.plaintext.isEmpty { deliver(step.plaintext) }
            guard phase == .open, !isCondemned else { break }
            switch step.status {
            case .hasMore: continue
            case .needsInput: return used
            case .ended:
                peerEnded()
                return bytes.count
            case .failed(let line):
                failTLS(line)
                return bytes.count
            }
        }
        return used
    }

    /// Encrypts into the output queue.
    func encrypt(_ bytes: UnsafeRawBufferPointer) {
        guard let engine, !bytes.isEmpty else { return }
        if !engine.encrypt(bytes, into: output) { failTLS(OpenSSLError.takeLine()) }
    }

    /// TLS is beyond repair. The alert that the engine has written leaves before the stream ends.
    private func failTLS(_ line: String) {
        guard phase < .draining else { return }
        phase = .handshaking  // An engine that has failed must not be asked for a close_notify.
        drain(.tls(line), awaitingEnd: true)
    }
}
