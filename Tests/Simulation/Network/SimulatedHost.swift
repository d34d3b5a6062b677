// The backend of one loop on the simulated network: it does what a kernel would do, and everything
// that a kernel may do.
//
// It keeps the rules of `Backend` to the letter and no better than it must: sends are taken in
// part, or later; received memory is overwritten as soon as the next completion is asked for;
// completions of different sockets come in any order; and every operation that can fail does fail
// when the world decides so.

import Glibc
import Reactor

/// A socket that listens.
final class SimulatedListener {
    let host: SimulatedHost
    let address: SocketAddress
    let descriptor: Int32
    var token: Token?
    var isAccepting = false
    var backlog: [End] = []

    init(host: SimulatedHost, address: SocketAddress, descriptor: Int32) {
        self.host = host
        self.address = address
        self.descriptor = descriptor
    }
}

/// One machine of the simulated network, with one loop.
final class SimulatedHost: Backend {
    enum Socket {
        case listener(SimulatedListener)
        case end(End)
    }

    /// A send that the loop was told to wait for.
    private struct Sending {
        var first: Slab
        /// The content of the memory when the send was asked for.
        var bytes: [UInt8]
        /// It may be completed now.
        var isDue = false
    }

    let world: World
    let name: String
    /// "10.0.0.7": where its connections come from.
    let address: UInt32
    var loop: Loop?
    var isRunning = true
    /// Whether faults happen here.
    let isExposed: Bool
    private(set) var descriptors: [Int32: Socket] = [:]
    private var sockets: [Token: Socket] = [:]
    private var sendings: [Token: Sending] = [:]
    private var closing: [Token: Sending] = [:]
    /// Tokens that may have a completion to deliver.
    private var ready: [Token] = []
    private var completionsLeft = 0
    private var nextDescriptor: Int32 = 10
    private var nextPort: UInt16 = 20_000
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 64)
    private var lentBytes = 0
    /// How many bytes of a waiting send are compared with their earlier values.
    private static let checkedBytesMax = 32_768
    /// Sends whose memory changed while the backend owned it.
    private(set) var spoiledSends = 0

    init(world: World, name: String, address: UInt32, isExposed: Bool) {
        self.world = world
        self.name = name
        self.address = address
        self.isExposed = isExposed
        world.hosts.append(self)
    }

    deinit { buffer.deallocate() }

    // MARK: For the world

    /// Makes this host's loop.
    func makeLoop(index: Int) -> Loop {
        guard let loop = try? Loop(index: index, custom: self) else {
            preconditionFailure("no loop")
        }
        self.loop = loop
        return loop
    }

    func isDue(at now: MonotonicTime) -> Bool {
        if !ready.isEmpty { return true }
        guard let loop else { return false }
        return loop.waitMilliseconds == 0 || (nextTimer.map { $0 <= now } ?? false)
    }

    /// When the loop wants its next turn, if nothing comes from outside.
    var nextTimer: MonotonicTime? {
        guard let loop, loop.waitMilliseconds >= 0 else { return nil }
        return loop.now.advanced(byMilliseconds: Int(loop.waitMilliseconds))
    }

    func isReady(_ end: End) {
        guard let token = end.token else { return }
        if end.isReceiving { mark(token) }
    }

    /// The peer has read: a send that waits for room may continue.
    func roomGrew(_ end: End) {
        guard let token = end.token, sendings[token] != nil, end.room > 0 else { return }
        sendings[token]?.isDue = true
        mark(token)
    }

    private func mark(_ token: Token) {
        if !ready.contains(token) { ready.append(token) }
    }

    private func fault(_ operation: World.Operation, _ chance: Double) -> Bool {
        isExposed && world.fault(operation, chance: chance)
    }

    private func newDescriptor() -> Int32? {
        guard !isExposed || descriptors.count < world.weather.descriptorsMax else { return nil }
        nextDescriptor += 1
        return nextDescriptor
    }

    // MARK: Clocks

    func readClock() -> MonotonicTime { world.now }
    func readWallClock() -> Int64 { 1_800_000_000 + Int64(world.now.nanoseconds / 1_000_000_000) }
    func watch(wakeUp descriptor: Int32) throws(SystemError) {}

    // MARK: Listening and connecting

    func listen(
        on address: SocketAddress, backlog: Int, isShared: Bool, sendBufferBytes: Int?
    ) throws(SystemError) -> Int32 {
        nextDescriptor += 1
        let listener = SimulatedListener(host: self, address: address, descriptor: nextDescriptor)
        descriptors[nextDescriptor] = .listener(listener)
        world.listeners.append(listener)
        return nextDescriptor
    }

    func localAddress(of descriptor: Int32) -> SocketAddress? {
        switch descriptors[descriptor] {
        case .listener(let listener): listener.address
        case .end(let end): end.local
        case nil: nil
        }
    }

    func accept(on descriptor: Int32, _ token: Token) {
        guard case .listener(let listener) = descriptors[descriptor] else { return }
        listener.token = token
        listener.isAccepting = true
        sockets[token] = .listener(listener)
        mark(token)
    }

    func stopAccepting(_ token: Token) {
        if case .listener(let listener) = sockets[token] { listener.isAccepting = false }
    }

    /// Listeners share an address here, never a socket, so each is told of its own connections.
    var tellsOnlyOne: Bool { false }
    func acceptOverlooked(_ token: Token) { mark(token) }

    func adopt(_ descriptor: Int32, _ token: Token) -> Int32 {
        guard case .end(let end) = descriptors[descriptor] else { return EBADF }
        end.token = token
        sockets[token] = .end(end)
        guard fault(.adopt, world.weather.adoptFails) else { return 0 }
        end.link.isTouched()
        return ENOMEM
    }

    func connect(to address: SocketAddress, _ token: Token) -> Int32 {
        guard let descriptor = newDescriptor() else { return -EMFILE }
        if fault(.connect, world.weather.connectFails) { return -EMFILE }
        let link = Link(world: world)
        let end = link.ends[0]
        end.open()
        nextPort &+= 1
        end.local = SocketAddress(ipv4: self.address, port: nextPort)
        end.remote = address
        end.host = self
        end.descriptor = descriptor
        end.token = token
        end.isConnecting = true
        descriptors[descriptor] = .end(end)
        sockets[token] = .end(end)
        beginConnecting(link)
        return descriptor
    }

    private func beginConnecting(_ link: Link) {
        let weather = world.weather
        if isExposed, world.dice.happens(weather.unanswered) { return link.fall() }
        let isRefused = isExposed && world.dice.happens(weather.refused)
        let target = link.ends[0].remote
        world.after(microseconds: link.delay() * 2) { [world] in
            let (end, far) = (link.ends[0], link.ends[1])
            guard end.token != nil else { return }
            let listeners = world.listeners.filter { $0.address == target }
            if isRefused || listeners.isEmpty {
                end.connectResult = ECONNREFUSED
            } else {
                end.connectResult = 0
                let listener = listeners[world.dice.number(0...listeners.count - 1)]
                far.open()
                far.local = target
                far.remote = end.local
                listener.backlog.append(far)
                if let token = listener.token { listener.host.mark(token) }
            }
            if let token = end.token { end.host?.mark(token) }
        }
    }

    // MARK: Moving bytes

    func receive(_ token: Token) {
        guard case .end(let end) = sockets[token] else { return }
        end.isReceiving = true
        mark(token)
    }

    func unreadByteCount(_ token: Token) -> Int {
        guard case .end(let end) = sockets[token] else { return 0 }
        return end.arrivedCount
    }

    func unacknowledgedByteCount(_ token: Token) -> Int {
        guard case .end(let end) = sockets[token] else { return .max }
        return end.unacknowledgedCount
    }

    func stopReceiving(_ token: Token) {
        if case .end(let end) = sockets[token] { end.isReceiving = false }
    }

    func send(_ token: Token, first: Slab) -> SendOutcome {
        guard case .end(let end) = sockets[token] else { return .failed(errno: EBADF) }
        if fault(.send, world.weather.sendFails) { strike(end) }
        if let errno = end.failure { return .failed(errno: errno == ECONNRESET ? EPIPE : errno) }
        if end.isShutDown { return .failed(errno: EPIPE) }
        let isLater = world.dice.happens(world.weather.laterSends)
        let bytes = isLater ? [] : SimulatedHost.gather(first, most: end.room)
        guard bytes.isEmpty else {
            end.transmit(bytes)
            return .sent(byteCount: bytes.count)
        }
        sendings[token] = Sending(
            first: first, bytes: SimulatedHost.gather(first, most: SimulatedHost.checkedBytesMax))
        if isLater, end.room > 0 {
            world.after(microseconds: world.dice.number(0...2_000)) { [weak self] in
                self?.roomGrew(end)
            }
        }
        return .pending
    }

    /// The bytes chained at `first`: up to 16 slabs, and at most `most` bytes.
    private static func gather(_ first: Slab, most: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var cursor: Slab? = first
        var slabs = 0
        while let slab = cursor, slabs < 16, bytes.count < most {
            let count = min(slab.count, most - bytes.count)
            bytes += UnsafeBufferPointer(start: slab.payload + slab.start, count: count)
            cursor = slab.next
            slabs += 1
        }
        return bytes
    }

    /// A fault hits a connection.
    private func strike(_ end: End) {
        let link = end.link!
        switch world.weather.failingOperation == nil ? nil : world.weather.failure {
        case .breaks: link.breakDown()
        case .falls: link.fall()
        case .ends:
            link.isTouched()
            end.peer.shutDown()
        case nil:
            if world.dice.happens(world.weather.silent) { link.fall() } else { link.breakDown() }
        }
    }

    func shutDown(_ token: Token) {
        if case .end(let end) = sockets[token] { end.shutDown() }
    }

    func close(_ token: Token, withReset: Bool) -> Bool {
        guard let socket = sockets.removeValue(forKey: token) else { return false }
        switch socket {
        case .listener(let listener):
            descriptors[listener.descriptor] = nil
            world.listeners.removeAll { $0 === listener }
            for end in listener.backlog { end.close(withReset: true) }
            listener.backlog = []
            return false
        case .end(let end):
            descriptors[end.descriptor] = nil
            end.close(withReset: withReset)
            guard let sending = sendings.removeValue(forKey: token) else { return false }
            closing[token] = sending
            mark(token)
            return true
        }
    }

    func discard(_ descriptor: Int32) {
        guard case .end(let end) = descriptors.removeValue(forKey: descriptor) else { return }
        end.close(withReset: false)
    }

    // MARK: Waiting

    func wait(milliseconds: Int32) {
        completionsLeft = world.dice.number(1...world.weather.completionsMax)
    }

    func next() -> Event? {
        if lentBytes > 0 {
            memset(buffer.baseAddress!, 0xDB, lentBytes)
            lentBytes = 0
        }
        while completionsLeft > 0, !ready.isEmpty {
            let index = ready.count == 1 ? 0 : world.dice.number(0...ready.count - 1)
            let token = ready.remove(at: index)
            guard let completion = completion(for: token) else { continue }
            completionsLeft -= 1
            mark(token)
            return Event(token: token, completion: completion)
        }
        return nil
    }

    private func completion(for token: Token) -> Completion? {
        if let sending = closing.removeValue(forKey: token) {
            check(sending)
            return .released
        }
        switch sockets[token] {
        case .listener(let listener): return nextConnection(of: listener)
        case .end(let end): return next(of: end, token)
        case nil: return nil
        }
    }

    private func nextConnection(of listener: SimulatedListener) -> Completion? {
        guard listener.isAccepting, let end = listener.backlog.first else { return nil }
        guard let descriptor = newDescriptor(), !fault(.accept, world.weather.acceptFails) else {
            listener.isAccepting = false
            return .acceptFailed(errno: EMFILE)
        }
        listener.backlog.removeFirst()
        end.host = self
        end.descriptor = descriptor
        descriptors[descriptor] = .end(end)
        return .accepted(descriptor: descriptor, peer: end.remote)
    }

    private func next(of end: End, _ token: Token) -> Completion? {
        if end.isConnecting {
            guard let errno = end.connectResult else { return nil }
            end.isConnecting = false
            return .connected(errno: errno)
        }
        if let sending = sendings[token], sending.isDue || end.isBroken {
            return complete(sending, of: end, token)
        }
        guard end.isReceiving, end.hasInput else { return nil }
        if end.arrivedCount > 0 || end.hasEnd, fault(.receive, world.weather.receiveFails) {
            strike(end)
        }
        return receive(from: end)
    }

    private func complete(_ sending: Sending, of end: End, _ token: Token) -> Completion? {
        if let errno = end.failure {
            check(sending)
            sendings[token] = nil
            return .sendFailed(errno: errno)
        }
        let most = end.room
        guard most > 0 else {
            sendings[token]?.isDue = false
            return nil
        }
        check(sending)
        sendings[token] = nil
        let bytes = SimulatedHost.gather(sending.first, most: most)
        end.transmit(bytes)
        return .sent(byteCount: bytes.count)
    }

    /// The memory of a send must not change before it completes; it may only grow.
    private func check(_ sending: Sending) {
        var cursor: Slab? = sending.first
        var start = 0
        sending.bytes.withUnsafeBytes { bytes in
            while let slab = cursor, start < bytes.count {
                let count = min(slab.count, bytes.count - start)
                let isSame =
                    memcmp(slab.payload + slab.start, bytes.baseAddress! + start, count) == 0
                if !isSame { spoiledSends += 1 }
                start += count
                cursor = slab.next
            }
        }
    }

    private func receive(from end: End) -> Completion? {
        if end.arrivedCount > 0 {
            let most = min(end.arrivedCount, buffer.count)
            let count = world.dice.happens(0.7) ? most : world.dice.number(1...most)
            let bytes = end.read(count)
            buffer.copyBytes(from: bytes)
            lentBytes = bytes.count
            end.tellWatches()
            world.trace.note(world, "read", end.link.number * 2 + end.side, bytes.count)
            return .received(UnsafeRawBufferPointer(rebasing: buffer[..<bytes.count]))
        }
        if let errno = end.failure {
            end.isReceiving = false
            return .receiveFailed(errno: errno)
        }
        guard end.hasEnd else { return nil }
        end.endDelivered()
        end.isReceiving = false
        return .received(UnsafeRawBufferPointer(rebasing: buffer[..<0]))
    }
}

extension SimulatedHost {
    /// The network's side of a stream of this host's loop; nil when it is closed.
    func end(of stream: Stream) -> End? {
        guard case .end(let end) = sockets[stream.token] else { return nil }
        return end
    }

    /// A fault of the host itself: its connections do nothing that their peers may expect.
    func touchLinks() {
        for case .end(let end) in descriptors.values { end.link.isTouched() }
    }

    /// The host is switched off: its sockets are closed, and nothing on it runs again.
    func stop() {
        isRunning = false
        loop?.stop()
        loop?.run()
        loop = nil
        world.hosts.removeAll { $0 === self }
    }

    /// Connections that are open.
    var openConnections: Int {
        descriptors.values.count { if case .end = $0 { true } else { false } }
    }
}
