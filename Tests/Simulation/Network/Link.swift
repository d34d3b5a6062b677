// One TCP connection of the simulated network: two ends, and the bytes on their way between them.
//
// Bytes arrive in order and once, in pieces that the dice cut, or never (a black hole). An end that
// closes with unread bytes, or gets bytes after it has closed, resets the other, as TCP does.

import Glibc
import Reactor

/// A connection. Its ends hold it, and so do the bytes on their way.
final class Link {
    let number: Int
    let world: World
    let ends: [End]
    /// Nothing arrives any more, in either direction.
    private(set) var isBlackHole = false
    /// A fault has touched it, so no side is to blame for what its ends then see.
    private(set) var isSound = true
    let latencyMicroseconds: Int
    /// Most bytes that arrive together.
    let pieceBytesMax: Int

    init(world: World) {
        self.world = world
        world.links += 1
        number = world.links
        let weather = world.weather
        latencyMicroseconds = world.dice.skewed(50...weather.latencyMicrosecondsMax)
        pieceBytesMax = world.dice.pick(weather.pieceBytesChoices)
        ends = [End(), End()]
        for (side, end) in ends.enumerated() {
            end.link = self
            end.side = side
            end.windowBytes = world.dice.pick(weather.windowBytesChoices)
        }
    }

    func fall() {
        isSound = false
        isBlackHole = true
        world.trace.note(world, "black-hole", number)
    }

    func isTouched() { isSound = false }

    /// How long data that leaves now needs, in microseconds.
    func delay() -> Int {
        latencyMicroseconds + world.dice.number(0...latencyMicroseconds)
    }

    /// Breaks the connection under both ends.
    func breakDown() {
        isSound = false
        for end in ends { end.resetArrives(ECONNRESET) }
    }
}

/// One end of a link: a socket.
final class End {
    fileprivate(set) unowned var link: Link!
    private var keptLink: Link?
    fileprivate(set) var side = 0
    fileprivate(set) var windowBytes = 65_536
    var peer: End { link.ends[1 - side] }
    private var world: World { link.world }

    /// The owner of the socket; nil before it was accepted.
    var host: SimulatedHost?
    var descriptor: Int32 = -1
    var token: Token?
    var local = SocketAddress.none
    var remote = SocketAddress.none

    // Outgoing bytes.
    /// Bytes taken from us that the peer has not read.
    private(set) var unreadByPeer = 0
    private(set) var bytesSent = 0
    /// Bytes that have arrived at the peer: its kernel has acknowledged them.
    private var arrivedAtPeer = 0
    private(set) var isShutDown = false
    private var lastArrival = MonotonicTime(nanoseconds: 0)
    /// When each byte left: (one past the last byte, time).
    private var departures: [(end: Int, time: MonotonicTime)] = []

    // Incoming bytes.
    private var arrived: [UInt8] = []
    private var arrivedStart = 0
    private(set) var hasEnd = false
    private(set) var failure: Int32?
    /// Bytes handed to the reader.
    private(set) var bytesRead = 0
    private var watches: [(offset: Int, tell: () -> Void)] = []
    /// Called when the end of the peer's bytes has been read.
    var whenEndRead: (() -> Void)?
    /// Called once, when this end is closed.
    var whenClosed: (() -> Void)?

    // What the owner wants to receive.
    var isConnecting = false
    var connectResult: Int32?
    var isReceiving = false
    private(set) var isClosed = false

    var arrivedCount: Int { arrived.count - arrivedStart }
    /// Bytes that the peer has not acknowledged; the acknowledgement itself takes no time here.
    var unacknowledgedCount: Int { isBroken ? .max : bytesSent - arrivedAtPeer }
    /// Bytes that can be sent now.
    var room: Int { isBroken ? 0 : max(0, windowBytes - unreadByPeer) }
    var isBroken: Bool { failure != nil }
    var hasInput: Bool { arrivedCount > 0 || hasEnd || failure != nil }

    /// Keeps the link alive as long as the socket is open.
    func open() { keptLink = link }

    // MARK: Sending

    /// Takes bytes for the peer.
    func transmit(_ bytes: [UInt8]) {
        precondition(!isShutDown, "bytes after the end")
        bytesSent += bytes.count
        unreadByPeer += bytes.count
        departures.append((bytesSent, world.now))
        guard !link.isBlackHole else { return }
        var start = 0
        while start < bytes.count {
            let most = min(link.pieceBytesMax, bytes.count - start)
            let count = world.dice.happens(0.5) ? most : world.dice.number(1...most)
            let piece = Array(bytes[start..<start + count])
            start += count
            arrive { [self] end in
                if !end.isClosed, end.failure == nil { arrivedAtPeer += piece.count }
                end.take(piece)
            }
        }
    }

    /// When the byte before `offset` was sent.
    func departure(of offset: Int) -> MonotonicTime? {
        departures.first { $0.end >= offset }?.time
    }

    /// Makes something reach the peer after everything that is on its way.
    private func arrive(_ action: @escaping (End) -> Void) {
        let time = MonotonicTime(
            nanoseconds: world.now.nanoseconds + UInt64(link.delay()) * 1_000)
        lastArrival = max(lastArrival, time)
        let (link, peer) = (link!, peer)
        world.at(lastArrival) {
            guard !link.isBlackHole else { return }
            action(peer)
        }
    }

    private func take(_ piece: [UInt8]) {
        guard failure == nil else { return }
        if isClosed { return reset() }
        if arrivedStart == arrived.count {
            arrived = piece
            arrivedStart = 0
        } else {
            arrived += piece
        }
        host?.isReady(self)
    }

    func shutDown() {
        guard !isShutDown, !isBroken else { return }
        isShutDown = true
        arrive { end in
            guard end.failure == nil, !end.isClosed else { return }
            end.hasEnd = true
            end.host?.isReady(end)
        }
    }

    /// Resets the peer, at once or after what is on its way.
    func reset() {
        let (link, peer) = (link!, peer)
        let action: (End) -> Void = { $0.resetArrives(ECONNRESET) }
        if world.dice.happens(0.5) { return arrive(action) }
        world.after(microseconds: link.delay()) {
            if !link.isBlackHole { action(peer) }
        }
    }

    /// The connection is gone; unread bytes may be lost or not.
    func resetArrives(_ errno: Int32) {
        guard failure == nil, !isClosed else { return }
        failure = errno
        if world.dice.happens(0.5) {
            arrived = []
            arrivedStart = 0
        }
        host?.isReady(self)
    }

    // MARK: Receiving

    /// Reads up to `count` bytes.
    func read(_ count: Int) -> ArraySlice<UInt8> {
        let end = min(arrivedStart + count, arrived.count)
        let bytes = arrived[arrivedStart..<end]
        arrivedStart = end
        bytesRead += bytes.count
        let (link, peer, count) = (link!, peer, bytes.count)
        world.after(microseconds: link.latencyMicroseconds) {
            guard !link.isBlackHole else { return }
            peer.unreadByPeer -= count
            peer.host?.roomGrew(peer)
        }
        return bytes
    }

    /// The end of the peer's bytes was delivered; it is delivered once.
    func endDelivered() {
        hasEnd = false
        whenEndRead?()
    }

    /// Calls `tell` when the byte before `offset` has been read here.
    func watch(_ offset: Int, _ tell: @escaping () -> Void) {
        if bytesRead >= offset { return tell() }
        watches.append((offset, tell))
    }

    /// Calls the watchers of bytes that have been read by now.
    func tellWatches() {
        guard !watches.isEmpty else { return }
        let due = watches.filter { $0.offset <= bytesRead }
        watches.removeAll { $0.offset <= bytesRead }
        for watch in due { watch.tell() }
    }

    // MARK: The end

    func close(withReset: Bool) {
        guard !isClosed else { return }
        isClosed = true
        if failure == nil {
            if withReset || arrivedCount > 0 {
                reset()
            } else {
                shutDown()
            }
        }
        arrived = []
        arrivedStart = 0
        watches = []
        whenClosed?()
        whenClosed = nil
        whenEndRead = nil
        token = nil
        keptLink = nil
    }
}
