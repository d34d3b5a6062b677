// A TCP connection on one loop, with or without TLS: plaintext to and from its handler.
//
// Calls of the owner only change state and queue bytes; `settle`, at the end of the event, does
// what follows from them. So a handler is never called from inside its own call on the stream, and
// everything that is written during one event leaves together. `ReceiveSide` and `OutputQueue` hold
// the bytes that wait in each direction.
//
// Back pressure: the stream does not read from a peer that does not read, whatever the owner wants.

/// A TCP connection on one loop, with or without TLS: plaintext to and from its handler.
public final class Stream {
    /// The loop that it belongs to.
    public let loop: Loop
    /// Which side opened it.
    public let role: Role
    /// "192.0.2.1:4711", "[2001:db8::1]:4711".
    public let peerAddress: SocketAddress
    /// The object that receives the stream's events; an inert one after the stream has ended.
    public private(set) var handler: StreamHandler
    /// Its slot on the loop.
    package private(set) var token: Token
    package private(set) var phase: Phase
    private(set) var receiving = ReceiveSide()
    private let output: OutputQueue

    private var descriptor: Int32 = -1
    private var engine: TLSEngine?
    private var helloTurn = HelloTurn.notYet
    /// In the loop's list of streams to settle.
    private var isUnsettled = false

    /// The stream closes when the event is over, with a reset if `closesWithReset`.
    private var isCondemned = false
    private var closesWithReset = false
    /// Why the stream ends; nil until that is known.
    private var closeReason: CloseReason?
    /// The peer has ended its side, and had acknowledged all that we had written (SIOCOUTQ).
    public private(set) var hasPeerEndedWithEverything = false
    /// Draining: our FIN is sent.
    private var isShutDown = false
    /// Draining: we wait for the peer's end, so that a reset does not destroy our last bytes.
    private var awaitsEnd = false

    private var ownDeadline: MonotonicTime = .never
    private var linger = LingerClock()

    private init(
        loop: Loop, role: Role, handler: StreamHandler, peerAddress: SocketAddress, phase: Phase,
        bounds: StreamBounds
    ) {
        self.loop = loop
        self.role = role
        self.handler = handler
        self.peerAddress = peerAddress
        self.phase = phase
        output = OutputQueue(pool: loop.slabs, bounds: bounds)
        token = loop.reserveSlot()
        loop.occupy(token, .stream(self))
    }

    /// Our own end of the connection; 0.0.0.0:0 when it is closed or not yet connected.
    public var localAddress: SocketAddress {
        guard descriptor >= 0 else { return .none }
        return loop.backend.localAddress(of: descriptor) ?? .none
    }

    /// Set once TLS is up.
    public var tls: TLSInfo? { engine?.info }
    /// `streamClosed` has been, or is being, called.
    public var isClosed: Bool { phase == .closed }

    /// Another handler receives all events from now on, also when the present one calls this.
    public func handOver(to handler: StreamHandler) { self.handler = handler }

    /// What it may bind now: at first its listener's, or `StreamBounds.known` when we opened it.
    public var bounds: StreamBounds { output.bounds }

    /// Other bounds hold from now on: the owner knows the peer (after a login, for example).
    public func raiseBounds(to bounds: StreamBounds = .known) {
        output.use(bounds)
        limitReceives(to: bounds.receiveBytesMax)
        settleLater()
    }

    private func limitReceives(to byteCount: Int) {
        receiving.limited(to: byteCount)
        guard descriptor >= 0, phase != .closed else { return }
        loop.backend.limitReceives(token, to: byteCount)
    }

    // MARK: Settling

    /// Makes the loop settle the stream when the current event is over.
    private func settleLater() {
        guard !isUnsettled else { return }
        isUnsettled = true
        loop.settleLater(self)
    }

    /// Makes the loop settle the stream in the next tick, so that others have their turn.
    private func settleNextTick() {
        guard !isUnsettled else { return }
        isUnsettled = true
        loop.settleNextTick(self)
    }

    /// Does what follows from the event that is over; called by the loop, after every event that
    /// touched the stream.
    func settle() {
        isUnsettled = false
        if isCondemned { return close(closeReason ?? .local, withReset: closesWithReset) }
        if phase == .handshaking, !receiving.held.isEmpty { shakeHeldHands() }
        if receiving.hasMore { deliverHeld() }
        if receiving.owesAcknowledgement { acknowledge() }
        flush()
        if output.isOverfull { notifyDrained() }
        advanceDraining()
        armReceiving()
    }

    /// One completion of the backend.
    func handle(_ completion: Completion) {
        settleLater()
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

    // MARK: Time

    /// One deadline per stream; setting it again is cheap (the wheel re-arms lazily). `.never`
    /// means none. It applies in every phase, also during a handshake and while the stream ends.
    public var deadline: MonotonicTime {
        get { ownDeadline }
        set {
            ownDeadline = newValue
            if newValue < .never, phase != .closed { loop.arm(token, at: newValue) }
        }
    }

    /// The wheel has come to this stream's slot: a deadline has passed, or has moved.
    func due(_ now: MonotonicTime) {
        if linger.deadline <= now { return giveUpLingering() }
        if ownDeadline <= now {
            ownDeadline = .never
            handler.streamTimedOut(self)
        }
        let next = min(ownDeadline, linger.deadline)
        if phase != .closed, next < .never { loop.arm(token, at: next) }
    }

    // MARK: Opening

    /// Opens a connection; the handler hears `streamOpened` or `streamClosed`, never during this
    /// call. `serverName` is for SNI, verification and the session cache of `tls`.
    public static func connect(
        loop: Loop, to address: SocketAddress, tls: TLSContext?, serverName: String,
        handler: StreamHandler
    ) -> Stream {
        let stream = Stream(
            loop: loop, role: .opened, handler: handler, peerAddress: address, phase: .connecting,
            bounds: .known)
        loop.count(.connected)
        if let tls {
            stream.engine = tls.makeEngine(port: loop.tlsPort, serverName: serverName)
            if stream.engine == nil { stream.condemn(.tls(OpenSSLError.takeLine())) }
        }
        if !stream.isCondemned {
            let descriptor = loop.backend.connect(to: address, stream.token)
            if descriptor >= 0 {
                stream.descriptor = descriptor
            } else {
                stream.condemn(.system(errno: -descriptor))
            }
        }
        return stream
    }

    /// Makes a stream of an accepted descriptor and tells its handler.
    static func accept(
        _ descriptor: Int32, from peer: SocketAddress, on listener: Listener,
        handler: StreamHandler
    ) {
        let stream = Stream(
            loop: listener.loop, role: .accepted, handler: handler, peerAddress: peer, phase: .open,
            bounds: listener.bounds)
        stream.descriptor = descriptor
        let errno = stream.loop.backend.adopt(descriptor, stream.token)
        if errno != 0 { stream.condemn(.system(errno: errno)) }
        stream.limitReceives(to: listener.bounds.receiveBytesMax)
        stream.settleLater()
        if let tls = listener.tls, !handler.beginsInPlaintext {
            stream.beginHandshake(tls, serverName: nil)
        }
        handler.streamAccepted(stream)
        if stream.phase == .open, !stream.isCondemned { stream.handler.streamOpened(stream) }
    }

    /// The kernel has connected us (0), or not.
    private func connected(_ errno: Int32) {
        guard phase == .connecting else { return }
        guard errno == 0 else { return condemn(.system(errno: errno)) }
        if engine == nil {
            phase = .open
            handler.streamOpened(self)
        } else {
            phase = .handshaking
            receiveTLS(UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }

    // MARK: Receiving

    /// The owner has paused delivery. The stream may also be held back.
    public var isReceivingPaused: Bool { receiving.stops.contains(.owner) }

    /// An accepted stream has been above its high mark of queued output, and not below its low mark
    /// since: it does not receive. `streamDrained` follows when it receives again.
    public var isHeldBack: Bool { receiving.stops.contains(.output) }

    /// When the bytes that are delivered now may have arrived at the earliest (`ReceiveSide`).
    public var arrivedAt: MonotonicTime { receiving.arrivedAt }

    /// Stops delivery (and, soon, reading from the socket).
    public func pauseReceiving() {
        receiving.stop(.owner, at: loop.now)
        settleLater()
    }

    /// Delivery continues when the current event is over, unless the stream is held back.
    public func resumeReceiving() {
        allowReceiving(.owner)
        settleLater()
    }

    private func allowReceiving(_ reason: ReceiveSide.Stops) {
        if receiving.allow(reason, at: loop.now) {
            receiving.noteUnread(loop.backend.unreadByteCount(token))
        }
    }

    private func received(_ bytes: UnsafeRawBufferPointer) {
        loop.count(.received(byteCount: bytes.count))
        if receiving.hasEnded { return }  // After a close_notify.
        receiving.read(bytes.count, at: loop.now)
        switch phase {
        case .open where engine == nil: deliver(bytes)
        case .open, .handshaking: receiveTLS(bytes)
        // A peer that only sends on does not wait for our last bytes.
        case .draining where receiving.discard(bytes.count) > bounds.discardBytesMax:
            giveUpLingering()
        case .draining, .closed, .connecting: break
        }
    }

    /// Hands plaintext to the handler, straight from the memory that holds it.
    private func deliver(_ bytes: UnsafeRawBufferPointer) {
        receiving.delivered()
        bytes.withMemoryRebound(to: UInt8.self) { handler.streamReceived(self, $0.span) }
        receiving.wipeIfSecret(bytes)
    }

    /// For the handler, inside `streamReceived`: the bytes that it was given hold a secret (a key, a
    /// password). The loop's buffer is overwritten where they lie, when the call returns.
    public func wipeReceived() { receiving.holdsSecret() }

    /// For the handler, inside `streamReceived`: it can say nothing before the rest has come. A peer
    /// that waits for an acknowledgement gets it at once, and not after the kernel's 40 ms.
    public func awaitRest() { receiving.awaitRest() }

    /// What is about to be sent acknowledges, too.
    private func acknowledge() {
        receiving.acknowledged()
        if role == .accepted, output.hasNothing { loop.backend.acknowledge(token) }
    }

    /// The peer's FIN or close_notify: what is queued still leaves, then the stream ends.
    private func peerEnded() {
        receiving.disarmed()
        if !receiving.hasEnded, phase >= .open, phase < .closed, output.hasNothing {
            let unacknowledged = loop.backend.unacknowledgedByteCount(token)
            hasPeerEndedWithEverything = unacknowledged <= (isShutDown ? 1 : 0)
        }
        switch phase {
        case .handshaking where !output.isDead:
            loop.count(.handshakeFailed)
            condemn(.tls("peer closed the connection during the handshake"))
        case .connecting, .handshaking, .open:
            if receiving.hasEnded { return }
            if output.isDead { return condemn(closeReason ?? .peer) }
            if phase == .open, handler.streamPeerEnded(self) { return receiving.end() }
            guard phase <= .open, !isCondemned else { return }  // The handler has ended it itself.
            drain(.peer, awaitingEnd: false)
        case .draining: awaitsEnd = false
        case .closed: break
        }
    }

    private func receiveFailed(_ errno: Int32) {
        receiving.disarmed()
        condemn(closeReason ?? .system(errno: errno))
    }

    /// Delivers what was kept while receiving was stopped, as far as handler and queue allow.
    private func deliverHeld() {
        while delivers, receiving.hasMore {
            guard let slab = receiving.held.first else {
                _ = decrypt(UnsafeRawBufferPointer(start: nil, count: 0))
                continue
            }
            let used = decrypt(
                UnsafeRawBufferPointer(start: slab.payload + slab.start, count: slab.count))
            // If the handler has ended the stream, what was held has gone with it.
            guard phase == .open else { return }
            receiving.useHeld(used, in: loop.slabs)
        }
    }

    private var delivers: Bool { phase == .open && !receiving.isStopped && !isCondemned }

    /// Starts or stops receiving at the backend, as the state now demands.
    private func armReceiving() {
        guard phase != .closed, phase != .connecting else { return }
        let isWanted =
            switch phase {
            case .open: !receiving.isStopped && receiving.held.isEmpty && !receiving.hasEnded
            case .draining: awaitsEnd
            case .handshaking: helloTurn != .waiting
            default: true
            }
        guard receiving.arm(isWanted) else { return }
        isWanted ? loop.backend.receive(token) : loop.backend.stopReceiving(token)
    }

    // MARK: Sending

    /// Bytes (ciphertext) waiting for the kernel, and plaintext waiting to be encrypted.
    public var queuedBytes: Int { output.queuedBytes }
    /// More is queued than a writer should add to; `streamDrained` will follow.
    public var isAboveHighWater: Bool { output.isAboveHighWater }

    /// Copies `bytes` into the gathering buffer; sent with everything else that is written before
    /// the current event is over (one record, one system call where it fits).
    /// - Parameter isSecret: they hold a key or a password; every copy of their plaintext that the
    ///   stream makes is wiped before its memory is used again.
    public func write(_ bytes: Span<UInt8>, isSecret: Bool = false) {
        guard takesBytes else { return }
        bytes.withUnsafeBytes {
            engine == nil ? output.append($0, isSecret: isSecret) : gather($0, isSecret: isSecret)
        }
        noteWritten()
    }

    /// Flushes what is gathered, then encrypts `bytes` (best: at most 16,384, one record) straight
    /// from the caller's memory, which is free again on return.
    /// - Parameter isSecret: as in `write`; the caller's own memory is the caller's to wipe.
    public func writeRecord(_ bytes: Span<UInt8>, isSecret: Bool = false) {
        guard takesBytes else { return }
        bytes.withUnsafeBytes { raw in
            if engine == nil {
                output.append(raw, isSecret: isSecret)
            } else if phase == .open {
                sealGathered()
                encrypt(raw)
            } else {
                gather(raw, isSecret: isSecret)
            }
        }
        noteWritten()
    }

    /// Where on the wire everything that was written so far ends. Encrypts what is gathered, so that
    /// nothing written later comes before it. Only after the stream has opened.
    public func sealedEnd() -> UInt64 {
        if phase == .open, engine != nil {
            sealGathered()
            noteWritten()
        }
        return output.takenBytes + UInt64(output.byteCount)
    }

    /// Whether the kernel has certainly not taken the wire's bytes up to `end`, a `sealedEnd`: an
    /// abort keeps them from the peer. False during a send, whose outcome is not known.
    public func certainlyKept(upTo end: UInt64) -> Bool {
        !output.isSending && output.takenBytes < end
    }

    /// Whether the peer's kernel has certainly acknowledged nothing from `start`, a `sealedEnd`, on.
    public func certainlyUnacknowledged(from start: UInt64) -> Bool {
        let count = loop.backend.unacknowledgedByteCount(token)
        return !isShutDown && output.isUnacknowledged(from: start, count: count)
    }

    /// Grows as the peer's kernel acknowledges what was written; nil when that is not known.
    package var acknowledgedByteCount: Int? {
        output.acknowledgedCount(loop.backend.unacknowledgedByteCount(token))
    }

    private var takesBytes: Bool { phase < .draining && !output.isDead && !isCondemned }

    private func noteWritten() {
        noteQueued()
        settleLater()
    }

    /// Compares the queue with its mark, after every change that the owner can see: each time that it
    /// finds the queue above the mark, a wake-up is owed.
    private func noteQueued() {
        if output.noteWritten(), role == .accepted { receiving.stop(.output, at: loop.now) }
    }

    private func gather(_ bytes: UnsafeRawBufferPointer, isSecret: Bool) {
        var offset = 0
        while !output.gather(
            bytes, from: &offset, isSealing: phase == .open, isSecret: isSecret)
        { sealGathered() }
    }

    /// Encrypts what is gathered, one record per slab.
    private func sealGathered() {
        while let slab = output.popGathered() {
            encrypt(UnsafeRawBufferPointer(start: slab.payload + slab.start, count: slab.count))
            loop.slabs.give(back: slab)
        }
    }

    /// Sends until nothing is left or the kernel is full.
    private func flush() {
        guard phase != .connecting, phase != .closed else { return }
        if phase == .open, engine != nil { sealGathered() }
        while !output.isSending, let first = output.first {
            switch loop.backend.send(token, first: first) {
            case .sent(let byteCount): sent(byteCount)
            case .pending: output.beginSending()
            case .failed(let errno): sendFailed(errno)
            }
        }
        // Records are longer than what was gathered, and TLS has answers of its own.
        noteQueued()
    }

    private func sent(_ byteCount: Int) {
        guard phase != .closed else { return }
        output.consume(byteCount)
        loop.count(.sent(byteCount: byteCount))
        if phase == .draining { armLinger() }
    }

    /// The kernel takes no more. The peer's last bytes (a refusal) may still come: we read on.
    private func sendFailed(_ errno: Int32) {
        guard phase != .closed else { return }
        output.die()
        if closeReason == nil { closeReason = .system(errno: errno) }
        guard delivers else { return condemn(closeReason ?? .system(errno: errno)) }
        armLinger()
    }

    /// Tells the handler that it may write again; once per event, so that a writer that fills the
    /// queue each time takes turns with the others. A stream that was held back receives again.
    private func notifyDrained() {
        guard phase == .open, output.isDrained else { return }
        output.noteDrained()
        allowReceiving(.output)
        handler.streamDrained(self)
        flush()
        if output.isDrained {
            settleNextTick()
        } else if delivers, receiving.hasMore {
            settleLater()
        }
    }

    // MARK: TLS

    /// STARTTLS: everything written so far leaves in plaintext; everything that arrives from now on
    /// is TLS. The caller must refuse plaintext that came in the same read.
    /// - Parameter serverName: the server's name for a client (SNI, verification, session cache);
    ///   nil for the server's side.
    public func startTLS(_ context: TLSContext, serverName: String? = nil) {
        guard phase == .open, !isCondemned, !output.isDead else { return }
        precondition(engine == nil, "TLS is up already")
        beginHandshake(context, serverName: serverName)
        settleLater()
    }

    /// Starts TLS on the server's side with `bytes`, which came in the same read as the last
    /// plaintext and are TLS already. They are copied, and used when the event is over.
    public func startTLS(_ context: TLSContext, startingWith bytes: Span<UInt8>) {
        startTLS(context)
        guard phase == .handshaking else { return }
        bytes.withUnsafeBytes { receiving.hold($0, in: loop.slabs) }
    }

    /// Continues the handshake with the bytes that were held before it began.
    private func shakeHeldHands() {
        while phase == .handshaking, !isCondemned, let slab = receiving.held.first {
            let bytes = UnsafeRawBufferPointer(
                start: slab.payload + slab.start, count: slab.count)
            guard !mustWaitForTurn(bytes) else { return }
            let used = shakeHands(bytes)
            // When the stream has been ended, what was held may have gone with it.
            guard phase <= .open, !isCondemned else { return }
            let isUsedUp = used == slab.count
            receiving.useHeld(used, in: loop.slabs)
            guard isUsedUp else { return }
        }
    }

    /// Whether `bytes` are to be held: they complete a ClientHello, which is answered when it is this
    /// stream's turn.
    private func mustWaitForTurn(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if helloTurn == .notYet, let engine, engine.completesHello(bytes) {
            helloTurn = .waiting
            receiving.delivered()  // The answer acknowledges.
            loop.joinHandshakes(token)
        }
        return helloTurn == .waiting
    }

    /// It is this stream's turn: the ClientHello that is held is answered.
    func answerHello() {
        helloTurn = .had
        shakeHeldHands()
        settleLater()
    }

    /// Waits for a ClientHello, or sends one.
    private func beginHandshake(_ context: TLSContext, serverName: String?) {
        engine = context.makeEngine(port: loop.tlsPort, serverName: serverName)
        guard engine != nil else { return condemn(.tls(OpenSSLError.takeLine())) }
        phase = .handshaking
        if serverName != nil { receiveTLS(UnsafeRawBufferPointer(start: nil, count: 0)) }
    }

    /// Ciphertext from the peer. The part that cannot be delivered now is kept.
    private func receiveTLS(_ bytes: UnsafeRawBufferPointer) {
        var used = 0
        if receiving.held.isEmpty {
            if phase == .handshaking, !mustWaitForTurn(bytes) { used = shakeHands(bytes) }
            used += decrypt(UnsafeRawBufferPointer(rebasing: bytes[used...]))
        }
        if phase <= .open, used < bytes.count {
            receiving.hold(UnsafeRawBufferPointer(rebasing: bytes[used...]), in: loop.slabs)
        }
        let limit = receiving.nextLimit(after: bytes.count, in: engine?.recordCut, bounds)
        if let limit { limitReceives(to: limit) }
    }

    /// Continues the handshake; returns the number of bytes used.
    private func shakeHands(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let engine else { return 0 }
        let (used, outcome) = engine.handshake(bytes, into: output, at: loop.now)
        switch outcome {
        case .needsInput: break
        case .finished:
            loop.count(.handshakeDone(isResumed: engine.isResumed))
            phase = .open
            handler.streamOpened(self)
        case .failed(let line):
            loop.count(.handshakeFailed)
            failTLS(line)
        }
        return used
    }

    /// Decrypts and delivers as long as it may; returns the number of bytes used.
    private func decrypt(_ bytes: UnsafeRawBufferPointer) -> Int {
        var used = 0
        while delivers, let engine {
            let step = engine.decrypt(
                UnsafeRawBufferPointer(rebasing: bytes[used...]), replies: output)
            used += step.used
            receiving.decrypted(mayHaveMore: step.status == .hasMore)
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
    private func encrypt(_ bytes: UnsafeRawBufferPointer) {
        guard let engine, !bytes.isEmpty else { return }
        if !engine.encrypt(bytes, into: output) { failTLS(OpenSSLError.takeLine()) }
    }

    /// TLS cannot continue. The alert that the engine has written leaves before the stream ends.
    private func failTLS(_ line: String) {
        guard phase < .draining else { return }
        phase = .handshaking  // An engine that has failed must not be asked for a close_notify.
        drain(.tls(line), awaitingEnd: true)
    }

    // MARK: Ending
    //
    // An orderly end sends what is queued, then close_notify and FIN, and continues to read (and
    // discard) until the peer ends too: a socket that is closed with unread bytes resets the
    // connection, and the reset can overtake our last reply (RFC 1122 section 4.2.2.13).
    // `streamClosed` comes exactly once.

    /// Sends what is queued, then closes (close_notify, FIN); `streamClosed(.local)` follows. Bytes
    /// that still arrive are discarded. Bounded by `lingerMilliseconds` without progress.
    public func finish() {
        guard phase < .draining, !isCondemned else { return }
        if phase == .connecting || output.isDead { return condemn(closeReason ?? .local) }
        drain(.local, awaitingEnd: !receiving.hasEnded)
    }

    /// Closes at once and discards queued bytes. The peer gets a reset, so that it cannot take what
    /// it received as complete. `streamClosed(.local)` follows at the end of the event.
    public func abort() {
        closesWithReset = true
        condemn(closeReason ?? .local)
    }

    /// Closes when the event is over.
    private func condemn(_ reason: CloseReason) {
        guard phase != .closed, !isCondemned else { return }
        isCondemned = true
        closeReason = reason
        settleLater()
    }

    /// Nothing more is delivered or accepted; what is queued leaves, and then our FIN.
    private func drain(_ reason: CloseReason, awaitingEnd: Bool) {
        if let engine, phase == .open {
            sealGathered()
            guard phase == .open else { return }  // It could not be encrypted, and has ended.
            engine.closeNotify(into: output)
        }
        phase = .draining
        closeReason = closeReason ?? reason
        awaitsEnd = awaitingEnd
        output.discardGathered()
        receiving.discardHeld(to: loop.slabs)
        limitReceives(to: min(bounds.discardBytesMax, Stream.receiveBytesMax))
        armLinger()
        settleLater()
    }

    /// Continues an orderly end, as far as the queue and the peer allow.
    private func advanceDraining() {
        guard phase == .draining, !isCondemned, output.isEmpty else { return }
        if !isShutDown {
            isShutDown = true
            loop.backend.shutDown(token)
        }
        if !awaitsEnd { close(closeReason ?? .local, withReset: false) }
    }

    /// Starts the time that an ending stream has left. Progress starts it again, but not for ever.
    private func armLinger() {
        linger.restart(at: loop.now)
        loop.arm(token, at: linger.deadline)
    }

    /// The peer has used up its time, or our patience. If it has not taken everything: a reset.
    private func giveUpLingering() {
        close(closeReason ?? .local, withReset: !output.isEmpty)
    }

    /// Ends the stream now; only from the loop, never from inside a call of the owner.
    private func close(_ reason: CloseReason, withReset: Bool) {
        guard phase != .closed else { return }
        phase = .closed
        loop.count(.closed)
        loop.disarm(token)
        let isHeld = descriptor >= 0 && loop.backend.close(token, withReset: withReset)
        descriptor = -1
        output.discardGathered()
        receiving.discardHeld(to: loop.slabs)
        engine = nil
        if !isHeld { released() }
        let last = handler
        handler = loop.inertHandler
        last.streamClosed(self, reason)
    }

    /// The backend holds nothing of this stream any more.
    private func released() {
        output.removeAll()
        loop.release(token)
    }
}
